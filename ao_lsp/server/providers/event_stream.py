"""AWS event streams: binary frames with checksums to events and back.

A frame is `total length, headers length, CRC of these two, headers, payload, CRC of all before`, the
numbers four bytes, big-endian. A header is its name (length in one byte), one byte for the type of its
value, and the value.
https://docs.aws.amazon.com/lexv2/latest/dg/event-stream-encoding.html
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from zlib import crc32

from ao_lsp.server.providers.sse import Event

_PRELUDE = struct.Struct(">III")
_CRC = struct.Struct(">I")
_OVERHEAD = _PRELUDE.size + _CRC.size

# Bytes of a header's value by its type: true, false, byte, short, int, long, …, time stamp, UUID.
_FIXED = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
_BYTES, _TEXT = 6, 7  # these come behind a length of two bytes


def decode(body: bytes) -> list[Event]:
    """The events of a stream, up to its end or to the first frame that is damaged: where the frames
    behind that begin is not known, and no SDK reads on.

    An event is named by its type, an exception by its own; an error that is all in headers gets their
    message as data.
    """
    events: list[Event] = []
    view, start = memoryview(body), 0
    while len(view) - start >= _OVERHEAD:
        total, length, prelude_crc = _PRELUDE.unpack_from(view, start)
        end = start + total
        if crc32(view[start : start + 8]) != prelude_crc or end > len(view) or total < _OVERHEAD + length:
            break
        if crc32(view[start : end - _CRC.size]) != _CRC.unpack_from(view, end - _CRC.size)[0]:
            break
        head = start + _PRELUDE.size
        events.append(_event(_headers(bytes(view[head : head + length])), bytes(view[head + length : end - _CRC.size])))
        start = end
    return events


def _event(headers: dict[str, str], payload: bytes) -> Event:
    if headers.get(":message-type") == "error":
        return Event(
            headers.get(":error-code", "error"), json.dumps({"message": headers.get(":error-message") or "error"})
        )
    name = headers.get(":exception-type") or headers.get(":event-type")
    return Event(name, payload.decode("utf-8", "replace"))


def _headers(packed: bytes) -> dict[str, str]:
    """Those headers that are texts; where they are damaged, those before that."""
    found: dict[str, str] = {}
    at = 0
    while at < len(packed):
        name = packed[at + 1 : at + 1 + packed[at]]
        at += 1 + len(name)
        kind, at = packed[at] if at < len(packed) else -1, at + 1
        if kind in (_BYTES, _TEXT):
            length, at = int.from_bytes(packed[at : at + 2], "big"), at + 2
        elif kind in _FIXED:
            length = _FIXED[kind]
        else:
            break
        if kind == _TEXT:
            found[name.decode("utf-8", "replace")] = packed[at : at + length].decode("utf-8", "replace")
        at += length
    return found


def pieces(events: Iterable[Event]) -> list[bytes]:
    """The frame of each event."""
    return [
        frame(
            {":event-type": event.name or "chunk", ":content-type": "application/json", ":message-type": "event"},
            event.data.encode("utf-8", "replace"),
        )
        for event in events
    ]


def frame(headers: dict[str, str], payload: bytes) -> bytes:
    """One frame; `headers` are texts."""
    packed = b"".join(map(_header, headers.items()))
    lengths = struct.pack(">II", _OVERHEAD + len(packed) + len(payload), len(packed))
    made = lengths + _CRC.pack(crc32(lengths)) + packed + payload
    return made + _CRC.pack(crc32(made))


def _header(header: tuple[str, str]) -> bytes:
    name, value = (text.encode("utf-8", "replace") for text in header)
    return struct.pack(">B", len(name)) + name + struct.pack(">BH", _TEXT, len(value)) + value
