"""What was recorded as texts to read: each has an address (`ao:///…`), and one function makes it.

Editors get a text under its address where they can open such (docs/protocol.md), and as a read-only file
where they cannot; the command line gets the file. `address` has what there is, `texts` how it is written,
`commands/opening.py` reads and gives it.
"""
