"""What has been recorded of files: read when an editor first asks for it, kept for all of them until it changes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

from ao_lsp.server import pricing, providers
from ao_lsp.server.changes import Listener
from ao_lsp.server.core import Core
from ao_lsp.server.lsp.recorded.shared import Shared
from ao_lsp.server.model import Call, Change, EditField, Graph, Run
from ao_lsp.server.params import is_text
from ao_lsp.server.sources import keep

MOST_RUNS = 5
"""Of a file, so many of the newest runs are looked at: a place that the last one did not come to shows
what an earlier one did there."""

_IN_LOOP_BYTES = 64 << 10


@dataclass(frozen=True, eq=False)
class Record:
    """A run with what is to be edited in it: `edits` has what the user wrote, by call and field."""

    graph: Graph
    edits: Mapping[tuple[str, EditField], str]

    @property
    def run(self) -> Run:
        return self.graph.run

    @cached_property
    def by_id(self) -> Mapping[str, Call]:
        """Its calls, by their ids: each hover looks some up."""
        return {call.id: call for call in self.graph.calls}


@dataclass(frozen=True, slots=True)
class Said:
    """A call in words: its prompt and its output."""

    messages: tuple[providers.Message, ...]
    output: providers.Response | None


class Recordings:
    """The records that the buffers of all editors show. Made by `recordings_of`; an editor `join`s and `leave`s."""

    def __init__(self, core: Core) -> None:
        self._store, self._matching, self._changes = core.store, core.matching, core.changes
        self._runs = Shared(self._read_record)
        self._names = Shared(self._read_names)
        self._touched = Shared(self._read_touched)
        self._last = Shared(self._read_last)
        self._shared: tuple[Shared[str, Any], ...] = (self._runs, self._names, self._touched, self._last)
        self._files: dict[str, tuple[Record, ...]] = {}
        self._said: dict[tuple[str, str], Said] = {}
        self._users, self._hearing = 0, Listener(core.changes, self._changed, self._missed)

    def join(self) -> None:
        """One more uses them."""
        self._users += 1
        if self._users == 1:
            self._changes.add(self._hearing)

    def leave(self) -> None:
        """One that has joined no longer uses them. Without anybody nothing is kept."""
        self._users -= 1
        if self._users == 0:
            self._hearing.close()
            for shared in self._shared:
                shared.close()
            self._files.clear()
            self._said.clear()

    async def of_file(self, path: str) -> tuple[Record, ...]:
        """The newest runs in which `path` made calls, newest first. The same object until it changes.

        Raises:
            StoreError: the database fails.
        """
        read = [await self._runs.get(run) for run in await self._names.get(path)]
        found = tuple(record for record in read if record is not None)
        if self._files.get(path) != found:  # records are equal only to themselves
            keep(self._files, path, found)
        return self._files[path]

    async def of_run(self, run: str) -> Record | None:
        """A run; None where there is none.

        Raises:
            StoreError: the database fails.
        """
        return await self._runs.get(run)

    async def touch(self, runs: Iterable[str], files: Collection[str]) -> bool:
        """Whether these runs or their subruns made calls from one of `files`, directly or not.

        Raises:
            StoreError: the database fails.
        """
        for run in runs:
            known = self._touched.known(run)  # it may have touched more since then, but not less
            if not (known or set()).isdisjoint(files) or not (await self._touched.get(run)).isdisjoint(files):
                return True
        return False

    async def files(self, run: str) -> set[str]:
        """The files from which a run and its subruns made calls, directly or not.

        Raises:
            StoreError: the database fails.
        """
        return await self._touched.get(run)

    async def last(self) -> tuple[Run, ...]:
        """The last run of each program that has ended, and the subruns in these that an error has ended and that have
        not been run again alone; newest first. Of programs that ran long ago there are none.

        Raises:
            StoreError: the database fails.
        """
        return await self._last.get("")

    async def _read_last(self, _: str) -> tuple[Run, ...]:
        ended = [run for run in await self._store.last_runs() if run.status != "running"]
        last: dict[tuple[object, ...], Run] = {}
        for run in ended:
            if run.subrun_of is None:
                last.setdefault(program(run), run)
        whole = {run.id for run in last.values()}
        failed = [run for run in ended if run.root in whole]
        current = [run for run in failed if (again := last.get(program(run))) is None or again.started < run.started]
        return tuple(sorted([*last.values(), *current], key=lambda run: run.started, reverse=True))

    async def _read_names(self, path: str) -> list[str]:
        return await self._store.runs_in_files(names_of(path), MOST_RUNS)

    async def _read_touched(self, run: str) -> set[str]:
        return await self._store.files_of([run])

    async def _read_record(self, run: str) -> Record | None:
        await pricing.loaded()
        graph = await self._matching.graph(run)
        if graph is None:
            return None
        return Record(graph, {(edit.call, edit.field): edit.content for edit in await self._store.edits(run)})

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

    def _changed(self, changes: Sequence[Change]) -> None:
        """This has been committed: it is heard of at once, before any editor passes it on."""
        for change in changes:
            self._runs.forget(change.graphs)
            if change.call is not None and change.kind == "call.ended":
                self._said.pop((change.graphs[0] if change.graphs else change.run, change.call), None)
            if change.kind == "run.deleted":
                for key in [key for key in self._said if key[0] in change.graphs]:
                    del self._said[key]
            if change.kind in _ENDS:
                self._last.forget([""])
            if change.kind not in _CALLS_NOTHING:
                self._touched.forget(change.graphs)
                # A run that is known to be in a file stays in it.
                runs = set(change.graphs) if change.kind != "run.deleted" else set()
                self._names.forget_where(runs.isdisjoint)

    def _missed(self) -> None:
        """Any run may have changed."""
        for shared in self._shared:
            shared.forget_all()
        self._said.clear()


_CALLS_NOTHING = ("call.ended", "run.note", "run.versioned", "edges.matched", "edit.stored", "edit.removed")
"""After these changes a run has made calls from where it had before."""

_ENDS = ("run.started", "run.ended", "run.deleted", "run.versioned", "subrun.ended")
"""After these changes another run may be the last one of its program."""

_known: WeakKeyDictionary[Core, Recordings] = WeakKeyDictionary()


def recordings_of(core: Core) -> Recordings:
    """The recordings on a core: one for all of its editors, so that each thing is read once for them."""
    found = _known.get(core)
    if found is None:
        found = _known[core] = Recordings(core)
    return found


def program(run: Run) -> tuple[object, ...]:
    """What two runs of the same program, or of the same part of one, have in common."""
    return run.target, run.cwd, run.path


def names_of(path: str) -> list[str]:
    """The names under which a program may have run the file `path`; none that is no UTF-8: such are not stored."""
    return [name for name in dict.fromkeys((path, os.path.realpath(path))) if is_text(name)]
