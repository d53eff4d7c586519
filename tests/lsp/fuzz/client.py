"""A client that sends what it is given, and holds each answer against what was expected."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from tests.daemons import LONG_S
from tests.lsp.fuzz.expected import CANCELLED, INVALID_REQUEST, Expected, Name, expected
from tests.lsp.fuzz.messages import Author, encoded

Json = dict[str, Any]

CAPABILITIES: Json = {
    "experimental": {"ao": {"version": 1}},
    "textDocument": {"codeAction": {"codeActionLiteralSupport": {}}, "hover": {"contentFormat": ["markdown"]}},
    "window": {"showDocument": {"support": True}, "workDoneProgress": True},
    "workspace": {
        "codeLens": {"refreshSupport": True}, "inlayHint": {"refreshSupport": True}, "configuration": True,
        "didChangeConfiguration": {"dynamicRegistration": True},
    },
}  # fmt: skip


class Unexpected(AssertionError):
    """The server did what it should not; `said` are the last messages that it was sent."""

    def __init__(self, what: str, said: list[bytes]) -> None:
        super().__init__("\n".join([what, "after:", *(repr(body[:2000]) for body in said)]))


class Hostile:
    """One connection. `send` queues, `settle` sends and waits for every answer."""

    def __init__(self, reader: asyncio.StreamReader, write: Callable[[bytes], Any], author: Author) -> None:
        self._reader, self._write, self._author = reader, write, author
        self.state = "new"
        self.answered: Counter[str] = Counter()
        self._out: list[bytes] = []
        self._said: list[bytes] = []
        self._owed: dict[tuple[type, Name], list[frozenset[int]]] = {}
        self._open = 0

    def send(self, body: bytes, header: bytes | None = None) -> Expected | None:
        """Queue a message."""
        wanted = expected(body, self.state)
        if wanted is not None:
            codes = self._owed.setdefault((type(wanted.name), wanted.name), [])
            codes.append(wanted.codes)
            if wanted.name is not None and len(codes) > 1:
                # An id in use: which of them is refused depends on how far the server is.
                codes[:] = [frozenset({INVALID_REQUEST}).union(*codes)] * len(codes)
            self._open += 1
        self._said.append(body)
        self._out.append((header or b"Content-Length: %d\r\n\r\n" % len(body)) + body)
        return wanted

    def cancel(self, name: Name) -> None:
        """Queue the cancellation of a request, which may then be answered as cancelled."""
        codes = self._owed.get((type(name), name))
        if codes:
            codes[:] = [some | {CANCELLED} for some in codes]
        self._out.append(_framed({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": name}}))

    async def settle(self) -> list[Json]:
        """Send what is queued, and wait until each message has the answer that it is to have. Gives the answers."""
        self._write(b"".join(self._out))
        self._out.clear()
        found = []
        while self._open:
            message = await self._received()
            if "method" in message:
                self._asked(message)
            else:
                self._check(message)
                found.append(message)
        self._said.clear()
        return found

    def tell(self, method: str, params: Any) -> None:
        """Queue a notification."""
        self._out.append(_framed({"jsonrpc": "2.0", "method": method, "params": params}))

    async def ask(self, method: str, params: Any) -> Any:
        """The answer to a sound request."""
        name = self._author.fresh_id()
        self.send(encoded({"jsonrpc": "2.0", "id": name, "method": method, "params": params}))
        (answer,) = await self.settle()
        return answer

    async def begin(self, capabilities: Any = None) -> None:
        answer = await self.ask("initialize", {"processId": None, "rootUri": None, "capabilities": capabilities or {}})
        if "result" in answer:
            self.state = "begun"
            self._out.append(_framed({"jsonrpc": "2.0", "method": "initialized", "params": {}}))

    async def shut(self) -> None:
        """Say `shutdown`, after which nothing but `exit` makes sense."""
        await self.ask("shutdown", None)
        self.state = "shut"

    async def ended(self, last: bytes) -> None:
        """Send what ends the connection, and wait for its end."""
        self._write(last)
        while await self._message() is not None:
            pass

    async def _received(self) -> Json:
        message = await self._message()
        if message is None:
            raise Unexpected(f"it hung up; {self._open} answers are owed: {self._owed}", self._said)
        return message

    async def _message(self) -> Json | None:
        try:
            header = await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), LONG_S)
            body = await self._reader.readexactly(int(header.split(b":")[1]))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        except asyncio.TimeoutError:
            raise Unexpected(f"no answer came; owed are {self._owed}", self._said) from None
        message: Json = json.loads(body)
        return message

    def _asked(self, message: Json) -> None:
        """A request of the server's is answered, in one way or another; some twice."""
        if "id" in message:
            for _ in range(self._author.random.choice((1, 1, 2))):
                self._write(_framed(self._author.answer(message["id"])))

    def _check(self, message: Json) -> None:
        name = message["id"]
        code = 0 if "result" in message else message["error"]["code"]
        self.answered[str(code)] += 1
        codes = self._owed.get((type(name), name))
        if not codes:
            raise Unexpected(f"an answer that nobody expects: {message}", self._said)
        fitting = next((some for some in codes if code in some), None)
        if fitting is None:
            raise Unexpected(f"{code} is not among {codes}: {message}", self._said)
        codes.remove(fitting)
        if not codes:
            del self._owed[type(name), name]
        self._open -= 1


def _framed(message: Json) -> bytes:
    body = encoded(message)
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


ENDS = (
    b"Content-Length: x\r\n\r\n", b"Nonsense\r\n\r\n", b"Content-Length: 99999999999999\r\n\r\n", b"\r\n\r\n",
    b"Content-Length: -5\r\n\r\n{}", b"x" * 200_000, b"Content-Length: 2\n\n{}" + b" " * 200_000,
    _framed({"jsonrpc": "2.0", "method": "exit"}),
)  # fmt: skip
"""What ends a connection: one cannot read on from it, or it says so."""


@asynccontextmanager
async def connection(path: str, author: Author) -> AsyncIterator[Hostile]:
    """A connection to a server on a Unix socket."""
    reader, writer = await asyncio.open_unix_connection(path, limit=1 << 26)
    try:
        yield Hostile(reader, writer.write, author)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def session(hostile: Hostile, author: Author, messages: int, at_once: int = 50) -> int:
    """A whole session of about so many messages; how many they were."""
    sent = 0
    chance = author.random

    async def some(many: int) -> None:
        nonlocal sent
        for _ in range(many):
            body = author.body()
            wanted = hostile.send(body, author.header(body))
            if wanted is not None and wanted.name is not None and 0 in wanted.codes:
                if chance.random() < 0.04:
                    hostile.cancel(wanted.name)
                elif chance.random() < 0.04:
                    hostile.send(encoded({"jsonrpc": "2.0", "id": wanted.name, "method": "ao/runs", "params": {}}))
                    sent += 1
        sent += many
        await hostile.settle()

    await hostile.begin("what is this?" if chance.random() < 0.3 else CAPABILITIES)
    while sent < messages:
        await some(at_once)
    if chance.random() < 0.5:
        await hostile.shut()
        await some(5)
    if chance.random() < 0.7:
        await hostile.ended(chance.choice(ENDS))
    return sent
