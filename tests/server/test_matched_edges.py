"""Edges by text, from the events that a runner sends to what everybody is shown."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from typing import Any

import pytest

from ao_lsp import paths, protocol
from ao_lsp.server import matching
from ao_lsp.server.command import Caller
from ao_lsp.server.commands import execute
from ao_lsp.server.core import Core, open_core
from ao_lsp.server.ingest import Stream
from ao_lsp.server.matching.compare import matched
from tests.daemons import LONG_S
from tests.recorder import Recorder, chat_request, chat_response

pytestmark = pytest.mark.usefixtures("home")

PLAN = "Survey the harbour wall first, then replace every cracked bollard before the herring fleet returns."


@pytest.fixture
async def core(home: str) -> AsyncIterator[Core]:  # noqa: ARG001 - the core lives there
    opened = await open_core()
    yield opened
    await opened.close()


async def take(core: Core, *frames: bytes, run: str = "run1", stream: str = "s1") -> None:
    await core.ingest.take(Stream(run, stream, None), protocol.Frames(), b"".join(frames))


async def do(core: Core, command: str, /, **params: Any) -> dict[str, Any]:
    return await execute(core, Caller(), command, params)


async def edges(core: Core, **params: Any) -> list[tuple[str, str, str]]:
    found = await do(core, "ao.graph", **params)
    return [(edge["source"], edge["target"], edge["evidence"]) for edge in found["edges"]]


def lost(runner: Recorder, end: bool = True) -> None:
    """A run in which c1's output reaches c2 untracked, and c2's output c3 tracked."""
    runner.start()
    runner.call("c1", response=chat_response(PLAN), at=1000.0)
    runner.call("c2", request=chat_request(f"Do it: {PLAN}"), response=chat_response("Done by noon"), at=1001.0)
    runner.call("c3", ("c2",), request=chat_request("Praise: Done by noon"), at=1002.0)
    if end:
        runner.end()


async def test_an_edge_by_text_is_shown_everywhere_and_marked(core: Core) -> None:
    runner = Recorder()
    lost(runner)
    await take(core, *runner.sent)
    assert await edges(core) == [("c1", "c2", "matched"), ("c2", "c3", "tracked")]
    assert await edges(core, evidence="tracked") == [("c2", "c3", "tracked")]
    assert "← ~1" in (await do(core, "ao.graph", format="text"))["text"]
    assert 'class="edge matched' in (await do(core, "ao.graph", format="svg"))["text"]
    (source,) = (await do(core, "ao.call", call=2))["sources"]
    assert source == {"number": 1, "source": "c1", "target": "c2", "evidence": "matched", "path": []}


async def test_what_depends_on_a_call_by_text_goes_live_with_it(core: Core) -> None:
    runner = Recorder()
    lost(runner)
    await take(core, *runner.sent)
    planned = await do(core, "ao.plan", **{"from": 1, "dry_run": True})
    assert [call["action"] for call in planned["calls"]] == ["live", "live", "live"]
    await do(core, "ao.edit", call=1, content="Another plan")
    planned = await do(core, "ao.plan", dry_run=True)
    assert [(call["action"], call["affected"]) for call in planned["calls"]] == [
        ("edited", False),
        ("replay", True),
        ("replay", True),
    ]


async def test_the_texts_of_a_call_may_come_in_any_order(core: Core) -> None:
    runner = Recorder()
    lost(runner)
    start, first, first_end, *rest = runner.sent
    await take(core, start, *rest)
    assert await edges(core) == [("c2", "c3", "tracked")]
    await take(core, first_end)
    assert await edges(core) == [("c2", "c3", "tracked")]
    await take(core, first)
    assert await edges(core) == [("c1", "c2", "matched"), ("c2", "c3", "tracked")]


async def test_an_edge_that_turns_out_to_be_tracked_is_drawn_as_that(core: Core) -> None:
    runner = Recorder()
    lost(runner)
    await take(core, *runner.sent)
    assert ("c1", "c2", "matched") in await edges(core)
    child = Recorder(stream="s2")
    child.call_start("c2", ("c1",), request=chat_request(f"Do it: {PLAN}"), at=1001.0)
    await take(core, *child.sent, stream="s2")
    assert ("c1", "c2", "tracked") in await edges(core)
    assert ("c1", "c2", "matched") not in await edges(core)


async def test_a_child_process_is_compared_with_its_parent(core: Core) -> None:
    runner, child = Recorder(), Recorder(stream="s2")
    runner.start()
    runner.call("c1", response=chat_response(PLAN), at=1000.0)
    runner.end()
    child.event("process.start", run="run1", pid=1, parent_stream="s1")
    child.call("c2", request=chat_request(PLAN), at=1001.0)
    await take(core, *child.sent, stream="s2")
    await take(core, *runner.sent)
    assert await edges(core) == [("c1", "c2", "matched")]


async def test_edges_by_text_that_are_new_are_a_change(core: Core) -> None:
    runner = Recorder()
    lost(runner)
    await take(core, *runner.sent)
    with core.changes.subscribe() as changes:
        await edges(core)
        assert [(change.kind, change.run) for change in await changes.next()] == [("edges.matched", "run1")]
        await edges(core)
        runner.call("c4", at=1003.0)
        await take(core, *runner.sent[-2:])
        assert {change.kind for change in await changes.next()} == {"call.started", "call.ended"}
        await edges(core)
        assert changes.taken() == []


async def test_texts_are_compared_once_and_again_only_when_more_has_come(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = counted(monkeypatch)
    runner = Recorder()
    lost(runner)
    await take(core, *runner.sent)
    await asyncio.gather(*(edges(core) for _ in range(5)))
    await edges(core)
    assert len(compared) == 1
    await core.close()
    again = await open_core()
    assert ("c1", "c2", "matched") in await edges(again)
    assert len(compared) == 1
    runner.call("c4", request=chat_request(PLAN), at=1004.0)
    await take(again, *runner.sent[-2:])
    assert ("c1", "c4", "matched") in await edges(again)
    assert len(compared) == 2
    await again.close()


async def test_texts_are_never_compared_on_the_event_loop(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    compared = counted(monkeypatch)
    runner = Recorder()
    lost(runner)
    await take(core, *runner.sent)
    await edges(core)
    assert compared[0] is not threading.current_thread()


async def test_a_run_that_goes_on_is_compared_now_and_then_and_says_when_it_has_been(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = counted(monkeypatch)
    monkeypatch.setattr(matching, "_REST", 1e9)
    runner = Recorder()
    lost(runner, end=False)
    await take(core, *runner.sent)
    assert ("c1", "c2", "matched") in await edges(core)
    runner.call("c4", request=chat_request(PLAN), at=1004.0)
    await take(core, *runner.sent[-2:])
    for _ in range(3):
        assert ("c1", "c4", "matched") not in await edges(core), "it is left alone for a while"
    assert len(compared) == 1
    runner.end()
    await take(core, runner.sent[-1])
    assert ("c1", "c4", "matched") in await edges(core), "of a run that has ended nothing is missing"


async def test_what_was_left_alone_is_compared_later_without_being_asked_for(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = Recorder()
    lost(runner, end=False)
    await take(core, *runner.sent)
    await edges(core)
    runner.call("c4", request=chat_request(PLAN), at=1004.0)
    await take(core, *runner.sent[-2:])
    monkeypatch.setitem(core.matching._rest_until, "run1", asyncio.get_running_loop().time() + 0.05)
    with core.changes.subscribe() as changes:
        assert ("c1", "c4", "matched") not in await edges(core)
        (change,) = await asyncio.wait_for(changes.next(), LONG_S)
    assert change.kind == "edges.matched"
    assert ("c1", "c4", "matched") in await edges(core)


async def test_a_graph_is_shown_although_its_texts_cannot_be_compared(
    core: Core, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RecursionError(PLAN)

    monkeypatch.setattr(matching, "matched", broken)
    runner = Recorder()
    lost(runner)
    await take(core, *runner.sent)
    assert await edges(core) == [("c2", "c3", "tracked")]
    assert "run run1: its texts cannot be compared" in caplog.text


async def test_bodies_beyond_all_measure_are_left_out(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "_MOST_BYTES", 1500)
    runner = Recorder()
    lost(runner)
    runner.call("c4", request=chat_request(PLAN * 20), at=1004.0)
    await take(core, *runner.sent)
    assert await edges(core) == [("c1", "c2", "matched"), ("c2", "c3", "tracked")]


async def test_bodies_that_are_no_llm_traffic_are_no_hindrance(core: Core) -> None:
    runner = Recorder()
    runner.start()
    for number, body in enumerate((b"", b"\xff\xfe", b"[1, 2]", b"null", b'{"messages": 7, "tools": [[["x"]]]}')):
        runner.call(f"c{number}", request=body, response=body, at=1000.0 + number)
    runner.end()
    await take(core, *runner.sent)
    assert await edges(core) == []


async def test_a_deleted_run_takes_its_edges_by_text_along(core: Core) -> None:
    runner = Recorder()
    lost(runner)
    await take(core, *runner.sent)
    await edges(core)
    await core.delete_runs(["run1"])
    with closing(sqlite3.connect(paths.database())) as db:
        assert db.execute("SELECT count(*) FROM matches").fetchone() == (0,)
    assert await core.store.put_matched("run1", 3, [("c1", "c2")]) == ()


def counted(monkeypatch: pytest.MonkeyPatch) -> list[threading.Thread]:
    """Grows by a thread each time that texts are compared."""
    threads: list[threading.Thread] = []
    compare = matched

    def comparing(*given: Any) -> Any:
        threads.append(threading.current_thread())
        return compare(*given)

    monkeypatch.setattr(matching, "matched", comparing)
    return threads


@pytest.mark.parametrize(
    ("endpoint", "asked"),
    [
        ("/v1beta/models/g:generateContent", {"contents": [{"role": "user", "parts": [{"text": PLAN}]}]}),
        ("/v1beta/models/g:generateContent", {"system_instruction": {"parts": [{"text": PLAN}]}, "contents": []}),
        ("/v1beta/models/g:embedContent", {"content": {"parts": [{"text": PLAN}]}}),
        ("/api/chat", {"model": "m", "messages": [{"role": "user", "content": PLAN}]}),
        ("/api/generate", {"model": "m", "prompt": PLAN}),
        ("/model/m/converse", {"messages": [{"role": "user", "content": [{"text": PLAN}]}]}),
    ],
)
async def test_texts_are_compared_in_the_requests_of_every_api(core: Core, endpoint: str, asked: Any) -> None:
    runner = Recorder()
    runner.start()
    runner.call("c1", response=chat_response(PLAN), at=1000.0)
    runner.call_start("c2", request=json.dumps(asked).encode(), endpoint=endpoint, at=1001.0)
    runner.call_end("c2", b"{}")
    runner.end()
    await take(core, *runner.sent)
    assert await edges(core) == [("c1", "c2", "matched")]
