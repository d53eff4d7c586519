"""Where the expressions of an earlier text are in a later one."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property

from ao_lsp.server.lsp.buffers.lost import Lost, Seen
from ao_lsp.server.lsp.buffers.tokens import Position, Span, Token, closing, head_of, tokens
from ao_lsp.server.model import Site

# What it may take to compare the tokens of two passages: 20 ms.
_MOST_PAIRS = 100_000

# So much of a call has to be left where its name is not. It is being edited; what has less is gone.
_SAME = 1 / 3


_FEW = 3
"""Words that are enough to know a line by them."""

_MOST_SEEN = 4
"""Of what an expression was seen as."""


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
    still there, edited or not. What is lost is looked for elsewhere; `returned` is told of lines that are found."""

    def __init__(
        self,
        old: Sequence[str],
        new: Sequence[str],
        where: Mapping[int, int],
        returned: Callable[[int, int], object] = lambda *_: None,
        heads: dict[Span, Position | None] | None = None,
        last: dict[int, Seen] | None = None,
    ) -> None:
        """`heads` and `last` are for the next trail from `old`: the calls in it that somebody has asked for, and what
        expressions were seen as, by the lines that they began in."""
        self._old, self._new, self._where = old, new, dict(where)
        self._returned, self._last = returned, {} if last is None else last
        self._heads = {} if heads is None else heads
        self._extents: dict[Span, Extent | None] = {}
        self._compared: dict[tuple[int, ...], dict[Position, Token]] = {}

    def line(self, number: int, end: int | None = None) -> int | None:
        """Where a line is now; all count from 0. None: it is gone.

        `end` is the last line of an expression that begins there: where it was lost, it is looked for elsewhere.
        """
        if end is not None and number not in self._where and 0 <= number < len(self._old):
            self._look_for(number, end)
        return self._where.get(number)

    def extent(self, site: Site) -> Extent | None:
        """Where an expression is now; None: it is gone, or the recording does not tell its columns."""
        if site.column is None or site.end_column is None or site.end_line is None:
            return None
        start, end = (site.line - 1, site.column), (site.end_line - 1, site.end_column)
        if not 0 <= start[0] <= end[0] < len(self._old):  # of a source that only claims to be this file
            return None
        span = (start, end)
        if span not in self._extents:
            if span not in self._heads:
                self._heads[span] = head_of(self._old, start, end)
            head = self._heads[span]
            there = self.line(start[0], end[0]) is not None
            self._extents[span] = self._found(start, end, head) if there else None
        return self._extents[span]

    def _look_for(self, number: int, end: int) -> None:
        """Look among the lines that are new for those of an expression that were lost."""
        found = self._lost.find(number, end)
        for line, there in found:
            self._where[line] = there
            self._returned(line, there)
        if found:
            self.__dict__.pop("_images", None)

    @cached_property
    def _lost(self) -> Lost:
        return Lost(self._old, self._new, self._where, self._last)

    def _found(self, start: Position, end: Position, head: Position | None) -> Extent | None:
        extent = self._moved(start, end, head)
        if extent is not None:
            return extent
        extent = self._edited(start, end, head)
        # More than the name of what is called: that may stand in other places, too.
        if extent is not None and (head is None or extent.end > (extent.head_line, extent.head_column + 1)):
            seen = self._new[self._where[start[0]] : extent.end_line + 1]
            before = [one for one in self._last.get(start[0], ()) if one != seen]
            self._last[start[0]] = [seen, *before[: _MOST_SEEN - 1]]
        if extent is not None and extent.line != self._where[start[0]] and extent.line not in self._images:
            self._returned(start[0], extent.line)  # its line was broken: what goes on is where this is
        return extent

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
            # What was put in before it may have been a part of it; the rest of it is where it is.
            wider = self._left(start[0], end[0], self._wide)
            if all(wider.get(at) == token for at, token in left.items()):
                left = wider
        kept: list[Token] = []
        for one in own:
            token = left.get(one[:2])
            if token is None:
                continue
            if not kept or kept[-1] < token:
                kept.append(token)
            else:  # a part of it has gone elsewhere
                del left[one[:2]]
        if not kept:
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
        words = _words(own)
        if named is None and _words(kept) < max(1, words * _SAME):
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
        line = self._where.get(was[0])
        if line is not None and self._old[was[0]].strip() == self._new[line].strip():
            # What has not changed is not what another line has become.
            same = tokens(self._old, was[0], was[0] + 1), tokens(self._new, line, line + 1)
            yield from ((one[:2], other) for one, other in zip(*same, strict=True))
            was, now, line = (was[0] + 1, was[1]), (line + 1, now[1]), None
        a, b = tokens(self._old, *was), tokens(self._new, *now)
        if len(a) * len(b) > _MOST_PAIRS:
            a, b = tokens(self._old, was[0], was[0] + 1), tokens(self._new, now[0], now[0] + 1)
            if len(a) * len(b) > _MOST_PAIRS:
                return
        if line is not None:
            # What is left on the line itself; what was put in before it or behind it may say the same again.
            own = [one for one in a if one.line == was[0]]
            there = tokens(self._new, line, line + 1)
            first = _aligned(own, there)
            same_words = _words(one for one, _ in first)
            if first and (same_words * 2 >= _words(own) or (same_words >= _FEW and same_words * 2 >= _words(there))):
                yield from ((one[:2], other) for one, other in first)
                (begin, begin_there), (end, end_there) = first[0], first[-1]
                before = _aligned([one for one in a if one < begin], [one for one in b if one < begin_there])
                yield from ((one[:2], other) for one, other in before)
                a, b = [one for one in a if one > end], [one for one in b if one > end_there]
        yield from ((one[:2], other) for one, other in _aligned(a, b))


def _words(some: Iterable[Token]) -> int:
    return sum(one.is_word for one in some)


def _aligned(a: Sequence[Token], b: Sequence[Token]) -> list[tuple[Token, Token]]:
    """The tokens that are in both, in their order."""
    matcher = SequenceMatcher(None, [one.text for one in a], [one.text for one in b], autojunk=False)
    return [(a[i + k], b[j + k]) for i, j, size in matcher.get_matching_blocks() for k in range(size)]


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
