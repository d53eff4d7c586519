"""A daemon whose store is a PostgreSQL database: everything that a user does, as with a file."""

from __future__ import annotations

import pytest
from model_server import ModelServer

from tests import postgres
from tests.daemons import ask, kill, start
from tests.runner.recorded import Programs, column, edges, graph
from tests.runner.test_replay import AGENT, edit


@pytest.fixture(autouse=True)
async def _team(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AO_DATABASE", await postgres.server().database())


def test_a_program_is_recorded_shown_edited_and_rerun(programs: Programs, model_server: ModelServer) -> None:
    programs.record(AGENT, "--name", "first", env=model_server.env)
    recorded = graph()
    assert edges(recorded)
    kill(start())  # what is committed is there for the next daemon
    assert graph()["nodes"] == recorded["nodes"]
    edit("first", 1, "output", "go to the harbour")
    programs.rerun("first", "--from", "1", env=model_server.env)
    assert column(graph(), "origin") == ["edited", "replayed", "live", "live", "live"]
    assert [run["name"] for run in ask("ao.runs")["runs"]] == ["first", "first"]
    assert ask("daemon.status")["database"]["path"].startswith("postgresql:///ao")
    ask("daemon.clear")
    assert ask("ao.runs")["runs"] == []
