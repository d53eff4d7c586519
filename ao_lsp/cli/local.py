"""`AO_NO_DAEMON=1 ao`: the daemon's work in the process of the command, which ends with it."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ao_lsp.connect import DaemonUnavailable


@contextmanager
def serving() -> Iterator[socket.socket]:
    """A connection, after both preambles, to a server in this process.

    Raises:
        DaemonUnavailable: it cannot work here; the message says why.
    """
    try:
        from ao_lsp.server import in_process
    except ImportError as error:
        raise DaemonUnavailable(f"{sys.executable} lacks a package of the server: {error}") from None
    try:
        with in_process.serving_commands(dict(os.environ)) as sock:
            yield sock
    except in_process.CannotServeError as error:
        raise DaemonUnavailable(str(error)) from None
