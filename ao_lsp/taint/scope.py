"""Is this module the user's? Asked once per import, never per operation.

User code is what stands outside the interpreter's own folders and outside site-packages: the
script, the modules beside it, an editable install, a folder on PYTHONPATH. `--rewrite` adds
packages by name, and files or folders by path.
"""

from __future__ import annotations

import os
import sys
from posix import getcwd, readlink

from ao_lsp.taint.kept import keep

keep(__name__)

FILES: set[str] = set()
"""File names (`co_filename`) of rewritten code: a function is the user's when its code names one."""

FOLLOWED: set[str] = set()
"""Those of packages that were added by name: rewritten like the user's, but not where the user looks
for a call."""

MODULES: set[str] = set()
"""Names of rewritten modules: a class is the user's when its `__module__` is one."""

_INSTALLED = (os.sep + "site-packages" + os.sep, os.sep + "dist-packages" + os.sep)
_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep

# Libraries that assemble prompts out of many values. At their boundary the escrow could only say
# that all of them went in; rewritten, they tell which came out.
TRANSPARENT = frozenset({"jinja2"})

_added_packages: set[str] = set(TRANSPARENT)
_added_paths: list[str] = []


def _library_folders() -> tuple[str, ...]:
    # `os.__file__` is where this interpreter's standard library is; importing `sysconfig` to be told
    # so costs a warm start 5 ms.
    stdlib = os.path.dirname(os.__file__)
    folders = {stdlib, os.path.realpath(stdlib)}
    return tuple([folder + os.sep for folder in folders])


STANDARD_LIBRARY = _library_folders()
"""Prefixes of file names in the standard library."""


def add(rewrite: str) -> None:
    """Count a package (by name) or files and folders (paths joined by `os.pathsep`) as the user's."""
    for item in rewrite.split(os.pathsep):
        if not item:
            continue
        if os.sep in item or os.path.exists(item):
            path = os.path.realpath(item)
            _added_paths.append(path + os.sep if os.path.isdir(path) else path)
        else:
            _added_packages.add(item)


def _real(path: str) -> str:
    """`os.path.realpath` while a program runs, which may have replaced what that calls (by something
    that forbids to touch the disk in an event loop, say)."""
    if not path.startswith(os.sep):
        path = getcwd() + os.sep + path
    done = ""
    rest = path.split(os.sep)[::-1]
    for _ in range(1000):  # links may go in circles
        if not rest:
            break
        part = rest.pop()
        if part in ("", "."):
            continue
        if part == "..":
            done = done.rpartition(os.sep)[0]
            continue
        try:
            target = readlink(done + os.sep + part)
        except OSError:  # no link
            done += os.sep + part
            continue
        if target.startswith(os.sep):
            done = ""
        rest.extend(target.split(os.sep)[::-1])
    return done or os.sep


def _is_added(real: str) -> bool:
    for added in _added_paths:  # noqa: SIM110  # generators cannot be hidden (frames.py)
        if real == added or (added[-1] == os.sep and real.startswith(added)):
            return True
    return False


def is_users(module: str, path: str) -> bool:
    """Whether the module `module`, found at the source file `path`, counts as the user's code."""
    if module.partition(".")[0] in _added_packages:
        return not path.startswith(_OURS)
    return is_own(module, path)


def is_own(module: str, path: str) -> bool:
    """The same without packages that were added by name."""
    if path.startswith(_OURS):
        return False
    if _added_paths and _is_added(_real(path)):
        return True
    if path.startswith(STANDARD_LIBRARY) or _INSTALLED[0] in path or _INSTALLED[1] in path:
        return False
    # A frozen or built-in module has a name of the standard library and no file of its own.
    package = module.partition(".")[0]
    return not (package in sys.stdlib_module_names and _real(path).startswith(STANDARD_LIBRARY))
