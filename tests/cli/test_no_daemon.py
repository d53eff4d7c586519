"""`AO_NO_DAEMON=1`: each command does the daemon's work itself, beside others that do, and beside a daemon."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from model_server import ModelServer

from ao_lsp import paths
from tests.daemons import ask, daemons_of, have_a_newer_database, log, start, until
from tests.recorder import Recorder

pytestmark = pytest.mark.usefixtures("home")

ALONE = {"AO_NO_DAEMON": "1"}
RECORD = str(Path(sys.executable).with_name("ao-record"))

PROGRAM = """
import openai
client = openai.OpenAI()
for question in ("one", "two"):
    client.chat.completions.create(model="m", messages=[{"role": "user", "content": question}])
"""


def started(program: str, *arguments: str, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", f"ao_lsp.cli.{program}", *arguments],
        env={**os.environ, **ALONE, **env}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip


def run(program: str, *arguments: str, code: int = 0, env: dict[str, str] | None = None) -> str:
    process = started(program, *arguments, **(env or {}))
    said, complained = process.communicate(timeout=60)
    assert process.returncode == code, complained or said
    assert "Traceback" not in complained
    return said or complained


def ao(*arguments: str, env: dict[str, str] | None = None) -> Any:
    return json.loads(run("ao", *arguments, "--json", env=env))


def spooled(name: str) -> None:
    recorder = Recorder(name)
    recorder.start()
    recorder.call("c1")
    recorder.call("c2", ("c1",))
    recorder.end()
    recorder.spool()


def test_commands_do_their_work_themselves_and_no_daemon_is_started(
    home: str, tmp_path: Path, model_server: ModelServer
) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    env = {**os.environ, **model_server.env, **ALONE}
    subprocess.run([RECORD, program], env=env, check=True, timeout=60)
    assert len(os.listdir(paths.spool_dir())) == 1
    found = ao("graph")
    assert [node["status"] for node in found["nodes"]] == ["ok", "ok"]
    assert found["run"]["status"] == "finished"
    assert os.listdir(paths.spool_dir()) == []
    first = found["run"]["id"]
    edit = tmp_path / "edit"
    edit.write_text("edited")
    ao("edit", "last", "1", "--output", str(edit))
    # In the foreground, as the program itself; and in the background, with an answer when it has ended.
    run("ao", "rerun", first, env=model_server.env)
    assert [node["origin"] for node in ao("graph")["nodes"]] == ["edited", "replayed"]
    assert ao("rerun", first, env=model_server.env)["exit_code"] == 0
    assert ao("exec", "ao.runs", "{}")["total"] == 3
    events = [json.loads(line) for line in run("ao", "events", first, "--json").splitlines()]
    assert [event["seq"] for event in events] == sorted({event["seq"] for event in events})
    assert {event["run"] for event in events} == {first}
    assert ao("rm", first)["deleted"] == [first]
    assert daemons_of(home) == []
    assert "Traceback" not in log()


def test_what_cannot_be_is_said_as_ever(home: str) -> None:
    assert "nothing has been recorded yet" in run("ao", "graph", code=1)
    os.makedirs(paths.data_dir(), exist_ok=True)
    for name in os.listdir(paths.data_dir()):
        if name.startswith("ao.db"):
            os.unlink(os.path.join(paths.data_dir(), name))
    have_a_newer_database()
    assert "made by a newer ao-lsp" in run("ao", "graph", code=1)
    assert daemons_of(home) == []


def test_ao_server_says_that_there_is_to_be_none(home: str) -> None:
    assert "AO_NO_DAEMON is set" in run("server", "start", code=1)
    assert "AO_NO_DAEMON is set" in run("server", "restart", code=1)
    assert "AO_NO_DAEMON is set" in run("server", "status")
    assert json.loads(run("server", "status", "--json")) == {"state": "stopped"}
    assert run("server", "stop") == "no daemon runs\n"
    spooled("run1")
    assert json.loads(run("server", "clear", "--yes", "--json"))["deleted"] == 1
    assert daemons_of(home) == []


def test_a_daemon_that_runs_is_seen_and_stopped_all_the_same(home: str) -> None:
    pid = start()
    assert json.loads(run("server", "status", "--json"))["pid"] == pid
    assert "AO_NO_DAEMON is set" in run("server", "restart", code=1)
    assert daemons_of(home) == [pid]
    assert run("server", "stop") == f"stopped process {pid}\n"


def test_a_program_writes_to_a_file_also_where_a_daemon_runs(tmp_path: Path, model_server: ModelServer) -> None:
    pid = start()
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    subprocess.run([RECORD, program], env={**os.environ, **model_server.env, **ALONE}, check=True, timeout=60)
    assert [node["status"] for node in ao("graph")["nodes"]] == ["ok", "ok"]
    assert [client["role"] for client in ask("daemon.status")["clients"]] == ["cli"]
    assert ask("daemon.status")["pid"] == pid


def test_many_at_once_and_a_daemon_take_every_event_in_once() -> None:
    for number in range(30):
        spooled(f"run{number}")
    everyone = [started("ao", "runs", "--json") for _ in range(4)]
    start()  # takes them in as well
    for process in everyone:
        said, complained = process.communicate(timeout=60)
        assert (process.returncode, complained) == (0, ""), complained
        json.loads(said)
    assert ask("ao.runs")["total"] == 30
    for number in range(3):
        found = ask("ao.graph", run=f"run{number}")
        assert ([node["id"] for node in found["nodes"]], len(found["edges"])) == (["c1", "c2"], 1)
        changes = [json.loads(line) for line in run("ao", "events", f"run{number}", "--json").splitlines()]
        assert [(change["seq"], change["kind"]) for change in changes[:6]] == list(
            enumerate(("run.started", "call.started", "call.ended", "call.started", "call.ended", "run.ended"), 1)
        )
    assert "Traceback" not in log()


# A program that is gone, while what it has sent last is still on its way: somebody holds its connection open.
HELD = """
import subprocess
from ao_lsp import connect, protocol
sock, _ = connect.open_session("record", run="run1", stream="s1")
sock.sendall(protocol.frame({"type": "run.start", "seq": 1, "at": 1.0, "run": "run1", "session": "s", "name": "held"}))
sock.recv(100)
quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
print(subprocess.Popen(["sleep", "600"], pass_fds=[sock.fileno()], **quiet).pid)
"""


def test_a_run_that_a_daemon_looks_after_is_not_called_lost_by_others() -> None:
    start()
    held = subprocess.run([sys.executable, "-c", HELD], capture_output=True, text=True, check=True, timeout=60).stdout
    assert ao("runs")["runs"][0]["status"] == "running"
    os.kill(int(held), signal.SIGKILL)
    until(lambda: ask("ao.runs")["runs"][0]["status"] != "running", "the daemon does not see it go")
    assert ao("runs")["runs"][0]["status"] == "killed"
