"""Fixtures of the language server's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemons import own_home, start
from tests.recorder import Recorder

AGENT = '''\
"""An agent."""

import openai

client = openai.OpenAI()


def plan(topic):
    reply = client.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": topic}])
    return reply.choices[0].message.content


def search(question):
    return client.chat.completions.create(
        model="gpt-5-mini",
        messages=[{"role": "user", "content": question}],
    )


def never():
    return client.chat.completions.create(model="gpt-5", messages=[])
'''
PLAN, SEARCH, NEVER = 9, 14, 21
"""The lines of its calls."""


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The test's own AO_HOME; daemons under it end with the test."""
    with own_home(monkeypatch) as path:
        yield path


@pytest.fixture
def agent(tmp_path: Path) -> Path:
    """The source of an agent program."""
    file = tmp_path / "agent.py"
    file.write_text(AGENT, "utf-8")
    return file


def site(file: Path, line: int, end_line: int, column: int, end_column: int, function: str) -> dict[str, object]:
    return {
        "file": str(file), "line": line, "end_line": end_line, "column": column, "end_column": end_column,
        "function": function,
    }  # fmt: skip


def plan_site(file: Path) -> dict[str, object]:
    return site(file, PLAN, PLAN, 12, 103, "plan")


def search_site(file: Path) -> dict[str, object]:
    return site(file, SEARCH, SEARCH + 3, 11, 5, "search")


def begin(file: Path, run: str = "run1") -> Recorder:
    """A run of the agent program, just started."""
    recorder = Recorder(run).connect()
    recorder.start(argv=[str(file)], target={"kind": "script", "value": str(file)}, cwd=str(file.parent))
    return recorder


def record(file: Path, run: str = "run1") -> None:
    """A finished run of the agent program: a plan, and two searches that follow from it. With a daemon."""
    start()
    recorder = begin(file, run)
    recorder.call("c1", site=plan_site(file), stack=[plan_site(file)])
    for call in ("c2", "c3"):
        recorder.call(call, ("c1",), site=search_site(file), stack=[search_site(file)])
    recorder.end()
    recorder.wait()
    recorder.close()
