"""Which code each run had: a private history of the user's files, apart from any of their own (docs/versions.md).

A version is the id of a state of all files of a project; the same state has the same id. It is taken when a run
starts. Whatever goes wrong costs the run its version, and is in the log.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ao_lsp import paths
from ao_lsp.server.changes import Changes, Subscription
from ao_lsp.server.configuration import of_daemon, of_run
from ao_lsp.server.model import Change, Run
from ao_lsp.server.processes import Process
from ao_lsp.server.store import Store, StoreError
from ao_lsp.server.workspace.roots import program_folder

if TYPE_CHECKING:
    from ao_lsp.server.versions.snapshot import Taken

log = logging.getLogger(__name__)

_KEEP_DAYS = 30.0
_TIDY_AFTER_S = 60.0  # after the daemon has begun
_TIDY_EVERY_S = 24 * 3600.0


class Versions:
    """Takes the version of every run that starts here: `own` are the changes that programs of this user and machine
    make. `changes` are everybody's."""

    def __init__(self, store: Store, changes: Changes, own: Changes) -> None:
        self._store, self._changes, self._own = store, changes, own
        self._tasks: list[asyncio.Task[None]] = []
        self._started: Subscription | None = None
        self._waiting: list[str] = []
        self._working = asyncio.Lock()

    async def begin(self) -> None:
        """From now on every run that starts gets its version, and those that run and have none."""
        self._started = self._own.subscribe()
        self._waiting = await self._running()
        self._tasks = [
            asyncio.create_task(self._follow(self._started)),
            asyncio.create_task(self._sweep(self._changes.subscribe())),
            asyncio.create_task(self._keep_up()),
        ]

    async def close(self) -> None:
        """The runs that have started get their versions first."""
        async with self._working:
            for task in self._tasks:
                task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._started is not None:
            self._waiting += _runs(self._started.taken())
            await self._take_all()
            self._started.close()

    async def over(self, run: str) -> None:
        """A run has ended, or will not begin: the folder goes in which it had old code."""
        await asyncio.to_thread(_over, run)

    async def clear(self) -> int:
        """Forget every version that no run names. Gives how many bytes that freed."""
        with suppress(OSError):
            await asyncio.to_thread(_remove, paths.git_dir() + ".damaged")
        said = await self.tidy(0.0)
        return int(said.get("bytes_before", 0)) - int(said.get("bytes", 0))

    async def tidy(self, keep_s: float) -> dict[str, Any]:
        """Forget the versions that no run names and that are older than `keep_s`; what upkeep.py says of it."""
        if not _are_any():
            return {}
        wishes = {"named": list(await self._store.versions()), "keep_s": keep_s}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ao_lsp.server.versions.upkeep"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            output, errors = await process.communicate(json.dumps(wishes).encode())
        except asyncio.CancelledError:
            process.kill()  # it can be at any moment
            await process.wait()
            raise
        try:
            said: dict[str, Any] = json.loads(output)
        except ValueError:
            said = {"error": errors.decode("utf-8", "replace").strip().rpartition("\n")[2]}
        if "error" in said:
            log.warning("old versions could not be forgotten: %s", said["error"])
        else:
            log.info("forgot %(dropped)d versions, %(kept)d stay: %(bytes_before)d bytes before, %(bytes)d now", said)
        return said

    async def _follow(self, started: Subscription) -> None:
        await asyncio.to_thread(_ready)
        while True:
            async with self._working:
                await self._take_all()
            self._waiting += _runs(await started.next())
            if started.missed():
                with suppress(StoreError):  # logged where it happened
                    self._waiting += await self._running()

    async def _sweep(self, changes: Subscription) -> None:
        """Whoever had old code in a folder of its own does not need it any more."""
        with changes:
            while True:
                for change in await changes.next():
                    if change.kind == "run.ended":
                        await self.over(change.run)

    async def _running(self) -> list[str]:
        """The runs of this user that go on here."""
        found = await self._store.running_here()
        return [run for run, process in found if process is not None and await asyncio.to_thread(_is_ours, process)]

    async def _take_all(self) -> None:
        while self._waiting:
            await self._take(self._waiting.pop(0))

    async def _take(self, run: str) -> None:
        try:
            found = await self._store.run(run)
            if found is None:
                return
            if found.version is not None:
                await self._inherit(found)
                return
            if await asyncio.to_thread(_is_off, found):
                return
            taken = await asyncio.to_thread(_taken, found)
            if taken is not None:
                version, root = taken
                self._changes.publish(await self._store.put_version(run, version.version, root, version.note))
        except StoreError as error:
            log.warning("run %s has no version: %s", run, error)
        except Exception:
            log.exception("run %s has no version", run)

    async def _inherit(self, run: Run) -> None:
        """Of a run that was started on the code of another one it is known which that is, and that it is just that."""
        parent = await self._store.run(run.parent_run) if run.parent_run and run.version_root is None else None
        if run.version is not None and parent is not None and parent.version_root is not None:
            self._changes.publish(await self._store.put_version(run.id, run.version, parent.version_root, ""))

    async def _keep_up(self) -> None:
        pause = _TIDY_AFTER_S
        while True:
            await asyncio.sleep(pause)
            pause = _TIDY_EVERY_S
            try:
                await asyncio.to_thread(_remove_unused, [run for run, _ in await self._store.running()])
                if await asyncio.to_thread(_is_due):
                    # Not beside a program: it may want a version, and the processor.
                    if await self._store.running():
                        pause = _TIDY_AFTER_S
                    else:
                        await self.tidy(keep_s())
            except Exception:
                log.exception("old versions could not be forgotten")


def size() -> int:
    """Bytes of all versions, as they take up room."""
    total = 0
    for place, _, names in os.walk(paths.git_dir()):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_blocks * 512
    return total


def keep_s() -> float:
    """How long a version is kept that no run names, in seconds (`AO_VERSIONS_KEEP_DAYS`)."""
    return float(of_daemon("versions_keep_days", _KEEP_DAYS)) * 24 * 3600


def _runs(changes: Iterable[Change]) -> list[str]:
    """Those that have started."""
    return [change.run for change in changes if change.kind == "run.started"]


def _is_ours(process: Process) -> bool:
    """Whether a process lives and is this user's. Of a database that several share, others' runs are there, too."""
    if not process.alive():
        return False
    try:
        return os.stat(f"/proc/{process.pid}").st_uid == os.getuid()
    except OSError:  # there is no /proc
        return True


def _over(run: str) -> None:
    if os.path.isdir(os.path.join(paths.scratch_dir(), run)):
        _scratch().remove(run)


def _remove_unused(running: list[str]) -> None:
    if os.path.isdir(paths.scratch_dir()):
        _scratch().remove_unused(running)


def _scratch() -> ModuleType:
    from ao_lsp.server.versions import scratch  # as below

    return scratch


def _is_off(run: Run) -> bool:
    """Whether no version of this run is wanted: `versions` is set so (docs/configuration.md)."""
    said = of_run("versions", dict(run.env), program_folder(run.target, run.cwd))
    return not (of_daemon("versions", True) if said is None else said)


def _ready() -> None:
    """Load what takes versions, if any have been taken: the first run is not to wait for that as its files change."""
    if not _are_any():
        return
    from ao_lsp.server.versions import work  # noqa: F401 - not by whoever starts the daemon: it takes a while


def _taken(run: Run) -> tuple[Taken, str] | None:
    """The version of a run that has just started, and the root of its files. In a thread: it looks at every file."""
    from ao_lsp.server.versions import snapshot, work  # a daemon that nobody records with does not need dulwich

    program = snapshot.program_of(run.target, run.cwd)
    taken = work.take(run.id, program, run.started)
    return None if taken is None else (taken, program.root)


def _are_any() -> bool:
    return os.path.isdir(paths.git_dir())


def _is_due() -> bool:
    """Whether old versions have not been looked for since yesterday; from now on they have."""
    stamp = os.path.join(paths.git_dir(), "tidied")
    try:
        if time.time() - os.path.getmtime(stamp) < _TIDY_EVERY_S:
            return False
    except OSError:
        if not _are_any():
            return False
    with open(stamp, "wb"):
        return True


def _remove(folder: str) -> None:
    import shutil

    shutil.rmtree(folder)
