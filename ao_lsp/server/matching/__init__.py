"""Edges by text: where tracking loses a value (another process, a native thread, a database), a second pass
compares what calls said with what later ones were asked. Such edges are marked `matched`.

Computed when a graph is read, and kept until more of the run is known: who looks at nothing pays nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress

from ao_lsp.server.changes import Changes
from ao_lsp.server.exchanges import in_batches
from ao_lsp.server.matching.compare import Spoken, matched
from ao_lsp.server.matching.reading import Reader
from ao_lsp.server.model import Call, Graph
from ao_lsp.server.store import Store, StoreError

__all__ = ["Matching"]

log = logging.getLogger(__name__)

_MOST_BYTES = 128 << 20
"""Of the bodies of a run. Calls after that are not compared."""

_REST = 9.0
"""A run that goes on is left alone for so many times as long as it took to compare it."""


class Matching:
    """Reads graphs, matched edges included."""

    def __init__(self, store: Store, changes: Changes) -> None:
        self._store, self._changes = store, changes
        self._comparing: dict[str, asyncio.Task[None]] = {}
        self._waiting: dict[str, asyncio.Task[None]] = {}
        self._rest_until: dict[str, float] = {}
        self._one = asyncio.Lock()  # more of them at a time would only take longer

    @property
    def backlog(self) -> tuple[int, int]:
        """How many runs are being compared, or wait for that."""
        return len(self._comparing), len(self._waiting)

    async def graph(self, run: str) -> Graph | None:
        """A run with all its edges. Of one that goes on, those by text may be a little behind: then a
        change is published when they have caught up.

        Raises:
            StoreError: the database fails.
        """
        await self._settle(run)
        return await self._store.graph(run)

    async def close(self) -> None:
        tasks = [*self._comparing.values(), *self._waiting.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _settle(self, run: str) -> None:
        # Twice, where what is being compared has been overtaken by the end of the run.
        for _ in range(2):
            if await self._store.unmatched(run) is None:
                return
            if run not in self._comparing:
                rest = self._rest_until.get(run, 0.0) - time.monotonic()
                if rest > 0 and await self._goes_on(run):
                    if run not in self._waiting:
                        self._waiting[run] = asyncio.create_task(self._later(run, rest))
                    return
                task = self._comparing[run] = asyncio.create_task(self._compare(run))
                task.add_done_callback(lambda _: self._comparing.pop(run, None))
            # Whoever asked may go away; others wait for the same.
            await asyncio.shield(self._comparing[run])

    async def _goes_on(self, run: str) -> bool:
        found = await self._store.run(run)
        return found is not None and found.status == "running"

    async def _later(self, run: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        del self._waiting[run]
        with suppress(StoreError):
            await self._settle(run)

    async def _compare(self, run: str) -> None:
        """Compare the texts of a run, and store what came of it."""
        async with self._one:
            began = time.monotonic()
            revision, graph = await self._store.unmatched(run), await self._store.graph(run)
            if revision is None or graph is None:
                return
            try:
                edges = await self._edges(graph)
            except StoreError:
                raise
            except Exception:
                log.exception("run %s: its texts cannot be compared", run)
                edges = []
            self._changes.publish(await self._store.put_matched(run, revision, edges))
            if graph.run.status == "running":
                ended = time.monotonic()
                self._rest_until[run] = ended + _REST * (ended - began)
            else:
                self._rest_until.pop(run, None)

    async def _edges(self, graph: Graph) -> list[tuple[str, str]]:
        if len(graph.calls) < 2:
            return []
        spoken = await self._spoken(graph.calls)
        tracked = [edge for edge in graph.edges if edge.evidence == "tracked"]
        known = {(edge.source, edge.target) for edge in tracked}
        # Of these it is to be known whether the text itself got there (detours.py).
        asked = {(edge.source, edge.target) for edge in tracked if edge.through}
        return await asyncio.to_thread(matched, spoken, known, asked)

    async def _spoken(self, calls: tuple[Call, ...]) -> list[Spoken]:
        reader = Reader()
        found: list[Spoken] = []
        async for exchanges in in_batches(self._store, calls, most_bytes=_MOST_BYTES):
            found += await asyncio.to_thread(reader.all_spoken, exchanges)
        return found
