"""A runner of the tests' own: speaks the role `record` of docs/wire.md, and says what it is told to."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Sequence
from typing import Any

from ao_lsp import connect, paths, protocol
from tests.daemons import dial

CHAT = "/v1/chat/completions"
SITE = {"file": "/project/agent.py", "line": 12, "end_line": 12, "column": 4, "end_column": 30, "function": "work"}


def chat_request(text: str = "hello", model: str = "gpt-5", **more: Any) -> bytes:
    return json.dumps({"model": model, "messages": [{"role": "user", "content": text}], **more}).encode()


def chat_response(text: str = "hi", **more: Any) -> bytes:
    message = {"role": "assistant", "content": text}
    return json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "gpt-5",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
            **more,
        }
    ).encode()


class Recorder:
    """One stream of one run. `connect` first, or write a spool file instead."""

    def __init__(self, run: str = "run1", stream: str = "s1", **preamble: Any) -> None:
        self.run, self.stream = run, stream
        self._preamble = connect.preamble("record", run=run, stream=stream, **preamble)
        self._socket: socket.socket | None = None
        self._frames = protocol.Frames()
        self.seq = 0
        self.acknowledged = 0
        self.sent: list[bytes] = []
        self.reply: dict[str, Any] = {}

    # -- the connection

    def connect(self) -> Recorder:
        """Connect to the daemon that runs, and say hello without waiting for the answer."""
        self._socket = dial()
        self._socket.sendall(self._preamble)
        self._frames, self.reply = protocol.Frames(), {}
        return self

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def send_bytes(self, data: bytes) -> None:
        assert self._socket is not None
        self._socket.sendall(data)

    def resend(self, *framed: bytes) -> None:
        """Send frames again, as after a reconnect."""
        self.send_bytes(b"".join(framed))

    def wait(self, seq: int | None = None) -> None:
        """Until the daemon has acknowledged `seq` (default: everything)."""
        assert self._socket is not None
        wanted = self.seq if seq is None else seq
        while self.acknowledged < wanted:
            data = self._socket.recv(1 << 16)
            assert data, f"the daemon hung up; {self.acknowledged} of {wanted} acknowledged"
            self._frames.feed(data)
            if not self.reply:
                line = self._frames.take_line()
                if line is None:
                    continue
                self.reply = json.loads(line)
            for head, payload in self._frames:
                self.acknowledged = protocol.acknowledged(head, payload) or self.acknowledged

    def hung_up(self) -> bool:
        """Wait for the daemon to hang up."""
        assert self._socket is not None
        while True:
            try:
                if not self._socket.recv(1 << 16):
                    return True
            except ConnectionError:
                return True

    # -- events

    def event(self, name: str, parts: dict[str, bytes] | None = None, /, **fields: Any) -> bytes:
        """One event as a frame, with the next number; sent if there is a connection."""
        self.seq += 1
        header = {"type": name, "seq": self.seq, "at": time.time(), **fields}
        framed = protocol.frame(header, **(parts or {}))
        self.sent.append(framed)
        if self._socket is not None:
            self.send_bytes(framed)
        return framed

    def start(self, **fields: Any) -> bytes:
        start = {
            "run": self.run,
            "session": f"session-{self.run}",
            "name": "agent.py",
            "argv": ["agent.py", "--fast"],
            "target": {"kind": "script", "value": "agent.py"},
            "options": [],
            "cwd": "/",
            "python": "/usr/bin/python3",
            "python_version": "3.11.7",
            "env": {"LANG": "C"},
            "pid": os.getpid(),
            "parent_run": None,
            "fork_call": None,
        }
        return self.event("run.start", **{**start, **fields})

    def call_start(
        self, call: str, inputs: Sequence[str | dict[str, Any]] = (), request: bytes | None = None, **fields: Any
    ) -> bytes:
        """`inputs` are calls, tracked to here over one line, or whole entries."""
        start = {
            "call": call,
            "kind": "llm",
            "transport": "httpx",
            "method": "POST",
            "url": f"https://api.openai.com{CHAT}",
            "endpoint": CHAT,
            "headers": [["content-type", "application/json"], ["authorization", "Bearer secret"]],
            "request_hash": f"hash-{call}",
            "site": SITE,
            "stack": [SITE],
            "lineage": "MainThread/",
            "thread": "MainThread",
            "task": None,
            "inputs": [
                {"call": source, "evidence": "tracked", "path": [{"file": SITE["file"], "line": 11}]}
                if isinstance(source, str)
                else source
                for source in inputs
            ],
            "origin": "live",
            "source_call": None,
            "input_edited": False,
        }
        return self.event(
            "call.start", {"request": chat_request(call) if request is None else request}, **{**start, **fields}
        )

    def call_end(self, call: str, response: bytes | None = None, **fields: Any) -> bytes:
        body = chat_response(f"output of {call}") if response is None else response
        end = {
            "call": call,
            "status": "ok",
            "http_status": 200,
            "headers": [["content-type", "application/json"], ["content-length", str(len(body))]],
            "error": None,
            "first_byte": 0.1,
            "ended": 0.25,
            "chunks": [[len(body), 0.2]],
            "complete": True,
        }
        return self.event("call.end", {"response": body}, **{**end, **fields})

    def call(self, call: str, inputs: Sequence[str] = (), response: bytes | None = None, **fields: Any) -> None:
        """A call from start to end."""
        self.call_start(call, inputs, **fields)
        self.call_end(call, response)

    def end(self, status: str = "finished", exit_code: int = 0, error: dict[str, Any] | None = None) -> bytes:
        return self.event("run.end", exit_code=exit_code, status=status, error=error)

    # -- spool files

    def spool(self, more: bytes = b"", held: bool = False) -> str:
        """Write what has been said into a spool file, and return its path. `held`: as by a runner that
        lives as long as this process does."""
        path = os.path.join(paths.secure_dir(paths.spool_dir()), f"{self.run}-{self.stream}.spool")
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        if held:
            fcntl.flock(fd, fcntl.LOCK_EX)
        os.write(fd, self._preamble + b"".join(self.sent) + more)
        if not held:
            os.close(fd)
        return path


def record_run(run: str = "run1", calls: int = 3, **fields: Any) -> None:
    """A finished run with a chain of calls c1 → c2 → …, committed."""
    recorder = Recorder(run).connect()
    recorder.start(**fields)
    for number in range(1, calls + 1):
        recorder.call(f"c{number}", (f"c{number - 1}",) if number > 1 else ())
    recorder.end()
    recorder.wait()
    recorder.close()
