"""What has come from a client and not had its turn yet.

Reading runs ahead of acting, for one reason: a `$/cancelRequest` is of use only if it is seen before
the request that it cancels. Answers to our own requests overtake, too: what waits for one may be what
keeps the others waiting.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from ao_lsp.server.lsp.connection.wire import MalformedError, is_id, read_message

_MOST_BYTES = 8 << 20
"""Bytes of messages that may wait; the client is not read while there are more."""

_OVERHEAD = 1 << 10
"""What a message costs besides its bytes."""

_TURN = 16
"""So many messages are read before others have their turn: what is buffered is read without waiting."""


class Inbox:
    """The messages of one client. `fill` it in a task; `take` them."""

    def __init__(self, answered: Callable[[dict[str, Any]], None], cancel: Callable[[Any], None]) -> None:
        """`answered` gets answers to our requests; `cancel` the id of a request that does not wait here."""
        self._answered, self._cancel = answered, cancel
        self._messages: deque[tuple[dict[str, Any] | MalformedError, int]] = deque()
        self._bytes = 0
        self._waiting: set[int | str] = set()
        self._cancelled: set[int | str] = set()
        self._stirred, self._room = asyncio.Event(), asyncio.Event()
        self._over = False

    @property
    def waiting(self) -> tuple[int, int]:
        """Bytes and number of the messages that wait."""
        return self._bytes, len(self._messages)

    async def fill(self, reader: asyncio.StreamReader) -> None:
        """Read until the client leaves, or sends what cannot be read on from."""
        read = 0
        try:
            while not self._over:
                read += 1
                if read % _TURN == 0:
                    await asyncio.sleep(0)
                try:
                    found = await read_message(reader)
                except MalformedError as error:
                    await self._put(error, 0)
                    self._over = error.fatal  # not before it is there to be taken
                    continue
                if found is None:
                    break
                await self._sort(*found)
        finally:
            self._over = True
            self._stirred.set()

    async def _sort(self, message: dict[str, Any], size: int) -> None:
        name = message.get("id")
        if "method" not in message:
            self._answered(message)
        elif message["method"] == "$/cancelRequest" and "id" not in message and message.get("jsonrpc") == "2.0":
            params = message.get("params")
            wanted = params.get("id") if isinstance(params, dict) else None
            if is_id(wanted):
                (self._cancelled.add if wanted in self._waiting else self._cancel)(wanted)
        else:
            if is_id(name):
                self._waiting.add(name)
            await self._put(message, size)

    async def _put(self, message: dict[str, Any] | MalformedError, size: int) -> None:
        while self._bytes > _MOST_BYTES:
            self._room.clear()
            await self._room.wait()
        self._bytes += size + _OVERHEAD
        self._messages.append((message, size + _OVERHEAD))
        self._stirred.set()

    async def take(self) -> tuple[dict[str, Any], bool] | None:
        """The next message, and whether it is a request that has been cancelled; None after the last.

        Raises:
            MalformedError: what came next is none.
        """
        while not self._messages:
            if self._over:
                return None
            self._stirred.clear()
            await self._stirred.wait()
        message, size = self._messages.popleft()
        self._bytes -= size
        self._room.set()
        if isinstance(message, MalformedError):
            raise message
        name = message.get("id")
        if not is_id(name):
            return message, False
        self._waiting.discard(name)
        cancelled = name in self._cancelled
        self._cancelled.discard(name)
        return message, cancelled
