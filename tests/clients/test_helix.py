"""Helix in a terminal against the real `ao-lsp`: what a user sees, from the first recording to the rerun of an edit."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from model_server import ModelServer

from tests.clients import helix, installed, tmux
from tests.clients.helix import Helix
from tests.daemons import ask, log, own_home, until

BIN = Path(sys.executable).parent
PLAN, SEARCH, WRITE, CRITICISE = 32, 39, 50, 62
"""Lines of calls in examples/research_agent.py."""


@pytest.fixture
def agent(tmp_path: Path) -> Path:
    """The example program, in a folder of its own."""
    return Path(shutil.copy(installed.ROOT / "examples" / "research_agent.py", tmp_path / "research_agent.py"))


@pytest.fixture(params=["hx-25.01", "hx-25.07"])
def hx(
    request: pytest.FixtureRequest,
    agent: Path,
    tmp_path: Path,
    model_server: ModelServer,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Helix]:
    """A Helix that has the program open, which was never recorded."""
    program = installed.program(request.param)
    if reason := tmux.missing():
        pytest.skip(reason)
    with own_home(monkeypatch):
        for name, value in model_server.env.items():  # what is started from the editor has its environment
            monkeypatch.setenv(name, value)
        with helix.start(program, agent, tmp_path / "home", f"{BIN}{os.pathsep}{os.environ['PATH']}") as running:
            yield running


def test_a_program_is_recorded_seen_edited_and_rerun_from_helix(hx: Helix, request: pytest.FixtureRequest) -> None:
    shows_files = "hx-25.07" in request.node.name
    screen = hx.terminal
    hx.choose(PLAN, "ao: how to record this call")
    screen.wait_for("ao-record research_agent.py")

    hx.command("sh ao-record research_agent.py")
    screen.wait_for("--- Draft")  # it prints into a popup
    hx.go(WRITE)
    hx.sees('→ [ "What', "→ Asked about", "→ # Night trains", edits=True)

    screen.type("t(")  # onto what is called
    screen.type(" k")
    screen.wait_for("write · call 5 of research_agent.py", "← 1 plan at research_agent.py:32")
    titles = hx.actions(WRITE)
    assert titles[:3] == [
        "ao: rerun from call 5 (write)",
        "ao: edit the output of call 5 (write)",
        "ao: edit the input of call 5 (write)",
    ]
    assert "ao: graph of research_agent.py" in titles

    hx.choose(WRITE, "ao: edit the output")
    if not shows_files:  # it is among the buffers
        screen.wait_for("the output of call 5 (write) is open now: ")
        screen.type(" b")
        screen.wait_for("write-5.output.md")
        screen.type("md")
        screen.send("Enter")
    screen.wait_for("1  # Night trains", "write-5.output.md")
    hx.normal()
    screen.type("%c")
    screen.wait_for(" INS ")
    screen.type("Trains are late.")
    hx.command("write")
    if shows_files:
        screen.wait_for("stored the edited output of call 5 (write). Rerun from here? 2 of 7 calls live", "Not now")
        screen.send("Enter")
    else:
        screen.wait_for("stored the edited output of call 5 (write)")
    hx.command("open research_agent.py")
    if not shows_files:
        hx.choose(WRITE, "ao: rerun from call 5 (write)")
    until(lambda: len(ask("ao.runs")["runs"]) == 2 and ask("ao.runs")["runs"][0]["status"] == "finished", log())
    hx.go(WRITE)
    hx.sees("→ Trains are late.", edits=True)

    if shows_files:
        hx.command('lsp-workspace-command ao.graph {"open": true}')
    else:
        hx.command("lsp-workspace-command")
        screen.wait_for("ao.graph")
        screen.type("ao.graph")
        screen.send("Enter")
        screen.wait_for("the graph is open now: ")
        screen.type(" b")
        screen.wait_for("graph.txt")
        screen.type("graph")
        screen.send("Enter")
    screen.wait_for("graph.txt", "1  ○    plan", "◆◀╯  write", "●◀╯  revise", "● live   ○ replayed   ◆ edited")
    assert "Traceback" not in log()


@pytest.mark.parametrize("hx", ["hx-25.07"], indirect=True)
def test_which_of_several_calls_is_meant_is_asked_in_helix(hx: Helix) -> None:
    hx.command("sh ao-record research_agent.py")
    hx.terminal.wait_for("--- Draft")
    hx.go(SEARCH)
    hx.sees("→ Asked about", edits=True)
    hx.choose(SEARCH, "ao: edit the output of")
    hx.terminal.wait_for("Edit the output of which call?", "call 2 (search)", "call 4 (search)")
    hx.terminal.send("Down", "Enter")
    hx.terminal.wait_for("search-3.output.md")


def test_a_failed_call_is_a_diagnostic_in_helix(hx: Helix, agent: Path) -> None:
    source = agent.read_text("utf-8")
    agent.write_text(source.replace('QUICK = "gpt-5.4-mini"', 'QUICK = "fail-401"'), "utf-8")
    hx.command("reload")
    hx.command("sh ao-record research_agent.py")
    hx.terminal.wait_for("AuthenticationError")
    hx.go(PLAN)
    hx.sees("●  32 ")  # in the gutter
    hx.terminal.type(" d")  # the list of diagnostics
    # Of the call, until the run has ended; then of the run. A list that is open stays as it was.
    hx.terminal.wait_for(" failed", "ERROR", seconds=10)
