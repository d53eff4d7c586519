"""A debug adapter's client, as small as it can be: https://microsoft.github.io/debug-adapter-protocol/specification."""

from __future__ import annotations

import json
import socket
from typing import Any

LONG_S = 60


class Debugger:
    """One session with a debug adapter that listens on loopback."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=LONG_S)
        self._stream = self._socket.makefile("rb")
        self._number = 0
        self._kept: list[dict[str, Any]] = []

    def close(self) -> None:
        self._stream.close()
        self._socket.close()

    def send(self, command: str, **arguments: Any) -> int:
        """Send a request; returns its number."""
        self._number += 1
        body = json.dumps({"seq": self._number, "type": "request", "command": command, "arguments": arguments}).encode()
        self._socket.sendall(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        return self._number

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Send a request; the body of the answer."""
        return self.answer(self.send(command, **arguments))

    def answer(self, number: int) -> dict[str, Any]:
        """The body of the answer to a request."""
        answer = self._wait("request_seq", number)
        assert answer["success"], answer
        body: dict[str, Any] = answer.get("body") or {}
        return body

    def event(self, *names: str) -> dict[str, Any]:
        """The body of the next event of one of these names."""
        body: dict[str, Any] = self._wait("event", *names).get("body") or {}
        return body

    def _wait(self, key: str, *values: object) -> dict[str, Any]:
        for index, message in enumerate(self._kept):
            if message.get(key) in values:
                return self._kept.pop(index)
        while True:
            message = self._read()
            if message.get(key) in values:
                return message
            self._kept.append(message)

    def _read(self) -> dict[str, Any]:
        length = 0
        while (line := self._stream.readline().strip()) != b"":
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        assert length, "the adapter has closed the connection"
        message: dict[str, Any] = json.loads(self._stream.read(length))
        return message
