"""The variables of a buffer whose values came from calls, in the newest run that came there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from ao_lsp.server import values, variables
from ao_lsp.server.core import Core
from ao_lsp.server.lsp.buffers.trail import Trail, margin
from ao_lsp.server.lsp.recorded.attached import Attached
from ao_lsp.server.lsp.recorded.recordings import Record
from ao_lsp.server.model import Call, Site
from ao_lsp.server.sources import Sources, keep
from ao_lsp.server.store import Store
from ao_lsp.server.values import Span
from ao_lsp.server.variables import Others, Variable, Variables

_PAUSE = 10
"""Of a run that goes on, its variables are looked at anew after so many times what that took."""

_MOST_KEPT = 16


@dataclass(frozen=True, eq=False, slots=True)
class Shown:
    """A variable where it is in the buffer, with the calls that its values came from, in their order."""

    variable: Variable
    record: Record
    calls: tuple[Call, ...]
    start: tuple[int, int]
    end: tuple[int, int]


@dataclass(frozen=True, eq=False, slots=True)
class _Traced:
    """What a run tells of a file, which has that name in it, and these lines. `calls` has each set of calls that a
    variable may name, in order; `used` the uses by line."""

    record: Record
    file: str
    source: Sequence[str]
    variables: Variables
    calls: dict[frozenset[str], tuple[Call, ...]]
    used: dict[int, list[Variable]]
    fresh_until: float


class InBuffer:
    """Those of one state of a buffer. `defined`: where they are given their values, in order."""

    def __init__(self, attached: Attached, traced: Sequence[_Traced]) -> None:
        self._now = attached.document.lines
        # With each run, the functions of which a newer one tells: what that did there counts, also where it gave less.
        self._runs: list[tuple[_Traced, Trail, frozenset[str]]] = []
        came: frozenset[str] = frozenset()
        for one in traced:
            trail = attached.follower.trail(one.file, one.record.run)
            if trail is not None:
                self._runs.append((one, trail, came))
            came |= one.variables.functions
        found: dict[tuple[int, int], Shown] = {}
        for one, trail, newer in self._runs:
            for shown in self._followed(one, trail, newer, one.variables.defined):
                found.setdefault(shown.start, shown)
        self.defined = tuple(found[start] for start in sorted(found))
        self._on_line: dict[int, list[Shown]] = {}
        for shown in self.defined:
            self._on_line.setdefault(shown.start[0], []).append(shown)
        self._came_from: dict[int, list[tuple[int, int]]] | None = None
        """By line of the buffer: the lines with uses, of which run, that it has come from; None: nobody has asked."""

    def at(self, line: int, column: int) -> Shown | None:
        """The one that a place is in, where it is given its value or used."""
        here = [*self._on_line.get(line, ()), *self._used_on(line)]
        return next((one for one in here if one.start[1] <= column <= one.end[1]), None)

    def _used_on(self, line: int) -> list[Shown]:
        if self._came_from is None:
            self._came_from = {}
            for one, trail, _ in self._runs:
                for number in one.used:
                    there = trail.line(number)
                    if there is not None:
                        self._came_from.setdefault(there, []).append((id(one), number))
        wanted = set(self._came_from.get(line, ()))
        return [
            shown
            for one, trail, newer in self._runs
            for traced, number in wanted
            if traced == id(one)
            for shown in self._followed(one, trail, newer, one.used[number])
        ]

    def _followed(
        self, one: _Traced, trail: Trail, newer: frozenset[str], found: Iterable[Variable]
    ) -> Iterator[Shown]:
        for variable in found:
            calls = one.calls[variable.calls]
            if not calls or variable.function in newer:
                continue
            place = _place(variable, trail, one.file, one.source, self._now)
            if place is not None:
                yield Shown(variable, one.record, calls, *place)


class Traces:
    """What runs tell of the variables in files, for all editors. The newest ones that were asked for are kept."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._traced: dict[tuple[str, str], _Traced] = {}
        self._at_work = asyncio.Lock()

    async def of(
        self, record: Record, file: str, names: Sequence[str], source: Sequence[str], sources: Sources
    ) -> _Traced:
        """What a run tells of a file, which has these `names`, and this source, as `file` in the run. `sources` has
        those of the files whose functions it calls.

        Raises:
            StoreError: the database fails.
        """
        async with self._at_work:
            known = self._traced.get((record.run.id, file))
            if known is not None and known.source is source:
                goes_on = record.run.status == "running" and time.monotonic() < known.fresh_until
                if known.record is record or goes_on:
                    return known
            seen = variables.seen_files(record.graph.calls, record.graph.edges)
            said = values.Recordings(await self._store.made(record.run.id, sorted(seen.union(names))))
            others = variables.Others(seen, lambda name: said.of([name]), lambda name: sources.as_run(name, record.run))
            made = await asyncio.to_thread(_trace, record, file, names, source, said, others)
            self._traced[record.run.id, file] = made
            while len(self._traced) > _MOST_KEPT:
                del self._traced[next(iter(self._traced))]
            return made


_of_cores: WeakKeyDictionary[Core, Traces] = WeakKeyDictionary()


class Tracing:
    """For one editor. What was found is kept until the buffer or the recordings change."""

    def __init__(self, core: Core, sources: Sources) -> None:
        if core not in _of_cores:
            _of_cores[core] = Traces(core.store)
        self._traces, self._sources = _of_cores[core], sources
        self._known: dict[str, tuple[Attached, InBuffer]] = {}

    async def find(self, attached: Attached) -> InBuffer:
        """The variables of a buffer.

        Raises:
            StoreError: the database fails.
        """
        uri = attached.document.uri
        known = self._known.get(uri)
        if known is None or known[0] is not attached:
            traced = []
            for record in attached.records:
                for name in attached.names:
                    source = self._sources.as_run(name, record.run)
                    if source is not None:
                        traced.append(await self._traces.of(record, name, attached.names, source, self._sources))
                        break
            known = attached, InBuffer(attached, traced)
            keep(self._known, uri, known)
        return known[1]

    def closed(self, uri: str) -> None:
        """The buffer is gone."""
        self._known.pop(uri, None)


def _trace(
    record: Record, file: str, names: Sequence[str], source: Sequence[str], said: values.Recordings, others: Others
) -> _Traced:
    began = time.monotonic()
    found = Variables((), (), frozenset())
    if said:  # else it made no calls, or on a Python that does not track
        complete = record.run.status == "finished"
        recorded = variables.Recorded(frozenset(names), said.of(names), record.graph.calls, complete)
        found = variables.trace(source, file, recorded, others)
    known = {call.id: call for call in (*record.graph.calls, *(other for _, other in record.graph.outside))}
    calls: dict[frozenset[str], tuple[Call, ...]] = {}
    used: dict[int, list[Variable]] = {}
    for variable in (*found.defined, *found.used):
        if variable.calls not in calls:
            some = (known[call] for call in variable.calls if call in known)
            calls[variable.calls] = tuple(sorted(some, key=lambda call: (call.started, call.number)))
    for variable in found.used:
        used.setdefault(variable.span.line, []).append(variable)
    now = time.monotonic()
    return _Traced(record, file, source, found, calls, used, now + _PAUSE * (now - began))


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
