"""HTTP/1.1 as it comes over a socket: recorded as it is read, or read from a recording.

`http.client.HTTPResponse` reads from a file object, and so does everybody who builds on it (`urllib3`,
`requests`, `boto3`, `urllib.request`). A `Tee` in the place of that file sees what is read when it is
read; a `RecordedSocket` has a whole response to read.
"""

from __future__ import annotations

import sys

from ao_lsp.taint.frames import unseen, unseen_methods
from ao_lsp.taint.kept import keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from ao_lsp.runner.calls import Call
    from ao_lsp.runner.replay import Entry

    class Reader(Protocol):
        """Who is told what a body says: a call, or somebody before it."""

        def received(self, chunk: bytes, /) -> None: ...
        def finished(self) -> None: ...


keep(__name__)


class Body:
    """The body of a response, taken out of what comes over the wire: `length` bytes, chunks, or all up to
    the end."""

    __slots__ = ("_call", "_left", "_line", "_state")

    def __init__(self, call: Reader, chunked: bool, length: int | None) -> None:
        self._call = call
        self._left = length
        self._line = b""
        self._state = "size" if chunked else "data"
        if not chunked and length == 0:
            call.finished()

    def feed(self, data: bytes) -> None:
        """Take what was read."""
        if self._state == "data":
            self._plain(data)
        else:
            self._chunks(data)

    @property
    def is_missing(self) -> int | None:
        """How much more has to come before the body is whole, in bytes (0 where only that is known, that there is
        more); None where nothing has to."""
        if self._state == "data":
            return self._left if self._left is not None and self._left > 0 else None
        if self._state == "trailer":
            return None
        return self._left or 0 if self._state == "chunk" else 0

    def _plain(self, data: bytes) -> None:
        if not data:
            if self._left is None or self._left <= 0:
                self._call.finished()
            return
        self._call.received(data)
        if self._left is not None:
            self._left -= len(data)
            if self._left <= 0:
                self._call.finished()

    def _chunks(self, data: bytes) -> None:
        while data:
            if self._state == "chunk":
                left = self._left or 0
                piece, data = data[:left], data[left:]
                self._left = left = left - len(piece)
                self._call.received(piece)
                if left == 0:
                    self._state = "end of chunk"
                continue
            line, newline, data = data.partition(b"\n")
            self._line += line + newline
            if not newline:
                return
            line, self._line = self._line.strip(), b""
            if self._state == "end of chunk":
                self._state = "size"
            elif self._state == "size":
                self._left = left = int(line.partition(b";")[0] or b"0", 16)
                if left < 0:
                    raise ValueError("a chunk of a negative size")
                self._state = "chunk" if self._left else "trailer"
                if not self._left:
                    self._call.finished()


@unseen_methods
class Tee:
    """Stands in for the file that a response reads from."""

    def __init__(self, file: Any, call: Call, body: Body) -> None:
        self._file = file
        self._call = call
        self._body = body

    def _read(self, read: Any, *args: Any) -> Any:
        try:
            data = read(*args)
        except BaseException as error:
            self._call.failed(error)
            raise
        self._feed(data)
        return data

    def _at_end(self) -> None:
        """Nothing more comes. The program finds out above, where this is no whole body; here is who knows why."""
        missing = self._body.is_missing
        if missing is not None and not self._call.is_over:
            self._call.failed(sys.modules["http.client"].IncompleteRead(b"", missing or None))

    def _feed(self, data: bytes) -> None:
        try:
            self._body.feed(data)
        except Exception as error:  # no proper chunks: the program will find out
            self._call.failed(error)

    def read(self, *args: Any) -> Any:
        data = self._read(self._file.read, *args)
        wanted = args[0] if args else None
        if data is not None and (wanted is None or wanted < 0 or len(data) < wanted):
            self._at_end()
        return data

    def read1(self, *args: Any) -> Any:
        data = self._read(self._file.read1, *args)
        if data == b"" and args != (0,):
            self._at_end()
        return data

    def readline(self, *args: Any) -> Any:
        data = self._read(self._file.readline, *args)
        if not data:
            self._at_end()
        return data

    def readinto(self, buffer: Any) -> Any:
        try:
            count = self._file.readinto(buffer)
        except BaseException as error:
            self._call.failed(error)
            raise
        self._feed(bytes(memoryview(buffer)[: count or 0]))
        if count == 0 and len(buffer):
            self._at_end()
        return count

    def close(self) -> None:
        self._file.close()
        self._call.finished(complete=False)  # nothing, if it has ended already

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def watch(response: Any, call: Call) -> None:
    """Record an `http.client.HTTPResponse`, whose head has been read, as it is read. Raises nothing."""
    try:
        call.answered(response.status, response.getheaders())
        body = Body(call, bool(response.chunked), response.length)
        if response.fp is not None:
            response.fp = Tee(response.fp, call, body)
        else:
            call.finished()
    except Exception as error:
        call.failed(error)


class RecordedSocket:
    """A socket from which a recorded response can be read, head and all."""

    def __init__(self, entry: Entry) -> None:
        lines = [b"HTTP/1.1 %d %s\r\n" % (entry.status, _reason(entry.status))]
        body = b"".join(entry.pieces())
        for name, value in entry.headers:
            # Values that were removed as secrets are no use to anyone; how long the body is, is known.
            if value != "[removed]" and name.lower() not in ("transfer-encoding", "content-length", "connection"):
                lines.append(b"%s: %s\r\n" % (name.encode("latin-1", "replace"), value.encode("latin-1", "replace")))
        lines.append(b"content-length: %d\r\nconnection: close\r\n\r\n" % len(body))
        self._wire = b"".join(lines) + body

    def makefile(self, *_: Any) -> Any:
        import io

        return io.BufferedReader(io.BytesIO(self._wire))


def _reason(status: int) -> bytes:
    from http.client import responses

    return responses.get(status, "").encode()


@unseen
def recorded(response_class: Any, call: Call, entry: Entry, method: str) -> Any:
    """The recorded response of `call`, its head read, as an object of `response_class`."""
    call.wait()
    response = response_class(RecordedSocket(entry), method=method)
    response.begin()
    watch(response, call)
    return response
