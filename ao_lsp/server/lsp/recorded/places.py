"""The places of a buffer where models are asked, with the calls that were recorded there.

Calls that the syntax shows (`callsites`) are places also when they have never run. A recorded call is
at the line where it was made, followed through the edits since then; where a helper function asks for
several callers, their lines are places, too, each with its own calls.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from ao_lsp.server.lsp.buffers.callsites import CallSite
from ao_lsp.server.lsp.buffers.documents import Document
from ao_lsp.server.lsp.buffers.following import Follower
from ao_lsp.server.lsp.buffers.trail import Extent, Trail, margin
from ao_lsp.server.lsp.recorded.recordings import Record
from ao_lsp.server.model import Call, Graph, Site


@dataclass(frozen=True, slots=True)
class Visit:
    """The calls that a run made at a place, in their order."""

    record: Record
    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """An extent with the calls that the newest run made there, in their order; none: it never ran.

    `spot` is the expression that they were recorded at, in the source that this run read, and `earlier` are the runs
    that came there before, newest first.
    """

    extent: Extent
    record: Record | None
    calls: tuple[Call, ...]
    spot: Site | None = None
    earlier: tuple[Visit, ...] = ()


Spots: TypeAlias = Sequence[tuple[Record, Sequence[tuple[Site, list[Call]]]]]
"""Of each run where in a file it made calls, as it was recorded."""


def spots(names: Collection[str], records: Sequence[Record]) -> Spots:
    """Where runs (newest first) made calls in a file that has these names."""
    return [(record, tuple(_spots(record.graph, names))) for record in records]


def called_at(places: Iterable[Place], line: int, column: int) -> Place | None:
    """The place with calls that is meant at a position, of several in a line the nearest one."""
    here = [place for place in places if place.calls and place.extent.line <= line <= place.extent.head_line]
    return min(here, key=lambda one: abs(one.extent.column - column), default=None)


def find_places(follower: Follower, recorded: Spots) -> tuple[Place, ...]:
    """The places of a buffer, in its order."""
    document = follower.document
    found: dict[Extent, Place] = {_extent(site): Place(_extent(site), None, ()) for site in document.sites}
    for record, spotted in recorded:
        here: dict[Extent, dict[int, Call]] = {}
        came: dict[Extent, Site] = {}
        for spot, calls in spotted:
            trail = follower.trail(spot.file, record.run)
            extent = _followed(document, spot, trail) if trail is not None else _guessed(document, spot)
            if extent is not None:
                here.setdefault(extent, {}).update((call.number, call) for call in calls)
                came.setdefault(extent, spot)
        for extent, numbered in here.items():
            calls = [numbered[number] for number in sorted(numbered)]
            place = found.get(extent)
            if place is None or not place.calls:
                found[extent] = Place(extent, record, tuple(calls), came[extent])
            else:
                found[extent] = replace(place, earlier=(*place.earlier, Visit(record, tuple(calls))))
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


def _followed(document: Document, spot: Site, trail: Trail) -> Extent | None:
    """Where a recorded call is now, of which the source is known."""
    extent = trail.extent(spot)
    if extent is not None:
        return _shown(document, extent)
    if spot.column is not None and spot.end_column is not None:
        return None
    # Nobody can tell what on the line was called.
    line = trail.line(spot.line - 1, spot.line - 1)
    return _at(document, line, None) if line is not None else None


def _shown(document: Document, extent: Extent) -> Extent:
    """The call that the syntax shows there. A recorded one may begin at the name of its method (Python 3.12), and
    one that is being edited has an end that was only guessed."""
    site = document.sites_by_head.get(extent.head)
    if site is None and extent.head == extent.start:
        # Its parenthesis has not been typed yet, or is gone.
        site = next((site for site in document.sites_on(extent.line) if site.start == extent.start), None)
    return extent if site is None else _extent(site)


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
    on_line = document.sites_on(line)
    if on_line:
        column = spot.column if spot is not None and spot.column is not None else 0
        return _extent(min(on_line, key=lambda site: abs(site.column - column)))
    text = document.line(line)
    if spot is not None and spot.column is not None and spot.end_column is not None and spot.end_line == spot.line:
        return Extent(line, spot.column, line, spot.end_column, line, spot.column)
    if not text.strip():
        return None
    return Extent(line, margin(text), line, len(text.rstrip()), line, margin(text))


def _extent(site: CallSite) -> Extent:
    return Extent(*site.start, site.end_line, site.end_column, site.head_line, site.head_column)


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
