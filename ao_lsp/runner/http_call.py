"""`ao-record --http`: requests of the user's code that are no calls of models."""

from __future__ import annotations

from sys import _getframe

from ao_lsp.runner import places, secrets
from ao_lsp.runner.calls import Call
from ao_lsp.taint.kept import keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

    from ao_lsp.runner.recorder import Recorder

keep(__name__)

MAX_BYTES = 32 << 20
"""Of one body. Whoever downloads more wants a file, and no record of it in memory."""


class NotRecorded(Exception):
    """Why a request is not."""


def is_asked_for() -> bool:
    """Whether the user's code asked for what is being sent: not a library's own errand, nor what carries a tool
    call, which is recorded as such (transports/mcp_seam.py)."""
    frame: FrameType | None = _getframe()
    while frame is not None:
        if (frame.f_globals.get("__name__") or "").startswith("mcp."):
            return False
        frame = frame.f_back
    return bool(places.stack())


class HttpCall(Call):
    """A request of any kind. What is too large or holds a secret is not kept; it goes live in a rerun."""

    def __init__(self, recorder: Recorder, transport: str, method: str, url: str) -> None:
        Call.__init__(self, recorder, transport, method, url, "http")  # not `super()`, which looks at frames
        self._recorder_of_notes = recorder
        self._size = 0

    def start(self, headers: list[tuple[str, str]], body: bytes, given: Any = None) -> None:
        if len(body) > MAX_BYTES:
            raise NotRecorded(f"{len(body):,} bytes are sent to {secrets.clean_url(self._url)}")
        if secrets.holds_secret(body):
            raise NotRecorded(f"a secret is sent to {secrets.clean_url(self._url)}")
        Call.start(self, headers, body, given)

    def received(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size <= MAX_BYTES:
            Call.received(self, chunk)
        elif self._pieces:
            self._withhold()

    def _withhold(self) -> None:
        self._pieces.clear()
        self._chunks.clear()

    def _end(self, status: str, error: dict[str, Any] | None, complete: bool) -> None:
        if self.is_over:
            return
        why = f"has {self._size:,} bytes" if self._size > MAX_BYTES else ""
        if not why and self.entry is None and secrets.holds_secret(self._unpacked()):
            why = "holds a secret"
        if why:
            self._withhold()
            self._status = None  # there is nothing to replay
            complete = False
        Call._end(self, status, error, complete)
        if why:
            self._recorder_of_notes.note(f"a response of {secrets.clean_url(self._url)} {why}: it was not kept")

    def _unpacked(self) -> bytes:
        body = b"".join(self._pieces)
        encoding = "".join(value for name, value in self._headers if name.lower() == "content-encoding")
        if encoding.strip().lower() in ("gzip", "x-gzip", "deflate"):
            import zlib

            try:
                # 32: with the header of either format
                return zlib.decompressobj(32 + zlib.MAX_WBITS).decompress(body, MAX_BYTES)
            except zlib.error:
                return body
        return body
