"""The `daemon.*` commands: the daemon about itself."""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ao_lsp import __version__, paths, protocol
from ao_lsp.server import logs, versions, views
from ao_lsp.server.command import Caller, Command
from ao_lsp.server.connections import Connection
from ao_lsp.server.core import Core
from ao_lsp.server.gauge import waiting_in, waiting_out
from ao_lsp.server.results.daemon import (
    ClearedJson,
    ConnectedJson,
    DatabaseJson,
    KeptVersionsJson,
    KnownJson,
    StatusJson,
    StoppingJson,
)

_DATABASE_S = 0.3
"""How long a status waits for the database."""


@dataclass(frozen=True, slots=True)
class NoParams:
    pass


@dataclass(eq=False, slots=True)
class Control:
    """What the commands need of the daemon."""

    daemon: str
    started: float
    idle_s: float
    retiring: Callable[[], bool]
    clients: Callable[[], Iterable[Connection]]
    stop: Callable[[], None]
    since: float = field(default_factory=time.monotonic)
    last: KnownJson = field(default_factory=lambda: KnownJson(runs=None, database=None, versions=None))
    """What was known last of what only the database can tell."""

    def commands(self) -> dict[str, Command[Any]]:
        return {
            "daemon.status": Command("version, process, clients, runs, queues, sizes", NoParams, self._status),
            "daemon.stop": Command("stop the daemon; programs and editors go on", NoParams, self._stop),
            "daemon.clear": Command("delete every run that has ended, and give the space back", NoParams, self._clear),
        }

    def facts(self, core: Core) -> StatusJson:
        """What can be told without the event loop and without the database; in any thread."""
        events, comparing, files = core.ingest.backlog, core.matching.backlog, core.spool.backlog()
        return {
            "state": "retiring" if self.retiring() else "serving",
            "version": __version__,
            "wire": protocol.WIRE,
            "pid": os.getpid(),
            "daemon": self.daemon,
            "python": sys.executable,
            "started": views.when(self.started),
            "uptime_s": round(time.monotonic() - self.since, 3),
            "idle_exit_s": self.idle_s,
            "clients": [_client(client) for client in sorted(self.clients(), key=lambda client: client.since)],
            "reruns": len(core.reruns),
            "watching": core.watcher.status(),
            "queues": {
                "ingest": {"events": events.events, "bytes": events.size},
                "matching": {"running": comparing[0], "waiting": comparing[1]},
                "spool": {"files": files[0], "bytes": files[1]},
            },
            **self.last,
            "memory_bytes": _memory(),
            "socket": paths.socket_path(),
            "log": logs.log_file(),
        }

    async def _status(self, core: Core, _: Caller, __: NoParams) -> StatusJson:
        asked = asyncio.ensure_future(core.store.counts())
        await asyncio.wait({asked}, timeout=_DATABASE_S)
        if asked.done():
            runs, running = asked.result()
            database: DatabaseJson = {
                "path": core.store.name,
                "bytes": await core.store.size(),
                "damage": core.store.damage,
            }
            kept: KeptVersionsJson = {"path": paths.git_dir(), "bytes": await asyncio.to_thread(versions.size)}
            self.last = {"runs": {"total": runs, "running": running}, "database": database, "versions": kept}
        else:  # the database is at something long; what it said last will do
            asked.cancel()
        return self.facts(core)

    async def _stop(self, _: Core, __: Caller, ___: NoParams) -> StoppingJson:
        self.stop()
        return {"pid": os.getpid()}

    async def _clear(self, core: Core, _: Caller, __: NoParams) -> ClearedJson:
        before = await core.store.size()
        running = {run for run, _ in await core.store.running()}
        runs = [run for run, _ in await core.store.run_names() if run not in running]
        await core.delete_runs(runs)
        freed = max(0, before - await core.store.size()) + await core.versions.clear()
        return {"deleted": len(runs), "kept": len(running), "freed_bytes": freed}


def _client(client: Connection) -> ConnectedJson:
    return {
        "role": client.role,
        "pid": client.process.pid,
        "since": views.when(client.since),
        "run": client.stream.run if client.stream else None,
        "doing": client.gauge.doing() or None,
        "in": waiting_in(client.sock, client.gauge),
        "out": waiting_out(client.sock, client.gauge),
    }


def _memory() -> int:
    """Bytes resident; the peak where no /proc tells what is now."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
