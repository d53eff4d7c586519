"""What has been recorded of files, and where in a buffer it stands.

`recordings` reads it, once for all editors (`shared`), also of files that had another name (`renames`). `attached`
brings it together with a buffer: `places` has the calls, `variables` the names whose values came from calls.
"""
