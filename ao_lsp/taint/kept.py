"""The built-ins as they were before the program began.

A test of the user's may patch `builtins.len` or `builtins.open`; our functions, which run in between,
must go on with the real ones. A function takes its built-ins from its module's `__builtins__` when it
is made, so a module says `keep(__name__)` before its first function.
"""

from __future__ import annotations

import builtins
import sys

_before = dict(vars(builtins))


def keep(module: str) -> None:
    """Give the functions that are made in this module from now on built-ins that nobody can patch. By its
    name: in a module that is loaded hidden (frames.py), `globals()` is somebody else's."""
    vars(sys.modules[module])["__builtins__"] = _before
