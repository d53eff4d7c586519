"""The versions that there are, and what is in them."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dulwich.objects import Commit

from ao_lsp.server.versions.files import LINK
from ao_lsp.server.versions.repository import DamagedError, GoneError, Repository

_NAMED = 2


@dataclass(frozen=True, slots=True)
class Version:
    """A state of a project's files, committed `at` (Unix seconds). `before` is the version of the commit before it."""

    id: str
    commit: str
    project: str
    at: float
    files: int
    skipped: dict[str, str]
    before: str | None


@dataclass(frozen=True, slots=True)
class File:
    """A file in a version; `blob` is the id of what is in it, of a link where it leads."""

    mode: int
    blob: str

    @property
    def is_link(self) -> bool:
        return self.mode == LINK

    @property
    def is_executable(self) -> bool:
        return bool(self.mode & 0o100) and not self.is_link


@dataclass(frozen=True, slots=True)
class Changes:
    """The files that one version has otherwise than another."""

    added: tuple[bytes, ...]
    changed: tuple[bytes, ...]
    removed: tuple[bytes, ...]

    def __str__(self) -> str:
        """`app.py changed; 3 added`."""
        said = []
        for what, names in (("changed", self.changed), ("added", self.added), ("removed", self.removed)):
            if 0 < len(names) <= _NAMED:
                said.append(f"{', '.join(os.fsdecode(name) for name in names)} {what}")
            elif names:
                said.append(f"{len(names)} {what}")
        return "; ".join(said)


def tree_of(commit: Commit) -> str:
    """The version that a commit is of."""
    tree: bytes = commit.tree
    return tree.decode("ascii")


def of_project(repository: Repository, name: str) -> Iterator[Version]:
    """The versions of the project of this name (snapshot.name_of), the last one first. One that came again is there
    as often.

    Raises:
        DamagedError: one of them cannot be read.
    """
    id_ = repository.head(name)
    commit = repository.commit(id_) if id_ is not None else None
    while id_ is not None and commit is not None:
        parent = commit.parents[0].decode("ascii") if commit.parents else None
        before = repository.commit(parent) if parent is not None else None
        said = _said(commit)
        yield Version(
            id=tree_of(commit),
            commit=id_,
            project=str(said.get("root", "")),
            at=float(commit.commit_time),
            files=int(said.get("files", 0)),
            skipped=dict(said.get("skipped", {})),
            before=tree_of(before) if before is not None else None,
        )
        id_, commit = parent, before


def newest(repository: Repository) -> list[Version]:
    """Every version of every project once, the newest first."""
    found = [version for name in repository.projects() for version in of_project(repository, name)]
    found.sort(key=lambda version: -version.at)
    once: dict[tuple[str, str], Version] = {}
    for version in found:
        once.setdefault((version.project, version.id), version)
    return list(once.values())


def _said(commit: Commit) -> dict[str, Any]:
    try:
        said = json.loads(commit.message)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def files_in(repository: Repository, version: str) -> dict[bytes, File]:
    """The files of a version, by name, in order.

    Raises:
        GoneError: it is not there.
        DamagedError: it is not whole, or names what is no file below a folder.
    """
    if not repository.has(version):
        raise GoneError(version)
    found: dict[bytes, File] = {}
    waiting = [(b"", version)]
    while waiting:
        above, tree = waiting.pop()
        for name, mode, id_ in repository.tree(tree):
            if name in (b"", b".", b"..") or b"/" in name or b"\0" in name:
                raise DamagedError(f"version {version} names a file {name!r}")
            if stat.S_ISDIR(mode):
                waiting.append((above + name + b"/", id_))
            else:
                found[above + name] = File(mode, id_)
    return dict(sorted(found.items()))


def changes(repository: Repository, before: str | None, after: str) -> Changes:
    """What is other in version `after` than in `before` (None: nothing was there). Folders that are the same are not
    looked into.

    Raises:
        DamagedError: one of them cannot be read, or is not there.
    """
    added: list[bytes] = []
    changed: list[bytes] = []
    removed: list[bytes] = []
    waiting: list[tuple[bytes, str | None, str | None]] = [(b"", before, after)]
    while waiting:
        above, left, right = waiting.pop()
        was = {name: (mode, id_) for name, mode, id_ in repository.tree(left)} if left else {}
        now = {name: (mode, id_) for name, mode, id_ in repository.tree(right)} if right else {}
        for name in was.keys() | now.keys():
            old, new = was.get(name), now.get(name)
            if old == new:
                continue
            folders = [each[1] if each and stat.S_ISDIR(each[0]) else None for each in (old, new)]
            if folders != [None, None]:
                waiting.append((above + name + b"/", folders[0], folders[1]))
            is_old, is_new = (each is not None and not stat.S_ISDIR(each[0]) for each in (old, new))
            if is_old and is_new:
                changed.append(above + name)
            elif is_old:
                removed.append(above + name)
            elif is_new:
                added.append(above + name)
    return Changes(tuple(sorted(added)), tuple(sorted(changed)), tuple(sorted(removed)))
