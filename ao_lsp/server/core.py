"""What every surface (command line, editors) works with: the store, its changes, and what runs.

An editor session executes commands with it (`commands.execute`), reads from `store`, and hears of what
was committed through `changes`.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence

from ao_lsp import paths
from ao_lsp.server import editor_files, leftovers
from ao_lsp.server.changes import Changes
from ao_lsp.server.ingest import Ingest, Stream
from ao_lsp.server.liveness import Liveness
from ao_lsp.server.matching import Matching
from ao_lsp.server.plan_file import remove_stale_plans
from ao_lsp.server.rerun import Reruns
from ao_lsp.server.search import Search
from ao_lsp.server.spool import Spool
from ao_lsp.server.standing import Standing
from ao_lsp.server.store import Store, StoreError
from ao_lsp.server.store.opening import open_store
from ao_lsp.server.versions import Versions
from ao_lsp.server.watch.watcher import Watcher

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 1.0
_LOOK_AFTER_FAILURE_S = 10.0
_LISTEN_S = 0.5


class Core:
    """Made by `open_core`; `close` it."""

    def __init__(self, store: Store, stirred: Callable[[], None], responsible: Callable[[], bool]) -> None:
        self.store = store
        self.changes = Changes()
        self.standing = Standing()
        self.ingest = Ingest(store, self.changes, self.standing.failed)
        self.matching = Matching(store, self.changes)
        self.search = Search(store, self.changes)
        self.spool = Spool(paths.spool_dir(), self.ingest, lambda *ended: self.liveness.taken_in(*ended))
        self.liveness = Liveness(store, self.changes, self.spool.is_written, responsible)
        self.reruns = Reruns(os.path.join(paths.log_dir(), "runs"), stirred)
        self.versions = Versions(store, self.changes, self.ingest.own)
        self.watcher = Watcher(store, self.changes, self.standing.stirred)
        self.leaving = False
        """Whether the process is about to end, and what is cancelled is not cancelled by who wanted it."""
        self._stirred = stirred
        self._woken = asyncio.Event()
        self._upkeep: asyncio.Task[None] | None = None
        self._listening: asyncio.Task[None] | None = None

    @property
    def busy(self) -> bool:
        """Whether programs run that a daemon should be there for."""
        return len(self.reruns) > 0 or self.liveness.watching

    async def begin(self, lasting: bool = True) -> None:
        """Take up what the last daemon left, and keep looking after it; where this is to be `lasting`, watch files and
        index texts, too."""
        await self.store.listen(self.changes.publish)
        await self.store.others_wrote()  # from now on
        await self.liveness.begin()
        await self.versions.begin()
        remove_stale_plans(paths.plan_dir())
        editor_files.remove_stale_views()
        self._upkeep = asyncio.create_task(self._keep_up())
        self._listening = asyncio.create_task(self._listen())
        if lasting:
            self.watcher.begin()
            self.search.begin()

    async def close(self) -> None:
        await self.watcher.close()
        tasks = [task for task in (self._upkeep, self._listening) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self.search.close()
        await self.matching.close()
        await self.ingest.flush()
        await self.versions.close()
        await self.store.close()

    async def delete_runs(self, runs: Sequence[str]) -> None:
        """Delete runs with everything of theirs: recordings, edits, and the files that show them.

        Raises:
            StoreError: the database does not do it.
        """
        found = [await self.store.run(run) for run in runs]
        sessions = {run.session for run in found if run is not None}
        self.changes.publish(await self.store.delete_runs(runs))
        self.reruns.delete_logs(runs)
        await asyncio.to_thread(leftovers.delete_files, runs, await self.store.sessions_without_runs(sorted(sessions)))

    def look_soon(self) -> None:
        """Something may have happened: look for spool files and dead programs now."""
        self._woken.set()

    async def look(self) -> bool:
        """Take in the spool files of programs that are gone, and end their runs. Whether anything is
        left to look at again.

        Raises:
            StoreError: the database does not take it.
        """
        left = await self.spool.take_in()
        was_busy = self.busy
        await self.liveness.check()
        if was_busy and not self.busy:
            self._stirred()
        return left or self.liveness.watching

    def connected(self, stream: Stream) -> None:
        self.liveness.connected(stream)

    def disconnected(self, stream: Stream) -> None:
        self.liveness.disconnected(stream)
        self.look_soon()

    async def _keep_up(self) -> None:
        """Look when woken, and every second as long as there is something to wait for."""
        while True:
            self._woken.clear()
            try:
                again = _LOOK_EVERY_S if await self.look() else None
            except StoreError:
                again = _LOOK_AFTER_FAILURE_S  # it has said why
            except Exception:
                log.exception("looking after spool files and runs failed")
                again = _LOOK_AFTER_FAILURE_S
            # Not `wait_for`: before Python 3.12 that forgets that it is cancelled where it is woken at the same time,
            # as by the last client's leaving, and then `close` would wait for ever.
            waking = asyncio.create_task(self._woken.wait())
            try:
                await asyncio.wait({waking}, timeout=again)
            finally:
                waking.cancel()

    async def _listen(self) -> None:
        """Have subscribers read what other processes commit: an older daemon that retires, a newer one, and servers
        without a daemon work on the same database."""
        while True:
            await asyncio.sleep(_LISTEN_S)
            try:
                if await self.store.others_wrote() and len(self.changes):
                    self.changes.missed()
            except StoreError:  # logged where it happened
                continue


async def open_core(
    stirred: Callable[[], None] = lambda: None, responsible: Callable[[], bool] = lambda: True, lasting: bool = True
) -> Core:
    """The core on the user's database. `stirred` is called when `busy` may have changed; `responsible` tells whether no
    other process looks after programs that are not connected here; one that is not `lasting` is there for one command.

    Raises:
        StoreError: the database cannot be used.
    """
    store = await open_store()
    core = Core(store, stirred, responsible)
    try:
        await core.begin(lasting)
    except BaseException:
        await store.close()
        raise
    return core
