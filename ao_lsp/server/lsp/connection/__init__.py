"""From bytes to handlers and back, for one client among many: `wire` has messages as bytes (`large` ones in pieces),
`inbox` what waits, `dispatch` acts on them. `client` and `negotiation` read what the client can do.
"""
