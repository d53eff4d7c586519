"""The wire between runner, command line, forwarder and daemon: nothing else may define a frame.

Both ends may be different Pythons with different packages, so this file imports the standard
library only, and only the parts of it that a warm `ao-record` can afford (no `json`, no `typing`,
no `struct` import at start-up beyond C modules). docs/wire.md describes every message.

A connection begins with one line of JSON each way (the preamble). After it come frames:

    u32 header length | u32 payload length | header (JSON, utf-8) | payload (bytes)

`header["parts"]`, where present, lists `[name, length]` pairs that cut up the payload: request and
response bodies travel as they are, never inside JSON. A frame with an empty header acknowledges:
its payload is the last committed sequence number of the stream, u64. Integers are big-endian.
"""

from __future__ import annotations

from _json import encode_basestring_ascii as _quote
from _struct import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any, TypeAlias

    Json: TypeAlias = "bool | int | float | str | Sequence[Any] | dict[str, Any] | None"

WIRE = 1
"""Version of everything in this file; a daemon serves exactly one."""

MAX_LINE = 1 << 16
"""A longer preamble is a fault of the peer."""

MAX_FRAME = 1 << 30
"""A longer frame is a fault of the peer, not a message."""

_HEAD = Struct(">II")
_ACK = Struct(">Q")


class ProtocolError(ValueError):
    """The peer sent something that is not in this protocol."""


def dumps(value: Json) -> bytes:
    """`value` as compact JSON. Exists because importing `json` costs a warm start too much.

    Raises:
        TypeError: it holds something that JSON has no word for.
    """
    pieces: list[str] = []
    _write(value, pieces)
    return "".join(pieces).encode("ascii")


def _write(value: Any, out: list[str]) -> None:
    if value is None:
        out.append("null")
    elif value is True:
        out.append("true")
    elif value is False:
        out.append("false")
    elif isinstance(value, str):
        # A lone surrogate would be legal JSON here, but no strict decoder takes it back.
        out.append(_quote(value.encode("utf-8", "replace").decode("utf-8")))
    elif isinstance(value, int):
        out.append(int.__repr__(value))
    elif isinstance(value, float):
        finite = value - value == 0.0
        out.append(float.__repr__(value) if finite else "null")
    elif isinstance(value, dict):
        separator = "{"
        for key, item in value.items():
            out.append(separator + _quote(str(key)) + ":")
            _write(item, out)
            separator = ","
        out.append("{}" if separator == "{" else "}")
    elif isinstance(value, (list, tuple)):
        separator = "["
        for item in value:
            out.append(separator)
            _write(item, out)
            separator = ","
        out.append("[]" if separator == "[" else "]")
    else:
        raise TypeError(f"{type(value).__name__} cannot be sent")


def loads(text: bytes | str) -> Any:
    """JSON to Python; `json` is imported at the first call.

    Raises:
        ProtocolError: it is not JSON.
    """
    import json

    try:
        return json.loads(text)
    except ValueError as error:
        raise ProtocolError(f"not JSON: {error}") from None


def line(message: dict[str, Any]) -> bytes:
    """One preamble line."""
    return dumps(message) + b"\n"


def frame(header: dict[str, Any], **parts: bytes) -> bytes:
    """One frame; `parts` go into the payload in the order given."""
    if parts:
        header = {**header, "parts": [[name, len(body)] for name, body in parts.items()]}
    head = dumps(header)
    payload = b"".join(parts.values())
    return _HEAD.pack(len(head), len(payload)) + head + payload


def ack(seq: int) -> bytes:
    """An acknowledgement of everything up to and with `seq`."""
    return _HEAD.pack(0, 8) + _ACK.pack(seq)


class Frames:
    """Cuts a byte stream into frames. Feed it what arrives; it keeps what is incomplete.

    Iterating yields `(header bytes, payload)` of each complete frame, in order. One that is longer than `most` bytes is
    a fault of the peer.
    """

    def __init__(self, most: int = MAX_FRAME) -> None:
        self._buffer = bytearray()
        self._most = most

    def feed(self, data: bytes) -> None:
        self._buffer += data

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        buffer = self._buffer
        while len(buffer) >= 8:
            head_length, payload_length = _HEAD.unpack_from(buffer)
            end = 8 + head_length + payload_length
            if end > self._most:
                raise ProtocolError(f"a frame of {end} bytes")
            if len(buffer) < end:
                return
            head = bytes(buffer[8 : 8 + head_length])
            payload = bytes(buffer[8 + head_length : end])
            del buffer[:end]
            yield head, payload

    def take_line(self) -> bytes | None:
        """The line that precedes the frames (a preamble), without its end; None while it is incomplete.

        Raises:
            ProtocolError: it does not end.
        """
        end = self._buffer.find(b"\n")
        if end < 0:
            if len(self._buffer) > MAX_LINE:
                raise ProtocolError("the preamble does not end")
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line

    def __len__(self) -> int:
        """Bytes that wait for the rest of their frame."""
        return len(self._buffer)


def acknowledged(head: bytes, payload: bytes) -> int | None:
    """The sequence number that a frame acknowledges; None where it is another frame."""
    if head or len(payload) != 8:
        return None
    seq: int = _ACK.unpack(payload)[0]
    return seq


def parts_of(header: dict[str, Any], payload: bytes) -> dict[str, bytes]:
    """The named parts of a payload.

    Raises:
        ProtocolError: the header's list does not fit the payload.
    """
    found: dict[str, bytes] = {}
    start = 0
    for name, length in header.get("parts", ()):
        found[name] = payload[start : start + length]
        start += length
    if start != len(payload):
        raise ProtocolError(f"parts of {start} bytes in a payload of {len(payload)}")
    return found
