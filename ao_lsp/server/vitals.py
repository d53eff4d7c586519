"""What can be said of the daemon while its event loop is at something long: busy is not stuck.

A thread answers on a socket of its own, beside the one that clients use: one line of JSON to whoever of the same user
connects, then the end (docs/wire.md). Whether the loop turns is found out by asking it. Where the loop stands still for
long, the interpreter itself writes the stacks of all threads to the log; they name files and functions, no values.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import select
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from ao_lsp import paths, protocol
from ao_lsp.server.processes import peer

log = logging.getLogger(__name__)

STALL_S = 5.0
"""A loop that stands still for longer has its stacks logged."""

_BEAT_S = 1.0

_TURN_S = 0.3
"""How long a loop that turns may take to say so."""

_SEND_S = 1.0


class Vitals:
    """Watches an event loop, and answers for it. `facts` tells what is known without the loop; it is called in
    another thread."""

    def __init__(self, facts: Callable[[], Mapping[str, object]]) -> None:
        self._facts = facts
        self._loop = asyncio.get_running_loop()
        self._beaten = time.monotonic()
        self._inode: int | None = None
        self._beating: asyncio.Task[None] | None = None
        self._thread: threading.Thread | None = None
        self._over, self._told_over = socket.socketpair()

    def begin(self) -> None:
        """Publish the socket, and watch. A daemon serves also where there can be no such socket."""
        try:
            listener = self._published()
        except OSError as error:
            log.warning(
                "nobody can be told the status while something else is done: %s: %s", paths.status_path(), error
            )
        else:
            self._thread = threading.Thread(target=self._answer_all, args=(listener,), name="status", daemon=True)
            self._thread.start()
        self._beating = asyncio.create_task(self._beat())

    def _published(self) -> socket.socket:
        path = paths.status_path()
        private = f"{path}.{os.getpid()}"
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(private)
            os.chmod(private, 0o600)
            listener.listen()
            self._inode = os.stat(private).st_ino
            os.rename(private, path)
        except BaseException:
            listener.close()
            with suppress(OSError):
                os.unlink(private)
            self._inode = None
            raise
        return listener

    def withdraw(self) -> None:
        """Take the socket away, if it is still ours."""
        with suppress(FileNotFoundError):
            if self._inode is not None and os.stat(paths.status_path()).st_ino == self._inode:
                os.unlink(paths.status_path())
        self._inode = None

    def end(self) -> None:
        """Watch no more."""
        self.withdraw()
        if self._beating is not None:
            self._beating.cancel()
        # Joined, because a process with a thread left is not quite gone yet when it looks so, and holds its locks.
        self._over.close()
        if self._thread is not None:
            self._thread.join(_SEND_S + _TURN_S)
        else:
            self._told_over.close()
        faulthandler.cancel_dump_traceback_later()

    async def _beat(self) -> None:
        while True:
            faulthandler.dump_traceback_later(_BEAT_S + STALL_S, file=sys.stderr)
            self._beaten = time.monotonic()
            await asyncio.sleep(_BEAT_S)
            stood = time.monotonic() - self._beaten - _BEAT_S
            if stood > STALL_S:
                log.warning("the event loop stood still for %.1f s; what it was at is further up", stood)

    # -- in the thread

    def _answer_all(self, listener: socket.socket) -> None:
        with listener, self._told_over:
            listener.setblocking(False)
            while True:
                ready, _, _ = select.select([listener, self._told_over], [], [])
                if self._told_over in ready:
                    return
                try:
                    sock, _ = listener.accept()
                except BlockingIOError:  # who asked has left
                    continue
                except OSError:  # no descriptors left
                    time.sleep(_BEAT_S)
                    continue
                try:
                    with sock:
                        self._answer(sock)
                except OSError:  # who asked has left
                    continue
                except Exception:
                    log.exception("telling the status failed")

    def _answer(self, sock: socket.socket) -> None:
        if peer(sock)[0] != os.getuid():
            return
        sock.settimeout(_SEND_S)
        turning = threading.Event()
        with suppress(RuntimeError):  # it has just been closed
            self._loop.call_soon_threadsafe(turning.set)
        busy = not turning.wait(_TURN_S)
        stood = max(0.0, time.monotonic() - self._beaten - _BEAT_S) if busy else 0.0
        try:
            facts = self._facts()
        except RuntimeError:  # something of it changed while it was looked through
            facts = self._facts()
        said = {**facts, **({"state": "busy"} if busy else {}), "stalled_s": round(stood, 3)}
        sock.sendall(protocol.line({**said, "doing": self._doing() if busy else None}))

    def _doing(self) -> list[str]:
        """Where the loop's thread is, innermost first."""
        frame = sys._current_frames().get(threading.main_thread().ident or 0)
        found: list[str] = []
        while frame is not None and len(found) < 5:
            found.append(f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno} {frame.f_code.co_name}")
            frame = frame.f_back
        return found
