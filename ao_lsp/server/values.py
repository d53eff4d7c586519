"""In which expressions of the user's code values of calls were made: what runs say of it, read. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ao_lsp.server.fields import whole


@dataclass(frozen=True, order=True, slots=True)
class Span:
    """Part of a source: lines from 0, columns from 0 in code points, the end exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int

    @property
    def start(self) -> tuple[int, int]:
        return self.line, self.column

    @property
    def end(self) -> tuple[int, int]:
        return self.end_line, self.end_column


@dataclass(slots=True)
class Made:
    """What was made in one expression. `sets` are the calls that values of it came from, a set for each that was
    another; `ways` the lines from a call to here, as `(file, line)`, lines from 1, where they are known."""

    function: str
    sets: list[frozenset[str]] = field(default_factory=list)
    ways: dict[str, tuple[tuple[str, int], ...]] = field(default_factory=dict)


class Recordings:
    """What events tell of several files, read where it is asked for."""

    def __init__(self, said: Iterable[tuple[str, bytes]]) -> None:
        self._said: dict[str, list[bytes]] = {}
        for file, text in said:
            self._said.setdefault(file, []).append(text)

    def __bool__(self) -> bool:
        return bool(self._said)

    def of(self, names: Iterable[str]) -> dict[Span, Made]:
        """The expressions of a file that goes by these names."""
        return read((name, text) for name in names for text in self._said.get(name, ()))


def read(said: Iterable[tuple[str, bytes]]) -> dict[Span, Made]:
    """The expressions of one file, from the events that tell of it, each `(file, JSON)`. What makes no sense is left
    out."""
    found: dict[Span, Made] = {}
    for file, text in said:
        for entry in json.loads(text):
            read_entry = _entry(entry)
            if read_entry is None:
                continue
            span, function, sets = read_entry
            made = found.setdefault(span, Made(function))
            for calls in sets:
                of = {call: _hops(hops, file) for call, hops in calls}
                if of and frozenset(of) not in made.sets:
                    made.sets.append(frozenset(of))
                for call, way in of.items():
                    if way:
                        made.ways.setdefault(call, way)
    return found


def _entry(entry: Any) -> tuple[Span, str, list[list[tuple[str, Any]]]] | None:
    if not isinstance(entry, list) or len(entry) != 6 or not isinstance(entry[5], list):
        return None
    numbers = [whole({"n": number}, "n") for number in entry[:4]]
    line, column, end_line, end_column = numbers
    if line is None or column is None or end_line is None or end_column is None:
        return None
    sets = [
        [(pair[0], pair[1]) for pair in calls if isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str)]
        for calls in entry[5]
        if isinstance(calls, list)
    ]
    return Span(line - 1, column, end_line - 1, end_column), str(entry[4]), sets


def _hops(hops: Any, file: str) -> tuple[tuple[str, int], ...]:
    found = []
    for hop in hops if isinstance(hops, list) else ():
        where = hop if isinstance(hop, list) and len(hop) == 2 else [file, hop]
        line = whole({"n": where[1]}, "n")
        if isinstance(where[0], str) and line is not None:
            found.append((where[0], line))
    return tuple(found)
