"""Who wants to hear of committed changes.

A client subscribes first and then reads from the number it has: whatever is committed in between
comes twice rather than never.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from ao_lsp.server.model import Change

_PENDING = 4096
"""A subscriber that is further behind loses the oldest; the gap in the numbers tells it."""


class Subscription:
    """Changes of all sessions from now on. Close it, or use it as a context manager."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._pending: list[Change] = []
        self._arrived = asyncio.Event()

    async def next(self) -> list[Change]:
        """What has come since the last call, in order; waits until there is something."""
        await self._arrived.wait()
        return self.taken()

    def taken(self) -> list[Change]:
        """The same without waiting: it may be nothing."""
        self._arrived.clear()
        pending, self._pending = self._pending, []
        return pending

    def close(self) -> None:
        self._changes.unsubscribe(self)

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def put(self, changes: Iterable[Change]) -> None:
        self._pending += changes
        del self._pending[:-_PENDING]
        self._arrived.set()


class Changes:
    """Hands every committed change to every subscriber."""

    def __init__(self) -> None:
        self._subscriptions: set[Subscription] = set()

    def subscribe(self) -> Subscription:
        subscription = Subscription(self)
        self._subscriptions.add(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        self._subscriptions.discard(subscription)

    def publish(self, changes: Iterable[Change]) -> None:
        """Only what has been committed."""
        listed = list(changes)
        if listed:
            for subscription in self._subscriptions:
                subscription.put(listed)
