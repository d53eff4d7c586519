"""The file watcher: what the user edits is rewritten and compiled before they run it (docs/watching.md).

`watcher` brings the rest together: `targets` says which folders, and for which interpreter; a `folder` hears of changes
from `inotify` or `observer`, or looks for them (`polling`) where `mounts` says that no events can be relied on;
`compiling` hands the files to `worker`s, processes of the user's interpreters; `cleaning` keeps the cache small.

All of it costs warm starts only when it fails: nothing here is needed for recording.
"""
