"""The places of a buffer where models are asked, with the calls that were recorded there.

Calls that the syntax shows (`callsites`) are places also when they have never run. A recorded call is
at the line where it was made, followed through the edits since then; where a helper function asks for
several callers, their lines are places, too, each with its own calls.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ao_lsp.server.lsp.callsites import CallSite
from ao_lsp.server.lsp.documents import Document
from ao_lsp.server.lsp.follow import line_map
from ao_lsp.server.lsp.recordings import Record
from ao_lsp.server.model import Call, Graph, Site
from ao_lsp.server.sources import Sources


@dataclass(frozen=True, slots=True)
class Extent:
    """Part of a buffer: lines from 0, columns from 0 in code points, the end exclusive. `head_line` is
    the last line of what is called."""

    line: int
    column: int
    end_line: int
    end_column: int
    head_line: int

    @property
    def start(self) -> tuple[int, int]:
        return self.line, self.column

    @property
    def end(self) -> tuple[int, int]:
        return self.end_line, self.end_column


@dataclass(frozen=True, slots=True)
class Place:
    """An extent with the calls that the newest run made there, in their order; none: it never ran."""

    extent: Extent
    record: Record | None
    calls: tuple[Call, ...]


def find_places(
    document: Document, names: Collection[str], records: Sequence[Record], sources: Sources
) -> tuple[Place, ...]:
    """The places of a document, in its order. `names` are those of its file, `records` newest first."""
    found: dict[Extent, Place] = {_extent(site): Place(_extent(site), None, ()) for site in document.sites}
    # Runs of the same source share one; it holds the source, so that no other gets its id.
    maps: dict[int, tuple[Sequence[str], Mapping[int, int]]] = {}
    for record in records:
        here: dict[Extent, dict[int, Call]] = {}
        for spot, calls in _spots(record.graph, names):
            source = sources.as_run(spot.file, record.run)
            if source is not None and id(source) not in maps:
                maps[id(source)] = source, line_map(source, document.lines)
            extent = _followed(document, spot, *maps[id(source)]) if source else _guessed(document, spot)
            if extent is not None:
                here.setdefault(extent, {}).update((call.number, call) for call in calls)
        for extent, numbered in here.items():
            if extent not in found or not found[extent].calls:
                found[extent] = Place(extent, record, tuple(numbered[number] for number in sorted(numbered)))
    return tuple(sorted(found.values(), key=lambda place: (place.extent.line, place.extent.column)))


def _spots(graph: Graph, names: Collection[str]) -> Iterator[tuple[Site, list[Call]]]:
    """Where in the file the run made calls: directly, and through helpers that are shared."""
    by_site: dict[Site, list[Call]] = {}
    for call in graph.calls:
        if call.site is not None:
            by_site.setdefault(call.site, []).append(call)
    for site, calls in by_site.items():
        if site.file in names:
            yield site, calls
        for caller, some in _callers(calls):
            if caller.file in names:
                yield caller, some


def _callers(calls: Sequence[Call]) -> Iterator[tuple[Site, list[Call]]]:
    """Where the ways to one site part: the frames there, each with its calls."""
    depth = 1
    while all(len(call.stack) > depth for call in calls):
        frames: dict[Site, list[Call]] = {}
        for call in calls:
            frames.setdefault(call.stack[depth], []).append(call)
        if len(frames) > 1:
            yield from frames.items()
            return
        depth += 1


def _followed(document: Document, spot: Site, source: Sequence[str], where: Mapping[int, int]) -> Extent | None:
    """Where a recorded expression is now, of which the source is known."""
    line = where.get(spot.line - 1)
    if line is None:
        return None
    was, now = source[spot.line - 1], document.line(line)
    if was.strip() != now.strip():
        return _at(document, line, None)
    return _at(document, line, _shifted(spot, _margin(now) - _margin(was)))


def _shifted(spot: Site, columns: int) -> Site:
    """`spot` on its line, after that was indented by so much."""
    if not columns or spot.column is None or spot.end_column is None:
        return spot
    return replace(spot, column=spot.column + columns, end_column=spot.end_column + columns)


def _margin(line: str) -> int:
    return len(line) - len(line.lstrip())


def _guessed(document: Document, spot: Site) -> Extent | None:
    """Where a recorded expression is now, going by its line and function."""
    line, function = spot.line - 1, _bare(spot.function)
    inside = [site for site in document.sites if _bare(site.function) == function]
    if any(site.line <= line <= site.head_line for site in inside):
        return _at(document, line, spot)
    if _function_around(document.lines, line) == function and "(" in document.line(line) and not inside:
        return _at(document, line, None)
    nearest = min(inside, key=lambda site: abs(site.line - line), default=None)
    return None if nearest is None else _extent(nearest)


def _at(document: Document, line: int, spot: Site | None) -> Extent | None:
    """What is called on a line; `spot` tells the columns, where they are still right."""
    on_line = [site for site in document.sites if site.line <= line <= site.head_line]
    if on_line:
        column = spot.column if spot is not None and spot.column is not None else 0
        return _extent(min(on_line, key=lambda site: abs(site.column - column)))
    text = document.line(line)
    if spot is not None and spot.column is not None and spot.end_column is not None and spot.end_line == spot.line:
        return Extent(line, spot.column, line, spot.end_column, line)
    if not text.strip():
        return None
    return Extent(line, _margin(text), line, len(text.rstrip()), line)


def _extent(site: CallSite) -> Extent:
    return Extent(site.line, site.column, site.end_line, site.end_column, site.head_line)


def _bare(function: str) -> str:
    """The last name in a qualified one; of a lambda or comprehension, that of what is around it.
    Python 3.10 records nothing but this."""
    named = [part for part in re.split(r"\.<locals>\.|\.", function) if part and not part.startswith("<")]
    return named[-1] if named else "<module>"


_DEF = re.compile(r"([ \t]*)(?:async[ \t]+)?def[ \t]+(\w+)")


def _function_around(lines: Sequence[str], line: int) -> str:
    """The name of the function that a line is in, going by indentation: the syntax may be broken."""
    if not 0 <= line < len(lines):
        return ""
    depth = _indentation(lines[line])
    for number in range(line, -1, -1):
        if not lines[number].strip() or _indentation(lines[number]) >= depth:
            continue
        depth = _indentation(lines[number])
        if found := _DEF.match(lines[number]):
            return found[2]
    return "<module>"


def _indentation(line: str) -> int:
    return len(line.expandtabs()) - len(line.expandtabs().lstrip())
