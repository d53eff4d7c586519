"""The definitions of a source, found line by line: also in one that does not parse.

A change of one line is then a change of one piece of the file, and what is broken in one leaves the others as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_DEFINITION = re.compile(r"[ \t\f]*(?:(async[ \t]+def|def|class)[ \t]+(\w+)|@)")

# Quotes of three, and what hides them: other strings, and comments.
_QUOTES = re.compile(r"""\"{3}|'{3}|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|#.*""")

_HEAD = re.compile(r"[ \t]*(?:async[ \t]+def|def|class)[ \t]+\w+[ \t]*[(:]")

# A line that may be the beginning of a statement, and one that cannot be its end.
_STATEMENT = re.compile(r"[ \t\f]*(?!(?:else|elif|except|finally)\b)[A-Za-z_@]")
_GOES_ON = re.compile(r"(?:[\\,(\[{]|\b(?:and|or|in|not|is))\s*(?:#.*)?$")

_LONG = 150
"""Lines of a piece, after which the next statement begins another one."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Lines from `first` to before `end`, which can be read by themselves: a function, a method, the head of a class,
    statements of a module. `around` is the qualified name of the class that they are in."""

    first: int
    end: int
    around: str


@dataclass(slots=True)
class _Open:
    """A definition that the lines are in. `joint` is what a qualified name has behind its own."""

    depth: int
    name: str
    joint: str


def pieces(lines: Sequence[str]) -> list[Piece]:
    """The pieces of a source, in its order; each line is in one."""
    found: list[Piece] = []
    opened: list[_Open] = []
    first, around, depth, decorated = 0, "", 0, False

    def cut(number: int) -> None:
        nonlocal first, around, depth
        if number > first:
            found.append(Piece(first, number, around))
        first, around, depth = number, "".join(_names(opened)), _depth(lines[number])

    for number, line in _code(lines):
        here = _depth(line)
        named = _DEFINITION.match(line)
        if named is None:
            if decorated:
                decorated = False
            if here > depth and number - first < _LONG:
                continue
            if (here < depth or number - first >= _LONG) and _begins(lines, number) and here <= depth:
                _leave(opened, here)
                cut(number)
            continue
        _leave(opened, here)
        inside = any(one.joint != "." for one in opened)
        if not inside and not decorated:
            cut(number)
        decorated = named[2] is None
        if not decorated:
            opened.append(_Open(here, named[2], "." if named[1] == "class" else ".<locals>."))
    found.append(Piece(first, len(lines), around))
    return found


def functions(lines: Sequence[str]) -> list[str]:
    """For each line the qualified name of the definition that it is in; of none ''. A definition's head is in it."""
    names: list[str] = []
    opened: list[_Open] = []
    name = ""
    for number, line in _code(lines):
        names += [name] * (number - len(names))
        named = _DEFINITION.match(line)
        here = _depth(line)
        if opened and here <= opened[-1].depth and (named is not None or _begins(lines, number)):
            _leave(opened, here)
            name = _qualified(opened)
        if named is not None and named[2] is not None:
            opened.append(_Open(here, named[2], "." if named[1] == "class" else ".<locals>."))
            name = _qualified(opened)
        names.append(name)
    return names + [name] * (len(lines) - len(names))


def _code(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """The lines that are code, with their numbers: not blank, no comment, and not the inside of a long string."""
    inside = _inside(lines)
    for number, line in enumerate(lines):
        text = line.lstrip()
        if text and text[0] not in "#)]}" and number not in inside:
            yield number, line


def _inside(lines: Sequence[str]) -> set[int]:
    """The lines that begin inside of a long string. Where one is never closed, definitions end it: somebody has just
    typed the quotes, and what comes next is not meant to be a text, and all texts code."""
    inside, open_ = _strings(lines, ends=False)
    return _strings(lines, ends=True)[0] if open_ else inside


def _strings(lines: Sequence[str], ends: bool) -> tuple[set[int], bool]:
    inside: set[int] = set()
    quote = ""
    for number, line in enumerate(lines):
        if quote:
            if ends and _HEAD.match(line):
                quote = ""
            else:
                inside.add(number)
        if quote or '"""' in line or "'''" in line:
            quote = _after(line, quote)
    return inside, bool(quote)


def _after(line: str, quote: str) -> str:
    """The quotes that are open behind a line, with those that are before it; '' for none."""
    at = 0
    while True:
        if quote:
            end = line.find(quote, at)
            if end < 0:
                return quote
            at, quote = end + 3, ""
        found = _QUOTES.search(line, at)
        while found is not None and found[0] not in ('"""', "'''"):
            found = _QUOTES.search(line, found.end())
        if found is None:
            return ""
        at, quote = found.end(), found[0]


def _begins(lines: Sequence[str], number: int) -> bool:
    """Whether a statement may begin on a line, by what it and the line before it look like."""
    if _STATEMENT.match(lines[number]) is None:
        return False
    before = number - 1
    while before >= 0 and not lines[before].strip():
        before -= 1
    return before < 0 or _GOES_ON.search(lines[before]) is None


def _leave(opened: list[_Open], depth: int) -> None:
    while opened and opened[-1].depth >= depth:
        opened.pop()


def _names(opened: Sequence[_Open]) -> Iterator[str]:
    for number, one in enumerate(opened):
        yield one.name
        if number + 1 < len(opened):
            yield one.joint


def _qualified(opened: Sequence[_Open]) -> str:
    return "".join(_names(opened))


def _depth(line: str) -> int:
    if line[:1] not in (" ", "\t", "\f"):
        return 0
    expanded = line.replace("\f", "").expandtabs()
    return len(expanded) - len(expanded.lstrip())
