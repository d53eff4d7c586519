"""Looking at files where the event loop would stand still for it: a folder may be large, or its server not answer.

Not `asyncio.to_thread`: the threads of that have to end before the daemon can, and one that waits for a server that is
gone does not. These are left alone.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")

_PATIENCE_S = 10.0


class Turns:
    """Lets so many work at a time: threads that all want to run Python keep the event loop from its own. Whose turn
    does not come for long goes ahead: those that have theirs may wait for a server that does not answer."""

    def __init__(self, at_once: int) -> None:
        self._free = asyncio.Semaphore(at_once)

    async def in_thread(self, work: Callable[[], T]) -> T:
        """As `in_thread`, when it is its turn."""
        waiting = asyncio.ensure_future(self._free.acquire())
        try:
            await asyncio.wait({waiting}, timeout=_PATIENCE_S)
            return await in_thread(work)
        finally:
            if not waiting.cancel():  # it had its turn
                self._free.release()


async def in_thread(work: Callable[[], T]) -> T:
    """What `work` gives or raises, in a thread of its own."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def finish(result: T | None, error: BaseException | None) -> None:
        if future.done():  # nobody waits for it any more
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]  # T, where there is no error

    def run() -> None:
        result, error = None, None
        try:
            result = work()
        except BaseException as raised:
            error = raised
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(finish, result, error)

    threading.Thread(target=run, name="ao-watch", daemon=True).start()
    return await future
