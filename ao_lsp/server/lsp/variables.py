"""The variables of a buffer whose values came from calls, in the newest run that came there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ao_lsp.server import values, variables
from ao_lsp.server.lsp.attached import Attached
from ao_lsp.server.lsp.recordings import Record
from ao_lsp.server.lsp.trail import Trail, margin
from ao_lsp.server.model import Call, Site
from ao_lsp.server.sources import Sources, keep
from ao_lsp.server.store import Store
from ao_lsp.server.values import Span
from ao_lsp.server.variables import Variable, Variables

_PAUSE = 10
"""Of a run that goes on, its variables are looked at anew after so many times what that took."""


@dataclass(frozen=True, eq=False, slots=True)
class Shown:
    """A variable where it is in the buffer, with the calls that its values came from, in their order."""

    variable: Variable
    record: Record
    calls: tuple[Call, ...]
    start: tuple[int, int]
    end: tuple[int, int]


@dataclass(frozen=True, eq=False, slots=True)
class InBuffer:
    """Those of one state of a buffer: where they are given their values, in order, and all by the line that they are
    on."""

    defined: tuple[Shown, ...]
    on_line: dict[int, list[Shown]]

    def at(self, line: int, column: int) -> Shown | None:
        """The one that a place is in."""
        here = self.on_line.get(line, ())
        return next((one for one in here if one.start[1] <= column <= one.end[1]), None)


class Tracing:
    """For one editor. What was found is kept until the buffer or the recordings change."""

    def __init__(self, store: Store, sources: Sources) -> None:
        self._store, self._sources = store, sources
        self._traced: dict[tuple[str, str], tuple[Record, Variables | None, float]] = {}
        self._known: dict[str, tuple[Attached, InBuffer]] = {}
        self._at_work = asyncio.Lock()

    async def find(self, attached: Attached) -> InBuffer:
        """The variables of a buffer.

        Raises:
            StoreError: the database fails.
        """
        uri = attached.document.uri
        known = self._known.get(uri)
        if known is None or known[0] is not attached:
            traced = []
            async with self._at_work:
                for record in attached.records:
                    found = await self._of_run(record, attached.names)
                    if found is not None:
                        traced.append((record, *found))
            known = attached, _in_buffer(attached, traced, self._sources)
            keep(self._known, uri, known)
        return known[1]

    def closed(self, uri: str) -> None:
        """The buffer is gone."""
        self._known.pop(uri, None)

    async def _of_run(self, record: Record, names: Sequence[str]) -> tuple[str, Variables] | None:
        """What a run tells of the file, by the name that it has there; None where its source is not known."""
        run = record.run
        file = next((name for name in names if self._sources.as_run(name, run) is not None), None)
        if file is None:
            return None
        key = run.id, file
        known = self._traced.get(key)
        if known is not None and (known[0] is record or (run.status == "running" and time.monotonic() < known[2])):
            return None if known[1] is None else (file, known[1])
        said = await self._store.made(run.id, list(names))
        began = time.monotonic()
        found = await asyncio.to_thread(self._trace, record, file, names, said)
        now = time.monotonic()
        keep(self._traced, key, (record, found, now + _PAUSE * (now - began)))
        return None if found is None else (file, found)

    def _trace(
        self, record: Record, file: str, names: Sequence[str], said: Sequence[tuple[str, bytes]]
    ) -> Variables | None:
        lines = self._sources.as_run(file, record.run)
        if lines is None or not said:
            return None
        complete = record.run.status == "finished"
        recorded = variables.Recorded(frozenset(names), values.read(said), record.graph.calls, complete)
        return variables.trace(lines, file, recorded)


def _in_buffer(attached: Attached, traced: Sequence[tuple[Record, str, Variables]], sources: Sources) -> InBuffer:
    defined: dict[tuple[int, int], Shown] = {}
    used: dict[tuple[int, int], Shown] = {}
    came: set[str] = set()
    for record, file, found in traced:
        trail = attached.follower.trail(file, record.run)
        source = sources.as_run(file, record.run)
        if trail is not None and source is not None:
            for some, into in ((found.defined, defined), (found.used, used)):
                # What a newer run did in a function counts, also where it gave less.
                here = [one for one in some if one.function not in came]
                for shown in _followed(attached, record, here, trail, file, source):
                    into.setdefault(shown.start, shown)
        came |= found.functions
    on_line: dict[int, list[Shown]] = {}
    for shown in {**used, **defined}.values():
        on_line.setdefault(shown.start[0], []).append(shown)
    return InBuffer(tuple(defined[start] for start in sorted(defined)), on_line)


def _followed(
    attached: Attached, record: Record, found: Iterable[Variable], trail: Trail, file: str, source: Sequence[str]
) -> Iterator[Shown]:
    known = {call.id: call for call in (*record.graph.calls, *(other for _, other in record.graph.outside))}
    now = attached.document.lines
    for variable in found:
        calls = sorted(
            (known[call] for call in variable.calls if call in known), key=lambda call: (call.started, call.number)
        )
        place = _place(variable, trail, file, source, now) if calls else None
        if place is not None:
            yield Shown(variable, record, tuple(calls), *place)


def _place(
    variable: Variable, trail: Trail, file: str, source: Sequence[str], now: Sequence[str]
) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Where a name is now, if it is still there, and so is what gave it its value."""
    span, given = variable.span, variable.given
    line = trail.line(span.line)
    if line is not None and given.line == given.end_line == span.line:
        was, text = source[span.line], now[line]
        if was == text or was.strip() == text.strip():
            shift = margin(text) - margin(was)
            return (line, span.column + shift), (line, span.end_column + shift)
    name, value = trail.extent(_site(span, file)), trail.extent(_site(given, file))
    if name is None or value is None or name.line != name.end_line:
        return None
    return (name.start, name.end) if now[name.line][name.column : name.end_column] == variable.name else None


def _site(span: Span, file: str) -> Site:
    return Site(file, span.line + 1, "", span.end_line + 1, span.column, span.end_column)
