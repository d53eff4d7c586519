"""The daemon's life under stress: many starters, kill -9 at every stage, what is where the daemon should be."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from model_server import ModelServer

from ao_lsp import connect, paths, protocol
from ao_lsp.cli import client as cli_client
from ao_lsp.cli import server
from tests.daemons import LONG_S, ask, daemons_of, dial, gone, kill, log, patched_python, start, until
from tests.lsp.raw import client as editor
from tests.lsp.raw import request
from tests.recorder import Recorder, record_run
from tests.server.lifecycle import STAGES, client, happened, python_for, served

pytestmark = pytest.mark.usefixtures("home")

LOG = "server.log"


def test_fifty_starters_of_all_roles_get_one_daemon_and_no_error(home: str, tmp_path: Path) -> None:
    roles = ["cli"] * 20 + ["record"] * 15 + ["lsp"] * 15
    everyone = [(client(role, tmp_path), role) for role in roles]
    assert [served(process, role) for process, role in everyone] == [""] * 50
    assert len(daemons_of(home)) == 1
    assert log().count(" serves ") == 1
    assert "Traceback" not in log()
    until(lambda: ask("ao.runs", limit=100)["total"] == 15, "runs are missing")


@pytest.mark.parametrize("stage", STAGES)
def test_a_daemon_that_is_killed_at_any_stage_is_followed_by_one_that_serves(
    stage: str, home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AO_SERVER_PYTHON", python_for(stage, tmp_path))
    said = ""
    try:
        start()
        record_run("run1", 1)
        if stage == "retiring":
            sock = dial()
            sock.sendall(protocol.line({"ao": 1, "role": "cli", "version": "99.0", "pid": os.getpid()}))
            connect.read_line(sock)
        elif stage.startswith("leaving"):
            until(lambda: os.path.exists(paths.socket_path()), "no daemon")
            (pid,) = daemons_of(home)
            os.kill(pid, signal.SIGTERM)
            until(happened, "it did not leave")
    except connect.DaemonUnavailable as error:
        said = str(error)
    # Whoever waited for the one that was killed has at worst been told so.
    assert said == "" or LOG in said
    assert happened(), "it never got there"
    for role in ("cli", "record", "lsp"):
        assert served(client(role, tmp_path), role) == ""
    until(lambda: len(daemons_of(home)) == 1, "not one daemon")
    assert sorted(os.listdir(paths.runtime_dir())) == ["p1.lock", "p1.sock", "p1.start", "p1.status"]
    if not said:  # what had been acknowledged is there
        assert [node["status"] for node in ask("ao.graph", run="run1")["nodes"]] == ["ok"]


def test_a_daemon_that_is_killed_while_it_serves_everybody_is_followed_by_one_that_does(home: str) -> None:
    pid = start()
    runner = Recorder("run1").connect()
    runner.start()
    runner.wait()
    with editor() as raw:
        raw.begin()
        kill(pid)
        message = raw.receive()
        assert message is not None
        assert LOG in message["params"]["message"]
        assert raw.code() == 1
    assert runner.hung_up()
    runner.close()
    assert start() != pid
    runner.connect()
    runner.resend(*runner.sent)
    runner.call("c1")
    runner.end()
    runner.acknowledged = 0
    runner.wait()
    assert [node["id"] for node in ask("ao.graph", run="run1")["nodes"]] == ["c1"]
    assert len(daemons_of(home)) == 1


# -- what is where the daemon should be


def nobody_listens(path: str) -> object:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(path)
    return None


def a_plain_file(path: str) -> object:
    return Path(path).write_text("not a socket")


def a_link_to_nowhere(path: str) -> object:
    os.symlink("/nowhere/at/all", path)
    return None


def somebody_who_says_nothing(path: str) -> object:
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(path)
    sock.listen(64)
    return sock


def somebody_who_speaks_http(path: str) -> object:
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(path)
    sock.listen(64)

    def answer() -> None:
        while True:
            try:
                peer, _ = sock.accept()
            except OSError:
                return
            with peer, suppress(OSError):  # whoever only looks has left
                peer.recv(1 << 16)
                peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    threading.Thread(target=answer, daemon=True).start()
    return sock


@pytest.mark.parametrize(
    "place",
    [nobody_listens, a_plain_file, a_link_to_nowhere, somebody_who_says_nothing, somebody_who_speaks_http],
)
def test_what_is_at_the_socket_and_is_no_daemon_is_replaced(
    place: Callable[[str], object], home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "REPLY_TIMEOUT_S", 0.5)
    paths.secure_dir(paths.runtime_dir())
    kept = place(paths.socket_path())
    pid = start()
    assert daemons_of(home) == [pid]
    assert start() == pid
    if isinstance(kept, socket.socket):
        kept.shutdown(socket.SHUT_RDWR)
        kept.close()


def test_a_folder_at_the_socket_is_named() -> None:
    os.makedirs(os.path.join(paths.secure_dir(paths.runtime_dir()), os.path.basename(paths.socket_path()), "kept"))
    with pytest.raises(connect.DaemonUnavailable, match=r"cannot listen at .*p1\.sock: .*; move away what is there"):
        start()


def test_a_lock_that_somebody_else_holds_is_named_and_nobody_is_killed_for_it(
    home: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(connect, "LEAVE_S", 0.3)
    monkeypatch.setattr(server, "_OBEY_S", 0.1)
    paths.secure_dir(paths.runtime_dir())
    # As an earlier daemon left it, whose number another process has by now.
    Path(paths.lock_path()).write_text('{"pid": 1, "version": "0.0"}')
    fd = os.open(paths.lock_path(), os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_EX)
    try:
        with pytest.raises(connect.DaemonUnavailable, match=r"a process that is no daemon holds .*p1\.lock.*fuser"):
            start()
        killed: list[int] = []
        monkeypatch.setattr(os, "kill", lambda pid, _: killed.append(pid))
        with pytest.raises(SystemExit):
            server.main(["stop"])
        assert "a process that is no daemon holds" in capsys.readouterr().err
        assert killed == []
        assert daemons_of(home) == []
    finally:
        os.close(fd)
    monkeypatch.undo()


@pytest.mark.parametrize("stage", ["with the lock, without a socket", "bound, not renamed", "published, not ready"])
def test_a_daemon_that_hangs_while_it_starts_is_named_and_can_be_got_rid_of(
    stage: str, home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("AO_SERVER_PYTHON", python_for(stage, tmp_path, "SIGSTOP"))
        with pytest.raises(connect.DaemonUnavailable, match=LOG):
            connect.open_session("cli", timeout=3.0)
        until(happened, "it never got there")
        (pid,) = daemons_of(home)
        patch.setattr(server, "_OBEY_S", 0.3)
        patch.setattr(connect, "REPLY_TIMEOUT_S", 0.3)
        with pytest.raises(SystemExit) as ended:
            server.main(["stop"])
        assert (ended.value.code, capsys.readouterr().out) == (0, f"stopped process {pid}\n")
        assert gone(pid)
        assert start() != pid


# -- the folder of the socket


def test_a_link_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    os.makedirs(os.path.dirname(paths.runtime_dir()), exist_ok=True)
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    os.symlink(tmp_path / "elsewhere", paths.runtime_dir())
    with pytest.raises(connect.DaemonUnavailable, match="must be a folder of yours that nobody else can enter"):
        start()
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_program_is_recorded_also_where_the_folder_is_not_safe(tmp_path: Path) -> None:
    os.makedirs(paths.runtime_dir())
    os.chmod(paths.runtime_dir(), 0o777)
    assert served(client("record", tmp_path), "record") == ""
    assert len(os.listdir(paths.spool_dir())) == 1
    assert "must be a folder of yours" in served(client("cli", tmp_path), "cli")
    assert "must be a folder of yours" in served(client("lsp", tmp_path), "lsp")
    os.chmod(paths.runtime_dir(), 0o700)
    assert ask("ao.runs")["total"] == 1


# -- idle, stopped, older


def test_hammering_a_daemon_that_leaves_all_the_time_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AO_IDLE_S", "0.001")
    pids: list[int] = []
    failed: list[BaseException] = []

    def hammer() -> None:
        try:
            for _ in range(6):
                pids.append(ask("daemon.status")["pid"])
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=hammer) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG_S * 3)
    assert failed == []
    assert len(pids) == 24
    assert "Traceback" not in log()


def test_a_stopped_daemon_is_named_to_all_and_a_program_loses_nothing(
    home: str, tmp_path: Path, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = start()
    program = tmp_path / "program.py"
    program.write_text(
        "import openai\n"
        "for q in ('one', 'two'):\n"
        "    openai.OpenAI().chat.completions.create(model='m', messages=[{'role': 'user', 'content': q}])\n"
    )
    sock, reply = connect.open_session("cli")
    in_the_middle = cli_client.Client((sock, reply))
    with editor() as raw:
        raw.begin()
        os.kill(pid, signal.SIGSTOP)
        raw.send(request(1, "workspace/executeCommand", {"command": "ao.runs"}))
        command = [sys.executable, "-m", "ao_lsp.runner", str(program)]
        recorded = subprocess.run(
            command, env={**os.environ, **model_server.env}, capture_output=True, timeout=60, check=False
        )
        assert (recorded.returncode, recorded.stdout, recorded.stderr) == (0, b"", b"")
        monkeypatch.setattr(connect, "REPLY_TIMEOUT_S", 0.3)
        monkeypatch.setattr(cli_client, "_PATIENCE_S", 0.3)
        with pytest.raises(connect.DaemonUnavailable, match=f"does not answer; see .*{LOG}.*ao-server stop"):
            start()
        with pytest.raises(cli_client.CommandError, match="it is stuck") as said:
            in_the_middle.request("ao.runs")
        assert LOG in said.value.hint
        in_the_middle.close()
        # The forwarder looks every few seconds.
        message = raw.receive()
        assert message is not None
        assert "does not answer" in message["params"]["message"]
        assert LOG in message["params"]["message"]
        assert subprocess.run(
            [sys.executable, "-m", "ao_lsp.cli.server", "restart"],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout.startswith("ao-server")
        assert gone(pid)
    (new,) = daemons_of(home)
    assert new != pid
    assert [node["status"] for node in ask("ao.graph")["nodes"]] == ["ok", "ok"]


def test_an_editor_of_an_older_daemon_hears_of_what_the_newer_one_records(
    home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = start()
    with editor() as raw:
        raw.begin(capabilities={"experimental": {"ao": {"version": 1}}})
        record_run("before", 1)
        while True:
            message = raw.receive()
            assert message is not None
            if message.get("method") == "$/ao/graphDidChange":
                break
        assert raw.ask(1, "ao/graph", {"run": "before"})["result"]["run"]["id"] == "before"
        newer = patched_python(tmp_path / "newer", "import ao_lsp; ao_lsp.__version__ = '99.0'")
        with monkeypatch.context() as patch:
            patch.setenv("AO_SERVER_PYTHON", newer)
            patch.setattr(connect, "__version__", "99.0")
            new = start()
        assert new != old
        # Of the session that the editor looks at.
        record_run("after", 1, session="session-before")
        while True:
            message = raw.receive()
            assert message is not None
            if message.get("method") == "$/ao/graphDidChange" and message["params"]["revision"] > 4:
                break
        runs = raw.ask(2, "ao/runs")["result"]["runs"]
        assert {run["id"] for run in runs} == {"before", "after"}
        assert {old, new} == set(daemons_of(home))
    until(lambda: gone(old), "the old one stays without need")
    assert daemons_of(home) == [new]
