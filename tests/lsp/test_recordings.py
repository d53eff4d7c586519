"""What has been recorded is read once for all editors."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ao_lsp import protocol
from ao_lsp.server.core import Core, open_core
from ao_lsp.server.gauge import Gauge
from ao_lsp.server.ingest import Stream
from ao_lsp.server.lsp import session
from ao_lsp.server.lsp.editor import Editor
from ao_lsp.server.lsp.recorded.recordings import recordings_of
from ao_lsp.server.lsp.shown import hovers
from tests.lsp.conftest import AGENT, plan_site, search_site
from tests.lsp.in_process import Client, soon
from tests.recorder import Recorder

pytestmark = pytest.mark.usefixtures("home")

EDITORS = 5


@pytest.fixture
async def core(home: str) -> AsyncIterator[Core]:  # noqa: ARG001 - the core lives there
    opened = await open_core(lasting=False)
    yield opened
    await opened.close()


@pytest.fixture
async def reads(core: Core, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is read from the store, as it is read."""
    made: list[str] = []

    def watched(what: Any, name: str) -> None:
        real = getattr(what, name)

        async def watching(*given: Any) -> Any:
            made.append(name)
            return await real(*given)

        monkeypatch.setattr(what, name, watching)

    watched(core.matching, "graph")
    watched(core.store, "runs_in_files")
    watched(core.store, "files_of")
    return made


class Program:
    """A run of the agent program, that goes on."""

    def __init__(self, core: Core, agent: Path) -> None:
        self._core, self._agent, self._recorder = core, agent, Recorder("run1")
        self._stream, self._taken = Stream("run1", "s1", None), 0

    async def _commit(self) -> None:
        sent = self._recorder.sent[self._taken :]
        self._taken += len(sent)
        await self._core.ingest.take(self._stream, protocol.Frames(), b"".join(sent))

    async def start(self) -> None:
        self._recorder.start(argv=[str(self._agent)], cwd=str(self._agent.parent))
        self._recorder.call("c1", site=plan_site(self._agent), stack=[plan_site(self._agent)])
        await self._commit()

    async def call(self, name: str) -> None:
        self._recorder.call(name, ("c1",), site=search_site(self._agent), stack=[search_site(self._agent)])
        await self._commit()


def opened(core: Core, agent: Path) -> Client:
    client = Client(core)
    item = {"uri": agent.as_uri(), "languageId": "python", "version": 1, "text": AGENT}
    client.editor.opened(client.protocol._structured("textDocument/didOpen", {"textDocument": item}))
    return client


async def lenses(client: Client, agent: Path) -> str:
    return str(await client.ask("textDocument/codeLens", {"textDocument": {"uri": agent.as_uri()}}))


async def test_each_change_is_read_once_however_many_editors_show_it(core: Core, agent: Path, reads: list[str]) -> None:
    program = Program(core, agent)
    await program.start()
    clients = [opened(core, agent) for _ in range(EDITORS)]
    for client in clients:
        await client.begin()
    await asyncio.gather(*(lenses(client, agent) for client in clients))
    assert reads.count("runs_in_files") == 1
    assert reads.count("graph") <= 2, "the first time, texts are compared, which is a change, too"
    reads.clear()
    await program.call("c2")
    shown = await asyncio.gather(*(lenses(client, agent) for client in clients))
    assert [each.count("not recorded yet") for each in shown] == [1] * EDITORS, "only `never` has not run"
    assert 1 <= reads.count("graph") <= 2
    assert reads.count("runs_in_files") == 0, "it is known to be in the file"
    for client in clients:
        await client.editor.close()


async def test_what_nobody_shows_any_more_is_not_kept(core: Core, agent: Path) -> None:
    await Program(core, agent).start()
    clients = [opened(core, agent) for _ in range(2)]
    for client in clients:
        await client.begin()
        await lenses(client, agent)
    subscribed = len(core.changes)
    assert recordings_of(core)._runs.known("run1") is not None
    for client in clients:
        await client.editor.close()
    assert len(core.changes) < subscribed
    assert recordings_of(core)._runs.known("run1") is None


async def test_a_client_that_has_left_is_forgotten_without_the_garbage_collector(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[weakref.ref[Editor]] = []

    def remembered(*given: Any) -> Editor:
        editor = Editor(*given)
        made.append(weakref.ref(editor))
        return editor

    monkeypatch.setattr(session, "_UNTIE_AFTER_S", 0.0)
    monkeypatch.setattr(session, "Editor", remembered)
    ours = asyncio.StreamReader()
    ours.feed_eof()
    writer: Any = _Nowhere()
    gc.disable()
    try:
        await session.serve(core, ours, writer, {}, Gauge())
        del writer

        async def gone() -> None:
            while made[0]() is not None:  # noqa: ASYNC110 - no event tells of it
                await asyncio.sleep(0)

        await soon(gone())
    finally:
        gc.enable()


class _Nowhere:
    """A writer to a client that has left."""

    transport = None


async def test_a_hover_is_written_once_until_something_changes(
    core: Core, agent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    real = hovers.hover

    def hover(*given: Any) -> str:
        written.append(real(*given))
        return written[-1]

    monkeypatch.setattr(hovers, "hover", hover)
    program, client = Program(core, agent), opened(core, agent)
    await program.start()
    await program.call("c2")
    await client.begin()
    at = {"textDocument": {"uri": agent.as_uri()}, "position": {"line": 13, "character": 14}}
    await lenses(client, agent)
    first = [(await client.ask("textDocument/hover", at))["result"]["contents"]["value"] for _ in range(5)]
    before = len(written)
    assert before <= 2, "the first time, texts are compared, which is a change, too"
    assert set(first) == set(written)
    await program.call("c3")
    assert "1 other call" in (await client.ask("textDocument/hover", at))["result"]["contents"]["value"]
    assert len(written) > before
    await client.editor.close()
