"""Scratch folders: where a program runs on old code, and finds the rest of its project as it is now.

`<cache>/scratch/<run>/` stands for the folder that the project is in. In it, the project has the files of the version;
what versions never have (ignored files, data, environments, `.env`) are links to the project's own, and so are
the project's neighbours. Files that a version would have, but this one has not, are not there: they came later.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace

from ao_lsp import paths
from ao_lsp.server.model import Run
from ao_lsp.server.versions import comparison, history, restore, snapshot
from ao_lsp.server.versions.repository import Repository
from ao_lsp.server.versions.snapshot import Program
from ao_lsp.server.workspace import is_below

_NEVER_LINKED = frozenset({b"__pycache__"})
_HISTORIES = frozenset({b".git", b".hg", b".jj", b".svn"})
"""A program that works with its own history must not do so from here; but it may look for its project by it."""

_MOST_NEIGHBOURS = 1_000
_UNUSED_S = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Scratch:
    """The code of a run, `version`, ready to be run again: the folder `top` stands for `place`, in which the project
    `root` is."""

    version: str
    top: str
    place: str
    root: str

    def inside(self, path: str) -> str:
        """Where the old state of a file or folder of the project is; any other path as it is."""
        return self.top + path[len(self.place) :] if is_below(path, self.root) else path

    def moved(self, run: Run) -> Run:
        """`run` as it has to be started here. Arguments that are paths of files of the version name the old ones."""
        kind, value = run.target
        cwd = self.inside(run.cwd)
        if kind == "script" and not is_below(os.path.join(cwd, value), self.top):
            value = self.inside(os.path.realpath(os.path.join(run.cwd, value)))
        argv = run.argv[:1] + tuple(map(self._argument, run.argv[1:]))
        return replace(run, cwd=cwd, target=(kind, value), argv=argv)

    def _argument(self, word: str) -> str:
        inside = self.inside(word) if os.path.isabs(word) else word
        return inside if os.path.isfile(inside) and not os.path.islink(inside) else word


def make(repository: Repository, name: str, run: Run, version: str, root: str) -> Scratch:
    """The scratch folder of the rerun `name` of `run`, on the files of `version` below `root`.

    Raises:
        GoneError: the version is not there.
        DamagedError: it cannot be read.
        OSError: there is no room, or no permission.
    """
    top = os.path.join(os.path.realpath(paths.secure_dir(paths.scratch_dir())), name)
    place = os.path.dirname(root).rstrip(os.sep)
    scratch = Scratch(version, top, place, root)
    here = scratch.inside(root)
    try:
        os.mkdir(top, 0o700)
        restore.write(repository, version, here, force=True)
        _link_rest(repository, scratch, here, run)
        _link_neighbours(place or os.sep, top)
        os.makedirs(scratch.inside(run.cwd), 0o700, exist_ok=True)
    except BaseException:
        remove(name)
        raise
    return scratch


def remove(name: str) -> None:
    """Remove the scratch folder of a run, if it has one; not what links in it lead to."""
    if os.path.basename(name) == name and name not in ("", ".", ".."):
        shutil.rmtree(os.path.join(paths.scratch_dir(), name), ignore_errors=True)


def remove_unused(running: Collection[str]) -> None:
    """Remove those of runs that are over, or that have not begun within a day."""
    with suppress(OSError):
        for name in os.listdir(paths.scratch_dir()):
            with suppress(OSError):
                age = time.time() - os.stat(os.path.join(paths.scratch_dir(), name)).st_mtime
                if name not in running and age > _UNUSED_S:
                    remove(name)


def _link_rest(repository: Repository, scratch: Scratch, here: str, run: Run) -> None:
    old = set(history.files_in(repository, scratch.version))
    program = snapshot.program_of(run.target, run.cwd)
    now = set(comparison.now(program if program.root == scratch.root else Program(scratch.root, scratch.root)).files)
    mixed = {above for name in old | now for above in _above(name)}
    top, root = os.fsencode(here), os.fsencode(scratch.root)
    waiting = [b""]
    while waiting:
        folder = waiting.pop()
        try:
            entries = list(os.scandir(os.path.join(root, folder)))
        except OSError:  # it is gone, or not ours to read
            continue
        for entry in entries:
            name, old_name = os.path.join(folder, entry.name), os.path.join(top, folder, entry.name)
            if entry.name in _NEVER_LINKED or name in now or (os.path.lexists(old_name) and name not in mixed):
                continue
            if entry.name in _HISTORIES:
                os.makedirs(old_name, 0o700, exist_ok=True)
            elif name in mixed and entry.is_dir(follow_symlinks=False):
                os.makedirs(old_name, 0o700, exist_ok=True)
                waiting.append(name)
            elif name not in mixed:
                os.symlink(os.path.join(root, name), old_name)


def _above(name: bytes) -> list[bytes]:
    """The folders that a file is in."""
    found = []
    while b"/" in name:
        name = name.rpartition(b"/")[0]
        found.append(name)
    return found


def _link_neighbours(place: str, top: str) -> None:
    try:
        names = os.listdir(place)
    except OSError:
        return
    for name in names[:_MOST_NEIGHBOURS]:
        with suppress(FileExistsError):
            os.symlink(os.path.join(place, name), os.path.join(top, name))
