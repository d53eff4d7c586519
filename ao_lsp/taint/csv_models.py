"""CSV: a row comes from the lines that it was read from, and goes where its writer writes."""

from __future__ import annotations

from _weakref import ref as _ref

from ao_lsp.taint import handles, stream_models, streams
from ao_lsp.taint.adopt import adopt
from ao_lsp.taint.frames import unseen, unseen_methods
from ao_lsp.taint.kept import keep
from ao_lsp.taint.kinds import lookup
from ao_lsp.taint.origins import NOTHING, union
from ao_lsp.taint.reach import reach
from ao_lsp.taint.state import TAINT
from ao_lsp.taint.table import origins_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

keep(__name__)


@unseen_methods
class Feed:
    """The lines that a reader takes. Only the reader holds it, so that it lives as long as the reader."""

    __slots__ = ("__weakref__", "_lines", "origins")

    def __init__(self, lines: Any) -> None:
        self._lines = iter(stream_models.lines_of(lines) if type(lines) in streams.TYPES else lines)
        self.origins = NOTHING

    def __iter__(self) -> Feed:
        return self

    def __next__(self) -> Any:
        line = next(self._lines)
        self.origins = union(self.origins, origins_of(line))
        return line


FEEDS: dict[int, _ref[Feed]] = {}
"""By the id of their readers, of which neither takes a weak reference."""


@unseen
def reader(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`csv.reader`, `csv.DictReader`."""
    if not (TAINT or streams.remembers()) or not args or lookup(type(args[0]), "__iter__") is None:
        return function(*args, **kwargs)
    feed = Feed(args[0])
    made = function(feed, *args[1:], **kwargs)
    key = id(made)

    def forget(_: object) -> None:
        FEEDS.pop(key, None)

    FEEDS[key] = _ref(feed, forget)
    return made


@unseen
def writer(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`csv.writer`, `csv.DictWriter`."""
    return function(*map(handles.tapped, args[:1]), *args[1:], **kwargs)


@unseen
def write_rows(method: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`writerow`, `writerows` of a compiled writer."""
    return handles.writing(method, reach(args) if TAINT else NOTHING, *args, **kwargs)


@unseen_methods
class Rows:
    """Steps a reader; each row is tagged with the lines that it took."""

    __slots__ = ("_feed", "_reader")

    def __init__(self, reader: Any, feed: Feed) -> None:
        self._reader = reader
        self._feed = feed

    def __iter__(self) -> Rows:
        return self

    def __next__(self) -> Any:
        self._feed.origins = NOTHING
        row = [next(self._reader)]
        return adopt(row.pop(), self._feed.origins)


def rows_of(reader: Any) -> Any:
    """What a loop over a reader goes over in its place."""
    known = FEEDS.get(id(reader))
    feed = known() if known is not None else None
    return reader if feed is None else Rows(reader, feed)
