"""Who is at the other end of a socket, and is that process still there?

A process id alone does not answer the second question: ids are used again. Where /proc tells when a
process started (Linux), that and the boot are remembered with its id.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from dataclasses import dataclass

# <sys/un.h> of macOS; Python's socket module has no names for them.
_SOL_LOCAL, _LOCAL_PEERCRED, _LOCAL_PEERPID = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Process:
    """A process of this machine. `started` (boot id and start in clock ticks) is None where no
    /proc tells; `pid` is 0 where the kernel does not tell (another pid namespace)."""

    pid: int
    started: str | None

    def alive(self) -> bool:
        """Whether it still runs. A zombie does not."""
        if self.pid <= 0:
            return False
        if self.started is not None:
            return _start(self.pid) == self.started
        if _start(os.getpid()) is not None:  # /proc would have told: it was gone when it was looked for
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


def process(pid: int) -> Process:
    """The process that has this id now."""
    return Process(pid, _start(pid))


def host() -> str:
    """This machine among those that share a database."""
    return socket.gethostname()


def peer(sock: socket.socket) -> tuple[int, int]:
    """User id and process id of the other end of a Unix socket, from the kernel.

    Raises:
        OSError: it does not tell.
    """
    if sys.platform == "darwin":
        # struct xucred: version, uid, …
        credentials = sock.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, 76)
        return struct.unpack_from("=II", credentials)[1], sock.getsockopt(_SOL_LOCAL, _LOCAL_PEERPID)
    pid, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return uid, pid


def _start(pid: int) -> str | None:
    """When the process with this id started; None where there is none, or it is a zombie."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            stat = file.read()
    except OSError:
        return None
    # The command name (field 2) stands in brackets and may hold anything, brackets included.
    fields = stat.rpartition(b")")[2].split()
    if fields[0] in (b"Z", b"X"):
        return None
    return f"{_boot()}:{int(fields[19])}"


def _boot() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""
