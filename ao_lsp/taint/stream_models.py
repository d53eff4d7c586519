"""Models (models.py) of the methods of handles, and of the functions that read or write a whole file."""

from __future__ import annotations

from posix import stat

from ao_lsp.taint.adopt import adopt
from ao_lsp.taint.frames import unseen, unseen_methods
from ao_lsp.taint.kept import keep
from ao_lsp.taint.kinds import lookup
from ao_lsp.taint.origins import NOTHING
from ao_lsp.taint.ranges import END, Ranges
from ao_lsp.taint.reach import reach
from ao_lsp.taint.state import TAINT
from ao_lsp.taint.streams import Cursor, cursor_of, known_cursor, place_of, ranges_of_file
from ao_lsp.taint.table import SOURCE, watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

keep(__name__)


def handle_of(method: Any) -> Any:
    """The handle whose method this is; `tempfile` wraps the methods of its files."""
    return getattr(method, "__wrapped__", method).__self__


@unseen
def write(method: Any, /, *args: Any, **kwargs: Any) -> Any:
    handle = handle_of(method)
    cursor = cursor_of(handle, True)
    before = place_of(cursor, handle)
    result = [method(*args, **kwargs)]
    origins = reach(args) if TAINT else NOTHING
    if cursor is not None and args:
        cursor.wrote(before, handle, args[0], origins)
    return adopt(result.pop(), origins, True)


@unseen
def write_lines(method: Any, /, *args: Any, **kwargs: Any) -> Any:
    handle = handle_of(method)
    cursor = cursor_of(handle, True)
    if cursor is not None and len(args) == 1 and lookup(type(args[0]), "__iter__") is not None:
        args = (_Written(handle, cursor, args[0]),)
    return method(*args, **kwargs)


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
        self._before = place_of(self._cursor, self._handle)
        self._line = line
        return line


@unseen
def read(method: Any, /, *args: Any, **kwargs: Any) -> Any:
    handle = handle_of(method)
    cursor = cursor_of(handle)
    before = place_of(cursor, handle)
    result = [method(*args, **kwargs)]
    if cursor is None or type(result[0]) not in (str, bytes):
        return result.pop()
    origins = cursor.has_read(before, handle, result[0])
    return adopt(result.pop(), origins, True)


@unseen
def read_into(method: Any, /, *args: Any, **kwargs: Any) -> Any:
    handle = handle_of(method)
    cursor = cursor_of(handle)
    before = place_of(cursor, handle)
    count = method(*args, **kwargs)
    if cursor is not None and count:
        buffer = args[0]
        origins = cursor.has_read(before, handle, bytes(memoryview(buffer)[:count]))
        if origins and type(buffer) is bytearray:
            watch(buffer, origins, SOURCE)
    return count


@unseen
def read_lines(method: Any, /, *args: Any, **kwargs: Any) -> Any:
    lines = lines_of(handle_of(method))
    return method(*args, **kwargs) if type(lines) is not Lines or args or kwargs else [*lines]


@unseen
def whole(method: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`getvalue`, `getbuffer`."""
    cursor = cursor_of(method.__self__)
    origins = cursor.ranges.over(0) if cursor is not None and cursor.ranges is not None else NOTHING
    return adopt(method(*args, **kwargs), origins, True)


@unseen
def seek(method: Any, /, *args: Any, **kwargs: Any) -> Any:
    result = method(*args, **kwargs)
    cursor = known_cursor(handle_of(method))
    if cursor is not None and cursor.counted:
        # A text file may answer with more than a position: its decoder's state.
        cursor.position = result if result < END else None
    return result


@unseen
def truncate(method: Any, /, *args: Any, **kwargs: Any) -> Any:
    handle = handle_of(method)
    result = method(*args, **kwargs)
    cursor = cursor_of(handle)
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
        before = place_of(cursor, handle)
        line = [next(handle)]
        origins = cursor.has_read(before, handle, line[0])
        return adopt(line.pop(), origins, True)


def lines_of(handle: Any) -> Any:
    """What a loop over a handle goes over in its place."""
    cursor = cursor_of(handle)
    if cursor is None:
        return handle
    if cursor.ranges or cursor.exchange is not None:
        return Lines(handle, cursor)
    cursor.position = None
    return handle


@unseen
def made_in_memory(cls: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`StringIO`, `BytesIO`."""
    made = cls(*args, **kwargs)
    origins = reach(args[:1]) if TAINT else NOTHING
    if origins:
        cursor = cursor_of(made)
        if cursor is not None and cursor.ranges is not None:
            cursor.ranges.put(0, len(args[0]), origins)
    return made


# -- whole files, by path


def _ranges_at(path: Any) -> Ranges:
    found = stat(path)
    return ranges_of_file((found.st_dev, found.st_ino), path)


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
        except Exception:  # a path of another kind, which knows no file of the system
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
    except Exception:
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
