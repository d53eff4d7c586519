"""Which line of a text is which line of an earlier one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher, get_close_matches

# What it may take to compare two texts line by line; beyond that only lines that are there once count.
_MOST_PAIRS = 1_000_000

# What it may take to look for similar lines, in pairs of characters: 40 ms in which nothing else is done.
_MOST_CHARACTERS = 1_000_000


def line_map(old: Sequence[str], new: Sequence[str]) -> dict[int, int]:
    """For each line of `old` (from 0) that is still there, where it is in `new`.

    Indentation does not count, and a line that was edited in its place is still the same line.
    """
    a, b = [line.strip() for line in old], [line.strip() for line in new]
    head = _common(a, b)
    tail = _common(a[head:][::-1], b[head:][::-1])
    found = {number: number for number in range(head)}
    found.update((len(a) - number, len(b) - number) for number in range(1, tail + 1))
    middle_a, middle_b = a[head : len(a) - tail], b[head : len(b) - tail]
    pair = _unique if len(middle_a) * len(middle_b) > _MOST_PAIRS else _aligned
    pairs = pair(middle_a, middle_b)
    found.update((head + i, head + j) for i, j in pairs)
    # What has changed places with something else.
    taken = set(found.values())
    left_a = [number for number in range(len(a)) if number not in found]
    left_b = [number for number in range(len(b)) if number not in taken]
    moved = _unique([a[number] for number in left_a], [b[number] for number in left_b])
    found.update((left_a[i], left_b[j]) for i, j in moved)
    return found


def _common(a: Sequence[str], b: Sequence[str]) -> int:
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


def _aligned(a: list[str], b: list[str]) -> Iterator[tuple[int, int]]:
    left = _MOST_CHARACTERS
    for verdict, i, i_end, j, j_end in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if verdict == "equal" or (verdict == "replace" and i_end - i == j_end - j):
            yield from zip(range(i, i_end), range(j, j_end), strict=True)
        elif verdict == "replace":
            cost = sum(map(len, a[i:i_end])) * sum(map(len, b[j:j_end]))
            if cost <= left:
                left -= cost
                yield from ((i + x, j + y) for x, y in _similar(a[i:i_end], b[j:j_end]))


def _similar(a: list[str], b: list[str]) -> Iterator[tuple[int, int]]:
    free = dict(enumerate(b))
    for number, line in enumerate(a):
        similar = get_close_matches(line, free.values(), 1) if line else []
        if similar:
            there = next(at for at, other in free.items() if other == similar[0])
            del free[there]
            yield number, there
