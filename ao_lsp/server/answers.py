"""What a client of the command line's kind is sent. One that stops reading is dropped, and not kept in memory."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from ao_lsp.server.gauge import Gauge

log = logging.getLogger(__name__)

DEAF_S = 60.0
"""A client that has something to read, and reads nothing of it for so long, is dropped."""

_PROGRESS_BYTES = 64 << 10
"""With more than this to read, a client is told of no progress: it will hear of the next one."""


class Answers:
    """Frames on their way to one client."""

    def __init__(self, writer: asyncio.StreamWriter, gauge: Gauge) -> None:
        self._writer = writer
        gauge.written = lambda: (self._unread, 0)

    @property
    def _unread(self) -> int:
        return self._writer.transport.get_write_buffer_size()

    async def send(self, framed: bytes) -> None:
        """Send a frame, and wait until the client has read most of what it was sent.

        Raises:
            ConnectionError: it has left, or does not read.
        """
        self._writer.write(framed)
        if self._unread or self._writer.transport.is_closing():
            await self._while_it_reads(self._writer.drain())

    def progress(self, framed: bytes) -> None:
        """Send a frame that need not arrive."""
        if self._unread < _PROGRESS_BYTES:
            self._writer.write(framed)

    async def close(self) -> None:
        """Hang up when it has read everything, or does not read."""
        self._writer.close()
        with suppress(OSError):
            await self._while_it_reads(self._writer.wait_closed())

    async def _while_it_reads(self, done: Coroutine[Any, Any, None]) -> None:
        waiting = asyncio.create_task(done)
        try:
            while True:
                before = self._unread
                await asyncio.wait({waiting}, timeout=DEAF_S)
                if waiting.done():
                    break
                if self._unread >= before:
                    log.warning("a client does not read what it is sent (%d bytes): dropped", before)
                    self._writer.transport.abort()
                    raise ConnectionAbortedError
        finally:
            waiting.cancel()
        waiting.result()
