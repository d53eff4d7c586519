"""A client in this process: its messages go to an editor's dispatch, and what it is sent is kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from ao_lsp.server.core import Core
from ao_lsp.server.lsp.connection.dispatch import Dispatch
from ao_lsp.server.lsp.connection.wire import Outgoing
from ao_lsp.server.lsp.editor import Editor
from tests.daemons import LONG_S

T = TypeVar("T")


async def soon(wanted: Awaitable[T]) -> T:
    """What is waited for; a test that fails does not wait for ever."""
    return await asyncio.wait_for(wanted, LONG_S)


class Sent(Outgoing):
    """What a client is sent."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self._came = asyncio.Event()

    def write(self, framed: bytes) -> None:
        header, _, body = framed.partition(b"\r\n\r\n")
        assert header == b"Content-Length: %d" % len(body)
        self.messages.append(json.loads(body))
        self._came.set()

    @property
    def congested(self) -> bool:
        return False

    async def drained(self) -> None:
        pass

    async def until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first message that is wanted, when it has come; it is not kept."""
        while True:
            for message in self.messages:
                if wanted(message):
                    self.messages.remove(message)
                    return message
            self._came.clear()
            await soon(self._came.wait())


class Client:
    """Sends messages, and waits for the answers."""

    def __init__(self, core: Core) -> None:
        self.sent = Sent()
        self.editor = Editor(core, None)
        self.editor.protocol.out = self.sent
        self.last_id = 0

    @property
    def protocol(self) -> Dispatch:
        return self.editor.protocol

    def send(self, method: str, params: Any = None, **more: Any) -> None:
        message = {"jsonrpc": "2.0", "method": method, **({} if params is None else {"params": params}), **more}
        self.protocol.receive(message)

    async def answer(self, name: Any) -> dict[str, Any]:
        """The answer to a request, without what every message has."""
        found = await self.sent.until(lambda message: "method" not in message and message["id"] == name)
        assert found.pop("jsonrpc") == "2.0"
        del found["id"]
        return found

    async def ask(self, method: str, params: Any = None) -> dict[str, Any]:
        self.last_id += 1
        self.send(method, params, id=self.last_id)
        return await self.answer(self.last_id)

    async def refused(self, method: str, params: Any = None) -> int:
        """The code with which a request is refused."""
        answer = await self.ask(method, params)
        assert set(answer) == {"error"}, answer
        return int(answer["error"]["code"])

    async def begin(self, **said: Any) -> dict[str, Any]:
        """Introduce the client; what the server says of itself."""
        answer = await self.ask("initialize", {"processId": None, "rootUri": None, "capabilities": {}, **said})
        self.send("initialized", {})
        result: dict[str, Any] = answer["result"]
        return result

    def feature(self, method: str, handler: Callable[[Any], Any]) -> None:
        self.editor.feature(method)(handler)
