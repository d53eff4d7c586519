"""The folder of a program's project."""

from __future__ import annotations

import os
import tempfile
from functools import cache

_HISTORIES = (".git", ".hg", ".jj", ".svn")
_PROJECTS = ("pyproject.toml", "setup.py", "setup.cfg", "Pipfile", "requirements.txt")


def program_folder(target: tuple[str, str], cwd: str) -> str:
    """Where the code of a program stands: the folder of its script (links resolved, as Python does for `sys.path[0]`),
    else the folder in which it was started. `target` as in `Run`."""
    kind, value = target
    if kind != "script":
        return cwd
    path = os.path.realpath(os.path.join(cwd, value))
    # A folder or a zip file can be run, too.
    return path if os.path.isdir(path) else os.path.dirname(path)


def project_root(folder: str) -> str:
    """The project that `folder` belongs to: the nearest folder above it (or itself) with a version history, else the
    nearest one with a project file, else `folder`. A home folder, a temporary folder and the root of the file system
    are nobody's project, whatever lies in them."""
    marked = None
    for place in _upwards(folder):
        if is_nobodys(place):
            break
        if any(os.path.lexists(os.path.join(place, name)) for name in _HISTORIES):
            return place
        if marked is None and any(os.path.isfile(os.path.join(place, name)) for name in _PROJECTS):
            marked = place
    return marked or folder


def is_nobodys(folder: str) -> bool:
    """Whether this is a folder in which many things lie that have nothing to do with each other."""
    return folder in _common_places(os.environ.get("HOME"), os.environ.get("TMPDIR"))


@cache
def _common_places(home: str | None, temporary: str | None) -> frozenset[str]:
    home = home or os.path.expanduser("~")
    places = [os.sep, home, os.path.dirname(home), temporary or tempfile.gettempdir(), "/tmp", "/var/tmp"]  # noqa: S108
    places += [os.path.join(home, name) for name in ("Desktop", "Documents", "Downloads")]
    return frozenset(each for place in places for each in (place.rstrip(os.sep) or os.sep, os.path.realpath(place)))


def _upwards(folder: str) -> list[str]:
    places = [folder]
    while (above := os.path.dirname(places[-1])) != places[-1]:
        places.append(above)
    return places
