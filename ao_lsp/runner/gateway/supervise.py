"""The gateway's first process: it holds the listening socket and does nothing but start the worker (serve.py) again,
when that dies or hangs. Until the next one is there, connections wait in the socket's queue.

What a worker needs is loaded before it is forked: another one is there in milliseconds, and cannot fail for want of
a file.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import socket
import sys
import time
from typing import NoReturn

from ao_lsp import paths
from ao_lsp.runner import gateway, replay
from ao_lsp.runner.gateway.lasting import Lasting
from ao_lsp.runner.gateway.serve import LAST_S, work

BEAT_S = 1.0
"""How often the worker is looked at."""
HUNG_BEATS = 30
"""A worker that did nothing for so many looks hangs: it is stopped, or waits for what never comes."""
_PAUSE_S = (0.1, 5.0)
"""The first and the longest pause before another worker, where one died as soon as it was there; each doubles."""
_AT_ONCE_S = 1.0


def main(said: str) -> NoReturn:
    """Be the gateway that `said` (JSON, of `gateway.start`) describes."""
    # It ends with the program, which may take its time over a signal to its process group.
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGTSTP"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    try:
        # Each connection takes two descriptors.
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    except (OSError, ValueError):
        pass  # then there are fewer of them
    try:
        about = json.loads(said)
        lasting = Lasting()
        plan = None
        if about["plan"]:
            plan = replay.load(f"/dev/fd/{gateway.PLAN_FD}", replay.GATEWAY, lasting)
            os.close(gateway.PLAN_FD)
            if plan.header.get("moved"):
                paths.move(*plan.header["moved"])
        listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
        os.set_inheritable(gateway.LIFE_FD, False)  # a worker may start a daemon
        os.write(gateway.READY_FD, f"{listening.getsockname()[1]}\n".encode())
        os.close(gateway.READY_FD)
    except Exception as error:
        try:
            os.write(gateway.READY_FD, f"{type(error).__name__}: {error}".encode())
        except OSError:
            pass  # it had been ready
        sys.exit(1)

    pause, ended_by = 0.0, ""
    while not _program_ends_within(pause):
        began = time.monotonic()
        watched, held = os.pipe()
        worker = os.fork()
        if worker == 0:
            os.close(watched)  # `held` is closed when this process is gone
            work(about, plan, listening, lasting, BEAT_S, ended_by)
        os.close(held)
        ended_by = _watch(worker, watched, listening, lasting)
        os.close(watched)
        lived = time.monotonic() - began
        pause = 0.0 if lived > _AT_ONCE_S else min(2 * pause or _PAUSE_S[0], _PAUSE_S[1])
    os._exit(0)


def _program_ends_within(seconds: float) -> bool:
    # It never has anything to read: it can be read when the last process that holds the other end is gone.
    return bool(select.select([gateway.LIFE_FD], [], [], seconds)[0])


def _watch(worker: int, watched: int, listening: socket.socket, lasting: Lasting) -> str:
    """Wait until the worker is gone, with the program or before it, and say how it ended."""
    poll = select.poll()
    poll.register(watched)
    poll.register(gateway.LIFE_FD)
    beats, missed, why = lasting.beats, 0, ""
    deadline = float("inf")
    while watched not in (found := dict(poll.poll(BEAT_S * 1000))):
        if gateway.LIFE_FD in found:
            poll.unregister(gateway.LIFE_FD)
            listening.close()
            deadline = time.monotonic() + 2 * LAST_S
        # Not by the clock: who was stopped together with its worker has missed nothing.
        now = lasting.beats
        missed = missed + 1 if now == beats >= 0 else 0
        beats = now
        if missed >= HUNG_BEATS or time.monotonic() > deadline:
            why = "it hung"
            os.kill(worker, signal.SIGKILL)
            missed = 0
    code = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])
    return why or (f"signal {-code}" if code < 0 else f"exit code {code}")
