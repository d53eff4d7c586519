"""A connection of aiohttp's to a recording: once a request is written to it, the recorded response arrives, as
HTTP/1.1 and in the pieces that it came in."""

from __future__ import annotations

import sys

from ao_lsp.taint.frames import unseen_methods
from ao_lsp.taint.kept import keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ao_lsp.runner.replay import Entry

keep(__name__)


class Recordings:
    """Makes connections for the library `module`.

    Raises:
        AttributeError: this version has other names.
    """

    def __init__(self, module: Any) -> None:
        self._connection = module.connector.Connection
        self._protocol = module.client_proto.ResponseHandler
        self._statuses = sys.modules["http"].HTTPStatus

        class Transport(_Transport, sys.modules["asyncio"].Transport):  # type: ignore[misc]
            """What libraries check the class of."""

        self._transport = Transport

    def connection(self, entry: Entry, connector: Any, req: Any) -> Any:
        """A connection that answers the request `req` with the recording `entry`."""
        loop = connector._loop
        protocol = self._protocol(loop)
        framed, to_the_end = _framed(entry, self._reason(entry.status))
        protocol.connection_made(self._transport(loop, protocol, framed, to_the_end))
        return self._connection(_NoPool(connector), req.connection_key, protocol, loop)

    def _reason(self, status: int) -> str:
        try:
            return str(self._statuses(status).phrase)
        except ValueError:
            return ""


def _framed(entry: Entry, reason: str) -> tuple[list[bytes], bool]:
    """The response as it goes over a wire, and whether only the end of the connection ends it."""
    pieces = entry.pieces()
    lines = [f"HTTP/1.1 {entry.status} {reason}"]
    chunked = any(name.lower() == "transfer-encoding" and "chunked" in value.lower() for name, value in entry.headers)
    sized = False
    for name, value in entry.headers:
        framing = name.lower()
        # Values that were removed as secrets are no use to anyone.
        if value == "[removed]" or (framing == "transfer-encoding" and not chunked):
            continue
        if framing == "content-length":
            if chunked or sized:
                continue
            sized, value = True, str(sum(map(len, pieces)))  # an edited body has another one
        lines.append(f"{name}: {value}")
    head = "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")
    if chunked:
        pieces = [*(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece), b"0\r\n\r\n"]
    return [head, *pieces], not chunked and not sized


class _NoPool:
    """Stands in for the connector of a connection: nobody else gets to use it."""

    def __init__(self, connector: Any) -> None:
        self._connector = connector

    def _release(self, key: Any, protocol: Any, *, should_close: bool = False) -> None:  # noqa: ARG002 - as it is called
        protocol.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connector, name)


@unseen_methods
class _Transport:
    def __init__(self, loop: Any, protocol: Any, pieces: list[bytes], to_the_end: bool) -> None:
        self._loop = loop
        self._protocol = protocol
        self._pieces = iter(pieces)
        self._to_the_end = to_the_end
        self._asked = False
        self._paused = False
        self._scheduled = False
        self._closing = False

    def _more(self) -> None:
        """The next piece arrives in the next round of the event loop."""
        if self._asked and not (self._paused or self._scheduled or self._closing):
            self._scheduled = True
            self._loop.call_soon(self._arrive)

    def _arrive(self) -> None:
        self._scheduled = False
        if self._paused or self._closing:
            return
        piece = next(self._pieces, None)
        if piece is not None:
            self._protocol.data_received(piece)
            self._more()
        elif self._to_the_end:
            self._protocol.eof_received()
            self.close()

    def write(self, data: Any) -> None:  # noqa: ARG002 - nobody reads it
        self._asked = True
        self._more()

    def writelines(self, lines: Any) -> None:
        self.write(lines)

    def can_write_eof(self) -> bool:
        return False

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        self._paused = False
        self._more()

    def is_reading(self) -> bool:
        return not self._paused

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            if not self._loop.is_closed():
                self._loop.call_soon(self._protocol.connection_lost, None)

    abort = close

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ARG002 - there is no socket
        return default

    def get_write_buffer_size(self) -> int:
        return 0

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return 0, 0

    def set_write_buffer_limits(self, high: Any = None, low: Any = None) -> None:
        """Nothing waits to be written."""

    def get_protocol(self) -> Any:
        return self._protocol

    def set_protocol(self, protocol: Any) -> None:
        self._protocol = protocol
