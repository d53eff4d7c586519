"""`AO_NO_DAEMON=1`: the same server within the process that the editor started."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ao_lsp import paths
from tests.daemons import daemons_of, have_a_newer_database, log
from tests.lsp.conftest import PLAN, plan_site
from tests.lsp.editors import AO_LSP, editor
from tests.lsp.raw import client, notification
from tests.recorder import Recorder

ALONE = {"AO_NO_DAEMON": "1"}


def spooled(file: Path, run: str) -> None:
    """A run that no daemon has seen."""
    recorder = Recorder(run)
    recorder.start(argv=[str(file)], target={"kind": "script", "value": str(file)}, cwd=str(file.parent))
    recorder.call("c1", site=plan_site(file), stack=[plan_site(file)])
    recorder.end()
    recorder.spool()


async def test_the_server_runs_without_a_daemon_and_finds_what_was_recorded(agent: Path, home: str) -> None:
    spooled(agent, "before")
    async with editor("vscode", env=ALONE) as user:
        uri = await user.open(agent)
        # It may have been taken in before the editor was there, and then nothing is refreshed.
        while await user.hints(uri) != {PLAN: "→ output of c1"}:
            await user.until(lambda: user.refreshes)
            user.refreshes.clear()
        spooled(agent, "meanwhile")
        while [run["id"] for run in (await user.run("ao.runs"))["runs"]] != ["meanwhile", "before"]:
            await user.until(lambda: user.refreshes)
            user.refreshes.clear()
        assert daemons_of(home) == []
    assert "Traceback" not in log()


def test_it_ends_as_the_editor_wants_it(home: str) -> None:
    with client(ALONE) as raw:
        raw.begin()
        raw.ask(1, "shutdown")
        raw.send(notification("exit"))
        assert (raw.receive(), raw.code(), raw.errors()) == (None, 0, "")
    with client(ALONE) as raw:
        raw.begin()
        raw.hang_up()
        assert raw.code() == 0
    assert daemons_of(home) == []


@pytest.mark.usefixtures("home")
def test_a_database_that_cannot_be_used_is_said() -> None:
    have_a_newer_database()
    with client(ALONE) as raw:
        message = raw.receive()
        assert message is not None
        assert "made by a newer ao-lsp" in message["params"]["message"]
        assert raw.code() == 1


@pytest.mark.usefixtures("home")
def test_a_program_that_is_recorded_without_a_daemon_starts_none(agent: Path, home: str) -> None:
    agent.write_text("print('hello')\n")
    record = str(Path(AO_LSP).with_name("ao-record"))
    done = subprocess.run([record, agent], env={**os.environ, **ALONE}, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "hello\n", "")
    assert daemons_of(home) == []
    assert len(os.listdir(paths.spool_dir())) == 1
