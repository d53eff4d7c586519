"""Starts reruns in the background, and stops them. In the foreground, the command line does it."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from ao_lsp.server.model import Run

log = logging.getLogger(__name__)

_STOP_S = 5.0
"""How long a program may take over SIGTERM."""

_KEPT_LOGS = 100

# Of the recorded environment these belong to the machine and the session of now.
_NOT_RESTORED = ("AO_PLAN", "AO_HOME")


@dataclass(eq=False, slots=True)
class Rerun:
    """A rerun in the background; its output goes to the file `log`."""

    run: str
    process: subprocess.Popen[bytes]
    log: str
    ended: asyncio.Event


def command(run: Run, python: str) -> list[str]:
    """The command line that runs the program of `run` again with the interpreter `python` ("": any), under
    `ao-record`."""
    kind, value = run.target
    named = {"module": ["-m", value], "command": ["-c", value]}.get(kind, [value])
    interpreter = ["--python", python] if python else []
    return [sys.executable, "-m", "ao_lsp.runner", *interpreter, *run.options, *named, *run.argv[1:]]


def restored(run: Run, plan: str) -> dict[str, str]:
    """The variables that a rerun needs over those of whoever wants it: as they were recorded, and
    the plan. Secrets are never recorded, so they are the ones of now."""
    recorded = {name: value for name, value in run.env if name not in _NOT_RESTORED}
    return {**recorded, "AO_PLAN": plan}


class Reruns:
    """The background reruns that have not ended. `stirred` is called when that changes."""

    def __init__(self, log_folder: str, stirred: Callable[[], None]) -> None:
        self._folder, self._stirred = log_folder, stirred
        self._running: dict[str, Rerun] = {}
        self._stopping: set[asyncio.Task[bool]] = set()

    def __len__(self) -> int:
        return len(self._running)

    def running(self, run: str) -> Rerun | None:
        """The rerun with this id; None for one that has ended."""
        return self._running.get(run)

    def start(self, run: str, argv: list[str], cwd: str, env: Mapping[str, str]) -> Rerun:
        """Start a rerun whose id will be `run`.

        Raises:
            OSError: the interpreter or the folder is not there.
        """
        path = self._log_file(run)
        with open(path, "wb") as output:
            # Not by asyncio: it kills its children when the loop closes, and a rerun survives us.
            process = subprocess.Popen(  # noqa: S603 - the user's own program
                argv,
                cwd=cwd,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        rerun = self._running[run] = Rerun(run, process, path, asyncio.Event())
        threading.Thread(target=self._wait, args=(rerun, asyncio.get_running_loop()), daemon=True).start()
        log.info("rerun %s started, process %d", run, process.pid)
        return rerun

    async def stop(self, run: str) -> bool:
        """End a rerun with all that it started: politely, then not. Whether there was one."""
        rerun = self._running.get(run)
        if rerun is None:
            return False
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(rerun.process.pid, number)
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(rerun.ended.wait(), _STOP_S)
                break
        return True

    def stop_soon(self, run: str) -> None:
        """As `stop`, for who cannot wait. The program is told at once."""
        rerun = self._running.get(run)
        if rerun is not None:
            with suppress(ProcessLookupError):
                os.killpg(rerun.process.pid, signal.SIGTERM)
            task = asyncio.create_task(self.stop(run))
            self._stopping.add(task)
            task.add_done_callback(self._stopping.discard)

    def log_of(self, run: str) -> str | None:
        """The file with what the rerun `run` printed; None where there is none (any longer)."""
        # Ids come from users and runners and may be anything, also the way out of a folder.
        path = os.path.join(self._folder, f"{run}.log")
        return path if os.path.basename(run) == run and "\0" not in run and os.path.isfile(path) else None

    def delete_logs(self, runs: Iterable[str]) -> None:
        """Delete what these reruns printed."""
        for run in runs:
            with suppress(FileNotFoundError):
                os.unlink(os.path.join(self._folder, f"{run}.log"))

    def _wait(self, rerun: Rerun, loop: asyncio.AbstractEventLoop) -> None:
        rerun.process.wait()
        with suppress(RuntimeError):  # the daemon left before the program did
            loop.call_soon_threadsafe(self._ended, rerun)

    def _ended(self, rerun: Rerun) -> None:
        del self._running[rerun.run]
        rerun.ended.set()
        log.info("rerun %s ended with code %d", rerun.run, rerun.process.returncode)
        self._stirred()

    def _log_file(self, run: str) -> str:
        os.makedirs(self._folder, 0o700, exist_ok=True)
        old = sorted(
            (os.path.join(self._folder, name) for name in os.listdir(self._folder)), key=os.path.getmtime, reverse=True
        )
        for path in old[_KEPT_LOGS - 1 :]:
            with suppress(OSError):
                os.unlink(path)
        return os.path.join(self._folder, f"{run}.log")
