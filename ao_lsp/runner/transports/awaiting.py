"""What stands between an `await` of library code and what it awaits.

A coroutine's frame cannot be hidden (taint/frames.py), so these are classes with `__next__`, `send` and `throw`.
"""

from __future__ import annotations

import sys
from _contextvars import ContextVar

from ao_lsp.taint.frames import unseen, unseen_methods
from ao_lsp.taint.kept import keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ao_lsp.runner.calls import Call

keep(__name__)

_CARRIED: ContextVar[Call | None] = ContextVar("ao.CARRIED", default=None)


def carried() -> bool:
    """Whether what is sent now belongs to a call that somebody above records: `litellm` and others give httpx
    a transport that sends with aiohttp."""
    call = _CARRIED.get()
    return call is not None and not call.is_over


@unseen
def carrying(call: Call, step: Callable[..., Any], *args: Any) -> Any:
    """`step(*args)`, a part of sending `call`."""
    token = _CARRIED.set(call)
    try:
        return step(*args)
    finally:
        _CARRIED.reset(token)


@unseen_methods
class Watched:
    """Awaits something and hands its result through `done`; `failed` is told of an error. While it runs,
    everybody below knows that `call` is being recorded."""

    def __init__(
        self,
        awaitable: Any,
        done: Callable[[Any], Any],
        failed: Callable[[BaseException], None],
        call: Call | None = None,
    ) -> None:
        self._steps = awaitable.__await__()
        self._done = done
        self._failed = failed
        self._call = call

    def __await__(self) -> Watched:
        return self

    def __iter__(self) -> Watched:
        return self

    def __next__(self) -> Any:
        return self._step(type(self._steps).__next__, self._steps)

    def send(self, value: Any) -> Any:
        return self.__next__() if value is None else self._step(self._steps.send, value)

    def throw(self, *error: Any) -> Any:
        throw = getattr(self._steps, "throw", None)
        if throw is None:
            raise error[0] if len(error) == 1 else error[1]
        return self._step(throw, *error)

    def close(self) -> None:
        close = getattr(self._steps, "close", None)
        if close is not None:
            close()
        self._failed(GeneratorExit())

    def _step(self, step: Callable[..., Any], *args: Any) -> Any:
        try:
            return step(*args) if self._call is None else carrying(self._call, step, *args)
        except StopIteration as stop:
            result = stop.value
        except StopAsyncIteration as error:
            self._failed(error)
            raise
        except BaseException as error:
            self._failed(error)
            raise
        raise StopIteration(self._done(result))


@unseen_methods
class Ready:
    """Awaits the turn of a replayed `call` (order.py), and gives what `made` returns then. Lets the other tasks run
    once before, as a call over the network would."""

    def __init__(self, call: Call, made: Callable[[], Any]) -> None:
        self._call = call
        self._made = made
        # A bare yield means "again, please" to asyncio, and nothing to other event loops.
        asyncio = sys.modules.get("asyncio")
        self._loop = asyncio._get_running_loop() if asyncio is not None else None
        self._yielded = self._loop is None
        self._steps: Any = None
        self._waiting: Any = None

    def __await__(self) -> Ready:
        return self

    def __iter__(self) -> Ready:
        return self

    def __next__(self) -> Any:
        if not self._yielded:
            self._yielded = True
            return None
        while self._steps is not None or self._waits():
            try:
                return next(self._steps)
            except StopIteration:
                self._steps = None
        self._call.take()
        raise StopIteration(self._made())

    def send(self, _: Any) -> Any:
        return self.__next__()

    def _waits(self) -> bool:
        """Whether there is something to wait for; then it is in `_steps`."""
        turn = self._call.turn
        if self._loop is None:
            return False
        if turn is None:
            return self._waits_for_others()
        order, mine = turn
        loop, future = self._loop, self._loop.create_future()

        def wake() -> None:
            loop.call_soon_threadsafe(done)

        def done() -> None:
            if not future.done():
                future.set_result(None)

        happened = order.happened
        asked = order.ask(mine, wake)
        if asked is None:
            return self._waits_for_others()
        self._waiting, seconds = asked

        def late() -> None:
            if not future.done():
                order.expired(asked[0], happened)
                done()

        timer = loop.call_later(seconds, late)
        future.add_done_callback(lambda _: timer.cancel())
        self._steps = future.__await__()
        return True

    def _waits_for_others(self) -> bool:
        """The same, of other processes."""
        seconds = self._call.others_s()
        if seconds <= 0 or self._loop is None:
            return False
        future = self._loop.create_future()
        timer = self._loop.call_later(seconds, lambda: future.done() or future.set_result(None))
        future.add_done_callback(lambda _: timer.cancel())
        self._steps = future.__await__()
        return True

    def throw(self, *error: Any) -> Any:
        if self._waiting is not None:
            self._waiting.wake = None
        raised = error[0] if len(error) == 1 else error[1]
        turn = self._call.turn
        if turn is not None and turn[1].is_ending:
            # Nothing is missing. openai's SDK gives the end of a stream a tenth of a second, and the others whose
            # turn it is may take longer.
            self._call.finished()
        else:
            self._call.failed(raised)
        raise raised

    def close(self) -> None:
        if self._waiting is not None:
            self._waiting.wake = None
        self._call.failed(GeneratorExit())
