"""What an editor shows on variables whose values came from calls: the real server, a program recorded for real."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from lsprotocol import types as lsp
from model_server import ModelServer

from tests.daemons import log, start
from tests.lsp.editors import User, editor
from tests.runner.recorded import RECORD
from tests.server.traced import ASK

pytestmark = pytest.mark.usefixtures("home")

AGENT = Path(__file__).parents[2] / "examples" / "research_agent.py"


@pytest.fixture
def agent(tmp_path: Path, home: str, model_server: ModelServer) -> Iterator[Path]:
    """A copy of the research agent that has been recorded, with a daemon."""
    assert home
    file = Path(shutil.copy(AGENT, tmp_path / "agent.py"))
    start()
    record(file, model_server)
    yield file
    assert "Traceback" not in log()


def record(file: Path, server: ModelServer, python: str = sys.executable) -> None:
    command = [RECORD, "--python", python, file.name]
    env = {**os.environ, **server.env}
    subprocess.run(command, cwd=file.parent, env=env, check=True, capture_output=True, timeout=60)


async def hints(user: User, uri: str, text: str) -> dict[str, str]:
    """The hints on variables of a buffer with this text, by name and line."""
    lines = text.split("\n")
    found = {}
    for line, column, label in await user.variable_hints(uri):
        name = re.search(r"\w+$", lines[line - 1][:column])
        assert name is not None
        found[f"{name[0]} in {lines[line - 1].strip()[:20]}"] = label
    return found


EXPECTED = {
    "task in def messages(role: s": "⟵ plan, search ×3, write +1",
    "reply in def text(reply: Chat": "⟵ plan, search ×3, criticise +1",
    "questions in questions: list[str]": "⟵ plan",
    "questions in async def search_all": "⟵ plan",
    "notes in def write(client: Op": "⟵ plan, search ×3",
    'task in task = f"Write a sho': "⟵ plan, search ×3",
    "chunk in for chunk in stream:": "⟵ write",
    "piece in piece = chunk.choice": "⟵ write",
    "draft in def criticise(client": "⟵ write",
    'task in task = f"Criticise t': "⟵ write",
    "draft in def revise(client: O": "⟵ write",
    "critique in def revise(client: O": "⟵ criticise",
    'task in task = f"Revise the ': "⟵ write, criticise",
    "questions in questions = plan(cli": "⟵ plan",
    "answers in answers = asyncio.ru": "⟵ search ×3",
    'notes in notes = [f"## {quest': "⟵ plan, search ×3",
    'question in notes = [f"## {quest': "⟵ plan",
    'answer in notes = [f"## {quest': "⟵ search ×3",
    "draft in draft = write(client": "⟵ write",
    "critique in critique = criticise": "⟵ criticise",
}


async def test_hints_say_which_calls_the_values_of_a_variable_came_from_and_follow_the_buffer(agent: Path) -> None:
    async with editor("neovim-0.12") as user:
        uri = await user.open(agent)
        text = agent.read_text()
        assert await hints(user, uri, text) == EXPECTED
        # Lines are put in before it, one is indented, one edited, one is gone, and the syntax is broken.
        text = text.replace("def text(", "# more\n\n\ndef text(", 1)
        text = text.replace("        critique = criticise", "            critique = criticise")
        text = text.replace("draft = write(client, topic, notes)", "draft = write(client, topic.title(), notes")
        text = text.replace("        questions = plan(client, topic)\n", "")
        user.replace(uri, text)
        gone = "questions in questions = plan(cli"
        assert await hints(user, uri, text) == {where: said for where, said in EXPECTED.items() if where != gone}
        text = text.replace("draft = write(client, topic.title(), notes", "draft = 'nothing of it is left'")
        user.replace(uri, text)
        assert "draft in draft = 'nothing of " not in await hints(user, uri, text)


async def test_a_hover_tells_hop_by_hop_how_a_value_came_to_where_a_variable_is_used(agent: Path) -> None:
    lines = agent.read_text().split("\n")
    line = next(number for number, text in enumerate(lines, 1) if "print(revise(" in text)
    column = lines[line - 1].index("draft")
    async with editor("neovim-0.12") as user:
        found = await user.hover(await user.open(agent), line, column + 1)
        assert found.startswith("**draft** ⟵ write, in run agent.py\n\n**5 write** → ")
        hops = re.findall(r"^- \[agent\.py:(\d+)\]\(file://.*/agent\.py#L(\d+)\) `(.*)`$", found, re.MULTILINE)
        written = [number for number, *_ in hops]
        assert written == [anchor for _, anchor, _ in hops] == ["50", "52", "57", "82"]
        assert [code for *_, code in hops][1:] == ["for chunk in stream:", 'return "".join(pieces)', lines[81].strip()]
        params = lsp.HoverParams(lsp.TextDocumentIdentifier(agent.as_uri()), lsp.Position(line - 1, column))
        hover = await user.client.text_document_hover_async(params)
        assert hover is not None
        assert hover.range is not None
        assert hover.range == lsp.Range(lsp.Position(line - 1, column), lsp.Position(line - 1, column + len("draft")))
    async with editor("empty") as user:
        plain = await user.hover(await user.open(agent), line, column)
        assert plain.startswith("draft ⟵ write, in run agent.py\n\n5 write → ")
        assert '\n    agent.py:57 return "".join(pieces)\n' in plain
        # What is called keeps the hover of the call; its arguments have their own.
        assert "tokens in" in await user.hover(agent.as_uri(), 32, 30)
        assert await user.hover(agent.as_uri(), 1, 3) == ""


async def test_they_can_be_switched_off_alone_and_are_those_of_the_last_run(
    agent: Path, model_server: ModelServer
) -> None:
    options = {"ao": {"version": 1, "settings": {"variable_hints": False}}}
    async with editor("neovim-0.12", options=options) as user:
        uri = await user.open(agent)
        assert await user.variable_hints(uri) == []
        assert await user.hints(uri)
    text = agent.read_text().replace("critique = criticise(client, draft)", "critique = 'fine'")
    agent.write_text(text)
    record(agent, model_server)
    async with editor("neovim-0.12") as user:
        found = await hints(user, await user.open(agent), text)
        assert found['task in task = f"Revise the '] == "⟵ write"
        assert not any(where.startswith("critique") for where in found)


async def test_values_are_followed_into_functions_of_other_files(tmp_path: Path, model_server: ModelServer) -> None:
    (tmp_path / "helpers.py").write_text(ASK)
    program = tmp_path / "program.py"
    text = 'from helpers import ask\n\nplan = ask("a plan")\nreport = ask("a report on " + plan)\nprint(report)\n'
    program.write_text(text)
    start()
    record(program, model_server)
    async with editor("neovim-0.12") as user:
        uri = await user.open(program)
        found_hints = await hints(user, uri, text)
        assert found_hints == {'plan in plan = ask("a plan")': "⟵ ask", 'report in report = ask("a repo': "⟵ ask"}
        found = await user.hover(uri, 5, 8)
        assert found.startswith("**report** ⟵ ask, in run program.py\n\n**2 ask** → ")
        assert re.findall(r"^- \[([a-z]+\.py):\d+\]", found, re.MULTILINE) == ["helpers.py", "helpers.py", "program.py"]
        helpers = await user.open(tmp_path / "helpers.py")
        assert (await hints(user, helpers, ASK))["text in def ask(text):  # te"] == "⟵ ask"
    assert "Traceback" not in log()
