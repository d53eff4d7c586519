"""Daemons that die or stop at an exact place, and clients of every role."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.daemons import patched_python

# Where each stage of a daemon's life is: before or after what is done there.
STAGES = {
    "before the lock": ("Presence.lock", "before"),
    "with the lock, without a socket": ("Presence.lock", "after"),
    "bound, not renamed": ("rename", "before"),
    "published, not ready": ("_Report.say", "before"),
    "ready": ("_Report.say", "after"),
    "retiring": ("Daemon._retire", "after"),
    "leaving, socket gone": ("Presence.withdraw", "after"),
    "leaving, everybody gone": ("Connections.close", "after"),
}

_PATCH = """
import os, signal, sys
def happens(*_):
    try:  # to the first one that gets here, and to no other
        os.close(os.open(os.environ["AO_HOME"] + "/happened", os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.{signal})
from ao_lsp.server import connections, daemon, presence
def patched(owner, name, when):
    real = getattr(owner, name)
    if when == "before":
        def patch(*args, **kwargs):
            happens()
            return real(*args, **kwargs)
    elif name == "close":
        async def patch(*args, **kwargs):
            await real(*args, **kwargs)
            happens()
    else:
        def patch(*args, **kwargs):
            result = real(*args, **kwargs)
            happens()
            return result
    setattr(owner, name, patch)
where, when = {where!r}
if where == "rename":
    real_rename = os.rename
    def rename(source, target):
        if target.endswith(".sock"):
            happens()
        real_rename(source, target)
    os.rename = rename
else:
    kind, _, name = where.partition(".")
    owner = {{"Presence": presence.Presence, "_Report": daemon._Report, "Daemon": daemon.Daemon,
              "Connections": connections.Connections}}[kind]
    patched(owner, name, when)
"""


def python_for(stage: str, folder: Path, number: str = "SIGKILL") -> str:
    """An interpreter in which the first daemon gets this signal at this stage of its life, and later ones live."""
    return patched_python(folder / "python", _PATCH.format(where=STAGES[stage], signal=number))


def happened() -> bool:
    """Whether it has got there."""
    return os.path.exists(os.path.join(os.environ["AO_HOME"], "happened"))


CLI = "from ao_lsp import connect; print(connect.open_session('cli')[1]['pid'])"


def client(role: str, folder: Path) -> subprocess.Popen[bytes]:
    """A client as a user starts it: `cli`, `record` (a program that does nothing) or `lsp` (an editor that says hello
    and goodbye)."""
    if role == "cli":
        command = [sys.executable, "-m", "ao_lsp.cli.ao", "runs", "--json"]
    elif role == "record":
        program = folder / "program.py"
        if not program.exists():  # others may be about to run it
            program.write_text("print('done')\n")
        command = [sys.executable, "-m", "ao_lsp.runner", str(program)]
    else:
        command = [sys.executable, "-m", "ao_lsp.forwarder"]
    stdin = subprocess.PIPE if role == "lsp" else subprocess.DEVNULL
    process = subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if process.stdin is not None:
        hello: dict[str, Any] = {"processId": None, "rootUri": None, "capabilities": {}}
        messages: tuple[dict[str, Any], ...] = (
            {"id": 0, "method": "initialize", "params": hello},
            {"id": 1, "method": "shutdown"},
            {"method": "exit"},
        )
        for message in messages:
            body = json.dumps({"jsonrpc": "2.0", **message}).encode()
            process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        process.stdin.flush()
    return process


def served(process: subprocess.Popen[bytes], role: str, limit_s: float = 90.0) -> str:
    """Wait for such a client; "" where it got what it wanted, else what it was told."""
    said, complained = process.communicate(timeout=limit_s)
    good = {"cli": b'"total"', "record": b"done\n", "lsp": b'"serverInfo"'}[role]
    if process.returncode == 0 and good in said and not complained:
        return ""
    return (said + complained).decode() or f"exit code {process.returncode}"
