"""Every connection, from accept to close: who is it, what does it want, and who serves it."""

from __future__ import annotations

import asyncio
import gc
import importlib
import logging
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from ao_lsp import __version__, paths, protocol
from ao_lsp.server import requests
from ao_lsp.server.command import Command, environment_of
from ao_lsp.server.commands import COMMANDS
from ao_lsp.server.core import Core
from ao_lsp.server.gauge import Gauge
from ao_lsp.server.ingest import Stream
from ao_lsp.server.processes import Process, peer, process
from ao_lsp.server.store import StoreError

log = logging.getLogger(__name__)

PREAMBLE_TIMEOUT_S = 5.0

_SESSION = "ao_lsp.server.lsp.session"

_SETTLE_S = 2.0
"""How long a request waits for what ended programs sent when nothing of it comes in; with as much as there may be, a
request about runs waits as long as `_MOST_S`, one about the daemon itself as long as `_GLANCE_S`."""

_GLANCE_S = 0.25

_MOST_S = 60.0

_ACCEPT_AGAIN_S = 1.0

_LAST_WORDS_S = 10.0
"""How long a client may take to read what it was sent when there is nothing more to say to it."""

_CLOSE_S = 5.0
"""How long the daemon waits for its connections when it stops."""


class _RefusedError(Exception):
    """A client that is not served; `code` as in docs/wire.md."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(eq=False, slots=True)
class Connection:
    """One client. `role` is None until it has said it; `drained`: all that a program which is gone
    had sent has been taken in, or will not come."""

    sock: socket.socket
    process: Process
    since: float = field(default_factory=time.time)
    role: str | None = None
    stream: Stream | None = None
    drained: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    gauge: Gauge = field(default_factory=Gauge)


class Connections:
    """The clients of a daemon. `commands` are its own, besides the `ao.*` ones; `stirred` is called
    when a client has left; `newer` when one says that it is newer than this daemon."""

    def __init__(
        self,
        core: Core,
        commands: Mapping[str, Command[Any]],
        daemon: str,
        stirred: Callable[[], None],
        newer: Callable[[], None],
    ) -> None:
        self._core, self._commands, self._daemon = core, {**COMMANDS, **commands}, daemon
        self._stirred, self._newer = stirred, newer
        self._open: set[Connection] = set()
        self._settling: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Connection]:
        return iter(list(self._open))

    def accept_all(self, listener: socket.socket) -> None:
        """Accept whoever waits."""
        while True:
            try:
                sock, _ = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):  # nobody waits, or has left again
                return
            except OSError as error:  # no descriptors left: who waits will be asked in again
                log.error("cannot accept a client: %s", error)  # noqa: TRY400 - nothing of ours to trace
                loop = asyncio.get_running_loop()
                loop.remove_reader(listener)
                loop.call_later(_ACCEPT_AGAIN_S, self._accept_again, listener)
                return
            sock.setblocking(False)
            self._begin(sock)

    def _accept_again(self, listener: socket.socket) -> None:
        if listener.fileno() >= 0:  # the daemon has not left meanwhile
            asyncio.get_running_loop().add_reader(listener, self.accept_all, listener)

    def _begin(self, sock: socket.socket) -> None:
        try:
            uid, pid = peer(sock)
        except OSError:
            sock.close()
            return
        connection = Connection(sock, process(pid))
        self._open.add(connection)
        connection.task = asyncio.create_task(self._serve(connection, uid))

    async def close(self) -> None:
        """Hang up on everybody. What has not been acknowledged, runners keep."""
        tasks = {connection.task for connection in self._open if connection.task is not None}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_CLOSE_S)

    async def settled(self, method: str) -> None:
        """Wait until what ended programs left behind has been taken in, but not for ever. Whoever asks after the daemon
        itself waits for a moment only."""
        task = asyncio.create_task(self._settle())
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)
        about_runs = method == "daemon.clear" or not method.startswith("daemon.")
        await asyncio.wait({task}, timeout=_MOST_S if about_runs else _GLANCE_S)

    async def _settle(self) -> None:
        gone = [c for c in self._open if c.role in (None, "record") and not c.process.alive()]
        if gone:
            await asyncio.wait([asyncio.create_task(_drained(connection)) for connection in gone])
        with suppress(StoreError):  # logged where it happened; the request will meet it, too
            await self._core.look()

    async def _serve(self, connection: Connection, uid: int) -> None:
        try:
            preamble = await self._greeted(connection, uid)
            if preamble is not None:
                await self._serve_role(connection, preamble)
        except StoreError:
            pass  # it is in the log; the client has not been told that anything was stored
        except protocol.ProtocolError as error:
            log.warning("%s of process %d: %s", connection.role or "client", connection.process.pid, error)
        except ConnectionError:
            pass
        except Exception:
            log.exception("serving the %s of process %d failed", connection.role, connection.process.pid)
        finally:
            connection.sock.close()
            connection.drained.set()
            self._open.discard(connection)
            self._stirred()

    # -- the preamble

    async def _greeted(self, connection: Connection, uid: int) -> dict[str, Any] | None:
        """The preamble of a client that is welcome; None for one that has been sent away."""
        loop = asyncio.get_running_loop()
        try:
            preamble = await asyncio.wait_for(self._welcomed(connection, uid), PREAMBLE_TIMEOUT_S)
        except _RefusedError as error:
            log.info("process %d refused: %s", connection.process.pid, error)
            refusal = {"ok": False, "code": error.code, "message": str(error)}
            with suppress(OSError):
                await loop.sock_sendall(connection.sock, protocol.line(refusal))
            return None
        except (asyncio.TimeoutError, ConnectionError):
            return None
        log_file = os.path.join(paths.log_dir(), "server.log")
        reply = {"ok": True, "ao": protocol.WIRE, "version": __version__, "pid": os.getpid()}
        with suppress(OSError):  # a runner may be gone already, and what it sent still counts
            await loop.sock_sendall(connection.sock, protocol.line({**reply, "daemon": self._daemon, "log": log_file}))
        return preamble

    async def _welcomed(self, connection: Connection, uid: int) -> dict[str, Any]:
        if uid != os.getuid():
            raise _RefusedError("DENIED", "this is another user's daemon")
        try:
            preamble = protocol.loads(await _read_line(connection.sock))
        except (protocol.ProtocolError, RecursionError):
            preamble = None
        if not isinstance(preamble, dict) or "ao" not in preamble:
            raise _RefusedError("BAD", "the first line must be a preamble: one JSON object")
        if preamble["ao"] != protocol.WIRE:
            raise _RefusedError("UPGRADE", f"this daemon speaks wire version {protocol.WIRE} (ao-lsp {__version__})")
        if _version(preamble.get("version")) > _version(__version__) and preamble.get("retire") is not False:
            self._newer()
            raise _RefusedError("RETIRING", "a newer daemon is to take over")
        role = preamble.get("role")
        if role not in ("record", "cli", "lsp", "web"):
            raise _RefusedError("BAD", f"no such role: {role}")
        if role == "record":
            run, stream = preamble.get("run"), preamble.get("stream")
            if not isinstance(run, str) or not isinstance(stream, str):
                raise _RefusedError("BAD", "role record needs run and stream")
            connection.stream = Stream(run, stream, connection.process)
        connection.role = role
        return preamble

    # -- the roles

    async def _serve_role(self, connection: Connection, preamble: dict[str, Any]) -> None:
        self._core.look_soon()
        if connection.stream is not None:
            await self._record(connection, connection.stream)
            return
        reader, writer = await asyncio.open_unix_connection(sock=connection.sock)
        try:
            if connection.role != "lsp":
                await requests.serve(
                    self._core, self._commands, self.settled, reader, writer, environment_of(preamble), connection.gauge
                )
            else:
                # Imported when the first editor comes: it costs a second, and recording needs none of it.
                first = _SESSION not in sys.modules
                session = await asyncio.to_thread(importlib.import_module, _SESSION)
                if first:
                    # Modules stay. The garbage collector need not look through them, which holds up everybody.
                    gc.freeze()
                await session.serve(self._core, reader, writer, preamble, connection.gauge)
        finally:
            writer.close()
            try:
                await asyncio.wait_for(writer.wait_closed(), _LAST_WORDS_S)
            except asyncio.TimeoutError:  # it does not read them
                writer.transport.abort()
            except OSError:
                pass

    async def _record(self, connection: Connection, stream: Stream) -> None:
        self._core.connected(stream)
        try:
            await self._core.ingest.serve(connection.sock, stream, connection.gauge)
        finally:
            self._core.disconnected(stream)


async def _drained(connection: Connection) -> None:
    """Wait until all is taken in that a program which is gone had sent, however much it is: as long as it comes in."""
    asked = time.monotonic()
    while not connection.drained.is_set():
        heard = max(asked, connection.stream.heard if connection.stream is not None else asked)
        left = heard + _SETTLE_S - time.monotonic()
        if left <= 0:
            # Once and no more: a child that inherited the connection may keep it open for ever.
            connection.drained.set()
        else:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(connection.drained.wait(), left)


async def _read_line(sock: socket.socket) -> bytes:
    """The first line, and not a byte of what follows it.

    Raises:
        ConnectionError: the client left before it had said it.
    """
    loop, line = asyncio.get_running_loop(), bytearray()
    while True:
        await _readable(loop, sock)
        try:
            ahead = sock.recv(protocol.MAX_LINE, socket.MSG_PEEK)
            end = ahead.find(b"\n") + 1
            piece = sock.recv(end or len(ahead))
        except BlockingIOError:
            continue
        line += piece
        if not piece:
            raise ConnectionResetError
        if len(line) > protocol.MAX_LINE:
            raise _RefusedError("BAD", f"the first line is longer than {protocol.MAX_LINE} bytes")
        if end:
            return bytes(line)


async def _readable(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
    ready = asyncio.Event()
    loop.add_reader(sock, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(sock)


def _version(text: object) -> tuple[int, ...]:
    """`0.10.2.dev3` as (0, 10, 2): what can be compared of a version."""
    numbers: list[int] = []
    for part in str(text).split("+")[0].split("."):
        if not part.isdecimal():
            break
        numbers.append(int(part))
    return tuple(numbers)
