"""Emacs against the real `ao-lsp`, set up as docs/editors.md says: what a user sees, from the first recording to the
rerun of an edit."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from model_server import ModelServer

from tests.clients import documented, installed
from tests.daemons import ask, log, own_home, until

BIN = Path(sys.executable).parent
CLIENT = installed.ROOT / "clients" / "emacs"
DRIVERS = Path(__file__).parent / "emacs"


@pytest.fixture
def agent(tmp_path: Path) -> Path:
    """The example program, in a folder of its own."""
    return Path(shutil.copy(installed.ROOT / "examples" / "research_agent.py", tmp_path / "research_agent.py"))


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The test's own AO_HOME; daemons under it end with the test."""
    with own_home(monkeypatch) as path:
        yield path


def driven(emacs: Path, way: str, agent: Path, server: ModelServer) -> dict[str, Any]:
    """What an Emacs without a screen tells on the whole way, set up as the page says for `lsp-mode` or `eglot`."""
    setups = {"lsp-mode": "lsp-deferred", "eglot": "eglot-ensure"}
    [setup] = [text for _, text in documented.snippets("Emacs") if setups[way] in text]
    init = agent.parent / "init.el"
    init.write_text(setup.replace("/path/to/ao-lsp/clients/emacs", str(CLIENT)), "utf-8")
    command: list[str | Path] = [emacs, "--batch", "-l", DRIVERS / "drive.el", "-l", init, "-l", DRIVERS / f"{way}.el"]
    variables = {"HOME": str(agent.parent), "AGENT": str(agent), "LC_ALL": "C.UTF-8"}
    variables["PATH"] = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    result = subprocess.run(
        command, env={**os.environ, **server.env, **variables}, capture_output=True, text=True, timeout=120, check=False
    )
    told = dict(json.loads(line) for line in result.stdout.splitlines() if line.startswith('["'))
    assert result.returncode == 0, f"{told}\n{result.stderr}\n{log()}"
    return told


@pytest.mark.parametrize("name", ["emacs-28", "emacs-30"])
def test_a_program_is_recorded_seen_edited_and_rerun_from_lsp_mode(
    agent: Path, model_server: ModelServer, name: str
) -> None:
    told = driven(installed.program(name), "lsp-mode", agent, model_server)
    assert told["before"] == "50 not recorded yet"
    assert told["lens"].startswith("50 ▶ rerun from here|✎ output|✎ input|graph|gpt-5.4 · ")
    assert told["actions"][:2] == ["ao: rerun from call 5 (write)", "ao: edit the output of call 5 (write)"]
    assert "← 1 plan at research_agent.py:32" in told["hover"]
    assert told["edit file"] == "# Night trains in Europe"
    assert told["asked"][0].startswith("stored the edited output of call 5 (write). Rerun from here? 2 of 7 calls live")
    assert told["after"].startswith("50 ▶ rerun from here|")
    assert "Trains are late." in told["hover after"]
    assert "◆◀╯  write" in told["graph"]
    assert told["asked for runs"] == 1
    assert told["graph of a chosen run"].startswith("research_agent.py · finished · 7 calls")
    assert [node["origin"] for node in ask("ao.graph")["nodes"]] == ["replayed"] * 4 + ["edited", "live", "live"]
    assert "Traceback" not in log()


@pytest.mark.parametrize("name", ["emacs-28", "emacs-30"])
def test_a_program_is_recorded_seen_edited_and_rerun_from_eglot(
    agent: Path, model_server: ModelServer, name: str
) -> None:
    told = driven(installed.program(name), "eglot", agent, model_server)
    assert told["actions"][:2] == ["ao: rerun from call 5 (write)", "ao: edit the output of call 5 (write)"]
    assert "← 1 " in told["hover"]  # the links behind it are Markdown, where Emacs has no mode for it
    assert told["edit file"] == "# Night trains in Europe"
    assert "stored the edited output of call 5 (write). Rerun from here? 2 of 7 calls live" in told["asked"][0]
    assert "Trains are late." in told["hover after"]
    until(lambda: len(ask("ao.runs")["runs"]) == 2 and ask("ao.runs")["runs"][0]["status"] == "finished", log())
    assert [node["origin"] for node in ask("ao.graph")["nodes"]] == ["replayed"] * 4 + ["edited", "live", "live"]
    assert "Traceback" not in log()


@pytest.mark.parametrize("name", ["emacs-28", "emacs-30"])
def test_the_client_compiles_without_a_warning(tmp_path: Path, name: str) -> None:
    file = shutil.copy(CLIENT / "ao.el", tmp_path)
    command: list[str | Path] = [installed.program(name), "-Q", "--batch"]
    command += ["--eval", "(setq byte-compile-error-on-warn t)", "-f", "batch-byte-compile", file]
    result = subprocess.run(
        command,
        capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "HOME": str(tmp_path)},
    )  # fmt: skip
    assert (result.returncode, result.stderr) == (0, "")
