"""The server within another process: `AO_NO_DAEMON=1`, for an editor's `ao-lsp` and for each command of `ao`.

The same core as in the daemon, in a thread, with one client at the other end of a socket pair. Others may be at work on
the same database, a daemon among them: what each takes in counts once, and a daemon that runs decides which programs
have gone (liveness.py).
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeAlias

from ao_lsp.server import logs, requests
from ao_lsp.server.commands import COMMANDS
from ao_lsp.server.control import Control
from ao_lsp.server.core import Core, open_core
from ao_lsp.server.gauge import Gauge
from ao_lsp.server.presence import daemon_runs
from ao_lsp.server.store import StoreError

_LOOK_S = 1.0
_LEAVE_S = 5.0

Serve: TypeAlias = Callable[[Core, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class CannotServeError(Exception):
    """The server cannot run here; the message says why and what to do."""


@contextmanager
def serving(serve: Serve, lasting: bool) -> Iterator[socket.socket]:
    """Our end of a connection to a server that runs in a thread of this process. `lasting`: it is there for
    longer than one command, and has stderr for its log.

    Raises:
        CannotServeError: the database or the log cannot be used.
    """
    ours, theirs = socket.socketpair()
    failed: list[str] = []
    ready = threading.Event()

    def run() -> None:
        try:
            asyncio.run(_serve(serve, theirs, ready, lasting))
        except StoreError as error:
            failed.append(f"{error}; {error.hint}" if error.hint else str(error))
        except OSError as error:
            failed.append(f"{error.filename or 'a file'} cannot be used: {error.strerror}")
        finally:
            theirs.close()
            ready.set()

    thread = threading.Thread(target=run, name="ao-lsp server", daemon=True)
    try:
        thread.start()
        ready.wait()
        if failed:
            raise CannotServeError(failed[0])
        yield ours
    finally:
        ours.close()
        thread.join(_LEAVE_S)


@contextmanager
def serving_commands(env: dict[str, str]) -> Iterator[socket.socket]:
    """The same for a command line, after the preambles. `env` is its environment.

    Raises:
        CannotServeError: the database or the log cannot be used.
    """

    async def serve(core: Core, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def settled(_: str) -> None:
            with suppress(StoreError):  # logged where it happened; the request will meet it, too
                await core.look()

        control = Control("in-process", time.time(), 0.0, lambda: False, list, lambda: None)
        commands: dict[str, Any] = {**COMMANDS, **control.commands()}
        with suppress(ConnectionError):
            await requests.serve(core, commands, settled, reader, writer, env, Gauge())

    with serving(serve, lasting=False) as sock:
        yield sock


async def _serve(serve: Serve, sock: socket.socket, ready: threading.Event, lasting: bool) -> None:
    logs.begin(stderr=lasting)
    core = await open_core(responsible=lambda: not daemon_runs(), lasting=lasting)
    looking = asyncio.create_task(_keep_looking(core))
    try:
        reader, writer = await asyncio.open_unix_connection(sock=sock)
        ready.set()
        try:
            await serve(core, reader, writer)
        finally:
            writer.close()
    finally:
        looking.cancel()
        await core.close()


async def _keep_looking(core: Core) -> None:
    """Nobody tells such a core of new recordings."""
    while True:
        await asyncio.sleep(_LOOK_S)
        core.look_soon()
