"""What the daemon needs to be there, and what each client costs it.

    python benchmarks/daemon.py [--clients=100] [--starters=50] [--starts=7]

Prints how long a client waits where there is no daemon yet (median); how long so many at once wait for the last of
them; the memory of a daemon that has served an editor; what each idle client of a kind adds to that; how long the
status takes (median); and how long a change takes from the program to a subscriber (median).
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

STARTER = "from ao_lsp import connect; connect.open_session('cli')"

HELLO: dict[str, Any] = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {"processId": None, "rootUri": None, "capabilities": {}},
}


def main() -> None:
    parser = argparse.ArgumentParser()
    for name, default in (("clients", 100), ("starters", 50), ("starts", 7)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ao-", ignore_cleanup_errors=True) as home:
        os.environ["AO_HOME"] = home
        try:
            measure(options)
        finally:
            end()


def measure(options: argparse.Namespace) -> None:
    row("from nothing to served", f"{statistics.median(start() for _ in range(options.starts)):.2f} s")
    began = time.monotonic()
    everyone = [subprocess.Popen([sys.executable, "-c", STARTER]) for _ in range(options.starters)]
    assert [process.wait() for process in everyone] == [0] * options.starters
    row(f"{options.starters} at once, all served", f"{time.monotonic() - began:.2f} s")
    first, run = editor(0), Run("first")
    row("memory, idle", f"{memory() / (1 << 20):.0f} MB")
    kinds: dict[str, Callable[[int], Any]] = {
        "command line": lambda _: command_line(),
        "editor": editor,
        "program": lambda number: Run(f"run{number}"),
        "subscriber": subscriber,
    }
    kept: list[Any] = [first]
    for name, make in kinds.items():
        before = memory()
        kept.append([make(number) for number in range(options.clients)])
        row(f"each idle {name}", f"{max(0, memory() - before) / options.clients / 1024:.0f} kB")
    row("status", f"{1000 * statistics.median(status() for _ in range(50)):.1f} ms")
    hearing = command_line()
    messages = hearing.events({"session": "first"})
    next(messages)
    row("from program to subscriber", f"{1000 * statistics.median(told(run, messages) for _ in range(50)):.1f} ms")


def row(what: str, value: str) -> None:
    print(f"| {what} | {value} |", flush=True)


def start() -> float:
    """Seconds for a client where there is no daemon."""
    from ao_lsp import connect

    end()
    began = time.monotonic()
    sock, _ = connect.open_session("cli")
    took = time.monotonic() - began
    sock.close()
    return took


def end() -> None:
    from ao_lsp import connect

    pid = connect.lock_holder()
    if pid:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    while connect.lock_holder() is not None:
        time.sleep(0.01)


def command_line() -> Any:
    from ao_lsp import connect
    from ao_lsp.cli.client import Client

    return Client(connect.open_session("cli"))


def memory() -> int:
    client = command_line()
    found = int(client.request("daemon.status")["memory_bytes"])
    client.close()
    return found


def status() -> float:
    from ao_lsp import connect

    began = time.monotonic()
    assert connect.vital_sign()
    return time.monotonic() - began


def editor(_: int) -> Any:
    """One that has said hello."""
    from ao_lsp import connect

    sock, _reply = connect.open_session("lsp")
    body = json.dumps(HELLO).encode()
    sock.sendall(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    heard = b""
    while b'"serverInfo"' not in heard:
        heard += sock.recv(1 << 16)
    return sock


def subscriber(_: int) -> Any:
    """One that has heard of everything."""
    client = command_line()
    messages = client.events({"session": "first"})
    next(messages)
    return client, messages


class Run:
    """A program that is being recorded."""

    def __init__(self, name: str) -> None:
        from ao_lsp import connect

        self.seq = 0
        self._socket, _ = connect.open_session("record", run=name, stream="s")
        self.say("run.start", run=name, session=name, name=name, argv=["agent.py"])
        self._socket.recv(1 << 16)

    def say(self, kind: str, **fields: Any) -> None:
        from ao_lsp import protocol

        self.seq += 1
        self._socket.sendall(protocol.frame({"type": kind, "seq": self.seq, "at": time.time(), **fields}))


def told(run: Run, messages: Any) -> float:
    """Seconds until a subscriber hears of what a program said."""
    began = time.monotonic()
    run.say("run.note", level="info", message="x")
    next(messages)
    return time.monotonic() - began


if __name__ == "__main__":
    main()
