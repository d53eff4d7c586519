"""What many editors want to know of the same thing, read once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_MOST_KEPT = 64

_REST = 3.0
"""A thing that changes all the time is left alone for so many times as long as it took to read it. Whoever wants to
know waits that much longer: it is for long runs that go on, of which a reading takes a tenth of a second."""


def _let_be(task: asyncio.Task[None]) -> None:
    """Who waits for it is told when it fails. Nobody may, any more."""
    if not task.cancelled():
        task.exception()


@dataclass(eq=False, slots=True)
class _Entry(Generic[V]):
    """What is known of one thing. It has changed `changes` times, of which the value has seen `seen`."""

    changes: int = 0
    seen: int = -1
    value: V | None = None
    reading: asyncio.Task[None] | None = None
    rest_until: float = 0.0


class Shared(Generic[K, V]):
    """The values of things, each read by `read` when somebody asks for it, and again when it was asked for after a
    change. There is one reading of a thing at a time, for everybody who waits for it."""

    def __init__(self, read: Callable[[K], Awaitable[V]]) -> None:
        self._read = read
        self._entries: dict[K, _Entry[V]] = {}

    async def get(self, key: K) -> V:
        """The value as it is now or later. The same object until it changes.

        Raises:
            Exception: what `read` raises.
        """
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = _Entry()
            self._leave_out()
        wanted = entry.changes
        while entry.seen < wanted:
            if entry.reading is None:
                entry.reading = asyncio.create_task(self._fill(key, entry))
                entry.reading.add_done_callback(_let_be)
            # Whoever asked may go away; others wait for the same.
            await asyncio.shield(entry.reading)
        return entry.value  # type: ignore[return-value]  # it has been read

    def known(self, key: K) -> V | None:
        """What was read last, which may be out of date; None where nothing was."""
        entry = self._entries.get(key)
        return None if entry is None else entry.value

    def forget(self, keys: Iterable[K]) -> None:
        """These have changed."""
        for key in keys:
            entry = self._entries.get(key)
            if entry is not None:
                entry.changes += 1

    def forget_where(self, outdated: Callable[[V], bool]) -> None:
        """Those have changed whose values are `outdated`, and those that have none yet."""
        for entry in self._entries.values():
            if entry.value is None or outdated(entry.value):
                entry.changes += 1

    def forget_all(self) -> None:
        self.forget(list(self._entries))

    def close(self) -> None:
        """Keep nothing, and read no more."""
        for entry in self._entries.values():
            if entry.reading is not None:
                entry.reading.cancel()
        self._entries.clear()

    async def _fill(self, key: K, entry: _Entry[V]) -> None:
        try:
            await asyncio.sleep(max(0.0, entry.rest_until - time.monotonic()))
            began, seen = time.monotonic(), entry.changes
            entry.value = await self._read(key)
            entry.seen = seen
            ended = time.monotonic()
            entry.rest_until = ended + _REST * (ended - began)
        finally:
            entry.reading = None

    def _leave_out(self) -> None:
        """What has been known longest goes, where that is too much."""
        waiting = iter([key for key, entry in self._entries.items() if entry.reading is None])
        while len(self._entries) > _MOST_KEPT and (key := next(waiting, None)) is not None:
            del self._entries[key]
