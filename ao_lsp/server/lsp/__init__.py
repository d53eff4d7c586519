"""The language server: the only part that knows pygls and lsprotocol.

A connection is an `Editor` (a pygls server of its own) over the daemon's shared core. Messages come
in through `wire` and `inbox`, are acted on by `dispatch`, and answered by `features`. What is shown is
made of two things: the text of a buffer (`documents`, `callsites`) and what has been recorded of its
file (`recordings`). `attached` brings them together: a `following.Follower` finds any recorded expression in
the buffer, `places` the calls; `lenses`, `hints`, `hovers` and `actions` say it in LSP. docs/protocol.md is
the manual.
"""
