"""The example agents, run to the end as a user runs them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import model_server as program
import pytest
from model_server import ModelServer

EXAMPLES = Path(program.__file__).parent


def run(script: str, server: ModelServer, *args: str) -> str:
    """What the program prints; its tracebacks fail the test."""
    result = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / script), *args],
        env={**os.environ, **server.env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def prompts(server: ModelServer) -> list[str]:
    """The last message of each request, in the order in which they came."""
    return [str(last(entry["request"])) for entry in server.requests]


def last(request: dict[str, Any]) -> object:
    return request["messages"][-1]["content"]


def test_the_research_agent_prints_a_report_about_its_topic(model_server: ModelServer) -> None:
    output = run("research_agent.py", model_server, "city", "bees")
    headlines = re.findall(r"^--- (\w+) -+$", output, re.MULTILINE)
    assert headlines == ["Questions", "Draft", "Critique", "Report"]
    assert output.count("# City bees") == 2
    assert len(model_server.requests) == 7


def test_each_step_of_the_research_agent_uses_what_came_before(model_server: ModelServer) -> None:
    output = run("research_agent.py", model_server)
    parts = re.split(r"^--- \w+ -+$", output, flags=re.MULTILINE)[1:]
    questions, draft, critique, report = (part.strip() for part in parts)
    planned, *searched, written, criticised, revised = prompts(model_server)
    assert "night trains in Europe" in planned
    assert sorted(searched) == sorted(questions.splitlines())
    assert all(question in written for question in searched)
    assert draft in criticised
    assert draft in revised
    assert critique in revised
    assert report != draft


def test_the_research_agent_says_the_same_every_time(model_server: ModelServer) -> None:
    assert run("research_agent.py", model_server) == run("research_agent.py", model_server)


def test_the_chat_goes_through_a_tool_and_carries_its_history(model_server: ModelServer) -> None:
    output = run("anthropic_chat.py", model_server, "Porto")
    assert "get_weather says city Porto" in output
    assert "In short:" in output.splitlines()[-1]
    lengths = [len(entry["request"]["messages"]) for entry in model_server.requests]
    assert lengths == [1, 3, 5, 7, 7, 1]
    assert [n for n, entry in enumerate(model_server.requests) if entry["request"].get("stream")] == [2]


@pytest.mark.parametrize("script", ["research_agent.py", "anthropic_chat.py"])
def test_the_agents_know_nothing_of_this_project(script: str) -> None:
    assert "ao_" not in (EXAMPLES / script).read_text("utf-8")
