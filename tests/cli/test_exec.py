"""`ao exec`: every command of an editor means something on the command line; and `ao edit` in one's own editor."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ao_lsp.server.commands import ALIASES, COMMANDS
from ao_lsp.server.lsp.doing.commands import EDITOR_COMMANDS, EDITOR_ONLY
from tests.cli.test_ao import ao, ao_json
from tests.daemons import ask, log, start, until
from tests.recorder import record_run

pytestmark = pytest.mark.usefixtures("home")


def execute(name: str, **params: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ao("exec", name, json.dumps(params)).stdout)
    return found


def test_editors_and_the_command_line_have_the_same_commands() -> None:
    assert set(EDITOR_COMMANDS) == {*COMMANDS, *ALIASES}
    assert set(EDITOR_ONLY) <= set(COMMANDS)
    for name, own in EDITOR_ONLY.items():
        assert own.params is COMMANDS[name].params, name
    assert all(name.partition(".")[2].isalpha() for name in COMMANDS), "names are dotted camelCase"
    assert set(ALIASES.values()) <= set(COMMANDS)


def test_what_an_editor_shows_is_a_file_here() -> None:
    start()
    record_run("run1")
    for name, params, ending in (
        ("ao.openPrompt", {"call": 1}, "-1.prompt.md"),
        ("ao.openOutput", {"call": 1, "format": "json"}, "-1.response.json"),
        ("ao.graph", {"open": True, "format": "svg"}, "graph.svg"),
        ("ao.graph", {"open": True}, "graph.txt"),
        ("ao.call", {"open": True, "call": 2}, "-2.md"),
    ):
        found = execute(name, run="run1", **params)
        file = Path(found["path"])
        assert file.name.endswith(ending)
        assert stat.S_IMODE(file.stat().st_mode) == 0o400
        assert execute("ao.content", uri=found["uri"])["text"] == file.read_text("utf-8")
    record_run("run2")
    assert Path(execute("ao.openDiff", a="run1", b="run2")["path"]).read_text("utf-8").startswith("# ")
    assert "nothing of what run run1 printed was kept" in ao("exec", "ao.openLog", '{"run": "run1"}', code=1).stderr


def test_what_an_editor_opens_to_edit_is_a_file_here_and_what_it_starts_is_said(tmp_path: Path) -> None:
    start()
    record_run("run1")
    found = execute("ao.editInput", run="run1", call=1)
    assert json.loads(Path(found["path"]).read_text("utf-8"))["messages"][0]["content"] == "c1"
    assert (found["field"], found["content"]) == ("input", found["recorded"])
    program = tmp_path / "my agent.py"
    said = execute("ao.record", file=str(program), arguments=["--fast"])
    assert said == {
        "command": "ao-record 'my agent.py' --fast",
        "argv": ["ao-record", "my agent.py", "--fast"],
        "cwd": str(tmp_path),
    }
    assert execute("ao.howToRecord", file=str(program))["command"] == "ao-record 'my agent.py'", "a name of before"


def test_an_edit_without_a_file_opens_the_users_editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start()
    record_run("run1")
    editor = tmp_path / "an editor.py"
    editor.write_text(
        "import os, pathlib, sys\n"
        "file = pathlib.Path(sys.argv[-1])\n"
        "assert sys.argv[1] == '--wait'\n"
        "if os.environ['WRITES'] != 'nothing':\n"
        "    file.write_text(os.environ['WRITES'])\n",
        "utf-8",
    )
    monkeypatch.setenv("VISUAL", f"'{sys.executable}' '{editor}' --wait")
    monkeypatch.setenv("WRITES", "a better answer\n")
    assert ao("edit", "run1", "1").stdout.startswith("stored the edited output of call 1; rerun with")
    assert ask("ao.call", run="run1", call=1)["edits"][0]["content"] == "a better answer"
    assert ao("edit", "run1", "1").stderr == "nothing was changed\n"
    monkeypatch.setenv("WRITES", "output of c1\n")
    assert ao("edit", "run1", "1").stdout == "took back the edited output of call 1: it is as it was recorded\n"
    assert ask("ao.call", run="run1", call=1)["edits"] == []
    monkeypatch.setenv("WRITES", '{"messages": [}')
    refused = ao("edit", "run1", "1", "--input", code=1).stderr
    assert "is not JSON" in refused
    assert "what you wrote is in " in refused
    monkeypatch.setenv("WRITES", "another question")
    assert ao_json("edit", "run1", "1", "--input")["field"] == "input"
    monkeypatch.setenv("VISUAL", "no-such-editor")
    assert "no-such-editor cannot be started" in ao("edit", "run1", "1", code=1).stderr
    monkeypatch.delenv("VISUAL")
    monkeypatch.delenv("EDITOR", raising=False)
    assert "no terminal for an editor" in ao("edit", "run1", "1", code=1).stderr


def interrupted(folder: Path, *arguments: str) -> None:
    """Press Ctrl-C when the program runs that a command has started."""
    with subprocess.Popen([sys.executable, "-m", "ao_lsp.cli.ao", *arguments], stdout=subprocess.DEVNULL) as process:
        until(lambda: (folder / "began").exists(), log())
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130


def test_who_waits_for_a_rerun_and_leaves_ends_it(tmp_path: Path) -> None:
    start()
    (tmp_path / "agent.py").write_text(
        "import pathlib, time\n"
        "pathlib.Path('began').touch()\n"
        "while not pathlib.Path('enough').exists():\n"
        "    time.sleep(0.02)\n"
    )
    record_run("run1", calls=1, cwd=str(tmp_path), python=sys.executable)
    interrupted(tmp_path, "exec", "ao.rerun", '{"run": "run1", "wait": true}')
    until(lambda: [run["status"] for run in ask("ao.runs")["runs"]] == ["killed", "finished"], log())
    # One that nobody waits for goes on, also past the end of the daemon.
    (tmp_path / "began").unlink()
    run = execute("ao.rerunFrom", run="run1", call=1)["run"]
    until(lambda: (tmp_path / "began").exists(), log())
    ask("daemon.stop")
    (tmp_path / "enough").touch()
    until(lambda: ao_json("graph", run)["run"]["status"] == "finished", log())
