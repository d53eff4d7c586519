"""A connection from its first byte to its last: what goes wrong concerns nobody else, and is answered."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.daemons import ask, gone, kill, log, start, until
from tests.lsp.conftest import AGENT, record
from tests.lsp.editors import AO_LSP
from tests.lsp.raw import Raw, client, framed, notification, request

pytestmark = pytest.mark.usefixtures("home")


def test_initialize_shutdown_exit() -> None:
    with client() as raw:
        assert raw.begin()["result"]["serverInfo"]["name"] == "ao-lsp"
        assert raw.ask(1, "shutdown")["result"] is None
        raw.send(notification("exit"))
        assert (raw.receive(), raw.code(), raw.errors()) == (None, 0, "")
    assert "Traceback" not in log()


def test_exit_without_shutdown_is_code_1_and_ends_this_client_only() -> None:
    with client() as raw, client() as other:
        raw.begin()
        other.begin()
        raw.send(notification("exit"))
        assert raw.code() == 1
        assert other.ask(1, "textDocument/hover", _position("file:///x.py"))["result"] is None


def test_an_editor_that_just_closes_its_end_leaves_nothing_behind() -> None:
    with client() as raw:
        raw.begin()
        raw.hang_up()
        assert raw.code() == 0
    until(lambda: not ask("daemon.status")["clients"][1:], "the daemon still has a client")


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"Content-Length: 3\r\n\r\n{,}", -32700),
        (b'Content-Length: 4\r\n\r\n"{}"', -32600),
        (b"Content-Length: 2\r\n\r\n[]", -32600),
        (b'Content-Length: 12\r\n\r\n{"id": null}', None),
        (framed({"id": 5, "method": "textDocument/hover"}), -32600),
        (framed({"jsonrpc": "2.0", "id": [1], "method": "textDocument/hover"}), -32600),
    ],
)
def test_a_malformed_message_is_answered_and_the_next_one_served(said: bytes, code: int | None) -> None:
    with client() as raw:
        raw.begin()
        raw.write(said)
        if code is not None:
            answer = raw.receive()
            assert answer is not None
            assert answer["error"]["code"] == code
        assert "result" in raw.ask(9, "shutdown")


@pytest.mark.parametrize(
    "said", [b"Content-Length: many\r\n\r\n{}", b"Nonsense\r\n\r\n", b"Content-Length: 99999999999\r\n\r\n"]
)
def test_a_header_that_cannot_be_read_ends_the_connection_with_a_reason(said: bytes) -> None:
    with client() as raw:
        raw.begin()
        raw.write(said)
        answer = raw.receive()
        assert answer is not None
        assert answer["error"]["code"] == -32700
        raw.process.wait()
    assert "Traceback" not in log()


def test_a_header_in_lower_case_and_cut_anywhere_is_read() -> None:
    with client() as raw:
        data = framed(request(1, "initialize", {"capabilities": {}})).replace(b"Content-Length", b"content-length")
        for index in range(0, len(data), 7):
            raw.write(data[index : index + 7])
        assert raw.answer(1)["result"]["serverInfo"]["name"] == "ao-lsp"


def test_errors_are_answered_with_their_codes() -> None:
    with client() as raw:
        assert raw.ask(1, "textDocument/hover", {})["error"]["code"] == -32002
        raw.begin()
        assert raw.ask(2, "textDocument/unheardOf", {})["error"]["code"] == -32601
        assert raw.ask(3, "textDocument/hover", {"textDocument": 5})["error"]["code"] == -32602
        assert (
            raw.ask(4, "workspace/executeCommand", {"command": "ao.nope"})["error"]["data"]["code"] == "unknown_command"
        )
        raw.ask(5, "shutdown")
        assert raw.ask(6, "textDocument/hover", _position("file:///x.py"))["error"]["code"] == -32600


def test_a_payload_that_looks_like_a_message_is_none() -> None:
    with client() as raw:
        raw.begin()
        inner = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {}}
        answer = raw.ask(1, "workspace/executeCommand", {"command": "ao.edit", "arguments": [inner]})
        assert answer["error"]["data"]["code"] == "bad_params"


def test_a_cancelled_request_is_answered_as_cancelled() -> None:
    with client() as raw:
        raw.begin()
        # In one write: the server sees the second before it acts on the first.
        raw.send(
            request(1, "workspace/executeCommand", {"command": "ao.runs"}),
            notification("$/cancelRequest", {"id": 1}),
            request(2, "workspace/executeCommand", {"command": "ao.runs"}),
        )
        assert raw.answer(1)["error"]["code"] == -32800
        assert raw.answer(2)["result"] == {"runs": [], "total": 0}


def test_a_client_that_does_not_read_holds_up_nobody_else(tmp_path: Path) -> None:
    agent = tmp_path / "agent.py"
    agent.write_text(AGENT, "utf-8")
    record(agent)
    with client() as deaf, client() as other:
        for raw in (deaf, other):
            raw.begin()
            raw.send(notification("textDocument/didOpen", _opened(agent)))
        asking = framed(
            request("x", "workspace/executeCommand", {"command": "ao.graph", "arguments": [{"run": "last"}]})
        )
        # More than every buffer on the way holds; the pipe fills up, so this happens beside the test.
        writing = threading.Thread(target=_write_on, args=(deaf, asking, 20_000), daemon=True)
        writing.start()
        for number in range(20):
            assert "result" in other.ask(number + 1, "textDocument/codeLens", {"textDocument": {"uri": agent.as_uri()}})
        status = ask("daemon.status")
        assert status["memory_bytes"] < 400 << 20
    writing.join(10)


def _write_on(raw: Raw, data: bytes, times: int) -> None:
    try:
        for _ in range(times):
            raw.write(data)
    except (OSError, ValueError):  # the test has seen enough
        return


def test_a_daemon_that_is_killed_is_said_and_the_forwarder_ends() -> None:
    with client() as raw:
        raw.begin()
        kill(start())
        message = raw.receive()
        assert message is not None
        assert message["method"] == "window/showMessage"
        assert "the server has ended" in message["params"]["message"]
        assert "server.log" in message["params"]["message"]
        assert (raw.receive(), raw.code()) == (None, 1)


def test_a_daemon_that_cannot_start_is_said_with_the_reason() -> None:
    with client({"AO_SERVER_PYTHON": "/bin/false"}) as raw:
        message = raw.receive()
        assert message is not None
        assert message["params"]["type"] == 1
        assert "the daemon did not start" in message["params"]["message"]
        assert (raw.code(), raw.errors()) == (1, "")


# Starts ao-lsp on the pipe that it is told, and says which process that is.
EDITOR = """
import subprocess, sys
with open(sys.argv[1]) as pipe:
    server = subprocess.Popen([sys.argv[2]], stdin=pipe, stdout=subprocess.DEVNULL)
print(server.pid, flush=True)
server.wait()
"""


def test_the_forwarder_ends_with_its_editor_even_if_somebody_else_holds_the_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    holder = os.open(pipe, os.O_RDWR)
    started = [sys.executable, "-c", EDITOR, str(pipe), AO_LSP]
    try:
        with subprocess.Popen(started, stdout=subprocess.PIPE, text=True) as parent:
            assert parent.stdout is not None
            pid = int(parent.stdout.readline())
            until(lambda: any(c["pid"] == pid for c in ask("daemon.status")["clients"]), "it did not connect")
            parent.kill()
        until(lambda: gone(pid), "ao-lsp stays when its editor is gone")
    finally:
        os.close(holder)


def _opened(file: Path) -> dict[str, object]:
    item = {"uri": file.as_uri(), "languageId": "python", "version": 1, "text": file.read_text("utf-8")}
    return {"textDocument": item}


def _position(uri: str) -> dict[str, object]:
    return {"textDocument": {"uri": uri}, "position": {"line": 0, "character": 0}}
