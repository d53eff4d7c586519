"""What has been recorded of files, for one editor: read when it is first asked for, kept until it changes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ao_lsp.server import pricing, providers
from ao_lsp.server.core import Core
from ao_lsp.server.model import Call, EditField, Graph, Run
from ao_lsp.server.params import is_text
from ao_lsp.server.sources import keep

_MOST_RUNS = 5
"""Of a file, so many of the newest runs are looked at: a place that the last one did not come to shows
what an earlier one did there."""

_IN_LOOP_BYTES = 64 << 10


@dataclass(frozen=True, eq=False, slots=True)
class Record:
    """A run with what is to be edited in it: `edits` has what the user wrote, by call and field."""

    graph: Graph
    edits: Mapping[tuple[str, EditField], str]

    @property
    def run(self) -> Run:
        return self.graph.run


@dataclass(frozen=True, slots=True)
class Said:
    """A call in words: its prompt and its output."""

    messages: tuple[providers.Message, ...]
    output: providers.Response | None


class Recordings:
    """The records that an editor's buffers show."""

    def __init__(self, core: Core) -> None:
        self._store, self._matching = core.store, core.matching
        self._files: dict[str, tuple[Record, ...]] = {}
        self._runs: dict[str, Record] = {}
        self._said: dict[tuple[str, str], Said] = {}
        self._reading = asyncio.Lock()
        self._changes = 0

    async def of_file(self, path: str) -> tuple[Record, ...]:
        """The newest runs in which `path` made calls, newest first. The same object until it changes.

        Raises:
            StoreError: the database fails.
        """
        async with self._reading:
            found: tuple[Record, ...] = ()
            for _ in range(2):  # what changes while it is read is read again; what changes all the time is not
                if path in self._files:
                    break
                changes = self._changes
                runs = await self._store.runs_in_files(names_of(path), _MOST_RUNS)
                found = tuple(record for record in [await self._record(run) for run in runs] if record is not None)
                if changes == self._changes:
                    keep(self._files, path, found)
            return self._files.get(path, found)

    async def of_run(self, run: str) -> Record | None:
        """A run; None where there is none.

        Raises:
            StoreError: the database fails.
        """
        async with self._reading:
            return await self._record(run)

    async def _record(self, run: str) -> Record | None:
        if run not in self._runs:
            changes = self._changes
            await pricing.loaded()
            graph = await self._matching.graph(run)
            if graph is None:
                return None
            edits = {(edit.call, edit.field): edit.content for edit in await self._store.edits(run)}
            record = Record(graph, edits)
            if changes != self._changes:
                return record
            keep(self._runs, run, record)
        return self._runs[run]

    async def said(self, call: Call) -> Said:
        """What a call was asked, and what came back.

        Raises:
            StoreError: the database fails.
        """
        key = (call.run, call.id)
        found = self._said.get(key)
        if found is None:
            exchange = await self._store.exchange(call.run, call.id)
            if exchange is None:
                return Said((), None)

            def read() -> Said:
                asked = providers.read_request(call.endpoint, call.url, exchange.request_headers, exchange.request)
                if exchange.response is None:
                    return Said(asked.messages, None)
                headers = exchange.response_headers
                return Said(asked.messages, providers.read_response(call.endpoint, headers, exchange.response))

            size = len(exchange.request) + len(exchange.response or b"")
            found = read() if size < _IN_LOOP_BYTES else await asyncio.to_thread(read)
            if call.status != "running":
                keep(self._said, key, found)
        return found

    def forget(self, runs: Iterable[str]) -> None:
        """These runs have changed."""
        self._changes += 1
        self._files.clear()
        for run in set(runs):
            self._runs.pop(run, None)
            for key in [key for key in self._said if key[0] == run]:
                del self._said[key]

    def forget_all(self) -> None:
        """Any run may have changed."""
        self.forget([*self._runs, *(run for run, _ in self._said)])


def names_of(path: str) -> list[str]:
    """The names under which a program may have run the file `path`; none that is no UTF-8: such are not stored."""
    return [name for name in dict.fromkeys((path, os.path.realpath(path))) if is_text(name)]
