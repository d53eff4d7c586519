"""Requests of the command line: one frame each way (docs/wire.md, Requests)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ao_lsp import protocol
from ao_lsp.server.command import Caller, Command
from ao_lsp.server.commands import execute
from ao_lsp.server.core import Core
from ao_lsp.server.params import CommandError

_READ = 1 << 16


async def serve(
    core: Core,
    commands: Mapping[str, Command[Any]],
    settled: Callable[[], Awaitable[None]],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    env: Mapping[str, str] | None,
) -> None:
    """Answer requests until the client hangs up, one after the other.

    `settled` waits for what ended programs left behind to be taken in, so that `ao graph` right after
    `ao-record` sees the whole run. `env` is the client's environment.

    Raises:
        protocol.ProtocolError: what the client sends is no request.
        ConnectionError: it left in the middle of an answer.
    """
    frames = protocol.Frames()
    while data := await reader.read(_READ):
        frames.feed(data)
        for head, _ in frames:
            request = protocol.loads(head)
            if not isinstance(request, dict) or not isinstance(request.get("method"), str):
                raise protocol.ProtocolError("a request without a method")
            await settled()
            answer = await _answer(core, commands, request, writer, env)
            writer.write(protocol.frame({"id": request.get("id"), **answer}))
            await writer.drain()


async def _answer(
    core: Core,
    commands: Mapping[str, Command[Any]],
    request: dict[str, Any],
    writer: asyncio.StreamWriter,
    env: Mapping[str, str] | None,
) -> dict[str, Any]:
    def progress(done: int, total: int | None, message: str) -> None:
        said = {"done": done, "total": total, "message": message}
        writer.write(protocol.frame({"id": request.get("id"), "progress": said}))

    try:
        caller = Caller(env, progress)
        return {"result": await execute(core, caller, request["method"], request.get("params"), commands)}
    except CommandError as error:
        return {"error": {"code": error.code, "message": str(error), "hint": error.hint}}
