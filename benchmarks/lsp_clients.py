"""Editors for benchmarks: each a connection to the daemon, as `ao-lsp` makes it, without the process in between."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
VSCODE: dict[str, Any] = json.loads((ROOT / "tests/lsp/capabilities/vscode.json").read_text("utf-8"))


class Editor:
    """Made by `connected`. As editors do, it asks for hints and lenses of its file when it is told to refresh."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._last = 0
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._reading = asyncio.create_task(self._read())
        self._asking: set[asyncio.Task[Any]] = set()
        self.refreshed: dict[str, list[float]] = {}
        """When it was told to refresh what."""
        self.shown: tuple[str, str] | None = None
        """The file that it asks about when it is told to refresh: its URI and text."""

    def tell(self, method: str, params: Any) -> None:
        self._send({"method": method, "params": params})

    async def ask(self, method: str, params: Any) -> Any:
        """The result of a request."""
        self._last += 1
        future = self._waiting[self._last] = asyncio.get_running_loop().create_future()
        self._send({"id": self._last, "method": method, "params": params})
        answer = await future
        if "error" in answer:
            raise SystemExit(f"{method}: {answer['error']}")
        return answer["result"]

    async def begin(self, folder: Path) -> None:
        """Introduce itself, as VS Code does."""
        where = {"uri": folder.as_uri(), "name": folder.name}
        given = {**VSCODE, "processId": None, "rootUri": where["uri"], "workspaceFolders": [where]}
        await self.ask("initialize", given)
        self.tell("initialized", {})

    def open(self, file: Path) -> None:
        self.shown = file.as_uri(), file.read_text("utf-8")
        item = {"uri": self.shown[0], "languageId": "python", "version": 1, "text": self.shown[1]}
        self.tell("textDocument/didOpen", {"textDocument": item})

    async def hints(self) -> Any:
        assert self.shown is not None
        uri, text = self.shown
        whole = {"start": {"line": 0, "character": 0}, "end": {"line": text.count("\n") + 1, "character": 0}}
        return await self.ask("textDocument/inlayHint", {"textDocument": {"uri": uri}, "range": whole})

    async def lenses(self) -> Any:
        assert self.shown is not None
        return await self.ask("textDocument/codeLens", {"textDocument": {"uri": self.shown[0]}})

    async def hover(self, line: int, character: int) -> Any:
        assert self.shown is not None
        at = {"line": line, "character": character}
        return await self.ask("textDocument/hover", {"textDocument": {"uri": self.shown[0]}, "position": at})

    async def leave(self) -> None:
        self._reading.cancel()
        for task in list(self._asking):
            task.cancel()
        self._writer.close()
        await asyncio.wait({self._reading})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    async def _read(self) -> None:
        while True:
            header = await self._reader.readuntil(b"\r\n\r\n")
            message = json.loads(await self._reader.readexactly(int(header.split(b":")[1])))
            if "method" not in message:
                self._waiting.pop(message["id"]).set_result(message)
            elif "id" in message:
                self._asked(message["id"], message["method"], message.get("params"))

    def _asked(self, name: Any, method: str, params: Any) -> None:
        given = [None] * len(params["items"]) if method == "workspace/configuration" else None
        self._send({"id": name, "result": given})
        if not method.endswith("/refresh"):
            return
        self.refreshed.setdefault(method, []).append(time.monotonic())
        if self.shown is not None:
            task = asyncio.create_task(self.hints() if "inlayHint" in method else self.lenses())
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)


async def connected() -> Editor:
    """A new editor that has said nothing yet."""
    from ao_lsp import connect

    sock, _ = await asyncio.to_thread(connect.open_session, "lsp")
    sock.setblocking(False)
    return Editor(*await asyncio.open_connection(sock=sock, limit=1 << 26))


def most_in_a_second(times: list[float]) -> int:
    """How many of these fall into one second at most."""
    return max((sum(at <= other < at + 1.0 for other in times) for at in times), default=0)
