"""Whatever happens to the daemon, its database or the disk: the program runs as under python, and what could be
kept of it is there once a daemon works again, once."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from model_server import ModelServer

from ao_lsp import paths, protocol
from tests.daemons import LONG_S, ask, daemons_of, kill, log, start, until
from tests.runner.beside_python import PLAIN, POST, SDK, Beside, Process, all_calls_are_there
from tests.runner.recorded import Programs, column, graph


@pytest.fixture
def beside(programs: Programs, model_server: ModelServer) -> Beside:
    return Beside(programs, model_server.env)


# -- the daemon


@pytest.mark.parametrize(
    "env",
    [
        {"AO_NO_DAEMON": "1"},
        {"AO_SERVER_PYTHON": "/bin/false"},
        {"AO_SERVER_PYTHON": "/nowhere/python"},
        {"AO_SERVER_PYTHON": "/dev/null"},
    ],
    ids=lambda env: "=".join(*env.items()),
)
def test_without_a_daemon_all_is_spooled(env: dict[str, str], beside: Beside, home: str) -> None:
    beside.same(PLAIN, env=env, code=3)
    # What was started in the place of a daemon has its command line until it has ended.
    until(lambda: not daemons_of(home), "a daemon runs")
    all_calls_are_there()


@pytest.mark.parametrize("spools_end_with_it", [False, True])
def test_a_daemon_that_is_killed_in_mid_run_loses_nothing(spools_end_with_it: bool, beside: Beside, home: str) -> None:
    daemon = start()
    env = {"AO_NO_DAEMON": "1"} if spools_end_with_it else {}
    beside.same(SDK, env=env, between=lambda _: kill(daemon), code=3)
    all_calls_are_there()
    assert os.listdir(Path(home, "data", "spool")) == []


@pytest.mark.parametrize("at", ["the start", "mid-run"])
def test_a_daemon_that_hangs_loses_nothing(at: str, beside: Beside) -> None:
    daemon = start()
    if at == "the start":
        os.kill(daemon, signal.SIGSTOP)
    try:
        beside.same(SDK, between=lambda _: os.kill(daemon, signal.SIGSTOP), code=3)
    finally:
        os.kill(daemon, signal.SIGCONT)
    all_calls_are_there()


def test_a_daemon_that_hangs_and_is_killed_then_loses_nothing(beside: Beside) -> None:
    daemon = start()
    beside.same(PLAIN, between=lambda _: os.kill(daemon, signal.SIGSTOP), code=3)
    kill(daemon)
    all_calls_are_there()


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("older", "import ao_lsp; ao_lsp.__version__ = '0.0.1'"),
        ("newer", "import ao_lsp; ao_lsp.__version__ = '99.0'"),
        ("another wire", "from ao_lsp import paths, protocol; protocol.WIRE += 1"),
    ],
)
def test_a_daemon_of_another_version_loses_nothing(
    what: str, said: str, beside: Beside, tmp_path: Path, home: str
) -> None:
    (tmp_path / "sitecustomize.py").write_text(said)
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    env = {**os.environ, "AO_SERVER_PYTHON": str(python)}
    # Nobody speaks to it yet: an older one would leave at once for a client like ours.
    started = [sys.executable, "-c", "from ao_lsp import connect; connect.start_without_waiting()"]
    subprocess.run(started, env=env, check=True, timeout=LONG_S)
    until(lambda: os.path.exists(paths.socket_path()), log())
    assert len(daemons_of(home)) == 1, what
    beside.same(PLAIN, env={"AO_NO_DAEMON": "1"}, code=3)
    for pid in daemons_of(home):  # as at the next start of the machine
        kill(pid)
    all_calls_are_there()


GARBAGE: dict[str, bytes | None] = {
    "nothing at all": None,
    "an empty answer": b"",
    "no JSON": b"\x00\xff\xfegarbage\n" * 5,
    "no end of a line": b"x" * 200_000,
    "web": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "a greeting and garbage": b'{"ok":true}\n' + bytes(range(256)) * 8,
    "a frame that is too long": b'{"ok":true}\n' + b"\xff" * 16,
    "an acknowledgement of what was never sent": b'{"ok":true}\n' + protocol.ack(1 << 40),
    "a refusal": b'{"ok":false,"code":"RETIRING"}\n',
}


@contextmanager
def somebody_else(answer: bytes | None) -> Iterator[None]:
    """Listens where the daemon would, and gives everybody the same answer; None: does not even read."""
    folder = paths.secure_dir(paths.runtime_dir())
    taken: list[socket.socket] = []
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(paths.socket_path())
    listener.listen(64)

    def serve() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                taken.append(client)
                if answer is not None:
                    with suppress(OSError):
                        client.sendall(answer)
                        if answer == b"":
                            client.shutdown(socket.SHUT_RDWR)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        for sock in (listener, *taken):
            sock.close()
        shutil.rmtree(folder)


@pytest.mark.parametrize("what", GARBAGE)
def test_whoever_answers_in_the_place_of_the_daemon_loses_nothing(what: str, beside: Beside) -> None:
    with somebody_else(GARBAGE[what]):
        beside.same(PLAIN, code=3)
    all_calls_are_there()


FORKED = (
    POST
    + """
    child = os.fork()
    if child == 0:
        post("of the child")
        os._exit(0)
    os.waitpid(child, 0)
    """
)


def test_a_forked_child_that_ends_at_once_loses_nothing_to_a_daemon_that_reads_nothing(
    programs: Programs, model_server: ModelServer
) -> None:
    with somebody_else(None):
        programs.record(FORKED, env=model_server.env)
    until(lambda: column(graph(), "status") == ["ok"], "the call of the child is lost")


ENDING_AT_ONCE = (
    POST
    + """
    post("to the first daemon")
    print("between", flush=True)
    sys.stdin.readline()
    post("to the next one")
    os._exit(0)
    """
)


def test_a_program_that_ends_at_once_loses_nothing_to_a_next_daemon_that_reads_nothing(
    programs: Programs, model_server: ModelServer
) -> None:
    daemon = start()
    file = programs.write(ENDING_AT_ONCE)
    with programs.start(file.name, env=model_server.env, stdin=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"between\n"
            kill(daemon)
            os.unlink(paths.socket_path())
            with somebody_else(None):
                assert process.communicate(b"\n", timeout=LONG_S) == (b"", b"")
        finally:
            process.kill()
    until(lambda: column(graph(), "status") == ["ok"] * 2, "the last call is lost")


# -- the disk


@contextmanager
def small_disk(folder: str, size: str = "4m", mode: str = "rw") -> Iterator[None]:
    """A file system of its own at `folder`."""
    os.makedirs(folder, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700,{mode}", "tmpfs", folder]
    made = subprocess.run(mount, capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"a small disk takes root: {made.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(folder: str) -> Path:
    """Leave no byte; the file that has them all."""
    file = Path(folder, "everything")
    with suppress(OSError), file.open("ab", buffering=0) as everything:
        for size in (4096, 1):
            with suppress(OSError):
                while everything.write(b"x" * size):
                    pass
    return file


@pytest.mark.parametrize("what", ["everything", "the data"])
def test_a_full_disk_costs_no_more_than_recordings(what: str, beside: Beside, home: str) -> None:
    folder = home if what == "everything" else str(Path(home, "data"))
    with small_disk(folder):
        everything = fill(folder)
        beside.same(PLAIN, code=3)
        everything.unlink()
        beside.same(PLAIN, "--name", "second", code=3)
        all_calls_are_there(run="second")
        for pid in daemons_of(home):
            kill(pid)


def test_a_disk_that_is_full_in_mid_run_costs_only_what_comes_then(beside: Beside, home: str) -> None:
    data = str(Path(home, "data"))
    with small_disk(data):
        start()
        filled: list[Path] = []

        def full(_: Process) -> None:
            until(lambda: [node["status"] for node in graph()["nodes"]] == ["ok", "ok"], "two calls are not there")
            filled.append(fill(data))

        beside.same(PLAIN, between=full, code=3)
        filled[0].unlink()
        assert [node["status"] for node in graph()["nodes"]][:2] == ["ok", "ok"]
        for pid in daemons_of(home):
            kill(pid)


def test_files_of_no_size_are_no_reason_to_fail(beside: Beside) -> None:
    start()
    beside.same("    import resource\n    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n" + PLAIN, code=3)
    all_calls_are_there()


def test_a_home_that_nobody_can_write_to_costs_no_more_than_recordings(beside: Beside, home: str) -> None:
    with small_disk(home, mode="ro"):
        beside.same(PLAIN, code=3)
    beside.same(PLAIN, code=3)
    all_calls_are_there()


@pytest.mark.parametrize("place", ["", "data", "cache", "run", "data/spool", "data/ao.db", "cache/logs", "cache/pyc"])
@pytest.mark.parametrize("what", ["a file", "a folder", "a link to nowhere"])
def test_something_else_in_our_place_costs_no_more_than_recordings(
    place: str, what: str, beside: Beside, home: str
) -> None:
    there = Path(home, place)
    if place:
        there.parent.mkdir(parents=True, exist_ok=True)
    else:
        there.rmdir()
    if what == "a file":
        there.write_text("not ours")
    elif what == "a folder":
        there.mkdir(0o755)
    else:
        there.symlink_to("/nowhere/at/all")
    beside.same(PLAIN, code=3)


def test_a_home_that_is_deleted_in_mid_run_costs_no_more_than_recordings(beside: Beside, home: str) -> None:
    daemon = start()

    def delete(_: Process) -> None:
        shutil.rmtree(home)
        kill(daemon)

    beside.same(PLAIN, between=delete, code=3)


# -- the database


@contextmanager
def locked() -> Iterator[None]:
    with closing(sqlite3.connect(paths.database(), isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        yield
        db.execute("ROLLBACK")


@pytest.mark.parametrize("daemon_runs", [True, False])
def test_a_locked_database_loses_nothing(daemon_runs: bool, beside: Beside) -> None:
    daemon = start()
    if not daemon_runs:
        kill(daemon)
    with locked():
        beside.same(PLAIN, code=3)
    all_calls_are_there()


@pytest.mark.parametrize("daemon_runs", [True, False])
def test_a_damaged_database_is_put_aside_and_costs_nothing_that_comes_after(
    daemon_runs: bool, beside: Beside, home: str
) -> None:
    daemon = start()
    beside.same(PLAIN, code=3)
    if not daemon_runs:
        kill(daemon)
    for name in os.listdir(Path(home, "data")):
        if name.startswith("ao.db"):
            with Path(home, "data", name).open("r+b") as database:
                database.write(os.urandom(Path(home, "data", name).stat().st_size))
    beside.same(PLAIN, "--name", "second", code=3)
    all_calls_are_there(run="second")
    assert list(Path(home, "data").glob("ao.db.damaged-*"))


# -- the spool


def test_what_is_no_spool_file_is_complained_of_once_and_holds_nothing_up(beside: Beside) -> None:
    spool = Path(paths.secure_dir(paths.spool_dir()))
    (spool / "folder.spool").mkdir()
    (spool / "link.spool").symlink_to("/etc/passwd")
    (spool / "garbage.spool").write_bytes(os.urandom(1000))
    beside.same(PLAIN, env={"AO_NO_DAEMON": "1"}, code=3)
    all_calls_are_there()
    for _ in range(5):
        ask("ao.runs")
    for name in ("folder", "link", "garbage"):
        assert sum(f"{name}.spool" in line for line in log().splitlines()) == 1, log()


@pytest.mark.parametrize("change", [lambda spool: spool.chmod(0), lambda spool: shutil.rmtree(spool)])
def test_a_spool_that_changes_in_mid_run_costs_no_more_than_recordings(
    change: Callable[[Path], None], beside: Beside, home: str
) -> None:
    beside.same(
        PLAIN,
        env={"AO_NO_DAEMON": "1"},
        between=lambda _: change(Path(home, "data", "spool")),
        code=3,
    )
    all_calls_are_there()
