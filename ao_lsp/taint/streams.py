"""What is written to a stream can be read out of it: files, texts in memory, pipes, sockets.

A stream that has positions knows which part came from which calls (ranges.py). For a file on disk that
is remembered by the file itself, so that another handle finds it. Positions are asked for where asking
changes nothing; a text file is flushed by asking, so its position is counted instead.

A stream to somebody else (a child process, a server) has no positions: what comes back is taken for the
answer to what was written since the last answer.
"""

from __future__ import annotations

import _io
from _weakref import ref as _ref
from posix import fstat

from ao_lsp.taint import escrow, remembered
from ao_lsp.taint.kept import keep
from ao_lsp.taint.origins import NOTHING, through, union
from ao_lsp.taint.ranges import END, Ranges
from ao_lsp.taint.state import TAINT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from ao_lsp.taint.origins import Origins

keep(__name__)

TYPES = frozenset(
    {
        _io.StringIO,
        _io.BytesIO,
        _io.TextIOWrapper,
        _io.BufferedReader,
        _io.BufferedWriter,
        _io.BufferedRandom,
        _io.BufferedRWPair,
        _io.FileIO,
    }
)
_IN_MEMORY = (_io.StringIO, _io.BytesIO)
# Encodings in which a text is as long as its pieces, however it is cut.
_ADDITIVE = frozenset({"utf-8", "utf8", "ascii", "us-ascii", "latin-1", "iso-8859-1", "iso8859-1", "cp1252"})
_REGULAR, _FIFO, _SOCKET, _FORMAT = 0o100000, 0o010000, 0o140000, 0o170000  # stat(2)

_files: dict[tuple[int, int], Ranges] = {}
"""By device and inode."""
_MAX_FILES = 1024


class Exchange:
    """A conversation with somebody else. `always`: what all answers are made of; `child`: the name of a child
    process (origins.through)."""

    __slots__ = ("__weakref__", "_answered", "_told", "always", "child")

    def __init__(self, always: Origins = NOTHING, child: str = "") -> None:
        self.always = always
        self.child = child
        self._told = NOTHING
        self._answered = False

    def tell(self, origins: Origins) -> None:
        if self._answered:
            self._told, self._answered = NOTHING, False
        self._told = union(self._told, origins)

    def answer(self) -> Origins:
        self._answered = True
        return through(union(self.always, self._told), self.child)


_exchanges: dict[tuple[int, int], _ref[Exchange]] = {}
"""By device and inode: a socket can have several handles."""
_keepers: dict[int, tuple[_ref[Any], Exchange]] = {}
"""By the id of a handle: an inode is used again, so that nothing may outlive the handles."""


class Cursor:
    """What is known about one handle."""

    __slots__ = ("_handle", "counted", "exchange", "position", "ranges")

    def __init__(self, handle: Any) -> None:
        self._handle = _ref(handle)
        self.ranges: Ranges | None = None
        self.exchange: Exchange | None = None
        self.counted = False
        """Whether `position` is counted here; None then: nobody knows."""
        self.position: int | None = None

    def look(self, handle: Any) -> None:
        """Find out what kind of stream this is.

        Raises:
            OSError, ValueError: it is closed, or has no descriptor.
        """
        if type(handle) in _IN_MEMORY:
            self.ranges = Ranges()
        else:
            self._open(handle)

    def _open(self, handle: Any) -> None:
        try:
            found = fstat(handle.fileno())
        except OSError:
            if handle.readable() and handle.writable():  # both ends in one: a socket's `makefile("rw")`
                self.exchange = Exchange()
            return
        key = (found.st_dev, found.st_ino)
        kind = found.st_mode & _FORMAT
        if kind == _REGULAR:
            self.ranges = ranges_of_file(key, f"/dev/fd/{handle.fileno()}")
            if found.st_size == 0:
                self.ranges.clear()
            if type(handle) is _io.TextIOWrapper:
                self.counted = True
                self.position = handle.buffer.tell() if handle.encoding.lower() in _ADDITIVE else None
        elif kind in (_SOCKET, _FIFO):
            self.exchange = exchange_of(key, handle)

    def is_of(self, handle: object) -> bool:
        return self._handle() is handle

    def wrote(self, before: int | None, handle: Any, text: Any, origins: Origins) -> None:
        """`text`, with these origins, has just been written. Raises nothing."""
        try:
            self._wrote(before, handle, text, origins)
        except Exception as error:
            escrow.lost("what was written", error)

    def has_read(self, before: int | None, handle: Any, data: Any) -> Origins:
        """The origins of `data`, which has just been read. Raises nothing."""
        try:
            return self._has_read(before, handle, data)
        except Exception as error:
            escrow.lost("the origins of what was read", error)
            return NOTHING

    def _wrote(self, before: int | None, handle: Any, text: Any, origins: Origins) -> None:
        ranges = self.ranges
        if ranges is None:
            if self.exchange is not None:
                self.exchange.tell(origins)
        elif not self.counted:
            if origins or ranges:
                ranges.put(before or 0, handle.tell(), origins, _content(handle, text) if origins else None)
        elif self.position is None:
            ranges.blurred = union(ranges.blurred, origins)
        else:
            content = _encoded(handle, text) if origins or not text.isascii() else None
            end = self.position + (len(text) if content is None else len(content))
            ranges.put(self.position, end, origins, content)
            self.position = end

    def _has_read(self, before: int | None, handle: Any, data: Any) -> Origins:
        ranges = self.ranges
        if ranges is None:
            return self.exchange.answer() if self.exchange is not None and data else NOTHING
        if not self.counted:
            if not ranges:
                return NOTHING
            return ranges.over(before or 0, handle.tell(), _content(handle, data))
        if self.position is None:
            return ranges.over(0, END, _encoded(handle, data)) if data else NOTHING
        content = _encoded(handle, data) if ranges or not data.isascii() else None
        start = self.position
        self.position = end = start + (len(data) if content is None else len(content))
        return ranges.over(start, end, content) if ranges else NOTHING

    def unread(self, handle: Any) -> Origins:
        """The origins of what a reader would get now."""
        if self.ranges is None:
            return self.exchange.answer() if self.exchange is not None else NOTHING
        if not self.ranges:
            return NOTHING
        start = self.position if self.counted else handle.tell()
        return self.ranges.over(start or 0)


_cursors: dict[int, Cursor] = {}


def known_cursor(handle: Any) -> Cursor | None:
    """The cursor of a handle that has one already."""
    known = _cursors.get(id(handle))
    return known if known is not None and known.is_of(handle) else None


def cursor_of(handle: Any, writes: bool = False) -> Cursor | None:
    """The cursor of a handle; None where there is nothing to know, or nobody could."""
    known = known_cursor(handle)
    if known is not None:
        return known
    # What is written to a text file has to be counted from the first, though nothing is tagged yet.
    if not TAINT and not remembers() and not (writes and type(handle) is _io.TextIOWrapper):
        return None
    try:
        made = Cursor(handle)
        made.look(handle)
    except Exception:  # closed, detached, without a descriptor
        return None
    _cursors[id(handle)] = made
    if len(_cursors) > _MAX_FILES:
        for key in [key for key, cursor in _cursors.items() if cursor._handle() is None]:
            del _cursors[key]
    return made


def ranges_of_file(key: tuple[int, int], path: str) -> Ranges:
    """What is known about the file on disk with this device and inode, which `path` leads to."""
    known = _files.get(key)
    if known is None:
        if len(_files) >= _MAX_FILES:
            _files.pop(next(iter(_files))).clear()
        known = _files[key] = Ranges()
        remembered.recall(key, path, known)
    return known


def dump() -> list[Any]:
    """What is known about files, as plain data (remembered.py)."""
    return remembered.dump(_files)


def exchange_of(key: tuple[int, int], handle: Any) -> Exchange:
    """The conversation over the socket or pipe `key` (device and inode), which `handle` keeps."""
    known = _exchanges.get(key)
    found = known() if known is not None else None
    if found is None:
        found = Exchange()
        _exchanges[key] = _ref(found)
    _keepers[id(handle)] = (_ref(handle), found)
    if len(_keepers) > _MAX_FILES:
        for key_of in [key_of for key_of, (keeper, _) in _keepers.items() if keeper() is None]:
            del _keepers[key_of]
    return found


def exchange_with(handle: Any) -> Exchange | None:
    """The conversation with somebody at the other end of `handle`."""
    cursor = known_cursor(handle)
    return None if cursor is None else cursor.exchange


def remembers() -> bool:
    """Whether anything is known about any file."""
    return bool(_files) or remembered.any_left()


def pair(handles: Iterable[Any], origins: Origins, child: str) -> None:
    """These handles lead to the same child process, which is called so and was given something of `origins` to begin
    with."""
    exchange = Exchange(origins, child)
    for handle in handles:
        if type(handle) in TYPES:
            cursor = _cursors[id(handle)] = Cursor(handle)
            cursor.exchange = exchange


def _encoded(handle: Any, text: Any) -> bytes:
    if type(text) is list:
        text = "".join(text)
    found: bytes = text.encode(handle.encoding, handle.errors or "strict")
    return found


def _content(handle: Any, data: Any) -> bytes | None:
    """What a file is compared by; a stream in memory is nobody else's."""
    return bytes(data) if type(handle) not in _IN_MEMORY and type(data) in (bytes, bytearray) else None


def place_of(cursor: Cursor | None, handle: Any) -> int | None:
    """Where a stream is, if that has to be asked."""
    if cursor is None or cursor.ranges is None or cursor.counted:
        return None
    try:
        found: int = handle.tell()
    except (OSError, ValueError):  # closed: the operation itself will say so
        return None
    return found
