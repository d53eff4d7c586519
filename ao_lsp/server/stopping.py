"""Ends a program that somebody else has started, in a terminal say, with all that it started itself."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterable
from contextlib import suppress

from ao_lsp.server.processes import Process

_LOOK_S = 0.05


async def stop(program: Process, grace_s: float) -> bool:
    """End `program` politely, and `grace_s` seconds later not; whether it was there to be ended.

    A job of a shell leads a process group of its own, which ends as a whole. Whoever was started by a
    script shares the group of that one: there it is the program and its descendants.
    """
    for number in (signal.SIGTERM, signal.SIGKILL):
        if not program.alive():
            return number == signal.SIGKILL
        family = await asyncio.to_thread(_descendants, program.pid)
        # After a look at who is there: what was a process id a moment ago may be another's by now.
        if program.alive():
            _signal(program.pid, family, number)
        waited = 0.0
        while program.alive() and waited < grace_s:
            await asyncio.sleep(_LOOK_S)
            waited += _LOOK_S
    return True


def _signal(pid: int, family: Iterable[int], number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if os.getpgid(pid) == pid:
            os.killpg(pid, number)
            return
    for one in (pid, *family):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(one, number)


def _descendants(pid: int) -> list[int]:
    """The processes that `pid` has started, and those that these have, as far as their parents live."""
    children: dict[int, list[int]] = {}
    for child, parent in _parents():
        children.setdefault(parent, []).append(child)
    found, waiting = list[int](), [pid]
    while waiting:
        for child in children.get(waiting.pop(), ()):
            found.append(child)
            waiting.append(child)
    return found


def _parents() -> list[tuple[int, int]]:
    """Every process with its parent."""
    if not os.path.isdir("/proc/self"):
        # macOS; its ps is always there
        listed = subprocess.run(["/bin/ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=False)
        return [(int(pid), int(parent)) for pid, parent in map(str.split, listed.stdout.splitlines())]
    found = []
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with suppress(OSError, ValueError, IndexError), open(f"/proc/{name}/stat", "rb") as stat:
                # The name of the program, in parentheses, may be anything.
                found.append((int(name), int(stat.read().rpartition(b")")[2].split()[1])))
    return found
