"""A batch of events as database rows: which are new, what each writes, and how its change is called."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ao_lsp.server.graph import (
    CallEnded,
    CallStarted,
    Drawn,
    ProcessStarted,
    RunEnded,
    RunMarked,
    RunNote,
    RunStarted,
    ValuesMade,
)
from ao_lsp.server.model import Failure
from ao_lsp.server.processes import Process
from ao_lsp.server.sequence import Seen
from ao_lsp.server.store import Arrival
from ao_lsp.server.store.rows import (
    call_start_row,
    digest,
    dump,
    edge_row,
    failure_text,
    packed_body,
    run_row,
    storable,
)

_PREVIEW = 200  # characters of an output that lists and hints show


@dataclass(slots=True)
class Batch:
    """Rows to write, each list in the order of the events. Applying the lists one after the other,
    in the order of the fields, gives the same as applying the events."""

    sessions: dict[str, float] = field(default_factory=dict)
    touched: dict[str, None] = field(default_factory=dict)
    runs: list[tuple[Any, ...]] = field(default_factory=list)
    roots: set[tuple[str, str]] = field(default_factory=set)
    bodies: dict[bytes, tuple[bytes, int, str, bytes]] = field(default_factory=dict)
    call_starts: list[tuple[Any, ...]] = field(default_factory=list)
    edges: list[tuple[Any, ...]] = field(default_factory=list)
    call_ends: list[tuple[Any, ...]] = field(default_factory=list)
    run_ends: list[tuple[Any, ...]] = field(default_factory=list)
    subruns: list[tuple[str, str]] = field(default_factory=list)
    """Those that have started, with the run around each."""
    results: list[tuple[str, str]] = field(default_factory=list)
    remarks: list[tuple[str, str]] = field(default_factory=list)
    notes: list[tuple[Any, ...]] = field(default_factory=list)
    draws: list[tuple[Any, ...]] = field(default_factory=list)
    made: list[tuple[str, str, bytes]] = field(default_factory=list)
    changes: list[tuple[str, float, str, str | None]] = field(default_factory=list)
    """`(run, at, kind, call)`; the session and the number are known in the transaction only."""

    def add_all(self, arrivals: Iterable[Arrival]) -> None:
        """Take in events that have not been seen."""
        for arrival in arrivals:
            self._add(arrival)

    def _add(self, arrival: Arrival) -> None:
        run, fact = arrival.run, arrival.fact
        self.touched[run] = None
        if isinstance(fact, RunStarted):
            self._run_started(fact, arrival.stream)
        elif isinstance(fact, CallStarted):
            self._call_started(fact)
        elif isinstance(fact, CallEnded):
            self._call_ended(fact)
        elif isinstance(fact, RunEnded):
            self.touched[fact.run] = None
            self.run_ends.append((fact.at, fact.status, fact.exit_code, failure_text(fact.error), fact.run))
            kind = "run.ended" if fact.run == run else "subrun.ended"
            self.changes.append((fact.run, fact.at, kind, None))
        elif isinstance(fact, RunMarked):
            self.touched[fact.run] = None
            if fact.result is not None:
                self.results.append((fact.result, fact.run))
            if fact.remark is not None:
                self.remarks.append((fact.remark, fact.run))
            self.changes.append((fact.run, fact.at, "run.marked", None))
        elif isinstance(fact, RunNote):
            self.notes.append((run, fact.at, fact.level, fact.message))
            self.changes.append((run, fact.at, "run.note", None))
        elif isinstance(fact, Drawn):
            self.draws.append((run, fact.at, fact.drawn))
        elif isinstance(fact, ValuesMade):
            self.made.append((run, storable(fact.file), zlib.compress(fact.made)))
        elif isinstance(fact, ProcessStarted):
            pass  # its stream, which is written down anyway, is all that it says

    def _run_started(self, fact: RunStarted, stream: str) -> None:
        started = fact.run
        self.sessions.setdefault(started.session, started.started)
        self.runs.append(run_row(started))
        if started.subrun_of is None:
            self.roots.add((started.id, stream))
            self.changes.append((started.id, started.started, "run.started", None))
        else:
            # Another process may have said that it began before anybody said so of the run around it.
            self.touched[started.subrun_of] = self.touched[started.id] = None
            self.subruns.append((started.id, started.subrun_of))
            self.changes.append((started.id, started.started, "subrun.started", None))

    def _call_started(self, fact: CallStarted) -> None:
        call = fact.call
        self.touched[call.run] = None
        self.call_starts.append(call_start_row(call, fact.headers, self._body(fact.request)))
        self.edges += [edge_row(call.run, edge) for edge in fact.edges]
        self.changes.append((call.run, call.started, "call.started", call.id))

    def _call_ended(self, fact: CallEnded) -> None:
        self.touched[fact.run] = None
        summary, error = fact.summary, fact.error
        if error is None and summary and summary.error:
            error = Failure(f"HTTP {fact.http_status}", summary.error)
        self.call_ends.append(
            (
                fact.run,
                fact.call,
                fact.status,
                fact.http_status,
                dump(fact.headers),
                self._body(fact.response) if fact.response is not None else None,
                dump(fact.chunks),
                failure_text(error),
                fact.first_byte,
                fact.duration,
                int(fact.complete),
                int(bool(summary and summary.streamed)),
                summary and summary.input_tokens,
                summary and summary.cached_tokens,
                summary and summary.cache_write_tokens,
                summary and summary.output_tokens,
                summary and summary.reasoning_tokens,
                summary and summary.model,
                summary and summary.finish_reason,
                storable(summary.text[:_PREVIEW]) if summary and summary.text is not None else None,
                int(fact.replayable),
            )
        )
        self.edges += [edge_row(fact.run, edge) for edge in fact.edges]
        self.changes.append((fact.run, fact.at, "call.ended", fact.call))

    def _body(self, body: bytes) -> bytes:
        key = digest(body)
        if key not in self.bodies:
            self.bodies[key] = packed_body(body)
        return key


@dataclass(slots=True)
class Streams:
    """What has been seen of the streams of a batch, before and after it."""

    seen: dict[tuple[str, str], Seen]
    processes: dict[tuple[str, str], Process] = field(default_factory=dict)

    def fresh(self, arrivals: Iterable[Arrival]) -> tuple[list[Arrival], list[tuple[str, str, int]]]:
        """Those that had not been seen, now marked as seen; and the streams with new gaps."""
        before = {key: seen.missing for key, seen in self.seen.items()}
        kept = []
        for arrival in arrivals:
            key = (arrival.run, arrival.stream)
            seen = self.seen.setdefault(key, Seen())
            if arrival.process is not None:
                self.processes[key] = arrival.process
            if arrival.seq not in seen:
                seen.add(arrival.seq)
                kept.append(arrival)
        gaps = [(*key, seen.missing) for key, seen in self.seen.items() if seen.missing > before.get(key, 0)]
        return kept, gaps
