"""What is to be compiled, in which order, and what came of it.

Each interpreter has two lanes, each with a process of its own that starts when there is something to do and ends
when there has been nothing for a while: one for what was just saved, and one, nicer to the rest of the machine, for
everything else. A file waits once, in its latest state. One that kills or hangs its process twice is left out until
it changes. rewrite.log says what was done.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from ao_lsp.server.watch import worker as workers
from ao_lsp.server.watch.worker import Interpreter, Worker, WorkerError
from ao_lsp.server.workspace import is_below

log = logging.getLogger(__name__)

State: TypeAlias = "tuple[int, int, int]"
"""Of a file: when it was modified (ns), its bytes, its inode."""

T = TypeVar("T")

MOST_DEATHS = 2

_SAVED_NICE, _OTHER_NICE = 5, 10
_SAVED_IDLE_S, _OTHER_IDLE_S = 120.0, 5.0
_UNUSABLE_S = 600.0
"""How long an interpreter that cannot be used is not tried again."""

_MOST_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file in a state; None: it is gone, and so may be its bytecode. `names` are other paths of it; `show`: its
    rewritten source is wanted beside it."""

    path: str
    state: State | None
    names: tuple[str, ...] = ()
    show: bool = False


class Compiling:
    """All lanes. `close` it."""

    def __init__(self, busy: Callable[[], None] = lambda: None) -> None:
        """`busy` is called when there is something to do, and when there is no more."""
        self.busy = busy
        self._lanes: dict[tuple[Interpreter, bool], _Lane] = {}
        self._failed: dict[tuple[Interpreter, str], State | None] = {}
        self._deaths: dict[tuple[Interpreter, str], tuple[State | None, int]] = {}
        self.turn = asyncio.Lock()
        """Held by the one lane at a time that compiles what nobody waits for."""

    def add(self, interpreter: Interpreter, files: Sequence[Wanted], saved: bool) -> None:
        """Have files compiled, in this order, before those that wait already; those that were just `saved` before all
        others."""
        lane, other = self._lane(interpreter, saved), self._lanes.get((interpreter, not saved))
        added: dict[str, Wanted] = {}
        for file in files:
            key = interpreter, file.path
            if file.state is not None and not saved and self._failed.get(key) == file.state:
                continue  # it has been said why
            deaths = self._deaths.get(key)
            if deaths is not None and deaths[1] >= MOST_DEATHS and deaths[0] == file.state:
                continue
            if other is not None and file.path in other.waiting:
                if not saved:
                    other.waiting[file.path] = file
                    continue
                del other.waiting[file.path]
            lane.waiting.pop(file.path, None)
            added[file.path] = file
        lane.put_in_front(added)
        self.busy()

    @property
    def waiting(self) -> int:
        """How many files wait, or are being compiled."""
        return sum(len(lane.waiting) + lane.in_work for lane in self._lanes.values())

    def waiting_below(self, folders: Sequence[str]) -> int:
        """The same, of the files in these folders."""
        lanes = self._lanes.values()
        found = sum(any(is_below(path, folder) for folder in folders) for lane in lanes for path in lane.waiting)
        return found + (sum(lane.in_work for lane in lanes) if found else 0)

    def leave_out(self, folders: Sequence[str]) -> None:
        """Forget what waits in these folders, but for what was just saved: it is compiled when it is run."""
        for lane in self._lanes.values():
            if not lane.is_for_saved:
                for path in [path for path in lane.waiting if any(is_below(path, folder) for folder in folders)]:
                    del lane.waiting[path]

    def processes(self) -> list[int]:
        """The process ids of the workers that run."""
        return [lane.worker.pid for lane in self._lanes.values() if lane.worker is not None]

    async def close(self) -> None:
        lanes, self._lanes = list(self._lanes.values()), {}
        await asyncio.gather(*(lane.close() for lane in lanes))

    def _lane(self, interpreter: Interpreter, saved: bool) -> _Lane:
        key = interpreter, saved
        if key not in self._lanes:
            self._lanes[key] = _Lane(self, interpreter, saved)
        return self._lanes[key]

    # -- what came of it

    def failed(self, interpreter: Interpreter, file: Wanted, why: str) -> None:
        """A file cannot be compiled: said once for each of its states."""
        key = interpreter, file.path
        if self._failed.get(key) != file.state or key not in self._failed:
            log.warning("not compiled: %s: %s", _shown(file.path), why)
        _remember(self._failed, key, file.state)

    def died(self, interpreter: Interpreter, file: Wanted, why: str) -> bool:
        """A worker died or hung over a file. Whether to try it again."""
        key = interpreter, file.path
        state, times = self._deaths.get(key, (file.state, 0))
        times = times + 1 if state == file.state else 1
        _remember(self._deaths, key, (file.state, times))
        if times < MOST_DEATHS:
            log.warning("%s: the worker of %s %s; trying it again", _shown(file.path), interpreter, why)
            return True
        self.failed(interpreter, file, f"the worker of {interpreter} {why}, {times} times: left out until it changes")
        return False

    def done(self, interpreter: Interpreter, file: Wanted) -> None:
        key = interpreter, file.path
        self._failed.pop(key, None)
        self._deaths.pop(key, None)


class _Lane:
    """The files that wait for one process."""

    def __init__(self, compiling: Compiling, interpreter: Interpreter, saved: bool) -> None:
        self._compiling, self._interpreter, self._saved = compiling, interpreter, saved
        self.waiting: dict[str, Wanted] = {}
        """In the order of their turns, the last one first: a dictionary is popped at its end at no cost."""
        self.in_work = 0
        self.worker: Worker | None = None
        self._unusable_until = 0.0
        self._stirred = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def is_for_saved(self) -> bool:
        """Whether it is the one for what was just saved."""
        return self._saved

    def put_in_front(self, files: dict[str, Wanted]) -> None:
        self.waiting.update(reversed(files.items()))
        if time.monotonic() < self._unusable_until:
            self.waiting.clear()
        if self.waiting:
            self._stirred.set()
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        while self.waiting:  # again for what comes while the process is being ended
            try:
                while await self._something():
                    if self._saved:
                        await self._batch()
                    else:
                        async with self._compiling.turn:
                            await self._batch()
            except WorkerError as error:
                log.warning("%s cannot be used: it %s", self._interpreter, error)
                self._unusable_until = time.monotonic() + _UNUSABLE_S
                self.waiting.clear()
            except Exception:
                log.exception("compiling ahead of time failed")
                self.waiting.clear()
            finally:
                await self._end()
                self._compiling.busy()

    async def _something(self) -> bool:
        """Wait for files; False where none came for long enough."""
        while not self.waiting:
            self._stirred.clear()
            stirring = asyncio.ensure_future(self._stirred.wait())
            try:
                await asyncio.wait({stirring}, timeout=_SAVED_IDLE_S if self._saved else _OTHER_IDLE_S)
                if not stirring.done():
                    return False
            finally:
                stirring.cancel()
        return True

    async def _batch(self) -> None:
        began, counts = time.monotonic(), {"made": 0, "failed": 0}
        while self.waiting:
            _, file = self.waiting.popitem()
            self.in_work = 1
            try:
                done = await self._compile(file)
            finally:
                self.in_work = 0
            counts[done] = counts.get(done, 0) + 1
        self._compiling.busy()
        if not self._saved and (counts["made"] or counts["failed"]):
            said = "%d files compiled, %d not, %d were as they are, in %.1f s (%s)"
            current = counts.get("current", 0)
            log.info(said, counts["made"], counts["failed"], current, time.monotonic() - began, self._interpreter)

    async def _compile(self, file: Wanted) -> str:
        """What was done."""
        if self.worker is None:
            nice = _SAVED_NICE if self._saved else _OTHER_NICE
            self.worker = await Worker.begin(self._interpreter, nice)
        request = {"file": file.path, "names": file.names, "show": file.show}
        try:
            answer = await self.worker.ask(
                request if file.state is not None else {"file": file.path, "drop": True}, workers.FILE_TIMEOUT_S
            )
        except WorkerError as error:
            await self._end()
            if self._compiling.died(self._interpreter, file, str(error)):
                self.waiting.setdefault(file.path, file)  # it is the next one again
            return "failed"
        done = str(answer.get("done"))
        if done == "failed":
            self._compiling.failed(self._interpreter, file, str(answer.get("why")))
            return done
        self._compiling.done(self._interpreter, file)
        if done == "made":
            log.info("compiled: %s in %s ms (%s)", _shown(file.path), answer.get("ms"), self._interpreter)
        elif done == "dropped":
            log.info("gone: %s; its bytecode is removed (%s)", _shown(file.path), self._interpreter)
        return done

    async def _end(self) -> None:
        worker, self.worker = self.worker, None
        if worker is not None:
            await worker.close()


def _remember(known: dict[tuple[Interpreter, str], T], key: tuple[Interpreter, str], value: T) -> None:
    known.pop(key, None)
    known[key] = value
    if len(known) > _MOST_REMEMBERED:
        del known[next(iter(known))]


def _shown(path: str) -> str:
    """A path in a log line: its bytes need not be UTF-8, nor without line ends."""
    return path if path.isprintable() else ascii(path)
