"""The daemon's life: start, one at a time, stop, idle, retire. Real processes, sockets and locks."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ao_lsp import __version__, connect, paths, protocol
from tests.daemons import ask, daemons_of, dial, gone, have_a_newer_database, kill, log, read_line, start, until
from tests.recorder import Recorder

pytestmark = pytest.mark.usefixtures("home")

STARTER = "from ao_lsp import connect; print(connect.open_session('cli')[1]['pid'])"


def starter(**env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", STARTER],
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def hello(role: str = "cli", **more: object) -> tuple[socket.socket, dict[str, object]]:
    """A connection with a preamble of the test's own, and the reply."""
    sock = dial()
    sock.sendall(protocol.line({"ao": 1, "role": role, "version": __version__, "pid": os.getpid(), **more}))
    return sock, read_line(sock)


def lock_is_free() -> bool:
    with open(paths.lock_path(), "rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


def test_twenty_concurrent_starters_get_one_daemon(home: str) -> None:
    starters = [starter() for _ in range(20)]
    pids = {process.communicate(timeout=60) for process in starters}
    assert {error for _, error in pids} == {""}
    assert {int(said) for said, _ in pids} == set(daemons_of(home))
    assert len(daemons_of(home)) == 1


def test_a_killed_daemon_leaves_a_socket_behind_which_the_next_one_replaces() -> None:
    first = start()
    kill(first)
    assert os.path.exists(paths.socket_path())
    starters = [starter() for _ in range(8)]
    said = [process.communicate(timeout=60) for process in starters]
    assert [error for _, error in said] == [""] * 8
    assert len({pid for pid, _ in said}) == 1
    assert int(said[0][0]) != first


def test_a_runtime_folder_that_others_can_enter_is_refused(home: str) -> None:
    os.makedirs(paths.runtime_dir())
    os.chmod(paths.runtime_dir(), 0o755)
    with pytest.raises(connect.DaemonUnavailable, match="nobody else can enter"):
        connect.open_session("cli")
    assert daemons_of(home) == []


def test_a_daemon_started_in_an_unsafe_folder_reports_the_reason_itself() -> None:
    os.makedirs(paths.runtime_dir())
    os.chmod(paths.runtime_dir(), 0o755)
    assert "nobody else can enter" in report_of_a_daemon()


def test_a_second_daemon_reports_busy_and_leaves(home: str) -> None:
    first = start()
    assert report_of_a_daemon() == "BUSY"
    assert daemons_of(home) == [first]


def test_a_crash_at_start_reports_its_reason_and_lets_the_next_starter_try(home: str) -> None:
    have_a_newer_database()
    with pytest.raises(connect.DaemonUnavailable, match=r"made by a newer ao-lsp.*upgrade"):
        connect.open_session("cli")
    assert lock_is_free()
    os.unlink(paths.database())
    assert start() in daemons_of(home)


def test_the_socket_and_the_folders_are_ours_alone() -> None:
    start()
    assert os.stat(paths.socket_path()).st_mode & 0o777 == 0o600
    for path in (paths.runtime_dir(), paths.data_dir(), paths.log_dir()):
        assert os.stat(path).st_mode & 0o077 == 0, path
    assert os.stat(paths.database()).st_mode & 0o077 == 0
    assert json.loads(Path(paths.lock_path()).read_text()) == {
        "pid": ask("daemon.status")["pid"],
        "version": __version__,
    }


def test_a_daemon_keeps_nothing_of_the_process_that_started_it(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "os.chdir(sys.argv[1])\n"
        "kept = os.open('kept', os.O_CREAT | os.O_RDWR)\n"
        "[os.dup2(kept, number) for number in (50, 98, 150)]\n" + STARTER
    )
    result = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        env={**os.environ, "PROJECT_SECRET": "x"}, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    pid = int(result.stdout)
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    opened = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
    assert not [path for path in opened if path.startswith(str(tmp_path))]
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    ignored = int(status["SigIgn"], 16)
    assert not ignored & 1 << signal.SIGINT - 1
    assert not ignored & 1 << signal.SIGQUIT - 1
    assert status["Umask"].strip() == "0077"
    assert b"PROJECT_SECRET" not in Path(f"/proc/{pid}/environ").read_bytes()


def test_a_runner_that_does_not_wait_lends_no_descriptor_to_the_daemon(tmp_path: Path) -> None:
    program = (
        "import os, sys\n"
        "kept = os.open(sys.argv[1], os.O_CREAT | os.O_RDWR)\n"
        "os.dup2(kept, 98)\n"
        "from ao_lsp import connect; connect.start_without_waiting()"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "kept")], timeout=60, check=True)
    until(lambda: os.path.exists(paths.socket_path()), "no daemon came")
    assert (tmp_path / "kept").read_bytes() == b""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_daemon_cleanly(number: signal.Signals) -> None:
    pid = start()
    runner = Recorder().connect()
    runner.start()
    runner.wait()
    os.kill(pid, number)
    assert runner.hung_up()
    until(lambda: gone(pid), "it did not stop")
    assert not os.path.exists(paths.socket_path())
    assert lock_is_free()
    assert "leaves" in log()
    assert "Traceback" not in log()


def test_a_daemon_leaves_when_nobody_has_needed_it_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AO_IDLE_S", "0.2")
    pid = start()
    until(lambda: gone(pid), "it did not leave")
    assert not os.path.exists(paths.socket_path())
    assert ask("daemon.status")["pid"] != pid


def test_a_daemon_stays_while_a_program_is_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AO_IDLE_S", "0.05")
    sock, reply = connect.open_session("record", run="run1", stream="s1")
    # Far more idle times than it would need to leave pass while these come and go.
    pids = {ask("daemon.status")["pid"] for _ in range(20)}
    assert pids == {reply["pid"]}
    sock.close()
    until(lambda: gone(int(reply["pid"])), "it did not leave")


def test_clients_at_the_moment_of_idle_exit_are_always_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AO_IDLE_S", "0.01")
    for _ in range(5):
        said = [process.communicate(timeout=60) for process in [starter(), starter()]]
        assert [error for _, error in said] == ["", ""]


def test_an_older_daemon_retires_for_a_newer_client_and_serves_those_it_has() -> None:
    old = start()
    runner = Recorder().connect()
    runner.start()
    runner.wait()
    sock, reply = hello(version="99.0")
    assert (reply["ok"], reply["code"]) == (False, "RETIRING")
    sock.close()
    assert not os.path.exists(paths.socket_path())
    new = start()
    assert new != old
    runner.call("c1")
    runner.end()
    runner.wait()
    assert not gone(old)
    runner.close()
    until(lambda: gone(old), "the old daemon stays without need")
    assert [node["id"] for node in ask("ao.graph", run="run1")["nodes"]] == ["c1"]
    assert ask("daemon.status")["pid"] == new, "the old daemon took the new one's socket away"


def test_looking_at_an_older_daemon_does_not_retire_it(monkeypatch: pytest.MonkeyPatch) -> None:
    old = start()
    monkeypatch.setattr(connect, "__version__", "99.0")
    session = connect.existing_session("cli")
    assert session is not None
    session[0].close()
    assert session[1]["pid"] == old
    assert not gone(old)


def test_a_server_python_with_an_older_version_is_an_error_not_a_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "__version__", "99.0")
    with pytest.raises(connect.DaemonUnavailable, match="older than this client"):
        connect.open_session("cli")


def test_a_client_of_an_older_version_is_served() -> None:
    start()
    _, reply = hello(version="0.0.1")
    assert reply["ok"] is True


def test_a_preamble_that_makes_no_sense_is_refused_with_a_code() -> None:
    start()
    codes = {}
    lines = {
        b"GET / HTTP/1.1\n": "BAD",
        b"[1, 2]\n": "BAD",
        b'{"role": "cli"}\n': "BAD",
        b'{"ao": 1, "role": "president"}\n': "BAD",
        b'{"ao": 1, "role": "record"}\n': "BAD",
        b'{"ao": 2, "role": "cli"}\n': "UPGRADE",
        b"\xff\xfe\n": "BAD",
        b"[" * 60_000 + b"\n": "BAD",
        b"{" * 70_000: "BAD",
    }
    for line in lines:
        sock = dial()
        sock.sendall(line)
        reply = read_line(sock)
        assert reply["ok"] is False
        codes[line] = reply["code"]
    assert codes == lines
    assert ask("daemon.status")["state"] == "serving"


def test_a_page_asks_as_a_command_line_does() -> None:
    start()
    sock, reply = hello("web")
    assert reply["ok"] is True
    sock.sendall(protocol.frame({"id": 1, "method": "ao.runs"}))
    frames = protocol.Frames()
    frames.feed(sock.recv(1 << 16))
    assert [json.loads(head)["result"]["total"] for head, _ in frames] == [0]


def test_a_client_that_says_nothing_does_not_keep_others_waiting() -> None:
    start()
    silent = dial()
    assert ask("daemon.status")["state"] == "serving"
    silent.close()
    assert ask("daemon.status")["state"] == "serving"


def test_more_clients_than_descriptors_have_to_wait_and_are_served_then() -> None:
    limited = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (120, 120))\n" + STARTER
    subprocess.run([sys.executable, "-c", limited], timeout=60, check=True, stdout=subprocess.DEVNULL)
    crowd = [dial() for _ in range(125)]
    until(lambda: "cannot accept a client" in log(), "it has descriptors for all of them")
    for sock in crowd:
        sock.close()
    assert ask("daemon.status")["state"] == "serving"


def test_a_request_that_makes_no_sense_ends_its_connection_only() -> None:
    start()
    for nonsense in (protocol.frame({"id": 1}), b"\0\0\0\2\0\0\0\0[]", b"\xff" * 8):
        sock, _ = hello()
        sock.sendall(nonsense)
        assert sock.recv(100) == b""
    assert ask("daemon.status")["state"] == "serving"


def test_stopping_answers_first_and_leaves_no_socket() -> None:
    pid = start()
    assert ask("daemon.stop") == {"pid": pid}
    assert not os.path.exists(paths.socket_path())
    until(lambda: gone(pid), "it did not stop")


def report_of_a_daemon() -> str:
    """Start a daemon as connect.py does, and return what it reports on its pipe."""
    ready, report = os.pipe()
    trampoline = f"import os, sys; os.dup2({report}, {connect.READY_FD}); os.execv(sys.executable, sys.argv[1:])"
    process = subprocess.Popen(
        [sys.executable, "-c", trampoline, sys.executable, "-c", connect._BOOT],
        pass_fds=(report,),
        stderr=subprocess.DEVNULL,
    )
    os.close(report)
    with os.fdopen(ready) as pipe:
        said = pipe.read()
    process.wait(timeout=30)
    return said
