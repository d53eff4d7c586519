"""Requests of the command line: one frame each way (docs/wire.md, Requests)."""

from __future__ import annotations

import asyncio
import select
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import aclosing
from functools import partial
from typing import Any

from ao_lsp import protocol
from ao_lsp.server import events
from ao_lsp.server.answers import Answers
from ao_lsp.server.command import Caller, Command
from ao_lsp.server.commands import execute
from ao_lsp.server.core import Core
from ao_lsp.server.gauge import Gauge
from ao_lsp.server.params import CommandError, read
from ao_lsp.server.store import StoreError

SUBSCRIBE = "events.subscribe"

_READ = 1 << 16

_LOOK_S = 0.25
"""How often is looked whether who waits for an answer is still there."""

_MOST_IN = 256 << 20
"""Bytes of one request. An edit has a body; more is a fault of the client."""


async def serve(
    core: Core,
    commands: Mapping[str, Command[Any]],
    settled: Callable[[str], Awaitable[None]],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    env: Mapping[str, str] | None,
    gauge: Gauge,
) -> None:
    """Answer requests until the client hangs up, one after the other.

    `settled`, given a method, waits for what ended programs left behind to be taken in, so that `ao graph` right after
    `ao-record` sees the whole run. `env` is the client's environment.

    Raises:
        protocol.ProtocolError: what the client sends is no request.
        ConnectionError: it left in the middle of an answer, or does not read it.
    """
    frames, answers = protocol.Frames(_MOST_IN), Answers(writer, gauge)
    gauge.read = lambda: (len(frames), 0)
    try:
        while data := await reader.read(_READ):
            frames.feed(data)
            for head, _ in frames:
                request = protocol.loads(head)
                if not isinstance(request, dict) or not isinstance(request.get("method"), str):
                    raise protocol.ProtocolError("a request without a method")
                method: str = request["method"]
                gauge.doing = partial(str, method)
                await settled(method)
                if method == SUBSCRIBE:
                    await _subscribed(core, request, reader, answers)
                else:
                    answer = await _while_asked(_answer(core, commands, request, answers, env), method, writer)
                    await answers.send(await _framed(request, answer))
                gauge.doing = str
    finally:
        await answers.close()


async def _while_asked(
    answer: Coroutine[Any, Any, dict[str, Any]], method: str, writer: asyncio.StreamWriter
) -> dict[str, Any]:
    """The answer, unless the client has gone meanwhile: then nobody wants it any more.

    Raises:
        ConnectionError: it has.
    """
    if method.startswith("daemon."):  # at once: a daemon that stops waits for nothing
        return await answer
    gone = select.poll()
    gone.register(writer.get_extra_info("socket").fileno(), 0)  # nothing but that the other end is closed
    answering = asyncio.create_task(answer)
    try:
        while True:
            await asyncio.wait({answering}, timeout=_LOOK_S)
            if answering.done():
                return answering.result()
            if gone.poll(0):
                raise ConnectionAbortedError
    finally:
        answering.cancel()
        await asyncio.wait({answering})


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
    answers: Answers,
    env: Mapping[str, str] | None,
) -> dict[str, Any]:
    def progress(done: int, total: int | None, message: str) -> None:
        said = {"done": done, "total": total, "message": message}
        answers.progress(protocol.frame({"id": request.get("id"), "progress": said}))

    try:
        caller = Caller(env, progress)
        return {"result": await execute(core, caller, request["method"], request.get("params"), commands)}
    except CommandError as error:
        return _error(error)


def _error(error: CommandError | StoreError) -> dict[str, Any]:
    return {"error": {"code": error.code, "message": str(error), "hint": error.hint}}


async def _subscribed(core: Core, request: dict[str, Any], reader: asyncio.StreamReader, answers: Answers) -> None:
    """Send changes until there are no more to come, or the client hangs up.

    Raises:
        protocol.ProtocolError: it says something else meanwhile.
        ConnectionError: it does not read.
    """
    # Nothing else is asked on such a connection, so what can be read from it is its end.
    hung_up = asyncio.create_task(reader.read(1))
    sending = asyncio.create_task(_send_events(core, request, answers))
    try:
        await asyncio.wait({hung_up, sending}, return_when=asyncio.FIRST_COMPLETED)
        if hung_up.done() and hung_up.result():
            raise protocol.ProtocolError("a request while events are sent")
        if sending.done():
            sending.result()
    finally:
        for task in (hung_up, sending):
            task.cancel()
        await asyncio.gather(hung_up, sending, return_exceptions=True)


async def _send_events(core: Core, request: dict[str, Any], answers: Answers) -> None:
    name = request.get("id")
    answer: dict[str, Any]
    try:
        params = read(events.EventsParams, request.get("params"))
        wanted = await events.find_range(core, params)
        if params.follow:
            async with aclosing(events.follow(core, wanted, params.after)) as messages:
                async for message in messages:
                    await answers.send(protocol.frame({"id": name, "events": message}))
        seq = params.after
        for message in await events.since(core, wanted, seq) if wanted is not None else ():
            seq = message["seq"]
            await answers.send(protocol.frame({"id": name, "events": message}))
        answer = {"result": {"session": wanted and wanted.session, "seq": seq}}
    except (CommandError, StoreError) as error:
        answer = _error(error)
    await answers.send(protocol.frame({"id": name, **answer}))
