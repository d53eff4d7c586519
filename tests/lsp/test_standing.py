"""How the server stands, told to editors; and the compiling of many files, shown to them."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ao_lsp import paths
from ao_lsp.server.core import Core, open_core
from ao_lsp.server.store import StoreError
from tests.daemons import ask, log, start
from tests.lsp.conftest import begin, plan_site, record
from tests.lsp.editors import editor
from tests.lsp.in_process import Client, soon

pytestmark = pytest.mark.usefixtures("home")

OURS = {"capabilities": {"experimental": {"ao": {"version": 1}, "serverStatusNotification": True}}}


@pytest.fixture
async def core(home: str) -> AsyncIterator[Core]:  # noqa: ARG001 - the core lives there
    opened = await open_core(lasting=False)
    yield opened
    await opened.close()


def is_status(message: dict[str, Any]) -> bool:
    return message.get("method") == "$/ao/status"


async def test_programs_that_run_are_told_of(core: Core, agent: Path) -> None:
    client = Client(core)
    await client.begin(**OURS)
    first = (await client.sent.until(is_status))["params"]
    assert first == {"health": "ok", "quiescent": True, "message": "", "running": [], "compiling": 0}
    short = await client.sent.until(lambda message: message.get("method") == "experimental/serverStatus")
    assert short["params"] == {"health": "ok", "quiescent": True, "message": None}
    assert first == (await client.ask("workspace/executeCommand", {"command": "ao.status"}))["result"]
    await client.editor.close()
    # In a daemon, with a program that says something.
    start()
    async with editor("neovim-0.12", ao=True) as user:
        await user.until(lambda: user.statuses)
        recorder = begin(agent)
        recorder.wait()
        await user.until(lambda: user.statuses[-1]["running"])
        assert user.statuses[-1]["message"] == "agent.py is running"
        assert [(run["run"], run["background"]) for run in user.statuses[-1]["running"]] == [("run1", False)]
        told = len(user.statuses)
        recorder.call("c1", site=plan_site(agent))
        recorder.end()
        recorder.wait()
        await user.until(lambda: user.statuses[-1]["quiescent"])
        assert len(user.statuses) == told + 1, "what changes nothing is not told of"


async def test_a_client_that_records_by_itself_is_offered_to_and_not_told_how(core: Core, agent: Path) -> None:
    how = "not recorded yet"
    for commands, title in ((["ao.record"], "▶ record"), (["other.command", 7], how), (None, how)):
        client = Client(core)
        await client.begin(capabilities={"experimental": {"commands": {"commands": commands}}})
        item = {"uri": agent.as_uri(), "languageId": "python", "version": 1, "text": agent.read_text("utf-8")}
        client.send("textDocument/didOpen", {"textDocument": item})
        found = await client.ask("textDocument/codeLens", {"textDocument": {"uri": agent.as_uri()}})
        command = found["result"][0]["command"]
        assert (command["title"], command["command"]) == (title, "ao.record")
        await client.ask("workspace/executeCommand", {"command": "ao.record", "arguments": command["arguments"]})
        told = [message for message in client.sent.messages if message.get("method") == "window/showMessage"]
        assert len(told) == (0 if title == "▶ record" else 1)
        await client.editor.close()


async def test_a_client_that_did_not_ask_for_it_is_told_nothing(core: Core) -> None:
    client = Client(core)
    await client.begin()
    await client.ask("workspace/executeCommand", {"command": "ao.status"})
    assert [message for message in client.sent.messages if "method" in message] == []
    await client.editor.close()


async def test_a_database_that_takes_nothing_is_said_with_what_to_do(core: Core, agent: Path) -> None:
    client = Client(core)
    await client.begin(**OURS)
    await client.sent.until(is_status)
    core.standing.failed(StoreError("full", "no room left for the database x", "free some disk space"))
    told = (await client.sent.until(is_status))["params"]
    assert (told["health"], told["message"]) == ("error", "no room left for the database x; free some disk space")
    core.standing.failed(None)
    assert (await client.sent.until(is_status))["params"]["health"] == "ok"
    await client.editor.close()
    # For real: a table that is gone, and a program that wants to be stored.
    start()
    async with editor("vscode", ao=True) as user:
        await user.until(lambda: user.statuses)
        with closing(sqlite3.connect(paths.database())) as database, database:
            database.execute("ALTER TABLE runs RENAME TO gone")
        begin(agent)
        await user.until(lambda: user.statuses[-1]["health"] == "error", log())
        assert "database" in user.statuses[-1]["message"]
        with closing(sqlite3.connect(paths.database())) as database, database:
            database.execute("ALTER TABLE gone RENAME TO runs")


async def test_a_hidden_panel_costs_nothing(agent: Path) -> None:
    start()
    async with editor("vscode", ao=True) as user:
        user.notify("$/ao/didShow", runs=[])
        user.notify("$/ao/didShow", runs=7)  # nothing that could be understood
        record(agent, "hidden")
        user.notify("$/ao/didShow", runs=["shown"])
        assert (await user.request("ao/runs"))["total"] == 1
        record(agent, "also-hidden")
        record(agent, "shown")
        await user.until(lambda: user.graph_changes)
        assert {change["run"] for change in user.graph_changes} == {"shown"}
        user.notify("$/ao/didShow", runs=None)
        assert (await user.request("ao/runs"))["total"] == 3
        record(agent, "later")
        await user.until(lambda: "later" in {change["run"] for change in user.graph_changes})
    assert "Traceback" not in log()


@pytest.mark.skipif(sys.version_info < (3, 11), reason="on Python 3.10 nothing is rewritten")
async def test_compiling_many_files_is_shown_and_can_be_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AO_WATCH", "1")
    monkeypatch.setattr("ao_lsp.server.lsp.standing.LONG_S", 0.05)
    source = "".join(f"def f{number}(x):\n    return {{**x, 'a': [x, {number}]}}\n" for number in range(300))
    for number in range(80):
        (tmp_path / f"module{number}.py").write_text(source, "utf-8")
    core = await open_core()
    client = Client(core)
    folder = {"workspaceFolders": [{"uri": tmp_path.as_uri(), "name": "x"}]}
    await client.begin(capabilities={"window": {"workDoneProgress": True}}, **folder)

    def kind(message: dict[str, Any]) -> str:
        return str(message.get("params", {}).get("value", {}).get("kind"))

    question = await client.sent.until(lambda message: message.get("method") == "window/workDoneProgress/create")
    client.protocol.answered({"id": question["id"], "result": None})
    begun = await client.sent.until(lambda message: kind(message) == "begin")
    assert begun["params"]["value"]["title"] == "Make files ready for ao-record"
    told = (await client.sent.until(lambda message: kind(message) == "report"))["params"]["value"]["message"]
    assert told.endswith(" files")
    client.send("window/workDoneProgress/cancel", {"token": begun["params"]["token"]})
    await client.sent.until(lambda message: kind(message) == "end")
    assert core.watcher.waiting(client.editor) == 0
    await client.editor.close()
    await soon(core.close())


def test_the_command_line_is_told_the_same(agent: Path) -> None:
    record(agent)
    assert ask("ao.status")["health"] == "ok"
