"""Who wants to hear of committed changes.

A client subscribes first and then reads from the number it has: whatever is committed in between
comes twice rather than never.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from ao_lsp.server.model import Change

_PENDING = 4096
"""A subscriber that is further behind loses what waits, and is told that there is something to read in the store."""


class Subscription:
    """Changes from now on, of one session or of all. Close it, or use it as a context manager."""

    def __init__(self, changes: Changes, session: str | None) -> None:
        self._changes, self._session = changes, session
        self._pending: list[Change] = []
        self._arrived = asyncio.Event()
        self._missed = False

    async def next(self) -> list[Change]:
        """What has come since the last call, in order; waits until there is something. It may be nothing where
        something was `missed`."""
        await self._arrived.wait()
        return self.taken()

    def taken(self) -> list[Change]:
        """The same without waiting: it may be nothing."""
        self._arrived.clear()
        pending, self._pending = self._pending, []
        return pending

    def missed(self) -> bool:
        """Whether there were changes that have not come here, since this was asked last: only the store knows them."""
        missed, self._missed = self._missed, False
        return missed

    def close(self) -> None:
        self._changes.unsubscribe(self)

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def put(self, changes: Sequence[Change]) -> None:
        wanted = [change for change in changes if self._session in (None, change.session)]
        if len(self._pending) + len(wanted) > _PENDING:
            self.miss()
        elif wanted:
            self._pending += wanted
            self._arrived.set()

    def miss(self) -> None:
        """Something was committed, and nobody can say here what."""
        self._pending.clear()
        self._missed = True
        self._arrived.set()


class Listener(Subscription):
    """A subscription to all changes that is told of them at once, by `heard` and `missed`, and not in its own time:
    what it does, it has done before any other subscriber can act. Neither may raise. `Changes.add` begins it."""

    def __init__(self, changes: Changes, heard: Callable[[Sequence[Change]], None], missed: Callable[[], None]) -> None:
        super().__init__(changes, None)
        self._heard, self._told_missed = heard, missed

    def put(self, changes: Sequence[Change]) -> None:
        self._heard(changes)

    def miss(self) -> None:
        self._told_missed()


class Changes:
    """Hands every committed change to every subscriber."""

    def __init__(self) -> None:
        self._subscriptions: set[Subscription] = set()

    def __len__(self) -> int:
        return len(self._subscriptions)

    def subscribe(self, session: str | None = None) -> Subscription:
        subscription = Subscription(self, session)
        self.add(subscription)
        return subscription

    def add(self, subscription: Subscription) -> None:
        """Begin a subscription that has not begun, or has been closed."""
        self._subscriptions.add(subscription)

    def unsubscribe(self, subscription: Subscription) -> None:
        self._subscriptions.discard(subscription)

    def publish(self, changes: Iterable[Change]) -> None:
        """Only what has been committed."""
        listed = list(changes)
        if listed:
            for subscription in self._subscriptions:
                subscription.put(listed)

    def missed(self) -> None:
        """Another process has committed something."""
        for subscription in self._subscriptions:
            subscription.miss()
