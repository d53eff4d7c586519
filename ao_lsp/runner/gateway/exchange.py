"""One client's connection to the gateway: request by request, passed on, recorded, or answered from a recording."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Protocol

from ao_lsp.runner.calls import Call
from ao_lsp.runner.gateway import http1, upstream
from ao_lsp.runner.gateway.http1 import Out, Request
from ao_lsp.runner.replay import GATEWAY, Entry

_TASK = GATEWAY.rpartition("/")[2]
"""What makes it the lineage of the calls that are recorded here."""


class Gateway(Protocol):
    """What the connections share."""

    token: str

    def begun(self) -> None:
        """A request is being answered."""

    def done(self) -> None:
        """It is not any more."""

    def upstream(self, path: str) -> str | None:
        """The URL that a path below the token stands for."""

    def begin(self, request: Request, url: str) -> Call | None:
        """The call that a request is; None where it is none, or is recorded by who sends it."""

    def told(self, path: str, body: bytes) -> bool:
        """Whether a request is a word to the gateway itself; if so, it is heeded."""


class Reader(asyncio.StreamReader):
    """Says when the client has gone, also while nobody reads."""

    def __init__(self) -> None:
        super().__init__(limit=http1.MAX_HEAD)
        self.gone = asyncio.Event()

    def feed_eof(self) -> None:
        super().feed_eof()
        self.gone.set()

    def set_exception(self, exc: Any) -> None:
        super().set_exception(exc)
        self.gone.set()


class Connection:
    """A client's connection, and the one to a host that its requests go over."""

    def __init__(self, gateway: Gateway, reader: Reader, writer: asyncio.StreamWriter) -> None:
        self._gateway = gateway
        self._reader = reader
        self._writer = writer
        self._upstream: upstream.Upstream | None = None

    async def serve(self) -> None:
        """Answer requests until the client or a host has enough. Raises nothing."""
        task = asyncio.current_task()
        if task is not None:
            task.set_name(_TASK)
        try:
            while (request := await http1.read_request(self._reader, self._writer)) is not None:
                self._gateway.begun()
                try:
                    again = await self._answer(request)
                finally:
                    self._gateway.done()
                if not again:
                    break
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError):
            # Whoever waits for more is to know that there is none: a whole end would say that all is well.
            self._writer.transport.abort()
        finally:
            self._drop_upstream()
            self._writer.close()

    async def _answer(self, request: Request) -> bool:
        """Answer one request; whether another may follow."""
        target = request.target
        if not target.startswith("/"):  # as to a proxy
            target = "/" + target.partition("://")[2].partition("/")[2]
        inside = f"/{self._gateway.token}/"
        path = target[len(inside) :] if target.startswith(inside) else None
        if path is not None and request.method == "POST" and self._gateway.told(path, request.body):
            return await self._say(request, 204, b"")
        url = self._gateway.upstream(path) if path is not None else None
        if url is None:
            return await self._say(request, 404, b'{"error":{"message":"ao-record: no such way through the gateway"}}')
        if http1.value(request.headers, "upgrade"):
            return await self._tunnel(request, url)
        call = self._gateway.begin(request, url)
        if call is not None:
            if call.refused:
                call.failed(ConnectionError(call.refused))
                said = {"error": {"type": "ao_record_refused", "message": call.refused}}
                return await self._say(request, 403, json.dumps(said).encode())
            if call.entry is not None and call.entry.action != "input":
                return await self._replay(request, call, call.entry)
        return await self._while_the_client_waits(self._forward(request, url, call))

    async def _say(self, request: Request, status: int, body: bytes) -> bool:
        headers = [("content-type", "application/json"), ("content-length", str(len(body)))]
        out = Out(self._writer, request, status, "", headers if body else headers[1:] if status != 204 else [])
        self._writer.write(body)
        await self._writer.drain()
        return out.keeps_alive

    async def _replay(self, request: Request, call: Call, entry: Entry) -> bool:
        pieces = entry.pieces()
        # Values that were removed as secrets are no use to anyone.
        headers = [(name, value) for name, value in entry.headers if value != "[removed]"]
        streamed = not http1.value(headers, "content-length")
        headers = [(name, value) for name, value in headers if name.lower() != "content-length"]
        if not streamed:
            headers.append(("content-length", str(sum(map(len, pieces)))))
        call.answered(entry.status, entry.headers)
        try:
            out = Out(self._writer, request, entry.status, "", headers)
            for piece in pieces:
                call.received(piece)
                await out.send(piece)
            await out.end()
        except OSError:
            call.finished(complete=False)
            raise
        call.finished()
        return out.keeps_alive

    async def _while_the_client_waits(self, answering: Any) -> bool:
        """Have a request answered, unless the client leaves before."""
        task = asyncio.create_task(answering)
        leaving = asyncio.create_task(self._reader.gone.wait())
        try:
            await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            if not task.done():
                task.cancel()
                await asyncio.wait({task})
        if task.cancelled():
            return False
        answered: bool = task.result()
        return answered

    # -- to the host

    async def _forward(self, request: Request, url: str, call: Call | None) -> bool:
        origin, target = _cut(url)
        body = request.body
        if call is not None and call.entry is not None:
            body = call.entry.request
        answered = False
        out = None
        try:
            link, head = await self._exchange(request, origin, target, body)
            if call is not None:
                call.answered(head.status, head.headers)
            answered = True
            out = Out(self._writer, request, head.status, head.reason, head.headers)
            if http1.has_body(request.method, head.status):
                async for piece in http1.read_body(link.reader, head.headers):
                    if call is not None:
                        call.received(piece)
                    try:
                        await out.send(piece)
                    except OSError:
                        raise asyncio.CancelledError from None  # the client has left
            await out.end()
        except asyncio.CancelledError as error:
            self._drop_upstream()
            if call is not None:
                if answered:
                    call.finished(complete=False)
                else:
                    call.failed(error)
            raise
        except (OSError, EOFError, ValueError) as error:
            if call is not None:
                call.failed(error)
            raise
        if call is not None:
            call.finished()
        framed = http1.is_chunked(head.headers) or http1.value(head.headers, "content-length")
        if not http1.keeps_alive(head.version, head.headers) or (
            not framed and http1.has_body(request.method, head.status)
        ):
            self._drop_upstream()
        return out.keeps_alive

    async def _exchange(
        self, request: Request, origin: str, target: str, body: bytes
    ) -> tuple[upstream.Upstream, http1.Head]:
        """Send a request, and read the head of its response; over the connection of the last one, if it is still
        good for that."""
        while True:
            link = self._upstream
            if link is None or link.origin != origin or link.reader.at_eof():
                self._drop_upstream()
                link = self._upstream = await upstream.connect(origin)
            again, link.used = link.used, True
            try:
                link.writer.write(_sent(request, origin, link.prefix + target, body))
                await link.writer.drain()
                while (head := await http1.read_head(link.reader)).status < 200:
                    pass  # early hints
            except (OSError, EOFError) as error:
                self._drop_upstream()
                nothing = not isinstance(error, asyncio.IncompleteReadError) or not error.partial
                if again and nothing:  # it had been closed meanwhile
                    continue
                raise
            return link, head

    def _drop_upstream(self) -> None:
        if self._upstream is not None:
            self._upstream.close()
            self._upstream = None

    async def _tunnel(self, request: Request, url: str) -> bool:
        """Another protocol (WebSocket): passed through as it is."""
        origin, target = _cut(url)
        link = await upstream.connect(origin)
        try:
            headers = [(name, value) for name, value in request.headers if name.lower() != "host"]
            first = f"{request.method} {link.prefix}{target} HTTP/1.1"
            link.writer.write(http1.written(first, [("host", _host(origin)), *headers]) + request.body)
            ways = [
                asyncio.create_task(_pump(self._reader, link.writer)),
                asyncio.create_task(_pump(link.reader, self._writer)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        finally:
            link.close()
        return False


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(1 << 16):
        writer.write(piece)
        await writer.drain()


def _sent(request: Request, origin: str, target: str, body: bytes) -> bytes:
    """A request as it goes to its host."""
    headers = [
        (name, value)
        for name, value in http1.end_to_end(request.headers)
        if name.lower() not in ("host", "content-length")
    ]
    headers.insert(0, ("host", _host(origin)))
    if body or request.method in ("POST", "PUT", "PATCH"):
        headers.append(("content-length", str(len(body))))
    return http1.written(f"{request.method} {target} HTTP/1.1", headers) + body


def _cut(url: str) -> tuple[str, str]:
    """Origin, and the rest."""
    scheme, _, rest = url.partition("://")
    cut = min((at for at in (rest.find("/"), rest.find("?")) if at >= 0), default=len(rest))
    target = rest[cut:]
    return f"{scheme}://{rest[:cut]}", target if target.startswith("/") else "/" + target


def _host(origin: str) -> str:
    return origin.partition("://")[2].rpartition("@")[2]
