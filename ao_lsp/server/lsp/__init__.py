"""The language server: the only part that knows pygls and lsprotocol. docs/protocol.md is the manual.

A connection is an `Editor` (a pygls server of its own) over the daemon's shared core. Messages come in through
`connection` and are answered by `features`. What is shown is made of two things: the text of a buffer (`buffers`) and
what was recorded of its file (`recorded`, which finds it in the text); `shown` says it in LSP. `doing` is what commands
do, `refresh` tells the client what is out of date, `panel` answers our own requests.

Imports go one way: `buffers` ← `recorded` ← `shown` ← `doing`; `connection` knows `buffers` only.
"""
