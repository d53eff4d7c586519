"""No prompt, output, error, edit or source text is in any log, whatever goes wrong with it."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from model_server import ModelServer

from ao_lsp import connect, paths, protocol
from ao_lsp.cli.client import CommandError
from tests.daemons import ask, dial, log, read_line, start, until
from tests.lsp.raw import client, notification, request
from tests.recorder import Recorder

pytestmark = pytest.mark.usefixtures("home")

MARKER = "wombat7541"

PROGRAM = f"""
import ao_lsp, openai, subprocess, sys

@ao_lsp.tool
def look_up(what):
    raise LookupError("{MARKER} in an error")

client = openai.OpenAI(max_retries=0)
for model in ("m", "fail-500", "fail-garbage", "fail-cut"):
    try:
        client.chat.completions.create(model=model, messages=[{{"role": "user", "content": "{MARKER} in a prompt"}}])
    except openai.OpenAIError as error:
        pass
try:
    look_up("{MARKER} in an argument")
except LookupError:
    pass
ao_lsp.log(note="{MARKER} in a note")
if len(sys.argv) > 1:
    raise RuntimeError("{MARKER} in the end")
"""


def logs() -> dict[str, str]:
    """Every log by its name, but for what reruns print: that is the program's own."""
    return {
        name: Path(paths.log_dir(), name).read_text("utf-8")
        for name in os.listdir(paths.log_dir())
        if os.path.isfile(os.path.join(paths.log_dir(), name))
    }


def test_nothing_that_was_recorded_edited_or_opened_is_in_a_log(tmp_path: Path, model_server: ModelServer) -> None:
    start()
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    env = {**os.environ, **model_server.env}
    for arguments in ([], ["fail"]):
        subprocess.run(
            [sys.executable, "-m", "ao_lsp.runner", str(program), *arguments],
            env=env, capture_output=True, check=False, timeout=60,
        )  # fmt: skip
    until(lambda: ask("ao.runs")["total"] == 2, "not recorded")
    # Edits that can be and such that cannot, and a rerun with them.
    ask("ao.edit", call=1, content=f"{MARKER} in an output")
    for call, field, content in (
        (1, "input", f'{{"{MARKER}": '),
        (2, "output", f'["{MARKER}"]'),
        (99, "output", MARKER),
    ):
        with suppress(CommandError):
            ask("ao.edit", call=call, field=field, content=content)
    subprocess.run(
        [sys.executable, "-m", "ao_lsp.cli.ao", "rerun", "last", "--json"],
        env=env, capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    _say_nonsense()
    _edit(tmp_path / f"{MARKER}.py")
    ask("ao.export", format="html")
    assert ask("daemon.status")["state"] == "serving"
    said = logs()
    assert "serves" in said["server.log"]
    assert [name for name, text in said.items() if MARKER in text] == []


def _say_nonsense() -> None:
    """Events and requests that cannot be understood."""
    runner = Recorder("nonsense").connect()
    runner.start()
    runner.event("call.start", {"request": MARKER.encode()}, call=MARKER, kind=[MARKER], url={MARKER: 1})
    runner.event("call.end", {"response": b"\xff" + MARKER.encode()}, call="c9", status=MARKER, headers=MARKER)
    runner.event("run.note", level=MARKER, message={MARKER: MARKER})
    runner.event("run.mark", result=MARKER, note=[MARKER])
    runner.event(MARKER, x=MARKER)
    runner.call("c1", response=f'{{"choices": [{{"message": "{MARKER}"}}]}}'.encode())
    runner.wait()
    runner.send_bytes(b"\0\0\0\4\0\0\0\0" + MARKER[:4].encode())
    runner.close()
    until(lambda: "without a JSON header is ignored" in log(), "it is not logged")
    for frame in (protocol.frame({"id": 1, "method": MARKER, "params": {MARKER: MARKER}}), MARKER.encode() * 10):
        sock = dial()
        sock.sendall(connect.preamble("cli"))
        read_line(sock)
        sock.sendall(frame)
        sock.recv(1 << 16)


def _edit(file: Path) -> None:
    """What an editor says, and what it says wrongly."""
    with client() as raw:
        raw.begin()
        item = {"uri": "untitled:x.py", "languageId": "python", "version": 1, "text": f"x = '{MARKER}'\n"}
        raw.send(
            notification("textDocument/didOpen", {"textDocument": item}),
            notification("textDocument/didChange", {"textDocument": MARKER, "contentChanges": MARKER}),
            request(1, "textDocument/hover", {"textDocument": {"uri": file.name}, "position": MARKER}),
            request(2, "workspace/executeCommand", {"command": "ao.edit", "arguments": [{"content": MARKER}]}),
            request(3, "workspace/executeCommand", {"command": MARKER, "arguments": [MARKER]}),
            notification(f"$/{MARKER}", {"value": MARKER}),
            request(4, "shutdown"),
        )
        raw.answer(4)
