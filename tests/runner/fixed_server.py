"""A server that says the same to everybody: small and quick, for tests of many requests and of large ones."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import suppress
from types import TracebackType


def completion(content: str) -> bytes:
    """A chat completion that says `content`."""
    message = {"role": "assistant", "content": content}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    choices = [{"index": 0, "finish_reason": "stop", "message": message}]
    answer = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": choices, "usage": usage}
    return json.dumps(answer).encode()


class FixedServer:
    """Answers each request with `body`, over connections that stay open; `asked` counts them. `env` is for programs."""

    def __init__(self, body: bytes) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._answer = head.encode() + body
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._threads = [threading.Thread(target=self._accept)]
        self._lock = threading.Lock()
        self.asked = 0
        url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"
        self.env = {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "k"}

    def __enter__(self) -> FixedServer:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        while self._threads:
            self._threads.pop(0).join()
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._threads.append(threading.Thread(target=self._serve, args=(client,)))
                self._threads[-1].start()

    def _serve(self, client: socket.socket) -> None:
        with client, client.makefile("rb") as reader, suppress(ConnectionError):
            while line := reader.readline():
                length = 0
                while line not in (b"\r\n", b""):
                    name, _, value = line.partition(b":")
                    if name.lower() == b"content-length":
                        length = int(value)
                    line = reader.readline()
                while length:
                    length -= len(reader.read(min(length, 1 << 20))) or length
                with self._lock:
                    self.asked += 1
                client.sendall(self._answer)
