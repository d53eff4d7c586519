"""`ao` and `ao-server`: thin clients of the daemon. Standard library only, and little of it."""
