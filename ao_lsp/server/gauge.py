"""What waits between a client and us. Read by the status, also from another thread than the event loop's."""

from __future__ import annotations

import array
import fcntl
import socket
import sys
import termios
from collections.abc import Callable
from dataclasses import dataclass

from ao_lsp.server.results.daemon import WaitingJson

# Of a Unix socket, Linux tells what the other end has not read yet; macOS (TIOCOUTQ) only of terminals.
_UNREAD, _UNSENT = termios.FIONREAD, termios.TIOCOUTQ if sys.platform == "linux" else None


def _nothing() -> tuple[int, int]:
    return 0, 0


def _unknown() -> str:
    return ""


@dataclass(eq=False, slots=True)
class Gauge:
    """What a client has us do, and how far each side is behind. `read` and `written` give `(bytes, messages)`: what
    has been read of it and waits for its turn, and what waits for it to read; whoever serves it sets them."""

    doing: Callable[[], str] = _unknown
    read: Callable[[], tuple[int, int]] = _nothing
    written: Callable[[], tuple[int, int]] = _nothing


def waiting_in(sock: socket.socket, gauge: Gauge) -> WaitingJson:
    """What a client has sent that has had no effect yet; messages where they have been told apart."""
    size, messages = gauge.read()
    return {"bytes": size + _asked(sock, _UNREAD), "messages": messages}


def waiting_out(sock: socket.socket, gauge: Gauge) -> WaitingJson:
    """What a client has been sent and has not read."""
    size, messages = gauge.written()
    return {"bytes": size + _asked(sock, _UNSENT), "messages": messages}


def _asked(sock: socket.socket, what: int | None) -> int:
    found = array.array("i", [0])
    try:
        if what is not None:
            fcntl.ioctl(sock.fileno(), what, found)
    except (OSError, ValueError):  # it has just been closed
        return 0
    return found[0]
