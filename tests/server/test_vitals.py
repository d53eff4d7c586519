"""What the daemon says of itself: to whom, how far each is behind, and while it is at something else."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from ao_lsp import connect, paths, protocol
from ao_lsp.cli import server, status
from tests.daemons import LONG_S, ask, dial, gone, log, patched_python, read_line, start, until
from tests.recorder import Recorder, chat_request, chat_response, record_run

pytestmark = pytest.mark.usefixtures("home")

# On SIGUSR1 the daemon's main thread, in which its event loop is, works and does nothing else until a file is there.
BUSY = """
import os, signal
def work_hard(*_):
    while not os.path.exists(os.path.join(os.environ["AO_HOME"], "enough")):
        sum(range(20_000))
signal.signal(signal.SIGUSR1, work_hard)
"""


@contextmanager
def busy_daemon(home: str, folder: Path, monkeypatch: pytest.MonkeyPatch, more: str = "") -> Iterator[int]:
    """A daemon whose event loop is at one thing until this ends."""
    monkeypatch.setenv("AO_SERVER_PYTHON", patched_python(folder / "busy", BUSY + more))
    pid = start()
    os.kill(pid, signal.SIGUSR1)
    until(lambda: (sign := connect.vital_sign()) and b'"busy"' in sign, "it is not busy")
    try:
        yield pid
    finally:
        Path(home, "enough").touch()
    assert ask("daemon.status")["state"] == "serving"


def test_a_daemon_that_is_busy_says_so_and_with_whom_and_is_not_called_stuck(
    home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = Recorder("run1")
    with busy_daemon(home, tmp_path, monkeypatch) as pid:
        runner.connect()  # into the backlog: nobody accepts it now
        said = status.asked()
        assert said is not None
        assert (said["state"], said["pid"]) == ("busy", pid)
        assert "work_hard" in " ".join(said["doing"])
        assert "state     busy" in status.text(said)
    said = status.asked()
    assert said is not None
    assert (said["state"], said["doing"], said["stalled_s"]) == ("serving", None, 0.0)


def test_a_client_waits_for_a_daemon_that_is_busy(home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "REPLY_TIMEOUT_S", 0.1)
    answers: list[dict[str, Any]] = []
    with busy_daemon(home, tmp_path, monkeypatch):
        waiting = threading.Thread(target=lambda: answers.append(ask("daemon.status")))
        looks = 0
        real = connect.vital_sign

        def looked(*_: float) -> bytes | None:
            nonlocal looks
            looks += 1
            return real()

        monkeypatch.setattr(connect, "vital_sign", looked)
        waiting.start()
        until(lambda: looks > 1, "it does not look whether the daemon is at work")
        assert answers == []
    waiting.join(LONG_S)
    assert [answer["state"] for answer in answers] == ["serving"]


def test_a_daemon_that_is_busy_for_ever_can_be_stopped(
    home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(server, "_OBEY_S", 0.2)
    with busy_daemon(home, tmp_path, monkeypatch) as pid:
        with pytest.raises(SystemExit) as ended:
            server.main(["stop"])
        assert (ended.value.code, capsys.readouterr().out) == (0, f"stopped process {pid}\n")
        assert gone(pid)


def test_the_stacks_of_a_loop_that_stands_still_are_in_the_log(
    home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorter = "from ao_lsp.server import vitals; vitals.STALL_S = vitals._BEAT_S = 0.05\n"
    with busy_daemon(home, tmp_path, monkeypatch, shorter):
        until(lambda: "in work_hard" in log(), "no stacks")
    until(lambda: "the event loop stood still" in log(), "nobody says that it goes on")


def test_the_status_is_told_to_nobody_else() -> None:
    start()
    assert os.stat(paths.status_path()).st_mode & 0o777 == 0o600
    sock = socket.socket(socket.AF_UNIX)
    with sock:
        sock.connect(paths.status_path())
        said = json.loads(connect.read_line(sock))
    assert said["state"] == "serving"


def test_a_daemon_serves_also_where_the_status_has_no_place() -> None:
    os.makedirs(os.path.join(paths.secure_dir(paths.runtime_dir()), os.path.basename(paths.status_path()), "kept"))
    start()
    assert "nobody can be told the status" in log()
    said = status.asked()
    assert said is not None
    assert said["state"] == "serving"
    ask("daemon.stop")


def test_the_status_goes_with_the_daemon() -> None:
    pid = start()
    ask("daemon.stop")
    until(lambda: gone(pid), "it did not stop")
    assert not os.path.exists(paths.status_path())
    assert connect.vital_sign() is None


def clients_by_role() -> dict[str, dict[str, Any]]:
    return {client["role"]: client for client in ask("daemon.status")["clients"]}


def test_it_says_what_each_client_does_and_how_far_it_is_behind() -> None:
    start()
    runner = Recorder("run1").connect()
    runner.start(name="research.py")
    runner.wait()
    # Half of a frame: it is taken in when the rest is there.
    half = protocol.frame({"type": "run.note", "seq": 2, "at": 1.0, "level": "info", "message": "x" * 5000})
    runner.send_bytes(half[:4000])
    until(lambda: clients_by_role()["record"]["in"]["bytes"] == 4000, "what waits is not counted")
    assert clients_by_role()["record"]["doing"] == "research.py"
    runner.send_bytes(half[4000:])
    until(lambda: clients_by_role()["record"]["in"]["bytes"] == 0, "what was taken in is counted")
    assert clients_by_role()["cli"]["doing"] == "daemon.status"
    assert ask("daemon.status")["queues"] == {
        "ingest": {"events": 0, "bytes": 0},
        "matching": {"running": 0, "waiting": 0},
        "spool": {"files": 0, "bytes": 0},
    }


def test_what_a_client_does_not_read_is_counted() -> None:
    start()
    record_run("run1", 200)
    sock = dial()
    sock.sendall(connect.preamble("cli"))
    read_line(sock)
    sock.sendall(protocol.frame({"id": 1, "method": "ao.graph", "params": {}}))
    until(
        lambda: any(client["out"]["bytes"] > 10_000 for client in ask("daemon.status")["clients"]),
        "what waits to be read is not counted",
    )


def test_work_that_takes_long_does_not_keep_anybody_from_the_status() -> None:
    """A real comparison of a run so long that many a status fits in."""
    start()
    runner = Recorder("run1").connect()
    runner.start()
    for number in range(1000):
        said = f"answer {number} " + " ".join(f"word{number}of{word}" for word in range(60))
        runner.call_start(f"c{number}", request=chat_request(said))
        runner.call_end(f"c{number}", chat_response(said))
    runner.end()
    runner.wait()
    sock = dial()
    sock.sendall(connect.preamble("cli"))
    read_line(sock)
    sock.sendall(protocol.frame({"id": 1, "method": "ao.graph", "params": {}}))
    sock.setblocking(False)
    told, states = 0, set()
    while True:
        found = status.asked()  # as the command line does, which leaves out itself
        assert found is not None
        sign = json.loads(connect.vital_sign() or b"")
        states |= {found["state"], sign["state"]}
        told += any(client["doing"] == "ao.graph" for client in sign["clients"])
        with suppress(BlockingIOError):
            sock.recv(1 << 20)
            break
    assert told > 0, "it was over before anybody could ask"
    assert states <= {"serving", "busy"}
