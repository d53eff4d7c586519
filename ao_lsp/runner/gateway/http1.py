"""HTTP/1.1 as the gateway reads and writes it, to both sides."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

Headers = list[tuple[str, str]]

MAX_HEAD = 1 << 20
_PIECE = 1 << 16

# Between two neighbours only; each side of the gateway has its own.
_OF_THE_HOP = frozenset(
    {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "te", "trailer"}
)


class BadMessage(ValueError):
    """What was read is no HTTP/1."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request, its body whole. `target` begins with a slash."""

    method: str
    target: str
    version: str
    headers: Headers
    body: bytes

    @property
    def keeps_alive(self) -> bool:
        return keeps_alive(self.version, self.headers)


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a response."""

    version: str
    status: int
    reason: str
    headers: Headers


def value(headers: Headers, name: str) -> str:
    """The values of a header, joined; "" where there is none. `name` in lower case."""
    return ", ".join(found for key, found in headers if key.lower() == name)


def end_to_end(headers: Headers) -> Headers:
    """The headers that are not of one hop only."""
    named = {name.strip().lower() for name in value(headers, "connection").split(",")}
    return [(name, found) for name, found in headers if name.lower() not in _OF_THE_HOP | named]


def keeps_alive(version: str, headers: Headers) -> bool:
    said = value(headers, "connection").lower()
    return "close" not in said and (version != "HTTP/1.0" or "keep-alive" in said)


def is_chunked(headers: Headers) -> bool:
    return "chunked" in value(headers, "transfer-encoding").lower()


async def read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request | None:
    """The next request of a connection; None where it has ended.

    Raises:
        BadMessage: it is none.
        EOFError, OSError: the connection broke off.
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial.strip():
            raise
        return None
    line, headers = _parsed(head)
    words = line.split(" ")
    if len(words) != 3:
        raise BadMessage(line)
    method, target, version = words
    if value(headers, "expect").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        headers = [(name, found) for name, found in headers if name.lower() != "expect"]
    body = b""
    if is_chunked(headers):
        body = b"".join([piece async for piece in _chunks(reader)])
    elif value(headers, "content-length"):
        body = await reader.readexactly(_length(headers))
    return Request(method, target, version, headers, body)


async def read_head(reader: asyncio.StreamReader) -> Head:
    """The head of a response.

    Raises:
        BadMessage: it is none.
        EOFError, OSError: the connection broke off.
    """
    line, headers = _parsed(await reader.readuntil(b"\r\n\r\n"))
    version, _, rest = line.partition(" ")
    status, _, reason = rest.partition(" ")
    if not version.startswith("HTTP/1") or not status.isdigit():
        raise BadMessage(line)
    return Head(version, int(status), reason, headers)


def has_body(method: str, status: int) -> bool:
    return method != "HEAD" and status not in (204, 304)


async def read_body(reader: asyncio.StreamReader, headers: Headers) -> AsyncIterator[bytes]:
    """The body of a response, piece by piece when they arrive.

    Raises:
        BadMessage: it has no proper chunks.
        EOFError, OSError: it broke off.
    """
    if is_chunked(headers):
        async for piece in _chunks(reader):
            yield piece
    elif value(headers, "content-length"):
        async for piece in _exactly(reader, _length(headers)):
            yield piece
    else:
        while piece := await reader.read(_PIECE):
            yield piece


async def _exactly(reader: asyncio.StreamReader, length: int) -> AsyncIterator[bytes]:
    while length:
        piece = await reader.read(min(length, _PIECE))
        if not piece:
            raise asyncio.IncompleteReadError(b"", length)
        length -= len(piece)
        yield piece


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while True:
        line = await reader.readuntil(b"\n")
        try:
            length = int(line.partition(b";")[0], 16)
        except ValueError:
            raise BadMessage(f"no chunk: {line[:20]!r}") from None
        if not length:
            break
        async for piece in _exactly(reader, length):
            yield piece
        await reader.readuntil(b"\n")
    while (await reader.readuntil(b"\n")).strip():
        pass  # trailers


def _parsed(head: bytes) -> tuple[str, Headers]:
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = []
    for line in filter(None, lines):
        name, colon, found = line.partition(":")
        if not colon:
            raise BadMessage(line)
        headers.append((name.strip(), found.strip()))
    return first, headers


def _length(headers: Headers) -> int:
    try:
        return max(0, int(value(headers, "content-length").partition(",")[0]))
    except ValueError:
        raise BadMessage("no content-length") from None


def written(first: str, headers: Headers) -> bytes:
    """The bytes of a head."""
    lines = [first, *(f"{name}: {found}" for name, found in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1", "replace")


class Out:
    """A response on its way to a client: `chunked`, or as long as its headers say, or up to the end."""

    def __init__(
        self, writer: asyncio.StreamWriter, request: Request, status: int, reason: str, headers: Headers
    ) -> None:
        self.keeps_alive = request.keeps_alive
        self._writer = writer
        self._chunked = False
        headers = end_to_end(headers)
        if has_body(request.method, status) and not value(headers, "content-length"):
            self._chunked = request.version != "HTTP/1.0"
            if self._chunked:
                headers.append(("transfer-encoding", "chunked"))
            else:
                self.keeps_alive = False
        if not self.keeps_alive or request.version == "HTTP/1.0":
            headers.append(("connection", "keep-alive" if self.keeps_alive else "close"))
        writer.write(written(f"HTTP/1.1 {status} {reason}", headers))

    async def send(self, piece: bytes) -> None:
        """Pass a piece of the body on, now."""
        if piece:
            self._writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if self._chunked else piece)
        await self._writer.drain()

    async def end(self) -> None:
        if self._chunked:
            self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()
