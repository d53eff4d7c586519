"""A hundred clients of all roles at once on one daemon."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ao_lsp.cli.client import Client
from ao_lsp.connect import preamble
from tests.daemons import ask, dial, log, read_line, start, until
from tests.lsp.raw import framed, request
from tests.recorder import Recorder

pytestmark = pytest.mark.usefixtures("home")

RUNNERS, COMMANDS, SUBSCRIBERS, EDITORS = 30, 30, 20, 20

_KILOBYTES = 1 << 10


class Editor:
    """An editor without the process of a forwarder."""

    def __init__(self) -> None:
        self.sock = dial()
        self.sock.sendall(preamble("lsp"))
        assert read_line(self.sock)["ok"]
        self.file = self.sock.makefile("rb")

    def ask(self, name: int, method: str, params: Any = None) -> Any:
        self.sock.sendall(framed(request(name, method, params)))
        while True:
            length = 0
            while line := self.file.readline().strip():
                header, _, value = line.partition(b":")
                length = int(value) if header.lower() == b"content-length" else length
            message = json.loads(self.file.read(length))
            if message.get("id") == name:
                return message["result"]

    def close(self) -> None:
        self.file.close()
        self.sock.close()


def command_line() -> Client:
    sock = dial()
    sock.sendall(preamble("cli"))
    return Client((sock, read_line(sock)))


def memory() -> int:
    return int(ask("daemon.status")["memory_bytes"])


def test_a_hundred_clients_of_all_roles_are_served_at_once_and_cost_little() -> None:
    start()
    first = Editor()  # what the first one costs is the language server
    first.ask(0, "initialize", {"processId": None, "rootUri": None, "capabilities": {}})
    warm = [command_line() for _ in range(5)]
    before = memory()

    editors = [Editor() for _ in range(EDITORS)]
    for editor in editors:
        editor.ask(0, "initialize", {"processId": None, "rootUri": None, "capabilities": {}})
    commands = [command_line() for _ in range(COMMANDS)]
    runners = [Recorder(f"run{number}").connect() for number in range(RUNNERS)]
    for runner in runners:
        runner.start(session="s")
    for runner in runners:
        runner.wait()
    subscribers = [command_line() for _ in range(SUBSCRIBERS)]
    streams = [subscriber.events({"session": "s"}) for subscriber in subscribers]
    heard = [[change["seq"] for change in next(stream)["changes"]] for stream in streams]
    clients = len(editors) + len(commands) + len(runners) + len(subscribers)
    assert clients == 100
    assert len(ask("daemon.status")["clients"]) == clients + 1 + len(warm) + 1
    assert (memory() - before) / clients < 400 * _KILOBYTES

    for runner in runners:
        runner.call("c1")
        runner.call("c2", ("c1",))
        runner.end()
    for runner in runners:
        runner.wait()
    for number, client in enumerate(commands):
        assert len(client.request("ao.graph", {"run": f"run{number}"})["nodes"]) == 2
    for editor in editors:
        answer = editor.ask(1, "workspace/executeCommand", {"command": "ao.runs", "arguments": [{"limit": 100}]})
        assert answer["total"] == RUNNERS
    last = RUNNERS * 6
    for stream, numbers in zip(streams, heard, strict=True):
        while numbers[-1] < last:
            numbers += [change["seq"] for change in next(stream)["changes"]]
        assert numbers[:last] == list(range(1, last + 1))
    for editor in (first, *editors):
        editor.close()
    for client in (*warm, *commands, *subscribers):
        client.close()
    for runner in runners:
        runner.close()
    until(lambda: len(ask("daemon.status")["clients"]) == 1, "some are still there")
    assert "Traceback" not in log()
