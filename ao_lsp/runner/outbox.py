"""Carries a run's events to the daemon, and never lets the program wait for it.

Whoever records an event hands it over right there: to a Unix socket that takes some microseconds.
There is no thread, because a program would notice one (Python 3.12 warns when a process with threads
forks; a fork loses them; the end of the interpreter freezes them). What the daemon has not
acknowledged is kept. Without a daemon, or with one that does not read, events go to a spool file,
which the next daemon takes in (docs/wire.md).

An event may be posted from any thread, from a signal handler, or while another one is being posted
and a finaliser runs.
"""

from __future__ import annotations

import _socket
import _thread
from time import monotonic, time

from ao_lsp import connect, paths, protocol
from ao_lsp.runner.descriptors import Held
from ao_lsp.taint.kept import keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ao_lsp.runner.spool_file import SpoolFile

keep(__name__)

STALL_S = 0.02
"""How long one event may wait for a daemon that does not take its bytes; after that it counts as gone."""
FINISH_S = 0.5
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
        self._queue = _thread.RLock()  # guards the next three; held for moments only
        self._seq = 0
        self._kept: dict[int, bytes] = {}  # by seq: not acknowledged
        self._kept_bytes = 0
        self._given_up = 1  # seq of the last event of which memory keeps no more than the number
        self._io = _thread.allocate_lock()  # held by whoever talks to the daemon or writes the file
        self._socket: _socket.socket | None = None
        self._held: Held | None = None  # the socket's descriptor
        self._frames = protocol.Frames()
        self._greeted = False
        self._wary = False  # what goes to a daemon that has not greeted us yet is spooled, too
        self._sent = 0  # seq of the last event that was handed to the socket
        self._pause = RECONNECT_S[0]
        self._due = 0.0  # when the next attempt to connect may be made
        self._spool: SpoolFile | None = None
        self._spooled = 0  # seq of the last event in the spool file
        self._overflowed = False

    def post(self, event: dict[str, Any], **parts: bytes) -> None:
        """Hand over one event. Raises nothing but an interrupt."""
        try:
            self._append(event, parts)
            # Not forever: the holder may be this very thread, interrupted by a signal handler. The event
            # is kept, and goes with the next one.
            if self._io.acquire(timeout=2 * STALL_S):
                try:
                    self._flush()
                finally:
                    self._io.release()
        except Exception:  # no memory, or a function that the program has put in the place of one that we call
            pass

    def close(self) -> None:
        """Hand over what is left: to the daemon if it answers soon, else to the spool file. Of a process that ends, or
        is about to become another program; an event may follow nevertheless."""
        if not self._kept:
            self._close()
            return
        deadline = monotonic() + FINISH_S
        held = self._io.acquire(timeout=FINISH_S)
        try:
            self._due = 0.0
            self._flush()
            while self._kept and self._socket is not None:
                left = deadline - monotonic()
                if left <= 0:
                    break
                self._receive(left)
            if self._kept:
                self._write_spool()
        except Exception:  # as above
            pass
        finally:
            self._close()
            if held:
                self._io.release()

    def forked(self, stream: str) -> None:
        """In a forked child: a stream of its own; the parent's connection is not ours."""
        self._close()
        if self._spool is not None:
            self._spool.close()
        self.__init__(self.run, stream)  # type: ignore[misc]  # everything starts anew
        self._wary = True  # a forked child may end without a word to us, by `os._exit`

    def _append(self, event: dict[str, Any], parts: dict[str, bytes]) -> None:
        if paths.moved() is not None:
            from ao_lsp.runner import moved

            event, parts = moved.event(event, parts)
        with self._queue:
            self._seq = seq = self._seq + 1
            event["seq"] = seq
            event.setdefault("at", time())
            framed = protocol.frame(event, **parts)
            self._kept[seq] = framed
            self._kept_bytes += len(framed)

    def _after(self, seq: int) -> list[tuple[int, bytes]]:
        """The kept events that follow `seq` without a gap: one that is just being appended is left."""
        with self._queue:
            found = []
            while (framed := self._kept.get(seq + 1)) is not None:
                seq += 1
                found.append((seq, framed))
            return found

    def _first(self) -> int:
        """The first kept event; where none is, the one that comes next."""
        return min(self._kept, default=self._seq + 1)

    # -- the connection; with `_io` held

    def _flush(self) -> None:
        if self._held is not None and not self._held.is_ours:
            self._close()
        if self._socket is None and not self._overflowed and monotonic() >= self._due:
            if not self._connect():
                connect.start_without_waiting()
            self._due = monotonic() + self._pause
            self._pause = min(2 * self._pause, RECONNECT_S[1])
        self._send()
        self._receive(0)
        # A daemon that is about to leave refuses us, and reads nothing: before it has greeted us, nobody knows.
        if self._socket is None or (self._wary and not self._greeted):
            self._write_spool()

    def _connect(self) -> bool:
        if connect.without_daemon():
            return False
        try:
            sock = connect.connect()
        except Exception:  # nobody there; or a program that forbids to block, in its event loop
            return False
        if sock is None:
            return False
        try:
            held = Held(sock.detach())
            sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, held.fd)
            sock.settimeout(STALL_S)
            sock.sendall(connect.preamble("record", run=self.run, stream=self.stream))
        except Exception:
            sock.close()
            return False
        self._socket, self._held, self._frames, self._greeted = sock, held, protocol.Frames(), False
        # Everything that was not acknowledged goes again; the daemon drops what it has.
        with self._queue:
            self._sent = self._first() - 1
        return True

    def _send(self) -> None:
        if self._socket is None:
            return
        try:
            for seq, framed in self._after(self._sent):
                self._socket.sendall(framed)
                self._sent = seq
        except Exception:
            self._close()
        except BaseException:  # an interrupt in the middle of a frame
            self._close()
            raise

    def _receive(self, timeout: float) -> None:
        """Read what has arrived, waiting at most `timeout` seconds for it."""
        sock = self._socket
        if sock is None:
            return
        try:
            sock.settimeout(timeout)
            data = sock.recv(1 << 16)
            sock.settimeout(STALL_S)
        except (BlockingIOError, TimeoutError):
            sock.settimeout(STALL_S)
            return
        except Exception:
            data = b""
        if not data:
            self._close()
            return
        try:
            self._frames.feed(data)
            if not self._greeted and not self._read_greeting():
                return
            for head, payload in self._frames:
                acknowledged = protocol.acknowledged(head, payload)
                if acknowledged is None:
                    continue
                if acknowledged > self._sent:  # somebody else listens there
                    self._close()
                    return
                self._drop(acknowledged)
        except protocol.ProtocolError:
            self._close()

    def _read_greeting(self) -> bool:
        line = self._frames.take_line()
        if line is None:
            return False
        self._greeted = line.startswith(b'{"ok":true')
        if self._greeted:
            self._pause, self._due = RECONNECT_S[0], 0.0
        else:
            # It is about to leave, or of another wire version: the next attempt may find another.
            self._close()
        return self._greeted

    def _drop(self, acknowledged: int) -> None:
        with self._queue:
            # In their order, but for those that were appended while another was: these wait for the next time.
            while (seq := next(iter(self._kept), acknowledged + 1)) <= acknowledged:
                self._kept_bytes -= len(self._kept.pop(seq))
        if self._spool is not None and acknowledged >= self._spooled and not self._overflowed:
            self._remove_spool()

    def _close(self) -> None:
        if self._socket is not None and self._held is not None:
            # Its descriptor may be the program's by now, who must not lose it.
            self._socket.detach()
            self._held.close()
            self._wary = True
        self._socket = self._held = None

    # -- the spool file; with `_io` held

    def _write_spool(self) -> None:
        try:
            if self._spool is not None and not self._spool.is_there:
                self._spool.close()
                self._spool = None
            if self._spool is None:
                from ao_lsp.runner.spool_file import SpoolFile

                self._spool, self._spooled = SpoolFile(self.run, self.stream), 0
            known = self._spooled + 1 in self._kept
            for seq, framed in self._after(self._spooled if known else max(self._spooled, self._first() - 1)):
                self._spool.append(framed)
                self._spooled = seq
            if self._kept_bytes > MAX_KEPT_BYTES:
                self._overflowed = True
                self._drop(self._spooled)
        except Exception:
            # Nowhere to put it (disk full, read-only home, a program that forbids it): keep what memory
            # allows, give up the oldest; but not the first event, without which there is no run.
            with self._queue:
                while self._kept_bytes > MAX_KEPT_BYTES and self._given_up < self._seq:
                    self._given_up = seq = self._given_up + 1
                    if seq in self._kept:
                        self._kept_bytes -= len(self._kept[seq])
                        self._kept[seq] = b""

    def _remove_spool(self) -> None:
        if self._spool is not None:
            self._spool.remove()
            self._spool = None
