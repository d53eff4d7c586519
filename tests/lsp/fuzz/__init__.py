"""Random and mutated messages against the real session, with what each is to be answered.

`messages` makes them, `expected` says what the protocol wants done with each, `client` sends them and compares.
`python -m tests.lsp.fuzz --seed N --messages M` runs as many as one likes; tests/lsp/test_fuzz.py some.
"""
