"""A daemon that goes in mid-run, while hundreds of calls are under way, and the one that comes after it, of whatever
version: no call is lost, and none is there twice."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from model_server import ModelServer

from ao_lsp import paths
from tests.daemons import LONG_S, ask, daemons_of, gone, kill, log, start, until
from tests.runner.beside_python import POST
from tests.runner.recorded import Programs, column, graph

# Says `between` when the first answer is there and hundreds of calls are under way; goes on when it is told to.
MANY = (
    POST
    + """
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(200) as pool:
        asked = [pool.submit(post, f"question {number}") for number in range(400)]
        asked[0].result()
        print("between", flush=True)
        sys.stdin.readline()
        said = [future.result() for future in asked]
    said += [post(f"question {number}") for number in range(400, 410)]
    child = os.fork()
    if child == 0:
        post("question 410")
        os._exit(0)
    print(len(said), os.waitpid(child, 0)[1])
    """
)
CALLS = 411


def of_version(version: str, folder: Path) -> str:
    """An interpreter in which ao-lsp has another version."""
    (folder / "sitecustomize.py").write_text(f"import ao_lsp; ao_lsp.__version__ = {version!r}")
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={folder} exec {sys.executable} "$@"\n')
    python.chmod(0o755)  # it has to look like an interpreter
    return str(python)


def speak(python: str, said: str) -> None:
    """Have a client with this interpreter, which starts daemons with it."""
    command = [python, "-c", f"from ao_lsp import connect; {said}"]
    subprocess.run(command, env={**os.environ, "AO_SERVER_PYTHON": python}, check=True, timeout=LONG_S)


def a_newer_one_takes_over(daemon: int, home: str, folder: Path) -> None:
    speak(of_version("99.0", folder), "connect.open_session('cli')[0].close()")
    # The first one goes on as long as the program speaks to it.
    assert len([pid for pid in daemons_of(home) if pid != daemon]) == 1


def an_older_one_comes_after_it(daemon: int, home: str, folder: Path) -> None:  # noqa: ARG001 - as the others
    kill(daemon)
    speak(of_version("0.0.1", folder), "connect.start_without_waiting()")
    until(lambda: "of version 0.0.1 serves" in log(), log())


def it_is_killed(daemon: int, home: str, folder: Path) -> None:  # noqa: ARG001 - as the others
    kill(daemon)


def it_is_killed_and_so_is_each_after_it(daemon: int, home: str, folder: Path) -> None:  # noqa: ARG001 - as the others
    kill(daemon)
    for _ in range(3):
        kill(start())


@pytest.mark.parametrize(
    "what", [a_newer_one_takes_over, an_older_one_comes_after_it, it_is_killed, it_is_killed_and_so_is_each_after_it]
)
def test_a_daemon_that_goes_while_calls_are_under_way_loses_and_doubles_none(
    what: object, programs: Programs, model_server: ModelServer, home: str, tmp_path: Path
) -> None:
    assert callable(what)
    other = tmp_path / "other"
    other.mkdir()
    daemon = start()
    file = programs.write(MANY)
    with programs.start("-W", "ignore", file.name, env=model_server.env, stdin=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"between\n"
            if what is an_older_one_comes_after_it:  # before the program itself has one of ours started
                process.send_signal(signal.SIGSTOP)
            what(daemon, home, other)
            process.send_signal(signal.SIGCONT)
            assert process.communicate(b"\n", timeout=LONG_S) == (b"410 0\n", b"")
        finally:
            process.kill()
    assert process.returncode == 0
    assert len(model_server.requests) == CALLS
    until(lambda: gone(daemon), "the first daemon stays")

    found = graph()
    assert column(found, "status") == ["ok"] * CALLS
    assert found["run"]["status"] == "finished"
    assert ask("ao.runs")["total"] == 1
    with closing(sqlite3.connect(paths.database())) as db:  # each question once: no call stands for another
        assert db.execute("SELECT COUNT(DISTINCT request_body), COUNT(*) FROM calls").fetchone() == (CALLS, CALLS)
        assert db.execute("SELECT COUNT(*) FROM notes").fetchone() == (0,)
