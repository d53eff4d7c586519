"""Where the expressions of an earlier text are in a later one."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property

from ao_lsp.server.lsp.tokens import Position, Token, closing, head_of, tokens
from ao_lsp.server.model import Site

# What it may take to compare the tokens of two passages: 20 ms.
_MOST_PAIRS = 100_000

# So much of a call has to be left where its name is not. It is being edited; what has less is gone.
_SAME = 1 / 3


@dataclass(frozen=True, slots=True)
class Extent:
    """Part of a text: lines from 0, columns from 0 in code points, the end exclusive.

    Of a call, `head_line` and `head_column` are where its arguments begin; of all else, where it does.
    """

    line: int
    column: int
    end_line: int
    end_column: int
    head_line: int
    head_column: int

    @property
    def start(self) -> Position:
        return self.line, self.column

    @property
    def end(self) -> Position:
        return self.end_line, self.end_column

    @property
    def head(self) -> Position:
        return self.head_line, self.head_column


class Trail:
    """From an earlier text to a later one. `where` has the line in `new` of each line in `old` that is
    still there, edited or not."""

    def __init__(self, old: Sequence[str], new: Sequence[str], where: Mapping[int, int]) -> None:
        self._old, self._new, self._where = old, new, where
        self._compared: dict[tuple[int, ...], dict[Position, Token]] = {}

    def line(self, number: int) -> int | None:
        """Where a line is now; all count from 0. None: it is gone."""
        return self._where.get(number)

    def extent(self, site: Site) -> Extent | None:
        """Where an expression is now; None: it is gone, or the recording does not tell its columns."""
        if site.column is None or site.end_column is None or site.end_line is None:
            return None
        start, end = (site.line - 1, site.column), (site.end_line - 1, site.end_column)
        if not 0 <= start[0] <= end[0] < len(self._old):  # of a source that only claims to be this file
            return None
        head = head_of(self._old, start, end)
        return self._moved(start, end, head) or self._edited(start, end, head)

    def _moved(self, start: Position, end: Position, head: Position | None) -> Extent | None:
        """Of what is as it was, but for its indentation."""
        line = self._where.get(start[0])
        if line is None:
            return None
        for number in range(start[0], end[0] + 1):
            there = line + number - start[0]
            if self._where.get(number) != there or self._old[number].strip() != self._new[there].strip():
                return None
        return _extent(self._shifted(start), self._shifted(end), self._shifted(head) if head else None)

    def _shifted(self, at: Position) -> Position:
        line = self._where[at[0]]
        return line, max(0, at[1] + margin(self._new[line]) - margin(self._old[at[0]]))

    def _edited(self, start: Position, end: Position, head: Position | None) -> Extent | None:
        """Of what was edited: by the tokens of it that are left."""
        own = [one for one in tokens(self._old, start[0], end[0] + 1) if start <= one[:2] < end]
        left = self._left(start[0], end[0], self._close)
        if any(one[:2] not in left for one in own):
            # What was put in before it may have been a part of it.
            wider = self._left(start[0], end[0], self._wide)
            if sum(one[:2] in wider for one in own) > sum(one[:2] in left for one in own):
                left = wider
        kept = [left[one[:2]] for one in own if one[:2] in left]
        if not kept or kept != sorted(kept):
            return None
        first, last = left.get(own[0][:2]), left.get(own[-1][:2])
        if head is None:
            if first is None or last is None or len(kept) < len(own) * (1 - _SAME):
                return None
            return _extent(first[:2], last.end, None)
        return self._edited_call(own, kept, left, head)

    def _edited_call(
        self, own: list[Token], kept: list[Token], left: Mapping[Position, Token], head: Position
    ) -> Extent | None:
        callee = [one for one in own if one[:2] < head]
        named = left.get(callee[-1][:2]) if callee else None
        words = sum(one.is_word for one in own)
        if named is None and sum(one.is_word for one in kept) < max(1, words * _SAME):
            return None
        opened = left.get(head)
        if opened is None and named is not None:
            opened = _next(self._new, named, "(")
        if opened is None:  # its parenthesis has not been typed yet
            return _extent(kept[0][:2], kept[-1].end, None)
        first = left.get(own[0][:2])
        if first is None or first > opened:
            first = _first_of_name(self._new, opened)
        return _extent(first[:2], closing(self._new, opened[:2]) or kept[-1].end, opened[:2])

    def _left(self, first: int, last: int, part: Callable[[int], tuple[int, int]]) -> dict[Position, Token]:
        """Which tokens of these lines, and of some around them, are still there, and where. `part` says in which
        lines to look for those from a line that is there to before the next one that is."""
        found: dict[Position, Token] = {}
        number = first
        while number >= 0 and number not in self._where:
            number -= 1
        while number <= last:
            after = number + 1
            while after < len(self._old) and after not in self._where:
                after += 1
            found.update(self._compare((number, after), part(number)))
            number = after
        return found

    def _close(self, number: int) -> tuple[int, int]:
        """From the line that it has become to the next one that was there before."""
        line = self._where.get(number, -1)
        follows = bisect_right(self._images, line)
        return line, self._images[follows] if follows < len(self._images) else len(self._new)

    def _wide(self, number: int) -> tuple[int, int]:
        """As `_close`, and those before it that were not there before."""
        line, end = self._close(number)
        before = bisect_left(self._images, line) - 1
        return self._images[before] + 1 if before >= 0 else 0, end

    @cached_property
    def _images(self) -> list[int]:
        return sorted(self._where.values())

    def _compare(self, was: tuple[int, int], now: tuple[int, int]) -> dict[Position, Token]:
        """Of the tokens of some lines those that are there in others."""
        key = (*was, *now)
        if key not in self._compared:
            self._compared[key] = dict(self._pairs(was, now))
        return self._compared[key]

    def _pairs(self, was: tuple[int, int], now: tuple[int, int]) -> Iterator[tuple[Position, Token]]:
        a, b = tokens(self._old, *was), tokens(self._new, *now)
        if len(a) * len(b) > _MOST_PAIRS:
            a, b = tokens(self._old, was[0], was[0] + 1), tokens(self._new, now[0], now[0] + 1)
            if len(a) * len(b) > _MOST_PAIRS:
                return
        matcher = SequenceMatcher(None, [one.text for one in a], [one.text for one in b], autojunk=False)
        for i, j, size in matcher.get_matching_blocks():
            yield from ((a[i + k][:2], b[j + k]) for k in range(size))


def margin(line: str) -> int:
    """How far a line is indented, in characters."""
    return len(line) - len(line.lstrip())


def _extent(start: Position, end: Position, head: Position | None) -> Extent | None:
    return Extent(*start, *end, *(head or start)) if start < end else None


def _next(lines: Sequence[str], after: Token, text: str) -> Token | None:
    """What comes right behind a token, on its line, if it is that."""
    line, column = after.end
    rest = lines[line][column:]
    found = len(rest) - len(rest.lstrip())
    return Token(line, column + found, text) if rest.startswith(text, found) else None


_NAME = re.compile(r"[\w.]*\s*$")


def _first_of_name(lines: Sequence[str], opened: Token) -> Token:
    """Where the dotted name begins that is called."""
    found = _NAME.search(lines[opened.line], 0, opened.column)
    column = found.start() if found else opened.column
    return Token(opened.line, column, lines[opened.line][column : opened.column])
