"""Which line of a text is which line of an earlier one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher, get_close_matches

from ao_lsp.server.lsp.buffers.outline import functions
from ao_lsp.server.lsp.buffers.tokens import Token, tokens

# What it may take to compare two texts line by line; beyond that only lines that are there once count.
_MOST_PAIRS = 1_000_000

# What it may take to look for similar lines, in pairs of characters: 40 ms in which nothing else is done.
_MOST_CHARACTERS = 1_000_000

# So much of what is in two functions of one name has to be the same, for them to be the same function, if there may
# be a better one; and in two of different names. (Of 1; the same last name counts for a quarter.)
_ALIKE, _MOVED = 0.4, 0.5

# Pairs of lines of which the words are compared, in a passage.
_MOST_REFLOWED = 400

# Pairs of functions that are compared.
_MOST_FUNCTIONS = 2_500


def line_map(old: Sequence[str], new: Sequence[str]) -> dict[int, int]:
    """For each line of `old` (from 0) that is still there, where it is in `new`.

    Indentation does not count, and a line that was edited in its place is still the same line. Lines of a function
    are looked for in that function first, wherever it is and whatever it is called now.
    """
    a, b = [line.strip() for line in old], [line.strip() for line in new]
    if a == b:
        return {number: number for number in range(len(a))}
    names_a, names_b = functions(old), functions(new)
    keys_a, keys_b = list(zip(a, names_a, strict=True)), list(zip(b, names_b, strict=True))
    head = _common(keys_a, keys_b)
    tail = _common(keys_a[head:][::-1], keys_b[head:][::-1])
    found = {number: number for number in range(head)}
    found.update((len(a) - number, len(b) - number) for number in range(1, tail + 1))
    left_a, left_b = list(range(head, len(a) - tail)), list(range(head, len(b) - tail))
    effort = Effort()
    for of_a, of_b in _same_functions(_by_name(left_a, names_a), _by_name(left_b, names_b), a, b):
        found.update(_within(of_a, of_b, a, b, effort))
    # What has gone from one function to another, or has changed places with something else.
    for way in (_unique, effort.aligned):
        taken = set(found.values())
        left_a = [number for number in left_a if number not in found]
        left_b = [number for number in left_b if number not in taken]
        pairs = list(way([a[number] for number in left_a], [b[number] for number in left_b]))
        found.update((left_a[i], left_b[j]) for i, j in pairs if a[left_a[i]])
    found.update(_reflowed(a, b, found))
    return found


def _reflowed(a: Sequence[str], b: Sequence[str], found: Mapping[int, int]) -> dict[int, int]:
    """Lines that were broken or joined: one that is in no place goes on where its words do, in what is new there."""
    taken = set(found.values())
    more: dict[int, int] = {}
    line = 0
    while line < len(a):
        end = line
        while end < len(a) and end not in found:
            end += 1
        if end > line:
            there = found[line - 1] + 1 if line > 0 else 0
            there_end = there
            while there_end < len(b) and there_end not in taken:
                there_end += 1
            if there_end > there and (end - line) * (there_end - there) <= _MOST_REFLOWED:
                more.update(_same_words(a, (line, end), b, (there, there_end)))
        line = end + 1
    return more


def _same_words(
    a: Sequence[str], was: tuple[int, int], b: Sequence[str], now: tuple[int, int]
) -> Iterator[tuple[int, int]]:
    of_a, of_b = tokens(a, *was), tokens(b, *now)
    matcher = SequenceMatcher(None, [one.text for one in of_a], [one.text for one in of_b], autojunk=False)
    kept: dict[int, list[Token]] = {}
    for i, j, size in matcher.get_matching_blocks():
        for step in range(size):
            if of_a[i + step].is_word:
                kept.setdefault(of_a[i + step].line, []).append(of_b[j + step])
    taken: set[int] = set()
    for line, there in kept.items():
        first = there[0].line
        if len(there) * 2 >= sum(one.is_word for one in of_a if one.line == line) and first not in taken:
            taken.add(first)
            yield line, first


def _within(
    of_a: Sequence[int], of_b: Sequence[int], a: Sequence[str], b: Sequence[str], effort: Effort
) -> Iterator[tuple[int, int]]:
    """The lines of one function in another one."""
    texts_a, texts_b = [a[number] for number in of_a], [b[number] for number in of_b]
    head = _common(texts_a, texts_b)
    tail = _common(texts_a[head:][::-1], texts_b[head:][::-1])
    yield from zip(of_a[:head], of_b[:head], strict=True)
    yield from zip(of_a[len(of_a) - tail :], of_b[len(of_b) - tail :], strict=True)
    middle_a, middle_b = texts_a[head : len(texts_a) - tail], texts_b[head : len(texts_b) - tail]
    yield from ((of_a[head + i], of_b[head + j]) for i, j in effort.aligned(middle_a, middle_b))


def _by_name(numbers: Sequence[int], names: Sequence[str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for number in numbers:
        found.setdefault(names[number], []).append(number)
    return found


def _same_functions(
    old: Mapping[str, list[int]], new: Mapping[str, list[int]], a: Sequence[str], b: Sequence[str]
) -> Iterator[tuple[list[int], list[int]]]:
    """The lines of functions that are the same: by their names, or else by what is in them."""
    rest_old, rest_new = dict(old), dict(new)
    counts_old = {name: _words(lines, a) for name, lines in old.items()}
    counts_new = {name: _words(lines, b) for name, lines in new.items()}
    for name in list(rest_old):
        # One that took the name of another is not that one.
        if name in rest_new and (not name or _likeness(counts_old[name], counts_new[name]) >= _ALIKE):
            yield rest_old.pop(name), rest_new.pop(name)
    if len(rest_old) * len(rest_new) <= _MOST_FUNCTIONS:
        scored = sorted(
            (-_likeness(counts_old[one], counts_new[other]) - (_bare(one) == _bare(other)) / 4, one, other)
            for one in rest_old
            for other in rest_new
        )
        for score, one, other in scored:
            if -score >= _MOVED and one in rest_old and other in rest_new:
                yield rest_old.pop(one), rest_new.pop(other)
    for name in list(rest_old):
        if name in rest_new:
            yield rest_old.pop(name), rest_new.pop(name)


def _words(numbers: Sequence[int], lines: Sequence[str]) -> Counter[str]:
    """What is in some lines, without the line that names their function."""
    return Counter(lines[number] for number in numbers if lines[number])


def _likeness(one: Counter[str], other: Counter[str]) -> float:
    """From 0 to 1: how many of the lines are in both."""
    count = one.total() + other.total()
    return 2 * (one & other).total() / count if count else 1.0


def _bare(name: str) -> str:
    return name.rpartition(".")[2]


def _common(a: Sequence[object], b: Sequence[object]) -> int:
    """How many lines two texts begin with in common."""
    count = 0
    for left, right in zip(a, b, strict=False):
        if left != right:
            break
        count += 1
    return count


def _unique(a: list[str], b: list[str]) -> Iterator[tuple[int, int]]:
    once = {line: number for number, line in enumerate(b)}
    many = {line for number, line in enumerate(b) if once[line] != number}
    seen: dict[str, int] = {}
    for line in a:
        seen[line] = seen.get(line, 0) + 1
    for number, line in enumerate(a):
        if line and line in once and line not in many and seen[line] == 1:
            yield number, once[line]


class Effort:
    """Compares texts line by line, until that has taken long."""

    def __init__(self) -> None:
        self._pairs, self._characters = _MOST_PAIRS, _MOST_CHARACTERS

    def aligned(self, a: list[str], b: list[str]) -> Iterator[tuple[int, int]]:
        """Which line of one text is which of another, in their order, edited or not."""
        if len(a) * len(b) > self._pairs:
            yield from _unique(a, b)
            return
        self._pairs -= len(a) * len(b)
        for verdict, i, i_end, j, j_end in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
            if verdict == "equal" or (verdict == "replace" and i_end - i == j_end - j):
                yield from zip(range(i, i_end), range(j, j_end), strict=True)
            elif verdict == "replace":
                cost = sum(map(len, a[i:i_end])) * sum(map(len, b[j:j_end]))
                if cost <= self._characters:
                    self._characters -= cost
                    yield from ((i + x, j + y) for x, y in _similar(a[i:i_end], b[j:j_end]))


def _similar(a: list[str], b: list[str]) -> Iterator[tuple[int, int]]:
    free = dict(enumerate(b))
    for number, line in enumerate(a):
        similar = get_close_matches(line, free.values(), 1) if line else []
        if similar:
            there = next(at for at, other in free.items() if other == similar[0])
            del free[there]
            yield number, there
