"""The whole way, nothing pretended: a real program under `ao-record`, the real SDK, an editor that looks on."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types as lsp
from model_server import ModelServer

from tests.daemons import ask, log, start
from tests.lsp.editors import User, editor
from tests.runner.recorded import RECORD, column, edges, graph

pytestmark = pytest.mark.usefixtures("home")

EXAMPLES = Path(__file__).parents[2] / "examples"


async def recorded(file: Path, server: ModelServer, *arguments: str) -> None:
    """Record a program to its end."""
    process = await asyncio.create_subprocess_exec(
        RECORD, file.name, *arguments,
        cwd=file.parent, env={**os.environ, **server.env}, stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert await process.wait() == 0


def copied(name: str, folder: Path) -> Path:
    return Path(shutil.copy(EXAMPLES / name, folder / name))


async def last_rerun(user: User, count: int) -> None:
    """Wait for the last of `count` runs to have ended, and the editor to have heard of it."""

    def ended() -> bool:
        runs = ask("ao.runs")["runs"]
        return len(runs) == count and runs[0]["status"] != "running"

    await user.until(ended, log())


async def test_an_agent_is_recorded_edited_and_rerun_from_the_editor(tmp_path: Path, model_server: ModelServer) -> None:
    file = copied("research_agent.py", tmp_path)
    start()
    async with editor("vscode", ao=True, env=model_server.env) as user:
        uri = await user.open(file)
        assert all(words == ["not recorded yet"] for words in (await user.lens_titles(uri)).values())
        await recorded(file, model_server)
        before = graph()
        assert column(before, "function") == ["plan", "search", "search", "search", "write", "criticise", "revise"]
        await user.until(lambda: user.graph_changes and user.graph_changes[-1]["run"] == before["run"]["id"])
        await user.until(lambda: user.refreshes)
        titles = await user.lens_titles(uri)
        search = next(line for line, words in titles.items() if words[-1].startswith("3 calls"))
        hints = await user.hints(uri)
        assert hints[search].startswith("→ ")
        write = next(line for line in titles if line > search)
        assert "first byte after" in await user.hover(uri, write, 14), "the draft was streamed"

        user.answers = {"Edit the output of which call?": "call 3", "stored the edited output": "Rerun"}
        await user.click(uri, search, "✎ output")
        user.save(user.shown[-1], "Nobody knows, and nobody asked.")
        await last_rerun(user, 2)
        after = graph()
        assert column(after, "origin") == ["replayed", "replayed", "edited", "replayed", "live", "live", "live"]
        assert after["run"]["parent_run"] == before["run"]["id"]
        assert after["run"]["fork_call"] == before["nodes"][2]["id"]
        assert edges(after) == edges(before)
        await user.until(lambda: any(end.message and "3 of 7 calls live" in end.message for end in ends(user)))
        # The editor shows the new run, with the edit as what the program received.
        assert await user.hints(uri) != hints
        assert user.messages == []
    assert "Traceback" not in log()


def ends(user: User) -> list[lsp.WorkDoneProgressEnd]:
    """The last words of what was shown as going on."""
    reports: list[Any] = [report for reports in user.client.progress_reports.values() for report in reports]
    return [report for report in reports if isinstance(report, lsp.WorkDoneProgressEnd)]


async def test_a_running_rerun_can_be_stopped(tmp_path: Path, model_server: ModelServer) -> None:
    file = tmp_path / "agent.py"
    file.write_text(
        "import openai, pathlib\n"
        "model = 'fail-hang' if pathlib.Path('slow').exists() else 'm'\n"
        "openai.OpenAI().chat.completions.create(model=model, messages=[{'role': 'user', 'content': 'x'}])\n",
        "utf-8",
    )
    start()
    await recorded(file, model_server)
    (tmp_path / "slow").touch()
    async with editor("vscode", env=model_server.env) as user:
        answer = await user.run("ao.rerun", run="last")
        await user.until(lambda: any(node["status"] == "running" for node in graph()["nodes"]))
        [token] = user.client.progress_reports
        user.client.window_work_done_progress_cancel(lsp.WorkDoneProgressCancelParams(token))
        await user.until(lambda: ends(user))
        assert [end.message for end in ends(user)] == ["was stopped"]
        await last_rerun(user, 2)
        assert graph()["run"]["id"] == answer["run"]
        assert graph()["run"]["status"] == "killed"
        assert user.messages == user.asked == []


async def test_a_rerun_that_fails_says_so_and_shows_its_output(tmp_path: Path, model_server: ModelServer) -> None:
    file = tmp_path / "agent.py"
    file.write_text(
        "import openai, pathlib\n"
        "reply = openai.OpenAI().chat.completions.create(model='m', messages=[{'role': 'user', 'content': 'x'}])\n"
        "assert not pathlib.Path('broken').exists(), 'broken since'\n",
        "utf-8",
    )
    start()
    await recorded(file, model_server)
    (tmp_path / "broken").touch()
    async with editor("vscode", env=model_server.env) as user:
        uri = await user.open(file)
        user.answers["the rerun failed"] = "Show its output"
        await user.click(uri, 2, "▶ rerun")
        await user.until(lambda: user.shown)
        assert "AssertionError: broken since" in user.shown[0].read_text("utf-8")
        assert user.asked == ["the rerun failed with exit code 1, 1 of 1 call live"]


async def test_reruns_start_in_the_environment_of_the_editor(tmp_path: Path, model_server: ModelServer) -> None:
    file = tmp_path / "agent.py"
    file.write_text(
        "import openai, os, pathlib\n"
        "openai.OpenAI().chat.completions.create(model='m', messages=[{'role': 'user', 'content': 'x'}])\n"
        "pathlib.Path('seen').write_text(os.environ.get('OPENAI_API_KEY', '') + os.environ.get('FROM_EDITOR', ''))\n",
        "utf-8",
    )
    start()
    await recorded(file, model_server)
    env = {**model_server.env, "OPENAI_API_KEY": "key-of-now,", "FROM_EDITOR": "yes"}
    async with editor("helix", env=env) as user:
        uri = await user.open(file)
        await user.click(uri, 2, "▶ rerun")
        await last_rerun(user, 2)
    assert (tmp_path / "seen").read_text("utf-8") == "key-of-now,yes"
