"""Work that takes long: shown while it goes on, cancelled when nobody wants it any more."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException

from ao_lsp.server.core import Core, open_core
from ao_lsp.server.lsp.doing.progress import progress
from tests.daemons import ask, log, start, until
from tests.lsp.conftest import record
from tests.lsp.editors import User, editor
from tests.lsp.in_process import Client, soon
from tests.lsp.raw import client as raw_client
from tests.lsp.raw import request
from tests.runner.recorded import RECORD

pytestmark = pytest.mark.usefixtures("home")

SHOWS = {"capabilities": {"window": {"workDoneProgress": True}}}


@pytest.fixture
async def core(home: str) -> AsyncIterator[Core]:  # noqa: ARG001 - the core lives there
    opened = await open_core(lasting=False)
    yield opened
    await opened.close()


def said(client: Client) -> list[dict[str, Any]]:
    """What was told of work, in order."""
    messages = [message for message in client.sent.messages if message.get("method") == "$/progress"]
    return [message["params"]["value"] for message in messages]


async def created(client: Client) -> None:
    """Answer the question whether work may be shown."""
    question = await client.sent.until(lambda message: message.get("method") == "window/workDoneProgress/create")
    client.protocol.answered({"id": question["id"], "result": None})


async def test_percentages_never_go_back_and_there_is_one_end(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ao_lsp.server.lsp.doing.progress._REPORT_S", 0.0)
    client = Client(core)
    await client.begin(**SHOWS)
    async with progress(client.editor, "Work", lambda: None) as shown:
        await created(client)
        await client.sent.until(lambda message: message.get("params", {}).get("value", {}).get("kind") == "begin")
        for done, total in ((1, 2), (2, 8), (3, None), (8, 8), (9, 8)):
            shown.report(done, total, f"{done}")
        shown.last = "done"
    assert [value.get("percentage") for value in said(client)] == [50, 50, 50, 100, 100, None]
    assert said(client)[-1] == {"kind": "end", "message": "done"}
    assert client.editor.in_progress == {}
    await client.editor.close()


@pytest.mark.parametrize("how", ["failing", "cancelled", "the server leaves"])
async def test_every_beginning_has_an_end(core: Core, how: str) -> None:
    client = Client(core)
    await client.begin(**SHOWS)
    begun = asyncio.Event()

    async def work() -> None:
        async with progress(client.editor, "Work", lambda: None, token="theirs"):
            begun.set()
            await asyncio.sleep(0 if how == "failing" else 3600)
            raise ValueError

    task = asyncio.create_task(work())
    await soon(begun.wait())
    if how == "cancelled":
        task.cancel()
    if how == "the server leaves":
        await client.editor.close()
        task.cancel()
    await asyncio.wait({task})
    assert [value["kind"] for value in said(client)] == ["begin", "end"]
    assert client.editor.in_progress == {}
    await client.editor.close()


async def test_work_does_not_wait_for_a_client_that_does_not_answer(core: Core) -> None:
    for capabilities in (SHOWS, {}):
        client = Client(core)
        await client.begin(**capabilities)
        async with progress(client.editor, "Work", lambda: None) as shown:
            shown.report(1, 2, "half")
            await asyncio.sleep(0)
        assert said(client) == []
        await client.editor.close()


async def test_what_is_done_at_once_is_not_shown(core: Core) -> None:
    client = Client(core)
    await client.begin(**SHOWS)
    assert "result" in await client.ask("workspace/executeCommand", {"command": "ao.runs", "arguments": [{}]})
    assert not any("rogress" in str(message.get("method")) for message in client.sent.messages)
    # By a token of the client's it is, from its beginning: it was asked for.
    given = {"command": "ao.runs", "arguments": [{}], "workDoneToken": 7}
    await client.ask("workspace/executeCommand", given)
    assert [value["kind"] for value in said(client)] == ["begin", "end"]
    await client.editor.close()


async def test_a_token_that_is_none_or_in_use_is_not_used(core: Core) -> None:
    client = Client(core)
    await client.begin(**SHOWS)
    runs = {"command": "ao.runs", "arguments": [{}]}
    async with progress(client.editor, "Work", lambda: None, token="theirs"):
        tokens: list[Any] = ["theirs", ["a list"], {}, 1.5, None]
        for token in tokens:
            answer = await client.ask("workspace/executeCommand", {**runs, "workDoneToken": token})
            assert "result" in answer
    assert [value["kind"] for value in said(client)] == ["begin", "end"]
    await client.editor.close()


# -- the whole way


async def test_an_export_says_how_far_it_is(agent: Path) -> None:
    record(agent)
    async with editor("vscode") as user:
        user.client.progress_reports["mine"] = []
        exported = lsp.ExecuteCommandParams("ao.export", [{"run": "run1"}], work_done_token="mine")
        await user.client.workspace_execute_command_async(exported)
        reports: list[Any] = user.client.progress_reports["mine"]
        assert [report.kind for report in reports] == ["begin", "report", "end"]
        assert (reports[1].percentage, reports[1].message) == (100, "3 of 3 calls are read")


def slow_program(folder: Path) -> Path:
    """A recorded program that the next time does not end by itself."""
    file = folder / "slow.py"
    file.write_text(
        "import pathlib, time\n"
        "here = pathlib.Path(__file__).parent\n"
        "while (here / 'slow').exists():\n"
        "    (here / 'began').touch()\n"
        "    time.sleep(0.02)\n",
        "utf-8",
    )
    assert subprocess.run([RECORD, file.name], cwd=folder, env=dict(os.environ), check=False).returncode == 0
    (folder / "slow").touch()
    return file


async def waiting(user: User, folder: Path) -> asyncio.Task[Any]:
    """A rerun that the client waits for, under its own token, when its program runs."""
    answering = asyncio.create_task(
        user.client.workspace_execute_command_async(
            lsp.ExecuteCommandParams("ao.rerun", [{"run": "last", "wait": True}], work_done_token="mine")
        )
    )
    await user.until(lambda: (folder / "began").exists(), log())
    return answering


def kinds(user: User) -> list[str]:
    reports: list[Any] = user.client.progress_reports["mine"]
    return [report.kind for report in reports]


async def test_a_rerun_that_is_waited_for_stops_when_its_request_is_cancelled(tmp_path: Path) -> None:
    start()
    slow_program(tmp_path)
    async with editor("vscode") as user:
        provider = user.capabilities.execute_command_provider
        assert provider is not None
        assert provider.work_done_progress
        user.client.progress_reports["mine"] = []
        for how in ("$/cancelRequest", "window/workDoneProgress/cancel"):
            answering = await waiting(user, tmp_path)
            protocol: Any = user.client.protocol
            if how == "$/cancelRequest":
                protocol.notify(how, lsp.CancelParams(next(iter(protocol._request_futures))))
            else:
                user.client.window_work_done_progress_cancel(lsp.WorkDoneProgressCancelParams("mine"))
            with pytest.raises((JsonRpcException, asyncio.CancelledError)):
                await asyncio.wait_for(answering, 30)
            await user.until(lambda: ask("ao.runs")["runs"][0]["status"] == "killed", log())
            (tmp_path / "began").unlink()
        assert [kind for kind in kinds(user) if kind != "report"] == ["begin", "end"] * 2
        assert user.messages == user.asked == []
    assert "Traceback" not in log()


async def test_a_rerun_that_is_waited_for_answers_at_its_end(tmp_path: Path) -> None:
    start()
    slow_program(tmp_path)
    async with editor("helix") as user:
        user.client.progress_reports["mine"] = []
        answering = await waiting(user, tmp_path)
        (tmp_path / "slow").unlink()
        answer: Any = await answering
        assert answer["exit_code"] == 0
        assert kinds(user)[0] == "begin"
        assert kinds(user)[-1] == "end"


def test_what_is_shown_ends_when_the_daemon_stops_and_the_program_goes_on(tmp_path: Path) -> None:
    start()
    slow_program(tmp_path)
    with raw_client() as raw:
        raw.begin(**SHOWS)
        rerun = {"command": "ao.rerun", "arguments": [{"run": "last", "wait": True}], "workDoneToken": "mine"}
        raw.send(request(1, "workspace/executeCommand", rerun))
        until(lambda: (tmp_path / "began").exists(), log())
        ask("daemon.stop")
        told = []
        while (message := raw.receive()) is not None:
            told.append(message)
        kinds = [message["params"]["value"]["kind"] for message in told if message.get("method") == "$/progress"]
        assert [kind for kind in kinds if kind != "report"] == ["begin", "end"]
    (tmp_path / "slow").unlink()
    start()
    until(lambda: [run["status"] for run in ask("ao.runs")["runs"]] == ["finished", "finished"], log())
