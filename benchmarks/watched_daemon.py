"""A daemon whose event loop is watched: run by benchmarks/editor.py in place of one that starts by itself.

    python benchmarks/watched_daemon.py REPORT

SIGUSR1 writes to REPORT what each turn of the loop took since the last time, as JSON, and begins anew. Measured is the
processor's time of the loop's thread (what it waited for on a busy machine is not its fault), and the clock's.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import sys
import time
from typing import Any

_MOST = 10
"""So many of the longest turns are named."""


class Turns:
    """What the turns of a loop took."""

    def __init__(self) -> None:
        self.count, self.spent, self.over = 0, 0.0, 0
        self.collecting = 0.0
        """The longest that garbage was collected, which holds up everybody."""
        self.longest: list[tuple[float, float, str]] = []
        """Seconds of the processor, seconds of the clock, and whose turn it was."""

    def add(self, spent: float, took: float, handle: asyncio.Handle) -> None:
        self.count += 1
        self.spent += spent
        self.over += spent > 0.05
        if len(self.longest) < _MOST or spent > self.longest[-1][0]:
            self.longest = sorted([*self.longest, (spent, took, _name(handle))], reverse=True)[:_MOST]


def _name(handle: asyncio.Handle) -> str:
    callback: Any = handle._callback  # type: ignore[attr-defined]  # asyncio's own
    task = getattr(callback, "__self__", None)
    if isinstance(task, asyncio.Task):
        return str(task.get_coro().__qualname__)  # type: ignore[union-attr]
    return str(getattr(callback, "__qualname__", callback))


def main(report: str) -> None:
    collecting = 0.0
    turns, run = Turns(), asyncio.Handle._run  # asyncio's own

    def timed(handle: asyncio.Handle) -> None:
        began, at = time.thread_time(), time.monotonic()
        run(handle)
        turns.add(time.thread_time() - began, time.monotonic() - at, handle)

    def tell(*_: object) -> None:
        nonlocal turns
        with open(report + ".new", "w", encoding="utf-8") as file:
            json.dump(vars(turns), file)
        os.replace(report + ".new", report)
        turns = Turns()

    def collected(phase: str, _: object) -> None:
        nonlocal collecting
        if phase == "stop":
            turns.collecting = max(turns.collecting, time.thread_time() - collecting)
        collecting = time.thread_time()

    gc.callbacks.append(collected)
    asyncio.Handle._run = timed  # type: ignore[method-assign,assignment]  # as above
    signal.signal(signal.SIGUSR1, tell)
    from ao_lsp.server import daemon

    daemon.main()


if __name__ == "__main__":
    main(sys.argv[1])
