"""The server within the process that an editor started: `AO_NO_DAEMON=1 ao-lsp`.

The same session as in the daemon, on a socket pair in place of the daemon's socket; the forwarder carries the bytes
as ever.
"""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import AbstractContextManager

from ao_lsp.server.core import Core
from ao_lsp.server.gauge import Gauge
from ao_lsp.server.in_process import CannotServeError
from ao_lsp.server.in_process import serving as serving_in_process
from ao_lsp.server.lsp import session

__all__ = ["CannotServeError", "serving"]


def serving() -> AbstractContextManager[socket.socket]:
    """Our end of a connection to a server that runs in a thread of this process.

    Raises:
        CannotServeError: the database or the log cannot be used.
    """
    return serving_in_process(_serve, lasting=True)


async def _serve(core: Core, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await session.serve(core, reader, writer, {"env": dict(os.environ)}, Gauge())
