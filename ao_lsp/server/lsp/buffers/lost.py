"""Lines of an earlier text that are not where they were: they were cut and put in elsewhere, or are back again."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from ao_lsp.server.lsp.buffers.outline import functions

_MOST_PAIRS = 2_500
"""Of lines that are the same; where there are more, they are taken in their order."""

_WORD = re.compile(r"\w+")

_FEW = 3
"""Words that a line has at least that is known by them."""

_AROUND = 8
"""Lines before and after, that tell lines apart that are the same."""
_NEXT = 4
"""Lines right behind one, that it probably is one expression with: they count as much each."""


Seen: TypeAlias = Sequence[Sequence[str]]
"""What an expression read when it was seen, its lines, where that was something else than what is recorded; the last
one first."""


class Lost:
    """The lines of `old` that are in none of the lines of `new`, by `where`; `last` is what they were seen as."""

    def __init__(
        self, old: Sequence[str], new: Sequence[str], where: Mapping[int, int], last: Mapping[int, Seen]
    ) -> None:
        self._old, self._new, self._last = old, new, last
        self._lost = set(range(len(old))).difference(where)
        self._free = set(range(len(new))).difference(where.values())
        self._lost_by = _by_text((text, line) for line in sorted(self._lost) for text in self._texts(line))
        self._free_by = _by_text((new[line], line) for line in sorted(self._free))
        self._names: tuple[list[str], list[str]] | None = None

    def find(self, line: int, end: int) -> list[tuple[int, int]]:
        """Where the lost lines from `line` to `end` are, which are an expression, and those around them that came with
        them: for each its number, and what it is now. Once found, they are not lost any more."""
        for whole in (*self._last.get(line, ()), self._old[line : end + 1]):
            there = self._best(line, whole[0].strip())
            if there is not None and self._is_whole(line, whole, there):
                return list(self._block(line, there))
        whole = next(iter(self._last.get(line, ())), self._old[line : end + 1])
        there = self._like(line, whole[0]) if len(whole) == 1 else None
        return [] if there is None else list(self._block(line, there))

    def _like(self, line: int, text: str) -> int | None:
        """The new line that has what a lost one had (`text`), and more, and stands where that stood."""
        own = _words(text)
        if len(own) < _FEW:
            return None
        for there in sorted(self._free):
            if not self._same(line - 1, there - 1) and not self._same(line + 1, there + 1):
                continue
            if own <= _words(self._new[there]):
                return there
        return None

    def _best(self, line: int, text: str) -> int | None:
        """Of the new lines that read `text` the one that is the lost `line`, and not another one that read the same."""
        lost = [one for one in self._lost_by.get(text, ()) if one in self._lost]
        free = [one for one in self._free_by.get(text, ()) if one in self._free]
        pairs = [(one, there) for one in lost for there in free]
        if len(pairs) > _MOST_PAIRS:
            pairs = list(zip(lost, free, strict=False))
        elif len(pairs) > 1:
            pairs.sort(key=lambda pair: (-self._agreement(*pair), pair))
        taken: set[int] = set()
        given: set[int] = set()
        for one, there in pairs:
            if one not in given and there not in taken:
                if one == line:
                    return there
                given.add(one)
                taken.add(there)
        return None

    def _is_whole(self, line: int, whole: Sequence[str], there: int) -> bool:
        """Whether all of it is there, but perhaps for its end; or the beginning, and what stood before that."""
        same = self._in_common(whole, there)
        if same == len(whole) or 1 < same == len(whole) - 1:
            return True
        before = line > 0 and bool(self._old[line - 1].strip()) and self._same(line - 1, there - 1)
        return same > 1 and before

    def _in_common(self, whole: Sequence[str], there: int) -> int:
        """How many lines of it are there, from its first one on."""
        same = 0
        for one, other in zip(whole, self._new[there : there + len(whole)], strict=False):
            if one.strip() != other.strip():
                break
            same += 1
        return same

    def _agreement(self, line: int, there: int) -> int:
        """How much of what is around two lines is the same."""
        if self._names is None:
            self._names = functions(self._old), functions(self._new)
        around = _AROUND if self._names[0][line] == self._names[1][there] else 0
        around += max((_AROUND * self._in_common(whole, there) for whole in self._last.get(line, ())), default=_AROUND)
        for step in (1, -1):
            for far in range(1, _AROUND + 1):
                if not self._same(line + step * far, there + step * far):
                    break
                around += _NEXT if step > 0 and far < _NEXT else 1
        return around

    def _block(self, line: int, there: int) -> Iterator[tuple[int, int]]:
        self._lost.discard(line)
        self._free.discard(there)
        yield line, there
        for step, far in ((1, 1), (-1, 1)):
            while (
                (line + step * far) in self._lost
                and (there + step * far) in self._free
                and self._same(line + step * far, there + step * far)
            ):
                self._lost.discard(line + step * far)
                self._free.discard(there + step * far)
                yield line + step * far, there + step * far
                far += 1

    def _same(self, line: int, there: int) -> bool:
        if not (0 <= line < len(self._old) and 0 <= there < len(self._new)):
            return False
        text = self._new[there].strip()
        return any(one.strip() == text for one in self._texts(line))

    def _texts(self, line: int) -> tuple[str, ...]:
        return (self._old[line], *(whole[0] for whole in self._last.get(line, ())))


def _words(text: str) -> Counter[str]:
    return Counter(_WORD.findall(text))


def _by_text(lines: Iterable[tuple[str, int]]) -> dict[str, list[int]]:
    """The numbers of lines by what they read, but for blank ones."""
    found: dict[str, list[int]] = {}
    for line, number in lines:
        text = line.strip()
        if text:
            found.setdefault(text, []).append(number)
    return found
