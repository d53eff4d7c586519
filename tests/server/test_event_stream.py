"""AWS event streams: frames to events and back, and what is made of frames that are damaged."""

from __future__ import annotations

import struct
from zlib import crc32

import pytest

from ao_lsp.server.providers import event_stream
from ao_lsp.server.providers.sse import Event
from tests.server.recorded_natively import frames

ONE, TWO = (frames((name, {"number": number})) for number, name in enumerate(("first", "second")))

# A frame written down byte by byte, with a header of every type; `:event-type` is the last one.
_HEADERS = (
    b"\x01a\x00" + b"\x01b\x01" + b"\x01c\x02\x7f" + b"\x01d\x03\x00\x01" + b"\x01e\x04" + bytes(4) + b"\x01f\x05"
    + bytes(8) + b"\x01g\x06\x00\x02\xff\xfe" + b"\x01h\x08" + bytes(8) + b"\x01i\x09" + bytes(16)
    + b"\x0b:event-type\x07\x00\x05delta"
)  # fmt: skip


def written(headers: bytes, payload: bytes) -> bytes:
    lengths = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    message = lengths + struct.pack(">I", crc32(lengths)) + headers + payload
    return message + struct.pack(">I", crc32(message))


def names(body: bytes) -> list[str | None]:
    return [event.name for event in event_stream.decode(body)]


def test_a_frame_is_read_through_headers_of_every_type() -> None:
    assert event_stream.decode(written(_HEADERS, b'{"x":1}')) == [Event("delta", '{"x":1}')]


def test_events_are_written_as_they_are_read() -> None:
    events = [Event("contentBlockDelta", '{"delta":"ü"}'), Event("messageStop", "{}")]
    assert event_stream.decode(b"".join(event_stream.pieces(events))) == events


def test_exceptions_are_named_by_their_type_and_errors_by_their_code() -> None:
    body = event_stream.frame({":message-type": "exception", ":exception-type": "throttlingException"}, b"{}")
    body += event_stream.frame({":message-type": "error", ":error-code": "Oh", ":error-message": "no"}, b"")
    assert event_stream.decode(body) == [Event("throttlingException", "{}"), Event("Oh", '{"message": "no"}')]


@pytest.mark.parametrize("cut", [0, 1, 11, 15, len(TWO) - 1])
def test_a_stream_that_broke_off_gives_the_frames_that_are_whole(cut: int) -> None:
    assert names(ONE + TWO[:cut]) == ["first"]


@pytest.mark.parametrize("place", [0, 5, 9, 14, 40, len(TWO) - 10, len(TWO) - 1])
def test_what_is_damaged_anywhere_is_not_read_nor_what_follows(place: int) -> None:
    damaged = bytearray(TWO)
    damaged[place] ^= 1
    assert names(ONE + bytes(damaged) + ONE) == ["first"]


@pytest.mark.parametrize(("total", "length"), [(0, 0), (15, 0), (16, 1), (20, 1 << 31), ((1 << 32) - 1, 0)])
def test_lengths_that_lie_end_the_stream_even_where_their_checksum_is_right(total: int, length: int) -> None:
    lengths = struct.pack(">II", total, length)
    lying = lengths + struct.pack(">I", crc32(lengths)) + bytes(12)
    assert names(ONE + lying + ONE) == ["first"]


@pytest.mark.parametrize(
    "headers",
    [
        b"\xff",
        b"\x01a",
        b"\x01a\x63",
        b"\x01a\x07",
        b"\x01a\x07\xff",
        b"\x01a\x07\xff\xffx",
        b"\x00\x07\x00\x00",
        b"\x0b:event-type\x07\x00\x02\xff\xfe",
    ],
)
def test_damaged_headers_with_a_right_checksum_leave_an_event(headers: bytes) -> None:
    (event,) = event_stream.decode(written(headers, b"{}"))
    assert event.data == "{}"


def test_a_prelude_with_a_wrong_checksum_is_not_believed_though_the_message_is_whole() -> None:
    message = TWO[:8] + b"\0\0\0\0" + TWO[12:-4]
    assert names(ONE + message + struct.pack(">I", crc32(message))) == ["first"]


def test_headers_that_would_reach_out_of_their_frame_are_not_read() -> None:
    lengths = TWO[:4] + struct.pack(">I", len(TWO) - 15)
    message = lengths + struct.pack(">I", crc32(lengths)) + TWO[12:-4]
    assert names(ONE + message + struct.pack(">I", crc32(message))) == ["first"]
