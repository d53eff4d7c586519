"""Handles that are given to library code: what it may read there, and what it writes."""

from __future__ import annotations

import _io
from posix import fstat

from ao_lsp.taint.escrow import ACTIVE_TAINT, Escrow
from ao_lsp.taint.frames import unseen, unseen_methods
from ao_lsp.taint.kept import keep
from ao_lsp.taint.origins import NOTHING, union
from ao_lsp.taint.streams import TYPES, Cursor, cursor_of, place_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from ao_lsp.taint.origins import Origins

keep(__name__)


@unseen_methods
class Tap:
    """Stands in for a handle that library code writes to: what is written carries what is in the escrow."""

    __slots__ = ("_handle",)

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    def write(self, text: Any) -> Any:
        handle = self._handle
        cursor = cursor_of(handle, True)
        before = place_of(cursor, handle)
        result = handle.write(text)
        escrow = ACTIVE_TAINT.get()
        if cursor is not None:
            cursor.wrote(before, handle, text, NOTHING if escrow is None else escrow.inputs)
        return result

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handle, name)


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
                cursor = cursor_of(value)
                if cursor is not None and cursor.ranges is not None:
                    try:
                        before = value.buffer.tell() if cursor.counted else value.tell()
                        self._handles.append((value, cursor, before, _at_end(value, before)))
                    except Exception:
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
            except Exception:  # the call has closed it
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
