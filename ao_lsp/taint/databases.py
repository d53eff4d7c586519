"""`sqlite3`: a value that comes out of a database is the one that went in, where the two are equal.

A database has no positions. But who stores a reply and selects it again gets the same text; so texts,
bytes and unusual numbers that were bound to a statement are remembered, and recognised in rows.
"""

from __future__ import annotations

from sys import _getframe

from ao_lsp.taint.frames import unseen, unseen_methods
from ao_lsp.taint.kept import keep
from ao_lsp.taint.kinds import module_of
from ao_lsp.taint.origins import NOTHING, step
from ao_lsp.taint.reach import walk
from ao_lsp.taint.state import TAINT
from ao_lsp.taint.table import HOLDER, VALUE_TYPES, mark, watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ao_lsp.taint.origins import Origins

keep(__name__)

_MAX_VALUES = 20_000
_MIN_LENGTH = 3
_MIN_NUMBER = 1000
"""Shorter texts and smaller numbers are in every database."""

_stored: dict[Any, Origins] = {}


def _says_something(value: Any) -> bool:
    cls = type(value)
    if cls is str or cls is bytes:
        return len(value) >= _MIN_LENGTH
    return (cls is int and abs(value) >= _MIN_NUMBER) or (cls is float and value == value and value % 1 != 0)


@unseen
def execute(method: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`execute`, `executemany` of a connection or cursor."""
    if TAINT:
        for value in walk(args[1:]):
            entry = TAINT.get(id(value))
            if entry is not None and type(value) in VALUE_TYPES and _says_something(value):
                if len(_stored) >= _MAX_VALUES:
                    del _stored[next(iter(_stored))]
                _stored[value] = entry[1]
    return method(*args, **kwargs)


def _recognised(value: Any) -> Origins | None:
    if type(value) in VALUE_TYPES and id(value) not in TAINT and _says_something(value):
        return _stored.get(value)
    return None


def recognised(value: Any) -> Any:
    """A value that has just been read from a row."""
    origins = _recognised(value)
    return value if origins is None else mark(value, step(origins, _getframe(1)))


def _row(row: Any) -> Any:
    """A row that has just been fetched; a tuple may come back as an equal one."""
    if type(row) is tuple:
        found = [_recognised(value) for value in row]
        if any(found):
            frame = _getframe(1)
            return tuple([mark(value, step(found[index] or NOTHING, frame)) for index, value in enumerate(row)])
    elif type(row) in VALUE_TYPES:  # made by a `row_factory`
        return recognised(row)
    elif type(row) is dict:
        for key in list(row):
            origins = _recognised(row[key])
            if origins is not None:
                row[key] = mark(row[key], origins)
    elif module_of(type(row)) == "sqlite3":  # a Row, from which one value at a time is read
        for origins in filter(None, map(_recognised, tuple(row))):
            watch(row, origins, HOLDER)
    return row


@unseen
def fetch(method: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`fetchone`, `fetchmany`, `fetchall`."""
    result = method(*args, **kwargs)
    if not _stored or result is None:
        return result
    if method.__name__ == "fetchone":
        return _row(result)
    for index in range(len(result)):
        result[index] = _row(result[index])
    return result


@unseen_methods
class Rows:
    """Iterates a cursor."""

    __slots__ = ("_cursor",)

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def __iter__(self) -> Rows:
        return self

    def __next__(self) -> Any:
        return _row(next(self._cursor))


def rows_of(cursor: Any) -> Any:
    """What a loop over a cursor goes over in its place."""
    return Rows(cursor) if _stored else cursor


METHODS = {
    **dict.fromkeys(("execute", "executemany"), execute),
    **dict.fromkeys(("fetchone", "fetchmany", "fetchall"), fetch),
}
