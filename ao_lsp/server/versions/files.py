"""What a project's files are like: read where they have changed, remembered where not."""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from ao_lsp.server.workspace import Found

MOST_BYTES = 1_000_000
"""Of a file; a larger one is not kept."""

FILE, EXECUTABLE, LINK, FOLDER = 0o100644, 0o100755, 0o120000, 0o040000
"""Modes, as git has them."""

_TEXT_BYTES = 8000  # a file with a NUL in the first of them is no text, as for git
_RACY_NS = 50_000_000
"""A file system's clock may be this far behind; what was written so shortly before it was read may be written again
and look the same."""
_FORMAT = 1

State: TypeAlias = tuple[int, int, int, int, int]
"""Of a file: size, times of its contents and of its inode (ns), inode, permissions and kind."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file: what it was like, and the id of what was in it; or why it is not kept ("": it is). `certain`: what still
    looks like this is the same."""

    state: State
    certain: bool
    mode: int
    id: str
    skipped: str = ""


Entries: TypeAlias = dict[bytes, Entry]
"""By name, relative to the project's root; folders are separated by `/`."""


def state_of(found: os.stat_result) -> State:
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_mode


def look(root: str, found: Iterable[Found], known: Entries, put: Callable[[bytes], str]) -> Entries:
    """The files as they are now; `put` keeps the contents of one, and gives its id."""
    start = len(os.fsencode(root.rstrip(os.sep))) + 1
    entries: Entries = {}
    for one in found:
        name = os.fsencode(one.path)[start:]
        before = known.get(name)
        if before is not None and before.certain and before.state == state_of(one.stat):
            entries[name] = before
        elif (entry := _read(one.path, one.stat, put)) is not None:
            entries[name] = entry
    return entries


def _read(path: str, found: os.stat_result, put: Callable[[bytes], str]) -> Entry | None:
    """A file that has to be looked at; None where it has just gone."""
    state = state_of(found)
    try:
        if stat.S_ISLNK(found.st_mode):
            return Entry(state, _is_settled(state), LINK, put(os.fsencode(os.readlink(path))))
        if found.st_size > MOST_BYTES:
            return _left_out(state, "larger than 1 MB")
        # Not to wait for a pipe, or to follow a link, that has taken its place.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        return _left_out(state, f"cannot be read ({error.strerror})")
    try:
        state, data, settled = _contents(fd)
    except OSError as error:
        return _left_out(state, f"cannot be read ({error.strerror})")
    finally:
        os.close(fd)
    if len(data) > MOST_BYTES:
        return _left_out(state, "larger than 1 MB")
    if b"\0" in data[:_TEXT_BYTES]:
        return _left_out(state, "no text")
    mode = EXECUTABLE if state[4] & 0o100 else FILE
    return Entry(state, settled and _is_settled(state), mode, put(data))


def _contents(fd: int) -> tuple[State, bytes, bool]:
    """The state of a file and what is in it; read again where it is written meanwhile, a few times. And whether
    that has come to an end."""
    before = state_of(os.fstat(fd))
    for _ in range(3):
        data = b""
        while len(data) <= MOST_BYTES and (piece := os.pread(fd, MOST_BYTES + 1 - len(data), len(data))):
            data += piece
        after = state_of(os.fstat(fd))
        if after == before:
            return before, data, True
        before = after
    return before, data, False


def _left_out(state: State, why: str) -> Entry:
    return Entry(state, _is_settled(state), 0, "", why)


def _is_settled(state: State) -> bool:
    """Whether a change of what has this state would show."""
    return state[2] < time.time_ns() - _RACY_NS


@dataclass(frozen=True, slots=True)
class Index:
    """What the files of a project were like when a version was taken; `tree` is that version."""

    root: str
    tree: str
    entries: Entries

    def dumped(self) -> bytes:
        files = [
            [os.fsdecode(name), *entry.state, entry.certain, entry.mode, entry.id, entry.skipped]
            for name, entry in self.entries.items()
        ]
        return json.dumps({"format": _FORMAT, "root": self.root, "tree": self.tree, "files": files}).encode("ascii")


def loaded(path: str, root: str, tree: str | None) -> Entries:
    """What `Index.dumped` said of the version `tree`; nothing where it is of another one, or cannot be read."""
    try:
        with open(path, "rb") as file:
            said: dict[str, Any] = json.load(file)
        if said["format"] != _FORMAT or said["root"] != root or said["tree"] != tree:
            return {}
        return {
            os.fsencode(name): Entry((size, written, changed, inode, kind), certain, mode, contents, skipped)
            for name, size, written, changed, inode, kind, certain, mode, contents, skipped in said["files"]
        }
    except (OSError, ValueError, LookupError, TypeError):
        return {}
