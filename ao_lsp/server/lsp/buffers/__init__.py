"""The text of buffers: their state after each edit, the calls of models in them, and where a line or an expression of
an earlier text is now. Knows nothing of recordings, and of LSP only positions and edits.

`documents` keeps a buffer (`splice` an edit of it), `callsites` finds the calls. `following.Follower` finds any
expression that a run recorded: by the history of the lines (`trail`, `lost`), by a first match of two texts
(`follow`, `outline`), and within a line by its tokens (`tokens`).
"""
