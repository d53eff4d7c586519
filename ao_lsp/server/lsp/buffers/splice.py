"""Changes of a buffer, and which of its lines are still the same ones after them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from lsprotocol import types as lsp

from ao_lsp.server.lsp.buffers.follow import line_map
from ao_lsp.server.lsp.buffers.units import Units

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")

_MOST_PAIRS = 10_000
"""Of lines that were replaced by others: above that they are compared when somebody looks."""


def split(text: str) -> list[str]:
    """The lines of a text with their ends; the last one has none."""
    ended = _LINE.findall(text)
    if not ended or ended[-1].endswith(("\r", "\n")):
        ended.append("")
    return ended


def bare(ended: Sequence[str]) -> list[str]:
    """Lines without their ends."""
    return [line.rstrip("\r\n") for line in ended]


@dataclass(frozen=True, slots=True)
class Splice:
    """The lines from `first` to before `end` become `made`. `head` and `tail` are what is left of the first and of
    the last of them; what is between was put in."""

    first: int
    end: int
    old: list[str]
    made: list[str]
    head: str
    tail: str

    @classmethod
    def of(cls, ended: Sequence[str], where: lsp.Range, text: str, units: Units) -> Splice:
        """Of lines (with their ends), in which `text` comes into the place of a range."""
        (first, start), (last, end) = (_inside(ended, position, units) for position in (where.start, where.end))
        if (last, end) < (first, start):
            (first, start), (last, end) = (last, end), (first, start)
        if first > 0 and ended[first - 1].endswith("\r") and start == 0:
            # What is put in may complete a line end that has begun.
            first, start = first - 1, len(ended[first - 1])
        head, tail = ended[first][:start], ended[last][end:]
        made = split(head + text + tail)
        if made[-1] == "" and last + 1 < len(ended):
            made.pop()  # the line after it is there already
        return cls(first, last + 1, list(ended[first : last + 1]), made, head, tail)

    def keep(self, ids: list[int], fresh: Callable[[int], list[int]]) -> bool:
        """Do it to the ids of the lines. False where that takes too long; then nothing is done."""
        if min(len(self.old), len(self.made)) > 1 and len(self.old) * len(self.made) > _MOST_PAIRS:
            return False
        own = ids[self.first : self.end]
        kept = self._kept()
        made = fresh(len(self.made))
        for i, j in kept.items():
            made[j] = own[i]
        ids[self.first : self.end] = made
        return True

    def _kept(self) -> dict[int, int]:
        """Which of the old lines is which of those that were made."""
        old, made = [line.strip() for line in self.old], [line.strip() for line in self.made]
        if not made:
            return {}
        if len(old) == len(made) == 1:
            return {0: 0}
        last_old, last_made = len(old) - 1, len(made) - 1
        first, last = (0, 0), (last_old, last_made)
        # What is left of a line is the line; where that can be either end of what was put in, the whole one.
        ends = [first, last] if self.head.strip() else [last, first]
        found: dict[int, int] = {}
        for i, j in ends:
            if old[i] == made[j] and old[i]:
                _pair(found, i, j)
        for i, j in self._like(old, made, found, equal=True):
            _pair(found, i, j)
        if self.head.strip():
            _pair(found, *first)
        if self.tail.strip():
            # A line that was broken goes on in its first part; of lines that were joined the first one goes on.
            _pair(found, *last)
        for i, j in self._like(old, made, found, equal=False):
            _pair(found, i, j)
        return found

    def _like(
        self, old: Sequence[str], made: Sequence[str], found: dict[int, int], equal: bool
    ) -> Iterator[tuple[int, int]]:
        """Of the others those that are like each other, or the same."""
        left = [i for i in range(len(old)) if i not in found]
        free = sorted(set(range(len(made))).difference(found.values()))
        if left and free:
            for a, b in line_map([old[i] for i in left], [made[j] for j in free]).items():
                if not equal or old[left[a]] == made[free[b]]:
                    yield left[a], free[b]


def _pair(found: dict[int, int], i: int, j: int) -> None:
    if i not in found and j not in found.values():
        found[i] = j


def matched_ids(
    old: Sequence[str], ids: Sequence[int], new: Sequence[str], fresh: Callable[[int], list[int]]
) -> list[int]:
    """The ids of the lines of a text that came into the place of another one, whose ids are known."""
    found = fresh(len(new))
    for i, j in line_map(old, new).items():
        found[j] = ids[i]
    return found


def _inside(ended: Sequence[str], position: lsp.Position, units: Units) -> tuple[int, int]:
    """Line and column of a position; what is past the end is at the end."""
    if position.line >= len(ended):
        return len(ended) - 1, len(ended[-1])
    return position.line, units.to_column(ended[position.line].rstrip("\r\n"), position.character)
