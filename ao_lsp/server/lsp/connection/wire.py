"""LSP messages as bytes: a header, and JSON behind it."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, TypeAlias, TypeGuard

from ao_lsp.server.lsp.connection import large
from ao_lsp.server.params import is_text

log = logging.getLogger(__name__)

PARSE_ERROR, INVALID_REQUEST = -32700, -32600

_MOST_IN = 64 << 20
"""Bytes of one message. More is a fault of the client, or an attack."""

MOST_OUT = 32 << 20
"""Bytes that may wait for a client to read them. One that is so far behind has stopped reading."""


Id: TypeAlias = int | str


def is_id(name: object) -> TypeGuard[Id]:
    """Whether a request may bear it: a whole number, or a text. One with half a surrogate pair is none: no answer
    could bear the same."""
    if isinstance(name, str):
        return is_text(name)
    return isinstance(name, int) and not isinstance(name, bool)


class MalformedError(Exception):
    """What came is no message. `fatal`: nor can be known where the next one begins."""

    def __init__(self, code: int, message: str, *, fatal: bool = False) -> None:
        super().__init__(message)
        self.code, self.fatal = code, fatal


async def read_message(reader: asyncio.StreamReader) -> tuple[dict[str, Any], int] | None:
    """The next message and its size in bytes; None where the client has left.

    Raises:
        MalformedError: it is none.
    """
    try:
        length = _length(await reader.readuntil(b"\r\n\r\n"))
        body = await _body(reader, length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    except asyncio.LimitOverrunError:
        raise MalformedError(PARSE_ERROR, "a header that does not end", fatal=True) from None
    try:
        message = await large.loads(*body)
    except (ValueError, RecursionError):
        raise MalformedError(PARSE_ERROR, "not JSON") from None
    if not isinstance(message, dict):
        raise MalformedError(INVALID_REQUEST, "a message is one JSON object")
    return message, length


async def _body(reader: asyncio.StreamReader, length: int) -> list[bytes]:
    """So many bytes, in the pieces in which they come: to make one of many megabytes would hold up everybody."""
    pieces = []
    while length > 0:
        piece = await reader.read(length)
        if not piece:
            raise asyncio.IncompleteReadError(b"", length)
        pieces.append(piece)
        length -= len(piece)
    return pieces


def _length(header: bytes) -> int:
    for line in header.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            text = value.strip()
            if not text.isdigit() or len(text) > 12:
                raise MalformedError(PARSE_ERROR, "Content-Length is no number", fatal=True)
            if int(text) > _MOST_IN:
                raise MalformedError(PARSE_ERROR, f"a message of {int(text)} bytes", fatal=True)
            return int(text)
    raise MalformedError(PARSE_ERROR, "a header without Content-Length", fatal=True)


def encode(message: dict[str, Any]) -> bytes:
    """A message of plain JSON values, framed."""
    return framed(large.dumps(message))


def framed(body: bytes) -> bytes:
    """A message with its header."""
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


class Outgoing:
    """Where messages to a client go. A client that does not read is asked for no more (`drained`), and
    is dropped when what it is told without asking grows too much."""

    def __init__(self, writer: asyncio.StreamWriter, most: int = MOST_OUT) -> None:
        self._writer, self._most = writer, most

    def write(self, message: bytes) -> None:
        """Send, or let it be where the client has left."""
        transport = self._writer.transport
        if transport.is_closing():
            return
        if transport.get_write_buffer_size() + len(message) > self._most:
            log.warning("a client does not read what it is sent: dropped")
            transport.abort()
            return
        self._writer.write(message)

    @property
    def congested(self) -> bool:
        """Whether the client is behind with reading."""
        return self._writer.transport.get_write_buffer_size() > 0

    async def drained(self) -> None:
        """Wait until the client has read most of what it was sent.

        Raises:
            ConnectionError: it has left.
        """
        await self._writer.drain()
