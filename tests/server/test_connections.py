"""Who is let in, and who serves them: on socket pairs, in this process."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import time
import types
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ao_lsp import protocol
from ao_lsp.connect import preamble
from ao_lsp.server import connections, requests
from ao_lsp.server.command import Caller, Command
from ao_lsp.server.commands.standing import StatusParams
from ao_lsp.server.connections import Connection, Connections
from ao_lsp.server.core import Core, open_core
from ao_lsp.server.gauge import Gauge
from ao_lsp.server.ingest import Stream
from ao_lsp.server.processes import Process
from tests.daemons import LONG_S

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
async def core(home: str) -> AsyncIterator[Core]:  # noqa: ARG001 - the core lives there
    opened = await open_core()
    yield opened
    await opened.close()


@pytest.fixture
async def clients(core: Core) -> AsyncIterator[Connections]:
    made = Connections(core, {}, "daemon-id", lambda: None, lambda: None)
    yield made
    await made.close()


async def connect(clients: Connections) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Our end of a connection."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    clients._begin(theirs)
    return await asyncio.open_unix_connection(sock=ours)


async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    await writer.wait_closed()


async def test_a_client_that_does_not_say_who_it_is_is_hung_up_on(
    clients: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "PREAMBLE_TIMEOUT_S", 0.05)
    for said in (b"", b'{"ao": 1, "ro'):
        reader, writer = await connect(clients)
        writer.write(said)
        assert await reader.read() == b""
        await close(writer)
    assert len(clients) == 0


async def test_another_user_is_denied(clients: Connections, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    reader, writer = await connect(clients)
    reply = json.loads(await reader.readline())
    monkeypatch.undo()
    assert (reply["ok"], reply["code"]) == (False, "DENIED")
    await close(writer)


async def test_the_reply_says_ok_first_so_that_a_runner_need_not_parse_it(clients: Connections) -> None:
    reader, writer = await connect(clients)
    writer.write(preamble("cli"))
    line = await reader.readline()
    assert line.startswith(b'{"ok":true')
    assert json.loads(line)["daemon"] == "daemon-id"
    await close(writer)


async def test_an_editor_is_handed_over_with_every_byte_that_follows_its_preamble(
    core: Core, clients: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    got: dict[str, Any] = {}

    async def serve(
        core_: Core, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, said: dict[str, Any], _: Gauge
    ) -> None:
        got.update(core=core_, said=said, body=await reader.readexactly(9))
        writer.write(b"answer")

    session = types.ModuleType("ao_lsp.server.lsp.session")
    session.serve = serve  # type: ignore[attr-defined]  # as the real one has
    monkeypatch.setitem(sys.modules, "ao_lsp.server.lsp", types.ModuleType("ao_lsp.server.lsp"))
    monkeypatch.setitem(sys.modules, "ao_lsp.server.lsp.session", session)
    reader, writer = await connect(clients)
    # In one write: the daemon must not swallow what stands behind the line.
    writer.write(preamble("lsp", env={"LANG": "C"}) + b"\r\nLSP\n\x00\xff.")
    assert json.loads(await reader.readline())["ok"] is True
    assert await reader.read() == b"answer"
    assert (got["core"], got["said"]["env"], got["body"]) == (core, {"LANG": "C"}, b"\r\nLSP\n\x00\xff.")
    await close(writer)


async def test_a_session_that_crashes_ends_alone_and_is_logged(
    clients: Connections, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = types.ModuleType("ao_lsp.server.lsp.session")
    monkeypatch.setitem(sys.modules, "ao_lsp.server.lsp", types.ModuleType("ao_lsp.server.lsp"))
    monkeypatch.setitem(sys.modules, "ao_lsp.server.lsp.session", broken)
    reader, writer = await connect(clients)
    writer.write(preamble("lsp"))
    await reader.readline()
    assert await reader.read() == b""
    await close(writer)
    assert "serving the lsp of process" in caplog.text
    reader, writer = await connect(clients)
    writer.write(preamble("cli") + protocol.frame({"id": 7, "method": "ao.runs"}))
    await reader.readline()
    frames = protocol.Frames()
    frames.feed(await reader.read(1000))
    ((head, _),) = frames
    assert json.loads(head) == {"id": 7, "result": {"runs": [], "total": 0}}
    await close(writer)


async def test_what_was_asked_for_is_cancelled_when_its_client_has_gone_and_only_then(core: Core) -> None:
    begun, over, cancelled = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work(_: Core, __: Caller, ___: StatusParams) -> dict[str, Any]:
        begun.set()
        try:
            await over.wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return {"done": True}

    commands = {"ao.work": Command("work", StatusParams, work)}
    clients = Connections(core, commands, "daemon-id", lambda: None, lambda: None)
    # One that only has nothing more to say is answered.
    reader, writer = await connect(clients)
    writer.write(preamble("cli") + protocol.frame({"id": 1, "method": "ao.work"}))
    writer.write_eof()
    await reader.readline()
    await asyncio.wait_for(begun.wait(), LONG_S)
    looked = requests._LOOK_S * 2
    await asyncio.wait({asyncio.ensure_future(cancelled.wait())}, timeout=looked)
    assert not cancelled.is_set()
    over.set()
    assert b'"done"' in await reader.read()
    await close(writer)
    # One that is gone is not.
    begun.clear()
    over.clear()
    reader, writer = await connect(clients)
    writer.write(preamble("cli") + protocol.frame({"id": 1, "method": "ao.work"}))
    await asyncio.wait_for(begun.wait(), LONG_S)
    await close(writer)
    await asyncio.wait_for(cancelled.wait(), LONG_S)
    await clients.close()


async def test_what_a_program_that_is_gone_had_sent_is_waited_for_as_long_as_it_comes_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "_SETTLE_S", 0.05)
    ours, theirs = socket.socketpair()
    program = Process(0, None)
    connection = Connection(theirs, program, stream=Stream("run1", "s1", program))
    assert connection.stream is not None
    waiting = asyncio.create_task(connections._drained(connection))
    for _ in range(20):  # longer than it would wait for silence, and never silent for as long as that
        connection.stream.heard = time.monotonic()
        await asyncio.sleep(0.01)
    assert not waiting.done()
    connection.drained.set()
    await waiting
    # One that a child has inherited says nothing more, and is not waited for again.
    silent = Connection(ours, program, stream=connection.stream)
    await connections._drained(silent)
    assert silent.drained.is_set()
    ours.close()
    theirs.close()


async def test_a_question_about_runs_waits_for_long_spool_files_and_one_about_the_daemon_does_not(
    core: Core, clients: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_SETTLE_S", 0.05)
    read = asyncio.Event()

    async def look() -> bool:
        await read.wait()
        return False

    monkeypatch.setattr(core, "look", look)
    asked = asyncio.create_task(clients.settled("ao.graph"))
    await clients.settled("daemon.status")
    assert not asked.done()
    read.set()
    await asked


@pytest.mark.parametrize(
    ("older", "newer"),
    [("0.1.0", "0.1.1"), ("0.9", "0.10"), ("0.1", "0.1.1"), ("1.0", "2"), ("nonsense", "0.1"), (None, "0.1")],
)
def test_versions_are_compared_by_their_numbers(older: str | None, newer: str) -> None:
    assert connections._version(older) < connections._version(newer)
    assert connections._version(f"{newer}.dev3+local") == connections._version(newer)
