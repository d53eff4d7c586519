"""Looking for a text in what calls were asked and said.

The index is caught up behind what is recorded, a few calls at a time, and to its end before a search: nothing of it is
paid for when an event is committed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence

from ao_lsp.server.changes import Changes
from ao_lsp.server.search.reading import said_by
from ao_lsp.server.search.snippet import Part, Snippet, snippet
from ao_lsp.server.store import Indexed, SaidBy, Store, StoreError, Unindexed

__all__ = ["Match", "Search", "Snippet"]

log = logging.getLogger(__name__)

_BATCH = 20
"""Calls in one transaction, some ten milliseconds: others wait for it."""

_REST_S = 1.0
"""How long what comes in waits to be indexed."""

_AGAIN_S = 30.0

_WAIT_S = 20.0
"""How long a search waits for the index. A database that was just migrated may have hours of calls."""

_MOST_MATCHES = 20
"""Calls of one run that are told with what they say."""


class Match:
    """The calls of one run that say a text: `count` of them, the first ones with what they say."""

    def __init__(self, count: int, calls: Sequence[tuple[SaidBy, Snippet]]) -> None:
        self.count, self.calls = count, calls


class Search:
    """Keeps the index, and searches."""

    def __init__(self, store: Store, changes: Changes) -> None:
        self._store, self._changes = store, changes
        self._one = asyncio.Lock()
        self._behind: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Index what comes in from now on, and what has not been indexed so far."""
        self._behind = asyncio.create_task(self._keep_up())

    async def close(self) -> None:
        if self._behind is not None:
            self._behind.cancel()
            await asyncio.wait({self._behind})

    async def find(self, needle: str) -> tuple[list[int], bool]:
        """The texts that contain `needle`, for `runs` and `matches`; and whether every call has been looked at.

        Raises:
            StoreError: the database fails.
        """
        whole = await self._catch_up(time.monotonic() + _WAIT_S)
        return await self._store.find_texts(needle), whole

    async def runs(self, texts: Sequence[int]) -> set[str]:
        """The runs and subruns with a call that has one of `texts`."""
        return await self._store.runs_saying(texts)

    async def matches(self, run: str, texts: set[int], needle: str) -> Match:
        """The calls of `run` and its subruns that have one of `texts`, which contain `needle`."""
        found: list[tuple[SaidBy, Part, int]] = []
        for said in await self._store.said(run):
            parts: tuple[tuple[Part, tuple[range, ...]], ...] = (("output", said.answered), ("prompt", said.asked))
            for part, ranges in parts:
                # Of the messages of a prompt, the last one: those before it are the history of the conversation.
                number = next((n for some in reversed(ranges) for n in reversed(some) if n in texts), None)
                if number is not None:
                    found.append((said, part, number))
        found.sort(key=lambda one: (one[0].number, one[1] == "output"))
        shown = found[:_MOST_MATCHES]
        said_texts = await self._store.texts(list({number for *_, number in shown}))
        calls = [
            (said, snippet(part, said_texts[number], needle)) for said, part, number in shown if number in said_texts
        ]
        return Match(len({said.call for said, *_ in found}), calls)

    async def _keep_up(self) -> None:
        with self._changes.subscribe() as changes:
            while True:
                try:
                    while not await self._catch_up(None):
                        pass
                except StoreError:
                    await asyncio.sleep(_AGAIN_S)  # it has said why
                    continue
                except Exception:
                    log.exception("what calls say cannot be indexed")
                    await asyncio.sleep(_AGAIN_S)
                    continue
                await changes.next()
                # Calls that come one after the other are indexed together.
                await asyncio.sleep(_REST_S)

    async def _catch_up(self, until: float | None) -> bool:
        """Index what has not been. Whether nothing is left; with `until`, it may stop at that time. Without, nobody
        waits, and others have the database as long as this."""
        while True:
            async with self._one:
                began = time.monotonic()
                calls = await self._store.unindexed(_BATCH)
                if calls:
                    await self._store.put_texts(await asyncio.to_thread(read_all, calls))
            if len(calls) < _BATCH:
                return True
            if until is None:
                await asyncio.sleep(time.monotonic() - began)
            elif time.monotonic() > until:
                return False


def read_all(calls: Sequence[Unindexed]) -> list[Indexed]:
    """What calls say."""
    return [_read_one(call) for call in calls]


def _read_one(call: Unindexed) -> Indexed:
    try:
        asked, answered = said_by(call.endpoint, call.url, call.exchange)
    except Exception:
        log.exception("run %s: what call %s says cannot be read", call.run, call.call)
        asked, answered = (), ()
    return Indexed(call.run, call.call, call.events, asked, answered)
