"""What the machine does to the daemon: full disks, clocks that are set, users, and what is not set at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from model_server import ModelServer

from ao_lsp import connect, paths
from tests.daemons import ask, daemons_of, gone, kill, log, patched_python, start, until
from tests.recorder import Recorder, chat_response, record_run

pytestmark = pytest.mark.usefixtures("home")

ROOT = os.getuid() == 0
STARTER = "from ao_lsp import connect; print(connect.open_session('cli')[1]['pid'])"


# -- disks


@contextmanager
def small_disk(folder: str, size: str) -> Iterator[str]:
    """`folder` on a file system of its own."""
    os.makedirs(folder, 0o700, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "none", folder]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(folder: str) -> str:
    """Leave no room in it; the file that takes it."""
    path = os.path.join(folder, "filling")
    with open(path, "wb", buffering=0) as file:
        for size in (1 << 16, 1 << 10, 1):
            with suppress(OSError):
                while True:
                    file.write(b"\0" * size)
    return path


only_root = pytest.mark.skipif(not ROOT, reason="only root can mount a small disk")


@only_root
def test_a_disk_that_is_full_when_a_daemon_starts_is_said_and_the_next_one_starts_when_there_is_room() -> None:
    with small_disk(paths.data_dir(), "1m") as disk:
        filling = fill(disk)
        with pytest.raises(connect.DaemonUnavailable, match=r"full|unable to open|disk") as said:
            start()
        assert paths.database() in str(said.value)
        os.unlink(filling)
        pid = start()
        record_run("run1", 1)
        assert ask("ao.runs")["total"] == 1
        kill(pid)


@only_root
def test_a_disk_that_gets_full_while_a_program_is_recorded_costs_nothing_that_the_program_still_has() -> None:
    with small_disk(paths.data_dir(), "3m") as disk:
        pid = start()
        runner = Recorder("run1").connect()
        runner.start()
        runner.wait()
        filling = fill(disk)
        noise = os.urandom(200_000).hex()  # does not get smaller by compression
        with suppress(ConnectionError):  # it may hang up at the first of them
            runner.call_start("c1")
        with suppress(ConnectionError):
            runner.call_end("c1", chat_response(noise))
        assert runner.hung_up()
        runner.close()
        until(lambda: "full" in log(), "the log does not say why")
        assert ask("daemon.status")["state"] == "serving"
        os.unlink(filling)
        runner.connect()
        runner.resend(*runner.sent)
        runner.end()
        runner.wait()
        assert [node["status"] for node in ask("ao.graph", run="run1")["nodes"]] == ["ok"]
        assert noise not in log()
        kill(pid)


@only_root
def test_a_full_disk_costs_the_log_and_nothing_else(tmp_path: Path, model_server: ModelServer) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import openai\n"
        "openai.OpenAI().chat.completions.create(model='m', messages=[{'role': 'user', 'content': 'hi'}])\n"
        "print('done')\n"
    )
    with small_disk(paths.cache_dir(), "1m") as disk:
        os.makedirs(paths.log_dir())
        fill(disk)
        pid = start()
        command = [sys.executable, "-m", "ao_lsp.runner", str(program)]
        env = {**os.environ, **model_server.env}
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
        until(lambda: [node["status"] for node in ask("ao.graph")["nodes"]] == ["ok"], "it is not recorded")
        assert ask("daemon.status")["state"] == "serving"
        kill(pid)


def test_where_files_may_not_grow_the_client_is_told_and_the_program_goes_on(tmp_path: Path) -> None:
    """For whoever is not root, and of a limit that cannot be lifted: as on a full disk."""
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n{STARTER}"
    told = subprocess.run([sys.executable, "-c", limited], capture_output=True, text=True, timeout=60, check=False)
    assert told.returncode == 1
    assert paths.database() in told.stderr
    program = tmp_path / "program.py"
    program.write_text("print('done')\n")
    limited = (
        "import os, resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
        "os.execv(sys.executable, [sys.executable, '-m', 'ao_lsp.runner', *sys.argv[1:]])"
    )
    done = subprocess.run([sys.executable, "-c", limited, str(program)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


# -- clocks

# A wall clock that is as many seconds off as a file says.
CLOCK = """
import os, time
real = time.time
def set_clock():
    try:
        with open(os.environ["AO_HOME"] + "/offset") as file:
            return real() + float(file.read() or 0)
    except OSError:
        return real()
time.time = set_clock
"""


@pytest.fixture
def clock(home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the wall clock of the test's daemons, and of its recorders, seconds off."""
    import time

    monkeypatch.setenv("AO_SERVER_PYTHON", patched_python(tmp_path / "python", CLOCK))
    real = time.time
    offset = [0.0]

    def set_to(seconds: float) -> None:
        Path(home, "offset").write_text(str(seconds))
        offset[0] = seconds

    monkeypatch.setattr(time, "time", lambda: real() + offset[0])
    return set_to


DAY = 86_400.0


@pytest.mark.parametrize("step", [-DAY, DAY])
def test_a_clock_that_is_set_while_a_program_runs_changes_neither_order_nor_duration(
    clock: Callable[[float], None], step: float
) -> None:
    start()
    runner = Recorder("run1").connect()
    runner.start()
    runner.call("c1")
    runner.wait()
    clock(step)
    runner.call("c2", ("c1",))
    runner.call("c3", ("c2",))
    runner.end()
    runner.wait()
    found = ask("ao.graph", run="run1")
    assert [node["id"] for node in found["nodes"]] == ["c1", "c2", "c3"]
    assert [node["duration_s"] for node in found["nodes"]] == [0.25] * 3
    assert len(found["edges"]) == 2
    if step < 0:  # a step forward looks like a program that waited
        assert 0 <= found["run"]["duration_s"] < 60
    status = ask("daemon.status")
    assert 0 <= status["uptime_s"] < 60
    changes = [change["seq"] for change in ask_events("run1")]
    assert changes == list(range(1, len(changes) + 1))


def ask_events(run: str) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "ao_lsp.cli.ao", "events", run, "--json"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    return [json.loads(line) for line in said.splitlines()]


@pytest.mark.parametrize("step", [-DAY, DAY])
def test_a_clock_that_is_set_does_not_keep_a_daemon_from_leaving_nor_make_it_leave(
    clock: Callable[[float], None], step: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AO_IDLE_S", "0.3")
    sock, reply = connect.open_session("record", run="run1", stream="s1")
    clock(step)
    assert ask("daemon.status")["pid"] == reply["pid"]
    sock.close()
    until(lambda: gone(int(reply["pid"])), "it does not leave")


@pytest.mark.parametrize("step", [-40 * DAY, DAY])
def test_what_is_kept_is_kept_when_the_clock_is_set(clock: Callable[[float], None], step: float) -> None:
    pid = start()
    record_run("run1", 1)
    kill(pid)
    backup = Path(paths.database() + ".v1.bak")
    backup.write_bytes(b"kept")
    clock(step)
    start()
    assert ask("ao.runs")["total"] == 1
    assert backup.exists()


# -- what is not set, and who else is there


def as_user(uid: int, home: str, code: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run code as another user, who may read what we may (the interpreter), and write only what is theirs."""
    command = [
        "setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--inh-caps=+dac_read_search",
        "--ambient-caps=+dac_read_search", sys.executable, "-c", code,
    ]  # fmt: skip
    given = {"PATH": os.environ["PATH"], **({"AO_HOME": home} if home else {}), **env}
    return subprocess.run(command, env=given, capture_output=True, text=True, timeout=60, check=False)


def need_users() -> None:
    if not ROOT:
        pytest.skip("only root can be two users")
    tried = as_user(65_533, "", "import ao_lsp.server.store.sqlite")
    if tried.returncode:
        pytest.skip(f"another user cannot run the tests' interpreter: {tried.stderr.strip()[-200:]}")


FIRST, SECOND, NOBODY_AT_ALL = 65_533, 65_532, 54_321


def test_two_users_have_a_daemon_each_and_are_refused_by_the_other_s(tmp_path: Path) -> None:
    need_users()
    assert tmp_path
    with tempfile.TemporaryDirectory(prefix="ao-", dir="/tmp") as base:
        os.chmod(base, 0o711)
        homes = {}
        pids: dict[int, int] = {}
        try:
            for uid in (FIRST, SECOND):
                homes[uid] = os.path.join(base, str(uid))
                os.mkdir(homes[uid], 0o700)
                os.chown(homes[uid], uid, uid)
                started = as_user(uid, homes[uid], STARTER)
                assert started.returncode == 0, started.stderr
                pids[uid] = int(started.stdout)
            assert pids[FIRST] != pids[SECOND]
            for uid, other in ((FIRST, SECOND), (SECOND, FIRST)):
                assert os.stat(f"/proc/{pids[uid]}").st_uid == uid
                # By name: the folder is not theirs.
                refused = as_user(uid, homes[other], STARTER)
                assert refused.returncode == 1
                assert "must be a folder of yours that nobody else can enter" in refused.stderr
                # Past the folder: the daemon asks the kernel who that is.
                past = as_user(uid, homes[other], PAST_THE_FOLDER)
                assert (past.returncode, past.stdout.strip()) == (0, "no way in"), past.stderr
            # Even root, whom no folder keeps out, is another user to them.
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("AO_HOME", homes[FIRST])
                patch.setattr(paths, "secure_dir", lambda path: path)
                with pytest.raises(connect.DaemonUnavailable, match="another user's daemon"):
                    connect.open_session("cli")
                assert connect.vital_sign() is None
        finally:
            for pid in pids.values():
                kill(pid)


PAST_THE_FOLDER = """
import socket, sys
from ao_lsp import paths, protocol
sock = socket.socket(socket.AF_UNIX)
try:
    sock.connect(paths.socket_path())
except OSError:
    print("no way in")
    sys.exit()
sock.sendall(protocol.line({"ao": 1, "role": "cli"}))
print("no way in" if b"DENIED" in sock.recv(1000) else "in")
"""


def test_without_a_home_and_without_a_runtime_folder_there_is_a_place_all_the_same() -> None:
    need_users()
    places = [f"/tmp/ao-{NOBODY_AT_ALL}"]
    try:
        started = as_user(NOBODY_AT_ALL, "", STARTER)
        assert started.returncode == 0, started.stderr
        pid = int(started.stdout)
        try:
            again = as_user(NOBODY_AT_ALL, "", STARTER)
            assert int(again.stdout) == pid
            assert os.stat(places[0]).st_mode & 0o777 == 0o700
            assert os.path.exists(f"/tmp/ao-{NOBODY_AT_ALL}/data/ao.db")
        finally:
            kill(pid)
    finally:
        subprocess.run(["rm", "-rf", *places], check=True)


def test_every_place_is_absolute_whatever_is_set() -> None:
    code = "from ao_lsp import paths; print(paths.runtime_dir(), paths.data_dir(), paths.cache_dir())"
    for env in (
        {},
        {"XDG_RUNTIME_DIR": "relative", "XDG_DATA_HOME": "relative"},
        {"HOME": ""},
        {"XDG_RUNTIME_DIR": ""},
    ):
        said = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout
        assert all(place.startswith("/") for place in said.split()), (env, said)
        assert said.startswith(f"/tmp/ao-{os.getuid()} ")


def test_a_folder_of_somebody_else_s_is_refused() -> None:
    if not ROOT:
        pytest.skip("only root can give a folder away")
    os.makedirs(paths.runtime_dir(), 0o700)
    os.chown(paths.runtime_dir(), FIRST, FIRST)
    with pytest.raises(connect.DaemonUnavailable, match="must be a folder of yours"):
        start()
    assert daemons_of(os.environ["AO_HOME"]) == []
