"""LSP messages as bytes: what is read as one, what is not, and a client that does not read."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any, TypeAlias

import pytest

from ao_lsp.server.lsp.connection.wire import (
    INVALID_REQUEST,
    PARSE_ERROR,
    MalformedError,
    Outgoing,
    encode,
    read_message,
)
from tests.lsp.in_process import soon

HOVER = {"jsonrpc": "2.0", "id": 1, "method": "textDocument/hover", "params": {"text": "é😀"}}
BODY = json.dumps(HOVER).encode()


async def messages(*pieces: bytes) -> list[dict[str, Any]]:
    """The messages in what a client sends before it hangs up; each piece comes by itself."""
    reader = asyncio.StreamReader()

    async def send() -> None:
        for piece in pieces:
            reader.feed_data(piece)
            await asyncio.sleep(0)  # it is the reader's turn
        reader.feed_eof()

    sending = asyncio.create_task(send())
    found = []
    while (read := await soon(read_message(reader))) is not None:
        found.append(read[0])
    await sending
    return found


async def fault(data: bytes) -> MalformedError:
    with pytest.raises(MalformedError) as raised:
        await messages(data)
    return raised.value


# -- what is a message


@pytest.mark.parametrize(
    "header",
    [
        "Content-Length: {}",
        "content-length: {}",
        "CONTENT-LENGTH:{}",
        "Content-Length:   {}  ",
        "Content-Length: 00{}",
        "Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: {}",
        "Content-Length: {}\r\nContent-Type: application/vscode-jsonrpc; charset=utf-8",
        "X-Content-Length: 3\r\nContent-Length: {}\r\nX: a: b",
    ],
)
async def test_a_header_is_read_however_it_is_written(header: str) -> None:
    assert await messages(header.format(len(BODY)).encode() + b"\r\n\r\n" + BODY) == [HOVER]


async def test_messages_are_read_however_their_bytes_are_split() -> None:
    data = encode({"id": 1}) + encode(HOVER) + encode({"id": 2})
    wanted = [{"id": 1}, HOVER, {"id": 2}]
    assert await messages(data) == wanted
    for size in (1, 2, 3, 7, 64):
        assert await messages(*(data[at : at + size] for at in range(0, len(data), size))) == wanted


async def test_the_size_of_a_message_is_that_of_its_body() -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(encode(HOVER))
    found = await read_message(reader)
    assert found is not None
    assert found[1] == len(encode(HOVER).partition(b"\r\n\r\n")[2])


async def test_a_message_may_be_larger_than_what_is_buffered() -> None:
    text = "x" * (1 << 20)
    assert await messages(encode({"text": text})) == [{"text": text}]


@pytest.mark.parametrize("cut", [0, 5, 21, 22, 23, 30])
async def test_a_client_that_leaves_in_the_middle_of_a_message_has_left(cut: int) -> None:
    assert await messages(encode(HOVER) + encode(HOVER)[:cut]) == [HOVER]


async def test_a_connection_that_is_reset_is_a_client_that_has_left() -> None:
    reader = asyncio.StreamReader()
    reader.set_exception(ConnectionResetError())
    assert await read_message(reader) is None


# -- what is none


@pytest.mark.parametrize(
    "header",
    ["Content-Type: text/plain", "", "Content-Length", "Content_Length: 2", "Length: 2", "{}", "Content-Length : x"],
)
async def test_a_header_without_a_length_is_the_end(header: str) -> None:
    found = await fault(f"{header}\r\n\r\n{{}}".encode())
    assert (found.code, found.fatal) == (PARSE_ERROR, True)


@pytest.mark.parametrize("length", ["-2", "+2", "", "two", "2.0", "0x2", "2 2", "\u0662", "9" * 13, "9" * 10_000])
async def test_a_length_that_is_no_number_is_the_end(length: str) -> None:
    found = await fault(f"Content-Length: {length}\r\n\r\n{{}}".encode())
    assert (found.code, found.fatal) == (PARSE_ERROR, True)


async def test_a_message_that_is_too_large_is_refused_before_it_is_read() -> None:
    found = await fault(b"Content-Length: 100000000\r\n\r\n{")
    assert (found.code, found.fatal) == (PARSE_ERROR, True)
    assert "100000000" in str(found)


async def test_a_header_that_never_ends_is_the_end() -> None:
    found = await fault(b"X: " + b"y" * (1 << 20))
    assert (found.code, found.fatal) == (PARSE_ERROR, True)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"{'a': 1}", b'{"a": "\xff"}', b"\xff\xfe", b"[" * 100_000, b"9" * 10_000, b"{} {}"]
)
async def test_what_is_not_json_is_told_and_the_next_message_is_read(body: bytes) -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(b"Content-Length: %d\r\n\r\n%b" % (len(body), body) + encode(HOVER))
    with pytest.raises(MalformedError) as raised:
        await read_message(reader)
    assert (raised.value.code, raised.value.fatal) == (PARSE_ERROR, False)
    assert str(raised.value) == "not JSON", "the text may be anything, and belongs to the user"
    found = await read_message(reader)
    assert found is not None
    assert found[0] == HOVER


@pytest.mark.parametrize("body", [b"[]", b'[{"id": 1}]', b"null", b"1", b'"text"'])
async def test_json_that_is_no_object_is_told_and_the_next_message_is_read(body: bytes) -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(b"Content-Length: %d\r\n\r\n%b" % (len(body), body) + encode(HOVER))
    with pytest.raises(MalformedError) as raised:
        await read_message(reader)
    assert (raised.value.code, raised.value.fatal) == (INVALID_REQUEST, False)
    assert await read_message(reader) is not None


# -- what goes out


async def test_what_is_encoded_is_read_again() -> None:
    for message in ({}, HOVER, {"id": "a\r\n\r\nb", "result": [None, 1.5, True, "\u2028"]}):
        assert await messages(encode(message)) == [message]


def test_the_length_counts_bytes() -> None:
    header, _, body = encode({"text": "é😀"}).partition(b"\r\n\r\n")
    assert header == b"Content-Length: %d" % len(body)
    assert "é😀".encode() in body


async def test_half_a_surrogate_pair_does_not_keep_a_message_from_being_read() -> None:
    (found,) = await messages(encode({"id": 1, "result": "a\ud83db"}))
    assert found == {"id": 1, "result": "a?b"}


# -- a client that does not read


Streams: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter, asyncio.StreamReader]
"""Our reader and writer, and the client's reader."""


@pytest.fixture
async def streams() -> AsyncIterator[Streams]:
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_unix_connection(sock=ours)
    client, client_writer = await asyncio.open_unix_connection(sock=theirs, limit=1024)
    yield reader, writer, client
    for each in (writer, client_writer):
        each.close()
    await asyncio.wait([asyncio.create_task(each.wait_closed()) for each in (writer, client_writer)])


async def test_what_is_written_arrives(streams: Streams) -> None:
    _, writer, client = streams
    out = Outgoing(writer)
    out.write(encode(HOVER))
    assert not out.congested
    found = await read_message(client)
    assert found is not None
    assert found[0] == HOVER


async def test_a_client_that_is_behind_is_waited_for_until_it_has_read(streams: Streams) -> None:
    _, writer, client = streams
    out = Outgoing(writer)
    size = 4 << 20  # more than the buffers of two sockets hold
    out.write(bytes(size))
    assert out.congested
    waiting = asyncio.create_task(out.drained())
    await client.readexactly(1 << 10)
    assert not waiting.done()
    await client.readexactly(size - (1 << 10))
    await soon(waiting)
    assert not out.congested


async def test_a_client_that_stays_behind_is_dropped(streams: Streams, caplog: pytest.LogCaptureFixture) -> None:
    reader, writer, _ = streams
    out = Outgoing(writer, most=1 << 20)
    for _ in range(100):
        out.write(bytes(1 << 18))
    # Nothing was kept of what came after.
    assert writer.transport.get_write_buffer_size() <= 1 << 20
    assert caplog.text.count("a client does not read what it is sent: dropped") == 1
    assert await soon(reader.read()) == b""
    with pytest.raises(ConnectionError):
        await out.drained()


async def test_what_is_written_to_a_client_that_has_left_is_let_be(
    streams: Streams, caplog: pytest.LogCaptureFixture
) -> None:
    _, writer, _ = streams
    out = Outgoing(writer)
    writer.transport.abort()
    for _ in range(10):
        out.write(encode(HOVER))
    assert not out.congested
    assert caplog.text == "", "asyncio complains of who goes on writing"
