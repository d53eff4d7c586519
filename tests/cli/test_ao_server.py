"""`ao-server` as it is typed."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ao_lsp import __version__, connect, paths
from ao_lsp.cli import server
from tests.daemons import LONG_S, ask, daemons_of, gone, start, until
from tests.recorder import Recorder, record_run

pytestmark = pytest.mark.usefixtures("home")


def ao_server(*arguments: str, code: int = 0, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        [sys.executable, "-m", "ao_lsp.cli.server", *arguments],
        input=stdin, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert result.returncode == code, result.stderr or result.stdout
    assert "Traceback" not in result.stderr
    return result


def ao_server_json(*arguments: str, code: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ao_server(*arguments, "--json", code=code).stdout)
    return found


def test_status_does_not_start_a_daemon(home: str) -> None:
    assert ao_server("status").stdout == "no daemon runs; it starts by itself when it is needed\n"
    assert ao_server_json("status") == {"state": "stopped"}
    assert daemons_of(home) == []
    assert os.listdir(home) == []


def test_start_stop_and_restart_do_what_they_say(home: str) -> None:
    first = ao_server_json("start")
    assert first["version"] == __version__
    assert ao_server_json("start")["pid"] == first["pid"]
    second = ao_server_json("restart")
    assert second["pid"] != first["pid"]
    assert gone(first["pid"])
    assert daemons_of(home) == [second["pid"]]
    assert ao_server("stop").stdout == f"stopped process {second['pid']}\n"
    assert gone(second["pid"])
    assert ao_server("stop").stdout == "no daemon runs\n"
    assert ao_server_json("stop") == {"stopped": None}


def test_status_tells_who_is_connected_and_how_much_is_stored() -> None:
    pid = start()
    record_run("run1")
    runner = Recorder("run2").connect()
    runner.start()
    runner.wait()
    status = ao_server_json("status")
    assert (status["state"], status["pid"], status["version"]) == ("serving", pid, __version__)
    assert [(client["role"], client["pid"], client["run"]) for client in status["clients"]] == [
        ("record", os.getpid(), "run2")
    ]
    assert status["runs"] == {"total": 2, "running": 1}
    assert status["database"]["path"] == paths.database()
    assert status["versions"]["path"] == paths.git_dir()
    assert 1 << 20 < status["memory_bytes"] < 1 << 30
    text = ao_server("status").stdout
    assert f"record {os.getpid()} (run run2)" in text
    assert "2, 1 of them running" in text


def test_clear_deletes_what_has_ended_and_keeps_what_runs() -> None:
    start()
    record_run("run1")
    runner = Recorder("run2").connect()
    runner.start()
    runner.wait()
    found = ao_server_json("clear", "--yes")
    assert (found["deleted"], found["kept"]) == (1, 1)
    assert [run["id"] for run in ask("ao.runs")["runs"]] == ["run2"]
    runner.call("c1")
    runner.end()
    runner.wait()
    assert len(ask("ao.graph", run="run2")["nodes"]) == 1


def test_clear_asks_first_and_deletes_nothing_without_a_yes() -> None:
    start()
    record_run("run1")
    assert "say --yes" in ao_server("clear", code=1, stdin="y\n").stderr
    for answer, code in (("n\n", 1), ("\n", 1), ("y\n", 0)):
        assert len(ask("ao.runs")["runs"]) == 1
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "ao_lsp.cli.server", "clear"],
            stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        os.write(ours, answer.encode())
        _, asked = process.communicate(timeout=60)
        os.close(ours)
        os.close(theirs)
        assert process.returncode == code
        assert asked.startswith("Delete 1 runs (")
    assert ask("ao.runs")["runs"] == []


def test_a_daemon_that_hangs_is_stuck_and_can_be_stopped_all_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # In this process, where the time that it may take can be made short.
    monkeypatch.setattr(connect, "REPLY_TIMEOUT_S", 0.2)
    monkeypatch.setattr(server, "_OBEY_S", 0.2)
    pid = start()
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(SystemExit) as ended:
        server.main(["status", "--json"])
    said = json.loads(capsys.readouterr().out)
    assert (ended.value.code, said["state"], said["pid"]) == (1, "stuck", pid)
    # It does not even answer to SIGTERM.
    with pytest.raises(SystemExit) as ended:
        server.main(["stop", "--json"])
    assert (ended.value.code, json.loads(capsys.readouterr().out)) == (0, {"stopped": pid})
    assert gone(pid)
    assert start() != pid


def test_logs_shows_the_end_of_the_log() -> None:
    assert ao_server("logs").stdout == ""
    start()
    assert "serves" in ao_server("logs").stdout
    assert len(ao_server("logs", "--lines", "1").stdout.splitlines()) == 1
    found = ao_server_json("logs")
    assert found["path"] == os.path.join(paths.log_dir(), "server.log")
    assert "serves" in found["lines"][-1]
    assert ao_server_json("logs", "--lines", "0")["lines"] == []


@pytest.mark.parametrize(("command", "file"), [("rewrite-logs", "rewrite.log"), ("git-logs", "git.log")])
def test_each_concern_has_a_log_of_its_own(command: str, file: str) -> None:
    assert ao_server(command).stdout == ""
    logger = {"rewrite-logs": "ao_lsp.server.watch.worker", "git-logs": "ao_lsp.server.versions"}[command]
    program = (
        "import logging; from ao_lsp.server import logs; logs.begin()\n"
        f"logging.getLogger({logger!r}).info('one line'); logging.getLogger('ao_lsp.server.ingest').info('another')"
    )
    subprocess.run([sys.executable, "-c", program], timeout=60, check=True)
    found = ao_server_json(command)
    assert found["path"] == os.path.join(paths.log_dir(), file)
    assert [line.rpartition(": ")[2] for line in found["lines"]] == ["one line"]
    assert [line.rpartition(": ")[2] for line in ao_server_json("logs")["lines"]] == ["another"]


def test_the_last_lines_are_found_also_when_the_log_has_just_been_rotated() -> None:
    os.makedirs(paths.log_dir())
    Path(paths.log_dir(), "git.log.1").write_text("1\n2\n")
    Path(paths.log_dir(), "git.log").write_text("3\n")
    assert ao_server_json("git-logs", "--lines", "2")["lines"] == ["2", "3"]
    assert ao_server_json("git-logs", "--lines", "1")["lines"] == ["3"]


def test_logs_follows_the_log_into_a_new_file_and_ends_quietly_by_ctrl_c() -> None:
    os.makedirs(paths.log_dir())
    log = Path(paths.log_dir(), "server.log")
    log.write_text("old\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "ao_lsp.cli.server", "logs", "--follow"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "old\n"
    with log.open("a") as file:
        file.write("added\n")
    assert process.stdout.readline() == "added\n"
    log.rename(log.with_suffix(".log.1"))
    log.write_text("new\n")
    assert process.stdout.readline() == "new\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=LONG_S) == ("", "")
    assert process.returncode == 130


def test_logs_followed_as_json_are_one_document_a_line() -> None:
    os.makedirs(paths.log_dir())
    Path(paths.log_dir(), "rewrite.log").write_text("old\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "ao_lsp.cli.server", "rewrite-logs", "--follow", "--json"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert json.loads(process.stdout.readline()) == {"line": "old"}
    with Path(paths.log_dir(), "rewrite.log").open("a") as file:
        file.write("ad")
        file.flush()
        file.write("ded\n")
    assert json.loads(process.stdout.readline()) == {"line": "added"}
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=LONG_S)


def test_the_log_is_rotated_and_takes_stderr_along() -> None:
    program = (
        "import logging, os, sys; from ao_lsp.server import logs; logs._BYTES = 2000; logs.begin()\n"
        "for n in range(100): logging.info('line %d', n)\n"
        "print('said on stderr', file=sys.stderr, flush=True)"
    )
    subprocess.run([sys.executable, "-c", program], timeout=60, check=True)
    names = sorted(os.listdir(paths.log_dir()))
    assert names == ["server.log", "server.log.1", "server.log.2"]
    newest = Path(paths.log_dir(), "server.log").read_text()
    assert newest.endswith("said on stderr\n")
    assert "line 99" in newest


def _logged(file: Path, text: str) -> bool:
    return file.exists() and text in file.read_text()


def test_two_processes_share_a_log_and_go_along_when_one_of_them_rotates_it() -> None:
    program = (
        "import logging, sys; from ao_lsp.server import logs; logs._BYTES = int(sys.argv[1]); logs.begin()\n"
        "for n in sys.stdin: logging.info('%s said %s', sys.argv[1], n.strip())\n"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", program, limit], stdin=subprocess.PIPE, text=True)
        for limit in ("1000000", "2000")
    ]
    patient, rotating = both
    newest = Path(paths.log_dir(), "server.log")
    lines = "".join(f"line {n}\n" for n in range(60))
    for process, said, last in ((patient, "first\n", "first"), (rotating, lines, "line 59"), (patient, "z\n", "z")):
        assert process.stdin is not None
        process.stdin.write(said)
        process.stdin.flush()
        until(partial(_logged, newest, f"said {last}\n"), f"{last} is not logged")
    for process in both:
        process.communicate(timeout=LONG_S)
        assert process.returncode == 0
    assert "1000000 said first" not in newest.read_text()


def test_a_stop_that_meets_a_starting_daemon_leaves_none_behind(home: str) -> None:
    starter = subprocess.Popen([sys.executable, "-m", "ao_lsp.cli.server", "start"], stdout=subprocess.DEVNULL)
    starter.wait(timeout=60)
    ao_server("stop")
    until(lambda: daemons_of(home) == [], "one was left")
