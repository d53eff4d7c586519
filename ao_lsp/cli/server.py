"""`ao-server`: the daemon by hand. It starts by itself and leaves by itself; this is for the rest."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NoReturn, TextIO

from ao_lsp import __version__, paths
from ao_lsp.cli import client, status, terminal
from ao_lsp.cli.client import Client, CommandError
from ao_lsp.connect import (
    DaemonUnavailable,
    existing_session,
    lock_holder,
    log_path,
    open_session,
    vital_sign,
    without_daemon,
)

_LEAVE_S = 10.0
"""How long a daemon that has been asked may take to leave."""

_OBEY_S = 3.0
"""How long one that does not answer may take over a signal."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and end the process: 0, 1 with a reason, 2 for a wrong command line."""
    options = _parser().parse_args(arguments)
    client.run("ao-server", options.json, lambda: options.command(options))


def _start(options: argparse.Namespace) -> None:
    _may_start()
    reply = Client(open_session("cli")).reply
    said = {key: reply.get(key) for key in ("pid", "version", "daemon", "log")}
    _say(options, said, f"ao-server {reply.get('version')} runs, process {reply.get('pid')}")


def _may_start() -> None:
    if without_daemon():
        raise CommandError(
            "conflict", "AO_NO_DAEMON is set: each command does its work itself", "unset it for a daemon"
        )


def _stop(options: argparse.Namespace) -> None:
    pid = _stopped()
    _say(options, {"stopped": pid}, f"stopped process {pid}" if pid else "no daemon runs")


def _restart(options: argparse.Namespace) -> None:
    _may_start()
    _stopped()
    _start(options)


def _stopped() -> int | None:
    """Stop the daemon, wait until it is gone, and return its process id; None where there was none."""
    pid = lock_holder()
    try:
        # One that is stuck or busy would not answer this either, and a signal it heeds when it can.
        session = existing_session("cli") if _turns(vital_sign()) else None
        if session is not None:
            connection = Client(session)
            pid = int(connection.request("daemon.stop")["pid"])
            connection.close()
            if _left(_LEAVE_S):
                return pid
    except (DaemonUnavailable, CommandError):
        pass  # it hangs, or is of another version: what holds the lock is asked by signal
    for number in (signal.SIGTERM, signal.SIGKILL):
        holder = lock_holder()
        if holder:
            with suppress(ProcessLookupError):
                os.kill(holder, number)
        if _left(_OBEY_S):
            return pid
    if not lock_holder():
        hint = f"`fuser {paths.lock_path()}` or `lsof` says which it is"
        raise CommandError("conflict", f"a process that is no daemon holds {paths.lock_path()}", hint)
    raise CommandError("conflict", f"process {pid} does not end", f"see {log_path()}")


def _turns(sign: bytes | None) -> bool:
    """Whether a daemon that gives this sign gets to a request soon; None: it may be of an older version."""
    return sign is None or (sign != b"" and json.loads(sign)["state"] != "busy")


def _left(within_s: float) -> bool:
    """Whether the lock is free, or becomes so in time."""
    deadline = time.monotonic() + within_s
    while lock_holder() is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _status(options: argparse.Namespace) -> int:
    try:
        found = status.asked()
    except DaemonUnavailable as error:
        holder = lock_holder()
        said = {"state": "stuck", "pid": holder, "message": str(error), "log": log_path()}
        _say(options, said, f"process {holder} is stuck: {error}")
        return 1
    if found is not None:
        _say(options, found, status.text(found))
    elif without_daemon():
        _say(options, {"state": "stopped"}, "no daemon runs, and none is started: AO_NO_DAEMON is set")
    else:
        _say(options, {"state": "stopped"}, "no daemon runs; it starts by itself when it is needed")
    return 0


def _clear(options: argparse.Namespace) -> None:
    connection = client.connected()
    if not options.yes:
        found = connection.request("daemon.status")
        size = terminal.size(found["database"]["bytes"]) if found["database"] else "the size is not known"
        _confirm(f"Delete {found['runs']['total'] if found['runs'] else 'all'} runs ({size})?")
    result = connection.request("daemon.clear")
    kept = f", {result['kept']} still running" if result["kept"] else ""
    _say(options, result, f"deleted {result['deleted']} runs, {terminal.size(result['freed_bytes'])} freed{kept}")


def _confirm(question: str) -> None:
    if not sys.stdin.isatty():
        raise CommandError("conflict", "nothing is deleted without being asked for", "say --yes")
    client.confirm(question)


def _logs(options: argparse.Namespace) -> None:
    path = os.path.join(paths.log_dir(), options.file)
    file = _opened(path)
    lines = file.read().splitlines() if file else []
    if len(lines) < options.lines:  # it may have been rotated a moment ago
        earlier = _opened(f"{path}.1")
        if earlier is not None:
            with earlier:
                lines = earlier.read().splitlines() + lines
    lines = lines[max(len(lines) - options.lines, 0) :]
    if options.json and not options.follow:
        client.print_json({"path": path, "lines": lines})
        return
    said = _as_json if options.json else terminal.printable
    for line in lines:
        print(said(line))
    if options.follow:
        sys.stdout.flush()
        _follow(path, file, said)


def _as_json(line: str) -> str:
    """One JSON document a line: what goes on for ever cannot be one."""
    return json.dumps({"line": line}, ensure_ascii=True)


def _opened(path: str) -> TextIO | None:
    try:
        return open(path, encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None


def _follow(path: str, file: TextIO | None, said: Callable[[str], str]) -> NoReturn:
    """Print the lines that are added to a file, and go on with a new one of that name when it is replaced."""
    begun = ""
    while True:
        text = file.read() if file else ""
        if text:
            *lines, begun = (begun + text).split("\n")
            for line in lines:
                print(said(line))
            sys.stdout.flush()
            continue
        time.sleep(0.2)
        try:
            replaced = file is None or os.stat(path).st_ino != os.fstat(file.fileno()).st_ino
        except FileNotFoundError:
            continue
        if replaced:
            if file is not None:
                file.close()
            file = _opened(path)


def _say(options: argparse.Namespace, value: dict[str, Any], text: str) -> None:
    client.print_json(value) if options.json else print(text)


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--json", action="store_true", help="one JSON document on stdout, errors too")
    parser = argparse.ArgumentParser(
        prog="ao-server",
        description="The daemon that stores what is recorded. It starts by itself and leaves when nobody needs it.",
    )
    parser.add_argument("--version", action="version", version=f"ao-server {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(name: str, command: Any, text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text, parents=[shared])
        made.set_defaults(command=command)
        return made

    add("start", _start, "Start the daemon, if it does not run.")
    add("stop", _stop, "Stop it. Programs and editors go on.")
    add("restart", _restart, "Stop it, and start it.")
    add("status", _status, "Tell what it does. Does not start one.")
    made = add("clear", _clear, "Delete every run that has ended, and give the space back.")
    made.add_argument("--yes", action="store_true", help="do not ask")
    for name, file, text in (
        ("logs", "server.log", "Show its log."),
        ("rewrite-logs", "rewrite.log", "Show the log of the file watcher: what was rewritten ahead, and what not."),
        ("git-logs", "git.log", "Show the log of the code versions."),
    ):
        made = add(name, _logs, text)
        made.set_defaults(file=file)
        made.add_argument("--follow", "-f", action="store_true", help="go on showing what is added")
        made.add_argument("--lines", "-n", type=int, default=100, metavar="N", help="so many lines (default: 100)")
    return parser


if __name__ == "__main__":
    main()
