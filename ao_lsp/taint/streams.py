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
from posix import fstat, stat

from ao_lsp.taint.adopt import adopt
from ao_lsp.taint.escrow import ACTIVE_TAINT, Escrow
from ao_lsp.taint.frames import unseen, unseen_methods
from ao_lsp.taint.kept import keep
from ao_lsp.taint.origins import NOTHING, union
from ao_lsp.taint.ranges import END, Ranges
from ao_lsp.taint.reach import reach
from ao_lsp.taint.state import TAINT
from ao_lsp.taint.table import SOURCE, watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from ao_lsp.taint.origins import Origins

keep(globals())

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
    """A conversation with somebody else. `always`: what all answers are made of."""

    __slots__ = ("__weakref__", "_answered", "_told", "always")

    def __init__(self, always: Origins = NOTHING) -> None:
        self.always = always
        self._told = NOTHING
        self._answered = False

    def tell(self, origins: Origins) -> None:
        if self._answered:
            self._told, self._answered = NOTHING, False
        self._told = union(self._told, origins)

    def answer(self) -> Origins:
        self._answered = True
        return union(self.always, self._told)


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
            self.ranges = ranges_of_file(key)
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

    def has_read(self, before: int | None, handle: Any, data: Any) -> Origins:
        """The origins of `data`, which has just been read."""
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


def _cursor(handle: Any) -> Cursor | None:
    """The cursor of a handle; None where there is nothing to know, or nobody could."""
    known = _cursors.get(id(handle))
    if known is not None and known.is_of(handle):
        return known
    if not TAINT and not _files:
        return None
    try:
        made = Cursor(handle)
        made.look(handle)
    except (OSError, ValueError, AttributeError, TypeError):  # closed, detached, of nobody we know
        return None
    _cursors[id(handle)] = made
    if len(_cursors) > _MAX_FILES:
        for key in [key for key, cursor in _cursors.items() if cursor._handle() is None]:
            del _cursors[key]
    return made


def ranges_of_file(key: tuple[int, int]) -> Ranges:
    """What is known about a file on disk."""
    known = _files.get(key)
    if known is None:
        if len(_files) >= _MAX_FILES:
            del _files[next(iter(_files))]
        known = _files[key] = Ranges()
    return known


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


def said_by(handle: Any) -> Origins:
    """The origins of what somebody at the other end of `handle` says."""
    cursor = _cursors.get(id(handle))
    if cursor is None or not cursor.is_of(handle) or cursor.exchange is None:
        return NOTHING
    return cursor.exchange.answer()


def remembers() -> bool:
    """Whether anything is known about any file."""
    return bool(_files)


def pair(handles: Iterable[Any], origins: Origins) -> None:
    """These handles lead to the same somebody, who was given something of `origins` to begin with."""
    exchange = Exchange(origins)
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


def _place(cursor: Cursor | None, handle: Any) -> int | None:
    """Where a stream is, if that has to be asked."""
    if cursor is None or cursor.ranges is None or cursor.counted:
        return None
    found: int = handle.tell()
    return found


def handle_of(method: Any) -> Any:
    """The handle whose method this is; `tempfile` wraps the methods of its files."""
    return getattr(method, "__wrapped__", method).__self__


# -- models (models.py) of the methods


@unseen
def write(method: Any, /, *args: Any, **kwargs: Any) -> Any:
    handle = handle_of(method)
    cursor = _cursor(handle)
    before = _place(cursor, handle)
    result = [method(*args, **kwargs)]
    origins = reach(args) if TAINT else NOTHING
    if cursor is not None and args:
        cursor.wrote(before, handle, args[0], origins)
    return adopt(result.pop(), origins, True)


@unseen
def write_lines(method: Any, lines: Any, /) -> Any:
    handle = handle_of(method)
    cursor = _cursor(handle)
    method(lines if cursor is None else _Written(handle, cursor, lines))


@unseen_methods
class _Written:
    """The lines that a handle is writing, seen as they go by."""

    __slots__ = ("_before", "_cursor", "_handle", "_line", "_rest")

    def __init__(self, handle: Any, cursor: Cursor, lines: Any) -> None:
        self._handle = handle
        self._cursor = cursor
        self._rest = iter(lines)
        self._line: Any = None
        self._before: int | None = None

    def __iter__(self) -> _Written:
        return self

    def __next__(self) -> Any:
        if self._line is not None:
            self._cursor.wrote(self._before, self._handle, self._line, reach((self._line,)))
            self._line = None
        line = next(self._rest)
        self._before = _place(self._cursor, self._handle)
        self._line = line
        return line


@unseen
def read(method: Any, /, *args: Any, **kwargs: Any) -> Any:
    handle = handle_of(method)
    cursor = _cursor(handle)
    before = _place(cursor, handle)
    result = [method(*args, **kwargs)]
    if cursor is None or type(result[0]) not in (str, bytes):
        return result.pop()
    origins = cursor.has_read(before, handle, result[0])
    return adopt(result.pop(), origins, True)


@unseen
def read_into(method: Any, buffer: Any, /) -> Any:
    handle = handle_of(method)
    cursor = _cursor(handle)
    before = _place(cursor, handle)
    count = method(buffer)
    if cursor is not None and count:
        origins = cursor.has_read(before, handle, bytes(memoryview(buffer)[:count]))
        if origins and type(buffer) is bytearray:
            watch(buffer, origins, SOURCE)
    return count


@unseen
def read_lines(method: Any, /, *args: Any, **kwargs: Any) -> Any:
    lines = lines_of(handle_of(method))
    return method(*args, **kwargs) if type(lines) is not Lines or args or kwargs else [*lines]


@unseen
def whole(method: Any, /) -> Any:
    """`getvalue`, `getbuffer`."""
    cursor = _cursor(method.__self__)
    origins = cursor.ranges.over(0) if cursor is not None and cursor.ranges is not None else NOTHING
    return adopt(method(), origins, True)


@unseen
def seek(method: Any, /, *args: Any, **kwargs: Any) -> Any:
    result = method(*args, **kwargs)
    cursor = _cursors.get(id(handle_of(method)))
    if cursor is not None and cursor.counted:
        # A text file may answer with more than a position: its decoder's state.
        cursor.position = result if result < END else None
    return result


@unseen
def truncate(method: Any, /, *args: Any, **kwargs: Any) -> Any:
    handle = handle_of(method)
    result = method(*args, **kwargs)
    cursor = _cursor(handle)
    if cursor is not None and cursor.ranges is not None:
        cursor.ranges.cut(result)
    return result


@unseen_methods
class Lines:
    """Iterates a handle; each line is tagged with what was written there."""

    __slots__ = ("_cursor", "_handle")

    def __init__(self, handle: Any, cursor: Cursor) -> None:
        self._handle = handle
        self._cursor = cursor

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> Any:
        handle, cursor = self._handle, self._cursor
        before = _place(cursor, handle)
        line = [next(handle)]
        origins = cursor.has_read(before, handle, line[0])
        return adopt(line.pop(), origins, True)


def lines_of(handle: Any) -> Any:
    """What a loop over a handle goes over in its place."""
    cursor = _cursor(handle)
    if cursor is None:
        return handle
    if cursor.ranges or cursor.exchange is not None:
        return Lines(handle, cursor)
    cursor.position = None
    return handle


# -- handles that are given to library code


@unseen_methods
class Tap:
    """Stands in for a handle that library code writes to: what is written carries what is in the escrow."""

    __slots__ = ("_handle",)

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    def write(self, text: Any) -> Any:
        handle = self._handle
        cursor = _cursor(handle)
        before = _place(cursor, handle)
        result = handle.write(text)
        escrow = ACTIVE_TAINT.get()
        if cursor is not None:
            cursor.wrote(before, handle, text, NOTHING if escrow is None else escrow.inputs)
        return result

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handle, name)


@unseen
def made_in_memory(cls: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`StringIO`, `BytesIO`."""
    made = cls(*args, **kwargs)
    origins = reach(args[:1]) if TAINT else NOTHING
    if origins:
        cursor = _cursor(made)
        if cursor is not None and cursor.ranges is not None:
            cursor.ranges.put(0, len(args[0]), origins)
    return made


def tapped(value: Any) -> Any:
    """`value`, or what stands in for it where it is a handle."""
    return Tap(value) if type(value) in TYPES else value


@unseen
def writing(function: Any, origins: Origins, /, *args: Any, **kwargs: Any) -> Any:
    """Call a function that writes to handles which were tapped."""
    token = ACTIVE_TAINT.set(Escrow(origins))
    try:
        return function(*args, **kwargs)
    finally:
        ACTIVE_TAINT.reset(token)


class Passed:
    """The handles among the arguments of a library call: what it may read there, and what it wrote."""

    __slots__ = ("_handles",)

    def __init__(self, values: Iterable[Any]) -> None:
        self._handles: list[tuple[Any, Cursor, int | None, bool]] = []
        for value in values:
            if type(value) in TYPES:
                cursor = _cursor(value)
                if cursor is not None and cursor.ranges is not None:
                    try:
                        before = value.buffer.tell() if cursor.counted else value.tell()
                        self._handles.append((value, cursor, before, _at_end(value, before)))
                    except (OSError, ValueError, AttributeError):
                        continue

    def __bool__(self) -> bool:
        return bool(self._handles)

    def readable(self) -> Origins:
        origins = NOTHING
        for handle, cursor, _, _ in self._handles:
            origins = union(origins, cursor.unread(handle))
        return origins

    def settle(self, origins: Origins) -> None:
        """The call is over; `origins` are what it could write."""
        for handle, cursor, before, at_end in self._handles:
            try:
                ranges = cursor.ranges
                if ranges is None:
                    continue
                if cursor.counted:
                    cursor.position = None
                    if origins and handle.writable() and not handle.readable():
                        ranges.blurred = union(ranges.blurred, origins)
                elif at_end:
                    ranges.put(before or 0, handle.tell(), origins)
            except (OSError, ValueError):  # the call has closed it
                continue


def _at_end(handle: Any, before: int) -> bool:
    """Whether nothing is left to be read, so that a call which moves the position has written."""
    cls = type(handle)
    if cls is _io.StringIO:
        return len(handle.getvalue()) <= before
    if cls is _io.BytesIO:
        with handle.getbuffer() as buffer:
            return len(buffer) <= before
    return bool(fstat(handle.fileno()).st_size <= before)


# -- whole files, by path


def _ranges_at(path: Any) -> Ranges:
    found = stat(path)
    return ranges_of_file((found.st_dev, found.st_ino))


@unseen
def read_path(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`Path.read_text`, `Path.read_bytes`: the content is not made of the path."""
    result = [function(*args, **kwargs)]
    origins = NOTHING
    if TAINT:
        try:
            ranges = _ranges_at(function.__self__)
            data = result[0]
            origins = ranges.over(0, END, data.encode(errors="replace") if type(data) is str else data)
        except (OSError, AttributeError, ValueError):
            pass
    return adopt(result.pop(), origins, True)


@unseen
def write_path(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`Path.write_text`, `Path.write_bytes`."""
    origins = reach(args) if TAINT else NOTHING
    result = function(*args, **kwargs)
    try:
        ranges = _ranges_at(function.__self__)
        ranges.clear()
        if origins and args:
            content = args[0].encode(errors="replace") if type(args[0]) is str else bytes(args[0])
            ranges.put(0, len(content), origins, content)
    except (OSError, AttributeError, ValueError, TypeError):
        pass
    return result


METHODS: dict[str, Callable[..., Any]] = {
    "write": write,
    "writelines": write_lines,
    **dict.fromkeys(("read", "read1", "readall", "readline"), read),
    "readlines": read_lines,
    **dict.fromkeys(("readinto", "readinto1"), read_into),
    **dict.fromkeys(("getvalue", "getbuffer"), whole),
    "seek": seek,
    "truncate": truncate,
}
"""The models of a handle's methods, by name; the others are called directly."""
