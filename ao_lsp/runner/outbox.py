"""Carries a run's events to the daemon, and never lets the program wait for it.

Events are numbered, framed and queued by whoever records them; a background thread sends them. It is
started with the first event that follows the start of the run, so a program without calls has none.
What the daemon has not acknowledged is kept. Without a daemon, or with one that does not read, events
go to a spool file, which the next daemon takes in (docs/wire.md).
"""

from __future__ import annotations

import os
import time

import _socket
import _thread

from ao_lsp import connect, paths, protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SEND_TIMEOUT_S = 2.0
"""A daemon that does not take bytes for so long counts as gone."""
FINISH_TIMEOUT_S = 0.5
"""How long the end of a program may wait for the last acknowledgement."""
RECONNECT_S = (0.5, 30.0)
"""The first and the longest pause between two attempts to reach a daemon; each doubles the last."""
MAX_KEPT_BYTES = 64 << 20
"""Beyond this, spooled events are kept on disk only, and left to the next daemon."""


class Outbox:
    """The events of one process of one run."""

    def __init__(self, run: str, stream: str) -> None:
        self.run = run
        self.stream = stream
        self._queue = _thread.allocate_lock()  # guards the next four; held for moments only
        self._seq = 0
        self._kept: list[tuple[int, bytes]] = []  # not acknowledged, in order
        self._kept_bytes = 0
        self._has_thread = False
        self._io = _thread.allocate_lock()  # held by whoever talks to the daemon or writes the file
        self._socket: _socket.socket | None = None
        self._frames = protocol.Frames()
        self._greeted = False
        self._sent = 0  # seq of the last event that was handed to the socket
        self._spool: int | None = None
        self._spooled = 0  # seq of the last event in the spool file
        self._overflowed = False
        self._synchronous = False
        self._wake = _thread.allocate_lock()
        self._wake.acquire()

    # -- what the program's threads call

    def open(self, first: dict[str, Any]) -> None:
        """Connect and send the first event; where there is no daemon, have one started. Never raises,
        never waits for an answer."""
        self._append(first, {})
        if self._connect():
            self._send()  # fits into the socket's buffer
        else:
            connect.start_without_waiting()
            self._start_thread()

    def post(self, event: dict[str, Any], **parts: bytes) -> None:
        """Queue one event. Never raises for want of a daemon or of disk."""
        self._append(event, parts)
        if self._synchronous:
            with self._io:
                if self._socket is None:
                    self._connect()
                self._send()
                if self._socket is None:
                    self._write_spool()
        elif self._has_thread:
            try:
                self._wake.release()
            except RuntimeError:
                pass  # it is awake already
        else:
            self._start_thread()

    def finish(self, last: dict[str, Any]) -> None:
        """Hand over the last event and what is left: to the daemon if it answers soon, else to the
        spool file."""
        self._append(last, {})
        deadline = time.monotonic() + FINISH_TIMEOUT_S
        mine = self._io.acquire(timeout=FINISH_TIMEOUT_S)
        try:
            if mine:
                if self._socket is None and not self._overflowed:
                    self._connect()
                self._send()
                while self._kept and self._socket is not None:
                    left = deadline - time.monotonic()
                    if left <= 0:
                        break
                    self._receive(left)
            if self._kept:
                self._write_spool()
        finally:
            # The lock stays taken: the thread has nothing more to do.
            self._close()

    def forked(self, stream: str) -> None:
        """In a forked child: a stream of its own; the parent's connection and thread are not ours.

        A child may end by `os._exit` at any time (multiprocessing does), so its events are sent as
        they come, by whoever posts them."""
        self._close()
        if self._spool is not None:
            os.close(self._spool)
        self.__init__(self.run, stream)  # type: ignore[misc]  # everything starts anew
        self._synchronous = True

    def _append(self, event: dict[str, Any], parts: dict[str, bytes]) -> None:
        with self._queue:
            self._seq += 1
            event["seq"] = self._seq
            event.setdefault("at", time.time())
            framed = protocol.frame(event, **parts)
            self._kept.append((self._seq, framed))
            self._kept_bytes += len(framed)

    def _start_thread(self) -> None:
        with self._queue:
            if self._has_thread:
                return
            self._has_thread = True
        _thread.start_new_thread(self._work, ())

    # -- the background thread

    def _work(self) -> None:
        pause, longest = RECONNECT_S
        due = time.monotonic() + pause
        while True:
            self._wake.acquire(timeout=0.2 if self._kept or self._socket is None else -1)
            with self._io:
                if self._socket is None and not self._overflowed and time.monotonic() >= due:
                    if self._connect():
                        pause = RECONNECT_S[0]
                    else:
                        connect.start_without_waiting()
                        pause = min(2 * pause, longest)
                    due = time.monotonic() + pause
                self._send()
                self._receive(0)
                if self._socket is None:
                    self._write_spool()

    # -- the connection; all of this with `_io` held, or before there is a thread

    def _connect(self) -> bool:
        try:
            sock = connect.connect()
        except Exception:
            return False
        if sock is None:
            return False
        try:
            sock.settimeout(SEND_TIMEOUT_S)
            sock.sendall(connect.preamble("record", run=self.run, stream=self.stream))
        except OSError:
            sock.close()
            return False
        self._socket, self._frames, self._greeted, self._sent = sock, protocol.Frames(), False, 0
        return True

    def _send(self) -> None:
        if self._socket is None:
            return
        try:
            for seq, framed in self._not_yet(self._sent):
                self._socket.sendall(framed)
                self._sent = seq
        except OSError:
            self._close()

    def _receive(self, timeout: float) -> None:
        """Read what has arrived, waiting at most `timeout` seconds for it."""
        sock = self._socket
        if sock is None:
            return
        try:
            sock.settimeout(timeout)
            data = sock.recv(1 << 16)
            sock.settimeout(SEND_TIMEOUT_S)
        except (BlockingIOError, TimeoutError):
            sock.settimeout(SEND_TIMEOUT_S)
            return
        except OSError:
            data = b""
        if not data:
            self._close()
            return
        self._frames.feed(data)
        if not self._greeted and not self._read_greeting():
            return
        try:
            for head, payload in self._frames:
                acknowledged = protocol.acknowledged(head, payload)
                if acknowledged is not None:
                    self._drop(acknowledged)
        except protocol.ProtocolError:
            self._close()

    def _read_greeting(self) -> bool:
        line = self._frames.take_line()
        if line is None:
            return False
        self._greeted = line.startswith(b'{"ok":true')
        if not self._greeted:
            # It is about to leave, or of another wire version: a new one may be there at the next try.
            self._close()
        return self._greeted

    def _not_yet(self, seq: int) -> list[tuple[int, bytes]]:
        """The kept events that follow `seq`."""
        with self._queue:
            return [event for event in self._kept if event[0] > seq]

    def _drop(self, acknowledged: int) -> None:
        with self._queue:
            self._kept = [event for event in self._kept if event[0] > acknowledged]
            self._kept_bytes = sum(len(framed) for _, framed in self._kept)
        if self._spool is not None and acknowledged >= self._spooled and not self._overflowed:
            self._remove_spool()

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    # -- the spool file

    def _write_spool(self) -> None:
        try:
            if self._spool is None:
                self._spool = self._open_spool()
            for seq, framed in self._not_yet(self._spooled):
                _write_whole(self._spool, framed)
                self._spooled = seq
            if self._kept_bytes > MAX_KEPT_BYTES:
                self._overflowed = True
                self._drop(self._spooled)
        except (OSError, paths.UnsafeDirectory):
            # Nowhere to put it (disk full, read-only home): keep what memory allows, drop the oldest.
            with self._queue:
                while self._kept and self._kept_bytes > MAX_KEPT_BYTES:
                    self._kept_bytes -= len(self._kept.pop(0)[1])

    def _open_spool(self) -> int:
        from fcntl import LOCK_EX, flock

        folder = paths.secure_dir(paths.spool_dir())
        path = os.path.join(folder, f"{self.run}-{self.stream}.spool")
        spool = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        flock(spool, LOCK_EX)  # ours for as long as we live: the daemon leaves it alone until then
        _write_whole(spool, connect.preamble("record", run=self.run, stream=self.stream))
        self._spooled = 0
        return spool

    def _remove_spool(self) -> None:
        assert self._spool is not None  # noqa: S101  # the caller has looked
        try:
            os.unlink(os.path.join(paths.spool_dir(), f"{self.run}-{self.stream}.spool"))
        except OSError:
            pass
        os.close(self._spool)
        self._spool = None


def _write_whole(fd: int, data: bytes) -> None:
    """Append all of `data`, or nothing."""
    start = os.lseek(fd, 0, os.SEEK_END)
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(fd, view) :]
    except OSError:
        os.ftruncate(fd, start)
        raise
