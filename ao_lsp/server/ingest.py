"""Events on their way in: frames are read, committed in batches, and only then acknowledged.

What cannot be understood is logged and left out; it never holds up what comes after it. Neither
prompts nor replies are ever logged.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

from ao_lsp import protocol
from ao_lsp.server import graph
from ao_lsp.server.changes import Changes
from ao_lsp.server.fields import EventError
from ao_lsp.server.gauge import Gauge
from ao_lsp.server.processes import Process
from ao_lsp.server.store import Arrival, Recorded, Store, StoreError

log = logging.getLogger(__name__)

_READ = 1 << 18

_STEP_S, _MOST_STEP_S = 1.0, 366 * 86_400.0
"""A clock that goes back by more was set; by more than a year, and the times of a program are its own affair."""

# Parsing more than this would keep the event loop from everything else for too long.
_IN_LOOP_BYTES = 64 << 10


@dataclass(eq=False, slots=True)
class Backlog:
    """Events that have been read and are not committed yet, and their bytes."""

    events: int = 0
    size: int = 0

    @contextmanager
    def of(self, frames: Sequence[tuple[bytes, bytes]]) -> Iterator[None]:
        """Count `frames` in for as long as they are worked on."""
        size = sum(len(head) + len(payload) for head, payload in frames)
        self.events += len(frames)
        self.size += size
        try:
            yield
        finally:
            self.events -= len(frames)
            self.size -= size


@dataclass(eq=False, slots=True)
class Stream:
    """The events of one process of a run. `process` is None where the events came from a file."""

    run: str
    id: str
    process: Process | None
    run_ended: bool = False
    name: str = ""
    """Of the run, once its start has come in here."""
    backlog: Backlog = field(default_factory=Backlog)
    endpoints: dict[str, str] = field(default_factory=dict)
    """Of calls that have started here and not ended: by their endpoint a response is read."""
    heard: float = field(default_factory=time.monotonic)
    """When something of it came in last, or was committed."""
    _latest: float = 0.0
    _behind: float = 0.0

    def steady(self, at: float) -> float:
        """`at` (Unix seconds) of an event by a clock that is never set back: what follows a backward step goes on from
        there. Threads tell what they did a moment ago, which is none."""
        back = self._latest - (at + self._behind)
        if _STEP_S < back < _MOST_STEP_S:
            self._behind += back
        self._latest = at + self._behind if back > _MOST_STEP_S else max(self._latest, at + self._behind)
        return at + self._behind

    def __str__(self) -> str:
        return f"run {self.run} stream {self.id}"


class Ingest:
    """Takes in the events of every stream; the only one who commits them."""

    def __init__(
        self, store: Store, changes: Changes, failed: Callable[[StoreError | None], None] = lambda _: None
    ) -> None:
        """`failed` is told why nothing can be committed, and None when it can."""
        self._store, self._changes, self._failed = store, changes, failed
        self.own = Changes()
        """What has come in here. Of a database that several daemons share, `changes` tell what theirs took in, too."""
        self._waiting: list[tuple[Sequence[Arrival], asyncio.Future[None]]] = []
        self._committing: asyncio.Task[None] | None = None
        self.backlog = Backlog()

    async def serve(self, sock: socket.socket, stream: Stream, gauge: Gauge) -> None:
        """Take in what a runner sends until it hangs up. Returns when all of it is committed.

        On the bare socket, for two reasons: a runner that is gone does not read its
        acknowledgements, and an asyncio transport that fails to write throws away what is still to
        be read; and a runner that is busy must not make us wait.

        Raises:
            protocol.ProtocolError: what it sends is no frame.
            StoreError: it cannot be committed. What is not acknowledged, the runner keeps.
        """
        loop, frames = asyncio.get_running_loop(), protocol.Frames()
        gauge.doing = lambda: stream.name
        gauge.read = lambda: (len(frames) + stream.backlog.size, stream.backlog.events)
        while True:
            try:
                data = await loop.sock_recv(sock, _READ)
            except ConnectionError:  # it left without reading its last acknowledgements
                break
            if not data:
                break
            stream.heard = time.monotonic()
            last = await self.take(stream, frames, data)
            stream.heard = time.monotonic()
            if last is not None:
                # Where its buffer is full or it is gone, a later one says this too.
                with suppress(OSError):
                    sock.send(protocol.ack(last))
        if len(frames):
            log.info("%s: broke off in the middle of a frame (%d bytes)", stream, len(frames))

    async def take(self, stream: Stream, frames: protocol.Frames, data: bytes) -> int | None:
        """Commit what `data` completes, and return the number that may be acknowledged, if any.

        Raises:
            protocol.ProtocolError: it is no frame; what came before it is committed.
            StoreError: it cannot be committed.
        """
        frames.feed(data)
        complete: list[tuple[bytes, bytes]] = []
        try:
            complete.extend(frames)
        except protocol.ProtocolError:
            await self._take(stream, complete)
            raise
        with self.backlog.of(complete), stream.backlog.of(complete):
            return await self._take(stream, complete)

    async def flush(self) -> None:
        """Wait until what has been taken is committed, or has failed to be."""
        if self._committing is not None:
            await asyncio.wait({self._committing})

    async def _take(self, stream: Stream, frames: Sequence[tuple[bytes, bytes]]) -> int | None:
        if sum(len(head) + len(payload) for head, payload in frames) > _IN_LOOP_BYTES:
            arrivals = await asyncio.to_thread(_read_all, stream, frames)
        else:
            arrivals = _read_all(stream, frames)
        if not arrivals:
            return None
        arrivals = await self._summarised(stream, arrivals)
        await self._commit(arrivals)
        stream.run_ended = stream.run_ended or any(
            isinstance(arrival.fact, graph.RunEnded) and arrival.fact.run == stream.run for arrival in arrivals
        )
        return max(arrival.seq for arrival in arrivals)

    async def _summarised(self, stream: Stream, arrivals: list[Arrival]) -> list[Arrival]:
        """`arrivals` with every response read as one of the endpoint that was asked."""
        made = []
        for arrival in arrivals:
            fact = arrival.fact
            if isinstance(fact, graph.RunStarted):
                stream.name = stream.name or fact.run.name
            elif isinstance(fact, graph.CallStarted):
                stream.endpoints[fact.call.id] = fact.call.endpoint
            elif isinstance(fact, graph.CallEnded):
                endpoint = stream.endpoints.pop(fact.call, None)
                if endpoint is None:
                    endpoint = await self._store.endpoint(fact.run, fact.call)
                if arrival.weight > _IN_LOOP_BYTES:
                    fact = await asyncio.to_thread(graph.summarised, fact, endpoint or "")
                else:
                    fact = graph.summarised(fact, endpoint or "")
            made.append(replace(arrival, fact=fact))
        return made

    async def _commit(self, arrivals: Sequence[Arrival]) -> None:
        """Have `arrivals` committed, together with whatever else waits for it."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((arrivals, done))
        if self._committing is None or self._committing.done():
            self._committing = asyncio.create_task(self._commit_waiting())
        await done

    async def _commit_waiting(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                await self._record([arrival for arrivals, _ in batch for arrival in arrivals])
            except BaseException as error:
                if isinstance(error, StoreError):
                    self._failed(error)
                for _, done in batch:
                    if not done.done():
                        done.set_exception(error)
                if not isinstance(error, Exception):
                    raise
            else:
                self._failed(None)
                for _, done in batch:
                    if not done.done():
                        done.set_result(None)

    async def _record(self, arrivals: Sequence[Arrival]) -> None:
        try:
            self._recorded(await self._store.record(arrivals))
        except StoreError:
            raise
        except Exception:
            # One of them is more than the database takes. Find it, and go on without it.
            log.exception("a batch of %d events cannot be committed; trying one by one", len(arrivals))
            for arrival in arrivals:
                await self._record_one(arrival)

    async def _record_one(self, arrival: Arrival) -> None:
        try:
            self._recorded(await self._store.record([arrival]))
        except StoreError:
            raise
        except Exception:
            log.exception("run %s stream %s: event %d is left out", arrival.run, arrival.stream, arrival.seq)
            self._recorded(await self._store.record([replace(arrival, fact=None)]))

    def _recorded(self, recorded: Recorded) -> None:
        for run, stream, missing in recorded.gaps:
            log.warning("run %s stream %s: %d events are missing", run, stream, missing)
        self._changes.publish(recorded.changes)
        self.own.publish(recorded.changes)


def _read_all(stream: Stream, frames: Sequence[tuple[bytes, bytes]]) -> list[Arrival]:
    return [arrival for arrival in (_read(stream, *frame) for frame in frames) if arrival]


def _read(stream: Stream, head: bytes, payload: bytes) -> Arrival | None:
    """One frame as an arrival; None where it has not even a number."""
    try:
        event = protocol.loads(head)
    except (protocol.ProtocolError, RecursionError):
        log.warning("%s: a frame without a JSON header is ignored", stream)
        return None
    seq = event.get("seq") if isinstance(event, dict) else None
    if not isinstance(seq, int) or isinstance(seq, bool) or not 0 < seq < 1 << 63:
        log.warning("%s: an event without a sequence number is ignored", stream)
        return None
    fact = None
    at = event.get("at")
    if isinstance(at, (int, float)) and not isinstance(at, bool):
        event["at"] = stream.steady(at)
    try:
        fact = graph.read(event, protocol.parts_of(event, payload), stream.run)
    except (EventError, protocol.ProtocolError, TypeError, ValueError) as error:
        log.warning("%s: event %d is ignored: %s", stream, seq, error)
    return Arrival(stream.run, stream.id, seq, stream.process, fact)
