"""A client that says what it is told to, byte for byte, over a real `ao-lsp`."""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from tests.daemons import LONG_S
from tests.lsp.editors import AO_LSP

Json = dict[str, Any]


class Raw:
    """One `ao-lsp` process."""

    def __init__(self, env: dict[str, str] | None = None, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [AO_LSP, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(env or {})},
        )
        self._received = bytearray()

    def send(self, *messages: Json) -> None:
        """In one write."""
        self.write(b"".join(map(framed, messages)))

    def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def hang_up(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def receive(self) -> Json | None:
        """The next message; None at the end of output."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + LONG_S
        while (end := self._received.find(b"\r\n\r\n")) < 0 or len(self._received) < end + 4 + _length(self._received):
            ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, "no message came"
            data = os.read(self.process.stdout.fileno(), 1 << 16)
            if not data:
                assert not self._received, "it ended in the middle of a message"
                return None
            self._received += data
        start, length = end + 4, _length(self._received)
        message: Json = json.loads(self._received[start : start + length])
        del self._received[: start + length]
        return message

    def answer(self, name: int | str | None) -> Json:
        """The answer to a request; other messages on the way are passed over."""
        while True:
            message = self.receive()
            assert message is not None, "it ended without an answer"
            if message.get("id") == name and "method" not in message:
                return message

    def ask(self, name: int, method: str, params: Any = None) -> Json:
        self.send(request(name, method, params))
        return self.answer(name)

    def begin(self, **params: Any) -> Json:
        """Say hello."""
        answer = self.ask(0, "initialize", {"processId": None, "rootUri": None, "capabilities": {}, **params})
        self.send(notification("initialized", {}))
        return answer

    def code(self) -> int:
        """The exit code, when it has ended."""
        return self.process.wait(LONG_S)

    def errors(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.read().decode()


@contextmanager
def client(env: dict[str, str] | None = None) -> Iterator[Raw]:
    raw = Raw(env)
    # Closes the pipes in the end; a pipe that the other end has left is no concern of a test.
    with suppress(BrokenPipeError), raw.process:
        try:
            yield raw
        finally:
            raw.process.kill()


def request(name: int | str, method: str, params: Any = None) -> Json:
    return {"jsonrpc": "2.0", "id": name, "method": method, **({} if params is None else {"params": params})}


def notification(method: str, params: Any = None) -> Json:
    return {"jsonrpc": "2.0", "method": method, **({} if params is None else {"params": params})}


def framed(message: Json) -> bytes:
    body = json.dumps(message).encode()
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def _length(received: bytearray) -> int:
    return int(received.split(b"\r\n", 1)[0].split(b":")[1])
