"""Replacing texts and numbers in what library code made and still holds, where they stand: an equal private
copy with origins takes the place of one without. Containers and records stay the objects that they are."""

from __future__ import annotations

from ao_lsp.taint import reach
from ao_lsp.taint.frames import unseen_methods
from ao_lsp.taint.kept import keep
from ao_lsp.taint.table import VALUE_TYPES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

keep(__name__)

_MAX_DEPTH, _MAX_PARTS = 8, 2000


@unseen_methods
class Leaves:
    """One walk; a subclass says what takes the place of a text or number."""

    __slots__ = ("_left", "_seen")

    def __init__(self) -> None:
        self._left = _MAX_PARTS
        self._seen: set[int] = set()

    def value(self, value: Any) -> Any:
        """`value`, or what takes its place."""
        raise NotImplementedError

    def whole(self, value: Any, depth: int = 0) -> Any:
        """`value`, whose parts have been replaced; for a plain value or a tuple, possibly another object."""
        cls = type(value)
        if cls in VALUE_TYPES:
            return self.value(value)
        if value is None or depth > _MAX_DEPTH or self._left <= 0 or id(value) in self._seen:
            return value
        self._seen.add(id(value))
        if cls is list:
            for index in range(min(len(value), self._left)):
                self._left -= 1
                part = value[index]
                new = self.whole(part, depth + 1)
                if new is not part:
                    value[index] = new
        elif cls is tuple:
            parts = [self.whole(part, depth + 1) for part in value[: max(self._left, 0)]]
            self._left -= len(parts)
            for index in range(len(parts)):
                if parts[index] is not value[index]:
                    return (*parts, *value[len(parts) :])
        elif cls is dict or reach.is_record(cls):
            fields = value if cls is dict else reach.fields_of(value)
            more = None if cls is dict else reach.extra_of(value)
            for named in (fields or {}, more or {}):
                for name in list(named)[: max(self._left, 0)]:
                    self._left -= 1
                    part = named[name]
                    new = self.whole(part, depth + 1)
                    if new is not part:
                        named[name] = new
        return value
