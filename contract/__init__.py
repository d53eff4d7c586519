"""What clients may rely on, made from the types: documentation, JSON Schema and the clients' own types.

`scripts/make-protocol` writes it, `scripts/make-protocol --check` says what is out of date; a test does, too.
"""
