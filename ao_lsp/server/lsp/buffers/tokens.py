"""The tokens and the brackets of source lines, also of lines that are no Python yet."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

_TOKEN = re.compile(r"\w+|[^\w\s]")

# Strings and comments, in which brackets are none; a quote that nobody has closed yet is just a character.
_BRACKET = re.compile(
    r'"""(?:\\.|[^\\])*?"""'
    r"|'''(?:\\.|[^\\])*?'''"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'(?:\\.|[^'\\\n])*'"
    r"|#[^\n]*"
    r"|(?P<open>[(\[{])|(?P<close>[)\]}])",
    re.DOTALL,
)

_DEFINITION = re.compile(r"[ \t]*(?:async[ \t]+def|def|class)[ \t]+\w+[ \t]*[(:]")

_MOST_LINES = 400
"""Of an expression; who types an opening bracket has not opened one over the rest of the file."""

Position: TypeAlias = tuple[int, int]
"""Line and column, both from 0, in code points."""

Span: TypeAlias = tuple[Position, Position]
"""From one to before another."""


class Token(NamedTuple):
    line: int
    column: int
    text: str

    @property
    def end(self) -> Position:
        return self.line, self.column + len(self.text)

    @property
    def is_word(self) -> bool:
        return self.text[0].isalnum() or self.text[0] == "_"


def tokens(lines: Sequence[str], first: int, last: int) -> list[Token]:
    """Those of the lines from `first` to before `last`; those of strings and comments, too."""
    return [
        Token(number, found.start(), found[0])
        for number in range(max(first, 0), min(last, len(lines)))
        for found in _TOKEN.finditer(lines[number])
    ]


def head_of(lines: Sequence[str], start: Position, end: Position) -> Position | None:
    """Where the arguments of a call begin that goes from `start` to `end`; None of what is no call."""
    opened: list[Position] = []
    for at, opens in _brackets(lines, start, end[0] + 1):
        if at >= end:
            break
        if opens:
            opened.append(at)
        elif not opened:
            return None
        else:
            head = opened.pop()
            if (at[0], at[1] + 1) == end:
                return head if not opened and head != start and lines[head[0]][head[1]] == "(" else None
    return None


def closing(lines: Sequence[str], opening: Position) -> Position | None:
    """The end of what the bracket at `opening` opens; None where nothing closes it before the next definition."""
    depth = 0
    last = opening[0] + 1
    while last < min(len(lines), opening[0] + _MOST_LINES) and not _DEFINITION.match(lines[last]):
        last += 1
    for at, opens in _brackets(lines, opening, last):
        depth += 1 if opens else -1
        if depth == 0:
            return at[0], at[1] + 1
    return None


def _brackets(lines: Sequence[str], start: Position, last: int) -> Iterator[tuple[Position, bool]]:
    """The brackets from `start` to before the line `last`: where each is, and whether it opens."""
    number, begin = start[0], 0
    part = lines[number:last]
    for found in _BRACKET.finditer("\n".join(part), start[1]):
        if found.lastgroup is None:
            continue
        while found.start() > begin + len(lines[number]):
            begin += len(lines[number]) + 1
            number += 1
        yield (number, found.start() - begin), found.lastgroup == "open"
