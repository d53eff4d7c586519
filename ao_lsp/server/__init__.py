"""The daemon: takes in what runners record, stores it, and answers the command line and editors."""
