"""The gateway's worker: the process that serves one run, until the program ends. Should it die, its supervisor
(supervise.py) starts another one.

Records as the runner does: `Call` decides what happens to a call and says what did, over a stream of the same run.
"""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

from ao_lsp.runner import calls, gateway
from ao_lsp.runner.calls import Call
from ao_lsp.runner.gateway.exchange import Connection, Reader
from ao_lsp.runner.gateway.http1 import Request
from ao_lsp.runner.gateway.lasting import Lasting
from ao_lsp.runner.outbox import Outbox

if TYPE_CHECKING:
    from ao_lsp.runner.groups import Where
    from ao_lsp.runner.places import Place
    from ao_lsp.runner.replay import Plan

LAST_S = 5.0
"""How long requests may go on when the program has ended: children may outlive it by a moment."""


class Recording:
    """What `Call` needs of a recorder."""

    tracks = False
    stream = ""

    def __init__(self, about: dict[str, Any], plan: Plan | None, lasting: Lasting) -> None:
        self.plan = plan
        self._lasting = lasting
        self._policy: str = about.get("policy") or "live"
        self._first = {"type": "process.start", "run": about["run"], "parent_stream": about["parent_stream"]}
        self._said = False
        self.outbox = Outbox(about["run"], os.urandom(4).hex())

    def post(self, event: dict[str, Any], **parts: bytes) -> None:
        """Queue an event of this run."""
        if not self._said:
            self._said = True
            self.outbox.post({**self._first, "pid": os.getpid()})
        if event["type"] == "call.end":
            self._lasting.over(event["call"])
        self.outbox.post(event, **parts)

    def begins(self, recorded: str | None, call: str, at: float) -> None:  # noqa: ARG002 - nothing is drawn here
        """A call begins; its recording was called `recorded`."""
        self._lasting.begun(call, recorded is not None)
        if self.where() is not None:  # then nobody will say how it ends
            self._lasting.over(call)

    def goes_on(self, ended_by: str) -> None:
        """Say what became of the worker before this one."""
        broken_off = self._lasting.broken_off()
        error = {"type": "ConnectionError", "message": f"the gateway broke off ({ended_by})"}
        for call in broken_off:
            self.post({"type": "call.end", "call": call, "status": "error", "error": error, "complete": False})
        self.note(f"the gateway broke off ({ended_by}) in the middle of {len(broken_off)} calls, and goes on")

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

        with self._lasting.asking():
            return refusal.of(self._policy, request_hash, site, url)

    def note(self, message: str) -> None:
        """Something the recorder could not do."""
        self.post({"type": "run.note", "level": "warning", "message": message})


class Server:
    """What the connections share (`exchange.Gateway`)."""

    def __init__(self, about: dict[str, Any], recording: Recording, lasting: Lasting) -> None:
        self.token: str = about["token"]
        self._busy = 0
        self._idle = asyncio.Event()
        self._recording = recording
        self._lasting = lasting
        self._routes = gateway.Gateway("", about["routes"])

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
        with suppress(ValueError):
            self._lasting.expect(body.decode("latin-1"))
        return True

    def begin(self, request: Request, url: str) -> Call | None:
        try:
            kind = calls.kind_of(request.method, url)
            if kind is None or self._lasting.is_expected(calls.hash_of(request.method, url, request.body)):
                return None
            call = Call(self._recording, "gateway", request.method, url, kind)
            call.start(request.headers, request.body)
        except Exception as error:
            self._recording.note(f"a call was not recorded: {error!r}")
            return None
        return call

    async def run(self, listening: socket.socket, beat_s: float) -> None:
        """Serve until the program has ended."""
        loop = asyncio.get_running_loop()
        serving = await loop.create_server(self._protocol, sock=listening, backlog=1024)
        over = asyncio.Event()
        # It never has anything to read: it can be read when the last process that holds the other end is gone.
        loop.add_reader(gateway.LIFE_FD, over.set)

        def beat() -> None:
            self._lasting.beat()
            loop.call_later(beat_s / 2, beat)

        beat()
        await over.wait()
        serving.close()
        if self._busy:
            self._idle.clear()
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._idle.wait(), LAST_S)

    def _protocol(self) -> asyncio.StreamReaderProtocol:
        reader = Reader()

        async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await Connection(self, reader, writer).serve()

        return asyncio.StreamReaderProtocol(reader, serve)


def work(
    about: dict[str, Any], plan: Plan | None, listening: socket.socket, lasting: Lasting, beat_s: float, ended_by: str
) -> NoReturn:
    """Be a worker of the gateway that `about` (of `gateway.start`) describes, in a process of its own.

    It beats every `beat_s` seconds, or more often. `ended_by` says how the worker before this one ended; "" where
    there was none.
    """
    code = 1
    try:
        recording = Recording(about, plan, lasting)
        if ended_by:
            recording.goes_on(ended_by)
        asyncio.run(Server(about, recording, lasting).run(listening, beat_s))
        for unused in plan.unused_edits() if plan is not None else ():
            recording.note(unused)
        recording.outbox.close()
        code = 0
    finally:
        os._exit(code)
