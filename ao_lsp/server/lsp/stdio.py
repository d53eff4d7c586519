"""The server within the process that an editor started: `AO_NO_DAEMON=1 ao-lsp`.

The same core and the same session as in the daemon, on a socket pair in place of the daemon's socket;
the forwarder carries the bytes as ever. Nobody tells such a core of new recordings, so it looks for them.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ao_lsp.server import logs
from ao_lsp.server.core import Core, open_core
from ao_lsp.server.lsp import session
from ao_lsp.server.store import StoreError

_LOOK_S = 1.0


class CannotServeError(Exception):
    """The server cannot run here; the message says why and what to do."""


@contextmanager
def serving() -> Iterator[socket.socket]:
    """Our end of a connection to a server that runs in a thread of this process.

    Raises:
        CannotServeError: the database or the log cannot be used.
    """
    ours, theirs = socket.socketpair()
    began: list[str] = []
    ready = threading.Event()

    def run() -> None:
        try:
            asyncio.run(_serve(theirs, ready))
        except StoreError as error:
            began.append(f"{error}; {error.hint}" if error.hint else str(error))
        except OSError as error:
            began.append(f"{error.filename or 'a file'} cannot be used: {error.strerror}")
        finally:
            theirs.close()
            ready.set()

    try:
        thread = threading.Thread(target=run, name="ao-lsp server", daemon=True)
        thread.start()
        ready.wait()
        if began:
            raise CannotServeError(began[0])
        yield ours
        ours.close()
        thread.join(_LOOK_S)
    finally:
        ours.close()


async def _serve(sock: socket.socket, ready: threading.Event) -> None:
    logs.begin()
    core = await open_core()
    looking = asyncio.create_task(_keep_looking(core))
    try:
        reader, writer = await asyncio.open_unix_connection(sock=sock)
        ready.set()
        try:
            await session.serve(core, reader, writer, {"env": dict(os.environ)})
        finally:
            writer.close()
    finally:
        looking.cancel()
        await core.close()


async def _keep_looking(core: Core) -> None:
    while True:
        await asyncio.sleep(_LOOK_S)
        core.look_soon()
