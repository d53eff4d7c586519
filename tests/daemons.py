"""Real daemons for tests: each test has its own, under its own AO_HOME, and none outlives its test."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from ao_lsp import connect, paths
from ao_lsp.cli.client import Client

LONG_S = 30.0
"""More than anything takes on a busy machine; reached only by a test that fails."""


_open: list[socket.socket] = []


def dial() -> socket.socket:
    """A connection to the daemon that runs, without a preamble yet; closed at the end of the test."""
    found = connect.connect()
    assert found is not None, "no daemon listens"
    sock = socket.socket(fileno=found.detach())
    sock.settimeout(LONG_S)
    _open.append(sock)
    return sock


def read_line(sock: socket.socket) -> dict[str, Any]:
    """The reply to a preamble, without what follows it."""
    line = connect.read_line(sock)
    assert line, "hung up before the reply"
    reply: dict[str, Any] = json.loads(line)
    return reply


def until(what: Callable[[], Any], why: str) -> Any:
    """Wait for a condition; what it gave."""
    deadline = time.monotonic() + LONG_S
    while True:
        found = what()
        if found:
            return found
        assert time.monotonic() < deadline, why
        time.sleep(0.01)


@contextmanager
def own_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An AO_HOME of the test's own: short, because a socket's path has to be."""
    home = tempfile.mkdtemp(prefix="ao-", dir="/tmp")
    monkeypatch.setenv("AO_HOME", home)
    # Most tests have nothing to compile ahead; those of the watcher say so (tests/server/watch).
    monkeypatch.setenv("AO_WATCH", "0")
    for name in ("AO_PLAN", "AO_IDLE_S", "AO_NO_DAEMON", "AO_SERVER_PYTHON", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    try:
        yield home
    finally:
        while _open:
            _open.pop().close()
        for pid in daemons_of(home):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(home, ignore_errors=True)


def daemons_of(home: str) -> list[int]:
    """The processes of daemons under this AO_HOME."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdecimal():
            continue
        with (
            suppress(OSError),
            open(f"/proc/{name}/environ", "rb") as environ,
            open(f"/proc/{name}/cmdline", "rb") as line,
        ):
            if f"AO_HOME={home}".encode() in environ.read().split(b"\0") and b"ao_lsp.server.daemon" in line.read():
                found.append(int(name))
    return found


def ask(method: str, **params: Any) -> dict[str, Any]:
    """One request to the daemon, which is started if there is none."""
    client = Client(connect.open_session("cli"))
    try:
        return client.request(method, params)
    finally:
        client.close()


def start() -> int:
    """Have a daemon; its process id."""
    sock, reply = connect.open_session("cli")
    sock.close()
    return int(reply["pid"])


def patched_python(folder: Path, code: str) -> str:
    """An interpreter that runs `code` before anything else, for `AO_SERVER_PYTHON`: what happens to a daemon from
    outside, or at an exact place in it."""
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(code)
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={folder} exec {sys.executable} "$@"\n')
    python.chmod(0o755)  # it has to look like an interpreter
    return str(python)


def gone(pid: int) -> bool:
    """Whether the process has ended; a zombie has, once no thread of it is left: the last one lets go of its locks."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            fields = stat.read().rpartition(b")")[2].split()
    except OSError:
        return True
    return fields[0] in (b"Z", b"X") and int(fields[17]) <= 1


def kill(pid: int) -> None:
    """kill -9, and wait until it is gone."""
    os.kill(pid, signal.SIGKILL)
    until(lambda: gone(pid), f"process {pid} survived SIGKILL")


def log() -> str:
    """What the daemon has logged."""
    try:
        with open(os.path.join(paths.log_dir(), "server.log"), encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def have_a_newer_database() -> None:
    """Put one in place that this version cannot use."""
    os.makedirs(os.path.dirname(paths.database()), 0o700, exist_ok=True)
    with closing(sqlite3.connect(paths.database())) as db:
        db.execute("PRAGMA user_version = 999")
