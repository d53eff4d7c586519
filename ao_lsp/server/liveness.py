"""Notices runs that ended without saying so: their program was killed, or nobody knows."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from ao_lsp.server.changes import Changes
from ao_lsp.server.graph import RunEnded
from ao_lsp.server.ingest import Stream
from ao_lsp.server.store import Store

log = logging.getLogger(__name__)

# A process closes its sockets a moment before it is gone. Who closes its connection and lives on
# longer than this (on a machine with other things to do) did not end with it.
_DYING_S = 10.0


class Liveness:
    """Watches the runs that are said to run, and whose program is not connected. `is_written` tells whether a
    program of a run lives and writes to a spool file; `responsible` whether no other daemon looks after runs that were
    never connected here: what their programs have said may still be on its way to that one."""

    def __init__(
        self, store: Store, changes: Changes, is_written: Callable[[str], bool], responsible: Callable[[], bool]
    ) -> None:
        self._store, self._changes, self._is_written = store, changes, is_written
        self._responsible = responsible
        self._connected: set[Stream] = set()
        self._watched: dict[str, float | None] = {}
        """Run → when its connection ended, or the lock on its spool file; None where nobody was there to see it."""

    @property
    def watching(self) -> bool:
        """Whether any run is left to look at."""
        return bool(self._watched)

    async def begin(self) -> None:
        """Watch what the last daemon left behind."""
        self._watched = {run: None for run, _ in await self._store.running_here()}

    def connected(self, stream: Stream) -> None:
        self._connected.add(stream)

    def disconnected(self, stream: Stream) -> None:
        self._connected.discard(stream)
        if not stream.run_ended:
            self._watched[stream.run] = time.time()

    def taken_in(self, stream: Stream, was_alive: bool) -> None:
        """A spool file came to its end: its writer is gone, since a moment ago if it `was_alive`."""
        if not stream.run_ended:
            left_at = self._watched.get(stream.run)
            self._watched[stream.run] = time.time() if was_alive and left_at is None else left_at

    async def check(self) -> None:
        """End the runs whose program is gone."""
        # As it is now: what is added while the database answers is for the next check.
        watched = dict(self._watched)
        if not watched:
            return
        programs = dict(await self._store.running_here())
        for run, left_at in watched.items():
            program = programs.get(run)
            here = any(stream.run == run and stream.process == program for stream in self._connected)
            if run not in programs or here:
                # It ended, or what ended was another of its processes.
                self._settled(run, left_at)
            elif program is not None and program.alive():
                if left_at is not None and time.time() - left_at > _DYING_S:
                    self._watched[run] = None
            elif program is None and self._is_written(run):
                pass  # it has never been connected; the end of its file will tell
            elif left_at is None and not self._responsible():
                pass  # that other one may have seen it go
            else:
                await self._conclude(run, left_at)

    async def _conclude(self, run: str, left_at: float | None) -> None:
        ended = RunEnded(run, time.time(), "lost") if left_at is None else RunEnded(run, left_at, "killed")
        self._changes.publish(await self._store.conclude(ended))
        self._settled(run, left_at)
        log.info("run %s ended without a word: %s", run, ended.status)

    def _settled(self, run: str, left_at: float | None) -> None:
        if run in self._watched and self._watched[run] == left_at:
            del self._watched[run]
