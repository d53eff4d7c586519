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
    settled: Callable[[str], Awaitable[None]],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    env: Mapping[str, str] | None,
) -> None:
    """Answer requests until the client hangs up, one after the other.

    `settled`, given a method, waits for what ended programs left behind to be taken in, so that `ao graph` right after
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
            await settled(request["method"])
            answer = await _answer(core, commands, request, writer, env)
            writer.write(await _framed(request, answer))
            await writer.drain()


async def _framed(request: dict[str, Any], answer: dict[str, Any]) -> bytes:
    said = {"id": request.get("id"), **answer}
    if request["method"].startswith("daemon."):  # short; and a daemon that stops waits for nothing
        return protocol.frame(said)
    # Beside the event loop: a long graph is some megabytes of JSON.
    return await asyncio.to_thread(protocol.frame, said)


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
