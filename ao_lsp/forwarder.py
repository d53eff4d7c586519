"""`ao-lsp`, which editors start: carries bytes between an editor's pipes and the daemon's socket.

It understands no more of what it carries than where a message ends, and imports no more than a quick
start allows: no `json`, no `threading`, nothing of the server. Two threads, each of which blocks
while it has nothing to read or its reader is slow: that is all the back-pressure there is to it.

`AO_NO_DAEMON=1` runs the same server in this process instead, on a socket pair.
"""

from __future__ import annotations

import _signal
import _socket
import _thread
import os
import select
import sys

from ao_lsp import __version__, connect, protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

_CHUNK = 1 << 18

_LOOK_S = 5.0
"""How often to look whether the editor is still there: a pipe tells, unless somebody else holds it too."""

_LEAVE_S = 2.0
"""How long the server may take over its last words when the editor has closed its end."""

_USAGE = """usage: ao-lsp [--version]

The language server of ao-lsp, on stdin and stdout. Editors start it; see docs/editors.md.
AO_NO_DAEMON=1 runs it without the daemon.
"""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Serve one editor and end the process: 0 after an orderly goodbye, else 1."""
    given = sys.argv[1:] if arguments is None else arguments
    if "--version" in given or "--help" in given:
        print(f"ao-lsp {__version__}" if "--version" in given else _USAGE, end="\n" if "--version" in given else "")
        raise SystemExit(0)
    # What else editors pass (`--stdio`, `--clientProcessId=…`) says what is the case anyway.
    parent = os.getppid()  # first of all: it may be gone by the time that there is a server
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)  # a traceback would end up in the editor's log
    code = _in_process(parent) if connect.without_daemon() else _forward(parent)
    # Not `SystemExit`: the other thread may be in the middle of a read that nothing will end.
    os._exit(code)


def _forward(parent: int) -> int:
    try:
        sock, _ = connect.open_session("lsp", **connect.environment())
    except (connect.DaemonUnavailable, protocol.ProtocolError, OSError) as error:
        _tell(str(error))
        return 1
    return Pump(sock, parent).run()


def _in_process(parent: int) -> int:
    try:
        from ao_lsp.server.lsp import stdio
    except ImportError as error:
        _tell(f"{sys.executable} lacks a package of the server: {error}")
        return 1
    try:
        with stdio.serving() as sock:
            return Pump(sock, parent, daemon=False).run()
    except stdio.CannotServeError as error:
        _tell(str(error))
        return 1


class Pump:
    """Carries bytes between two descriptors (the editor's ends) and a connected socket."""

    def __init__(
        self, sock: _socket.socket, parent: int, source: int = 0, sink: int = 1, *, daemon: bool = True
    ) -> None:
        """`parent` is the process id of the editor: when it is gone, so are we. `daemon`: at the other end is one."""
        self._socket, self._parent, self._source, self._sink = sock, parent, source, sink
        self._last = b""  # of what the editor said
        self._leaving = False
        self._asked = False  # since the server has last said something
        self._stuck = False
        self._daemon = daemon

    def run(self) -> int:
        """Carry until one side ends. The exit code: 0 where the editor left as LSP wants it, or just
        closed its end; 1 where it said `exit` without `shutdown`, or the server is gone."""
        _thread.start_new_thread(self._carry_requests, ())
        whole = WholeMessages()
        while True:
            if not select.select([self._socket], [], [], _LEAVE_S if self._leaving else _LOOK_S)[0]:
                if self._leaving or os.getppid() != self._parent:
                    return 0
                self._look_after_server()
                continue
            self._asked = self._stuck = False
            data = self._receive()
            if not data:
                return self._ended()
            try:
                _write(self._sink, whole.feed(data))
            except OSError:  # the editor is gone
                return 0

    def _look_after_server(self) -> None:
        """Say once that the server is stuck. One that is only busy says so itself."""
        if self._daemon and self._asked and not self._stuck and connect.vital_sign() == b"":
            self._stuck = True
            _tell("the server does not answer; ao-server restart gets rid of it", self._sink)

    def _carry_requests(self) -> None:
        try:
            while data := os.read(self._source, _CHUNK):
                self._last = (self._last + data)[-4096:]
                self._asked = True
                self._socket.sendall(data)
            self._leaving = True
            self._socket.shutdown(_socket.SHUT_WR)
        except OSError:  # the server hung up; the other thread finds out why
            pass

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(_CHUNK)
        except OSError:  # it died with something unread: a reset instead of an end
            return b""

    def _ended(self) -> int:
        """The server hung up: after `exit`, as it has to, or because it is gone."""
        # Inside of a string of JSON the quotes would be escaped.
        said = self._last.replace(b" ", b"")
        if b'"method":"exit"' in said:
            return 0 if b'"method":"shutdown"' in said else 1
        if self._leaving:
            return 0
        _tell("the server has ended", self._sink)
        return 1


class WholeMessages:
    """Holds back what of a message has come until the rest is there: a server that dies in the middle
    of one must not leave the editor with half of it."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> bytes:
        """`data` and what was held back, up to the end of the last whole message."""
        held = self._held
        held += data
        end = 0
        while (start := held.find(b"\r\n\r\n", end) + 4) > 3:
            after = start + _length(bytes(held[end:start]))
            if after > len(held):
                break
            end = after
        passed = bytes(held[:end])
        del held[:end]
        return passed


def _length(header: bytes) -> int:
    """The number of bytes that follow a header of our own server."""
    for line in header.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def _write(sink: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(sink, view) :]


def _tell(message: str, sink: int = 1) -> None:
    """Have the editor show an error."""
    log = connect.log_path()
    if log not in message:
        message += f"; see {log}"
    params = {"type": 1, "message": f"ao-lsp: {message}"}
    body = protocol.dumps({"jsonrpc": "2.0", "method": "window/showMessage", "params": params})
    try:
        _write(sink, b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    except OSError:  # nobody is there to be told
        return


if __name__ == "__main__":
    main()
