"""The process of the gateway. It serves one run, and ends when the program has.

Records as the runner does: `Call` decides what happens to a call and says what did, over a stream of the same run.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

from ao_lsp.runner import calls, gateway, replay
from ao_lsp.runner.calls import Call
from ao_lsp.runner.gateway.exchange import Connection, Reader
from ao_lsp.runner.gateway.http1 import Request
from ao_lsp.runner.outbox import Outbox

if TYPE_CHECKING:
    from ao_lsp.runner.groups import Where
    from ao_lsp.runner.places import Place

_LAST_S = 5.0
"""How long requests may go on when the program has ended: children may outlive it by a moment."""


class Recording:
    """What `Call` needs of a recorder."""

    tracks = False
    stream = ""

    def __init__(self, about: dict[str, Any]) -> None:
        self.plan = replay.load(f"/dev/fd/{gateway.PLAN_FD}", replay.GATEWAY) if about["plan"] else None
        self._policy: str = about.get("policy") or "live"
        self._first = {"type": "process.start", "run": about["run"], "parent_stream": about["parent_stream"]}
        self._said = False
        self.outbox = Outbox(about["run"], os.urandom(4).hex())

    def post(self, event: dict[str, Any], **parts: bytes) -> None:
        """Queue an event of this run."""
        if not self._said:
            self._said = True
            self.outbox.post({**self._first, "pid": os.getpid()})
        self.outbox.post(event, **parts)

    def begins(self, recorded: str | None, call: str, at: float) -> None:
        """Nothing: nothing is drawn by chance here."""

    def where(self) -> Where | None:
        """Nobody knows in which subrun a call is that comes from outside; where one is rerun alone, it is outside."""
        if self.plan is None or not self.plan.header.get("path"):
            return None
        from ao_lsp.runner.groups import Where

        return Where(None, (), False)

    def refusal(self, request_hash: str, site: Place | None, url: str) -> str:
        """Why a rerun must not make this call, for which it has no recording; "" where it may."""
        if self._policy not in ("strict", "ask"):
            return ""
        from ao_lsp.runner import refusal

        return refusal.of(self._policy, request_hash, site, url)

    def note(self, message: str) -> None:
        """Something the recorder could not do."""
        self.post({"type": "run.note", "level": "warning", "message": message})


class Server:
    """What the connections share (`exchange.Gateway`)."""

    def __init__(self, about: dict[str, Any]) -> None:
        self.token: str = about["token"]
        self._busy = 0
        self._idle = asyncio.Event()
        self.recording = Recording(about)
        self._routes = gateway.Gateway("", about["routes"])
        self._expected: dict[str, int] = {}

    def begun(self) -> None:
        self._busy += 1

    def done(self) -> None:
        self._busy -= 1
        if not self._busy:
            self._idle.set()

    def upstream(self, path: str) -> str | None:
        return self._routes.upstream("/" + path)

    def told(self, path: str, body: bytes) -> bool:
        if path != gateway.SEEN:
            return False
        hashed = body.decode("latin-1")
        self._expected[hashed] = self._expected.get(hashed, 0) + 1
        return True

    def begin(self, request: Request, url: str) -> Call | None:
        try:
            kind = calls.kind_of(request.method, url)
            if kind is None or self._is_expected(calls.hash_of(request.method, url, request.body)):
                return None
            call = Call(self.recording, "gateway", request.method, url, kind)
            call.start(request.headers, request.body)
        except Exception as error:
            self.recording.note(f"a call was not recorded: {error!r}")
            return None
        return call

    def _is_expected(self, hashed: str) -> bool:
        times = self._expected.pop(hashed, 0)
        if times > 1:
            self._expected[hashed] = times - 1
        return times > 0

    async def run(self) -> None:
        """Listen, say at which port, and serve until the program has ended."""
        loop = asyncio.get_running_loop()
        listening = await loop.create_server(self._protocol, "127.0.0.1", 0, backlog=1024)
        over = asyncio.Event()
        # It never has anything to read: it can be read when the last process that holds the other end is gone.
        loop.add_reader(gateway.LIFE_FD, over.set)
        port = listening.sockets[0].getsockname()[1]
        os.write(gateway.READY_FD, f"{port}\n".encode())
        os.close(gateway.READY_FD)
        await over.wait()
        listening.close()
        if self._busy:
            self._idle.clear()
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._idle.wait(), _LAST_S)

    def _protocol(self) -> asyncio.StreamReaderProtocol:
        reader = Reader()

        async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await Connection(self, reader, writer).serve()

        return asyncio.StreamReaderProtocol(reader, serve)


def main(said: str) -> NoReturn:
    """Be the gateway that `said` (JSON, of `gateway.start`) describes."""
    # It ends with the program, which may take its time over a signal to its process group.
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGTSTP"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    try:
        # Each connection takes two descriptors.
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    except (OSError, ValueError):
        pass  # then there are fewer of them
    try:
        server = Server(json.loads(said))
        asyncio.run(server.run())
    except Exception as error:
        try:
            os.write(gateway.READY_FD, f"{type(error).__name__}: {error}".encode())
        except OSError:
            pass  # it had been ready
        sys.exit(1)
    server.recording.outbox.close()
    os._exit(0)
