"""Which events of a stream have been committed: what makes taking one in twice harmless."""

from __future__ import annotations

import json
from collections.abc import Iterable


class Seen:
    """A set of sequence numbers, kept as ranges: mostly one, `1..last`.

    More than one where events arrive out of order: a runner that spooled its first events and then
    found a daemon has its spool file taken in only after it ended.
    """

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._ranges = sorted((first, last) for first, last in ranges)

    @classmethod
    def decoded(cls, text: str) -> Seen:
        """The set that `encoded` wrote down."""
        return cls((first, last) for first, last in json.loads(text))

    def encoded(self) -> str:
        return json.dumps(self._ranges)

    def __contains__(self, seq: int) -> bool:
        return any(first <= seq <= last for first, last in self._ranges)

    def add(self, seq: int) -> None:
        joined: list[tuple[int, int]] = []
        for first, last in sorted([*self._ranges, (seq, seq)]):
            if joined and first <= joined[-1][1] + 1:
                joined[-1] = (joined[-1][0], max(joined[-1][1], last))
            else:
                joined.append((first, last))
        self._ranges = joined

    @property
    def missing(self) -> int:
        """How many numbers below the highest one are not in the set (they count from 1)."""
        last = self._ranges[-1][1] if self._ranges else 0
        return last - sum(last - first + 1 for first, last in self._ranges)
