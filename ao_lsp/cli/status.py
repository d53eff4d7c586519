"""`ao-server status`: what the daemon does, also while it is busy; and whether it is stuck."""

from __future__ import annotations

import os
from typing import Any

from ao_lsp import protocol
from ao_lsp.cli import terminal
from ao_lsp.cli.client import Client, CommandError
from ao_lsp.connect import DaemonUnavailable, existing_session, log_path, vital_sign


def asked() -> dict[str, Any] | None:
    """What the daemon says of itself; None where there is none.

    Raises:
        DaemonUnavailable: it is stuck, or cannot be reached.
    """
    line = vital_sign()
    if line == b"":
        raise DaemonUnavailable(f"it does not answer; see {log_path()}, or end it with: ao-server stop")
    sign = protocol.loads(line) if line else None
    found = sign if sign is not None and sign["state"] == "busy" else _of_its_loop()
    if found is None:
        return None
    # The one that asks is nobody else's business.
    found["clients"] = [each for each in found["clients"] if each["pid"] != os.getpid()]
    return {"stalled_s": 0.0, "doing": None, **found}


def _of_its_loop() -> dict[str, Any] | None:
    session = existing_session("cli")
    if session is None:
        return None
    connection = Client(session)
    try:
        return connection.request("daemon.status")
    except CommandError as error:
        raise DaemonUnavailable(f"{error}; see {log_path()}") from None
    finally:
        connection.close()


def text(status: dict[str, Any]) -> str:
    """As a person reads it."""
    leaves = f"leaves when idle for {terminal.seconds(status['idle_exit_s'])}" if status["idle_exit_s"] else "stays"
    rows = [
        ("version", status["version"]),
        ("process", f"{status['pid']}, {status['python']}"),
        ("up", f"{terminal.seconds(status['uptime_s'])}, {leaves}"),
    ]
    if status["state"] != "serving":
        rows.append(("state", status["state"]))
    if status["state"] == "busy":
        rows.append(("at", f"{(status['doing'] or ['?'])[0]}, for {terminal.seconds(status['stalled_s'])}"))
    clients = [_client(each) for each in status["clients"]] or ["none"]
    rows += [("clients" if number == 0 else "", client) for number, client in enumerate(clients)]
    rows.append(("queues", _queues(status["queues"])))
    if status["runs"] is not None:
        rows.append(("runs", f"{status['runs']['total']}, {status['runs']['running']} of them running"))
    if status["database"] is not None:
        database = status["database"]
        rows.append(("database", f"{terminal.size(database['bytes'])}, {database['path']}"))
        if database.get("damage"):
            rows.append(("", database["damage"]))
    if status.get("versions") is not None:  # a daemon before them says nothing of them
        kept = status["versions"]
        rows.append(("versions", f"{terminal.size(kept['bytes'])}, {kept['path']}"))
    rows += [("memory", terminal.size(status["memory_bytes"])), ("log", status["log"])]
    return "\n".join(f"{terminal.painted(f'{name:<9}', '2')} {terminal.printable(said)}" for name, said in rows)


def _client(client: dict[str, Any]) -> str:
    said = f"{client['role']} {client['pid']}"
    if client["run"]:
        said += f" (run {client['run']})"
    if client["doing"]:
        said += f", {client['doing']}"
    said += f", since {client['since'][11:19]}"
    behind = [
        f"{terminal.size(client[way]['bytes'])} {words}"
        for way, words in (("in", "to be taken in"), ("out", "unread"))
        if client[way]["bytes"]
    ]
    return ", ".join([said, *behind])


def _queues(queues: dict[str, Any]) -> str:
    ingest, matching, spool = queues["ingest"], queues["matching"], queues["spool"]
    said = []
    if ingest["events"]:
        said.append(f"{ingest['events']} events to be stored ({terminal.size(ingest['bytes'])})")
    if spool["files"]:
        said.append(f"{spool['files']} spool files ({terminal.size(spool['bytes'])})")
    if matching["running"] or matching["waiting"]:
        said.append(f"{matching['running'] + matching['waiting']} runs to be compared")
    return ", ".join(said) or "empty"
