"""What is other in one state of a project's files than in another, line by line."""

from __future__ import annotations

import difflib
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ao_lsp.server.versions import files, history, snapshot
from ao_lsp.server.versions.history import File
from ao_lsp.server.versions.repository import Repository
from ao_lsp.server.versions.snapshot import Program

Status: TypeAlias = Literal["added", "changed", "removed"]

_MOST_LINES = 20_000
"""Of longer files no differences are looked for: it could take minutes."""


@dataclass(frozen=True, slots=True)
class State:
    """The files of a project, by name, and how to get at what is in one."""

    files: Mapping[bytes, File]
    read: Callable[[bytes], bytes]


NOTHING = State({}, lambda _: b"")


@dataclass(frozen=True, slots=True)
class Difference:
    """A file that is not the same: `added`, `removed` or `changed`. `diff` is in the unified format, None for a file
    that is too long for it."""

    name: str
    status: Status
    diff: str | None


def kept(repository: Repository, version: str) -> State:
    """The state that is a version.

    Raises:
        GoneError: it is not there.
        DamagedError: it cannot be read.
    """
    found = history.files_in(repository, version)
    return State(found, lambda name: repository.blob(found[name].blob))


def now(program: Program) -> State:
    """The files as they are, without keeping them."""
    entries = files.look(program.root, snapshot.files_of(program)[1], {}, _id)
    found = {name: File(entry.mode, entry.id) for name, entry in entries.items() if not entry.skipped}
    return State(found, lambda name: _contents(os.path.join(os.fsencode(program.root), name)))


def _id(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _contents(path: bytes) -> bytes:
    try:
        if os.path.islink(path):
            return os.readlink(path)
        with open(path, "rb") as file:
            return file.read(files.MOST_BYTES)
    except OSError:  # it has just gone
        return b""


def differences(a: State, b: State) -> Iterator[Difference]:
    """The files that are not the same, in the order of their names."""
    for name in sorted(a.files.keys() | b.files.keys()):
        was, is_ = a.files.get(name), b.files.get(name)
        if was == is_:
            continue
        status: Status = "added" if was is None else "removed" if is_ is None else "changed"
        left, right = (_lines(state.read(name)) if file else [] for state, file in ((a, was), (b, is_)))
        yield Difference(os.fsdecode(name), status, _unified(os.fsdecode(name), status, (was, left), (is_, right)))


_Side = tuple["File | None", list[str]]


def _unified(name: str, status: str, a: _Side, b: _Side) -> str | None:
    """The difference as `git diff` and `patch` have it."""
    was, left = a
    is_, right = b
    if max(len(left), len(right)) > _MOST_LINES:
        return None
    head = ""
    if was is not None and is_ is not None and was.mode != is_.mode:
        head = f"old mode {was.mode:o}\nnew mode {is_.mode:o}\n"
    before, after = (
        "/dev/null" if status == "added" else f"a/{name}",
        "/dev/null" if status == "removed" else f"b/{name}",
    )
    lines = list(difflib.unified_diff(left, right, before, after))
    if not lines:  # an empty file, or other permissions
        head += f"--- {before}\n+++ {after}\n"
    return head + "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _lines(data: bytes) -> list[str]:
    """Its lines, with their ends. Only a line feed ends one."""
    lines = data.decode("utf-8", "replace").split("\n")
    return [line + "\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
