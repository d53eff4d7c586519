"""What waits for its turn: cancellations and answers overtake it, and it does not grow without bound."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest

from ao_lsp.server.lsp.connection import inbox as module
from ao_lsp.server.lsp.connection.inbox import Inbox
from ao_lsp.server.lsp.connection.wire import MalformedError, encode
from tests.lsp.in_process import soon


class Client:
    """Sends to an inbox; `answered` and `cancelled` are what came past it."""

    def __init__(self) -> None:
        self.answered: list[Any] = []
        self.cancelled: list[Any] = []
        self.inbox = Inbox(self.answered.append, self.cancelled.append)
        self._reader = asyncio.StreamReader()
        self.filling = asyncio.create_task(self.inbox.fill(self._reader))

    def send(self, *messages: dict[str, Any]) -> None:
        self._reader.feed_data(b"".join(map(encode, messages)))

    def send_bytes(self, data: bytes) -> None:
        self._reader.feed_data(data)

    def leave(self) -> None:
        self._reader.feed_eof()

    async def read(self) -> None:
        """Let the inbox read what it wants to of what was sent: all of that is here, so nothing is waited for."""
        for _ in range(20):
            await asyncio.sleep(0)

    async def take(self) -> Any:
        """The id and whether it is cancelled, of the next message; None after the last."""
        taken = await soon(self.inbox.take())
        return taken and (taken[0].get("id"), taken[1])


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    made = Client()
    yield made
    made.filling.cancel()
    await asyncio.wait({made.filling})


def request(name: Any, **more: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": name, "method": "x/ask", **more}


def cancel(name: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": name}}


def answer(name: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": name, "result": None}


# -- order


async def test_messages_are_taken_in_the_order_in_which_they_came(client: Client) -> None:
    client.send(request(1), {"jsonrpc": "2.0", "method": "x/tell"}, request("a"), request(2))
    client.leave()
    assert [await client.take() for _ in range(5)] == [(1, False), (None, False), ("a", False), (2, False), None]


async def test_taking_waits_for_a_message_and_for_the_end(client: Client) -> None:
    taking = asyncio.create_task(client.take())
    await client.read()
    assert not taking.done()
    client.send(request(1))
    assert await soon(taking) == (1, False)
    taking = asyncio.create_task(client.take())
    await client.read()
    assert not taking.done()
    client.leave()
    assert await soon(taking) is None
    assert await client.take() is None


# -- cancellation


async def test_a_cancellation_overtakes_the_request_that_it_cancels(client: Client) -> None:
    client.send(request(1), request(2), request("2"), cancel(2))
    await client.read()
    assert [await client.take() for _ in range(3)] == [(1, False), (2, True), ("2", False)]
    assert client.cancelled == []


async def test_a_cancellation_of_what_has_been_taken_is_handed_on(client: Client) -> None:
    client.send(request(1), request("a"))
    assert [await client.take() for _ in range(2)] == [(1, False), ("a", False)]
    client.send(cancel("a"), cancel(1), cancel("unheard of"))
    await client.read()
    assert client.cancelled == ["a", 1, "unheard of"]


async def test_an_id_that_was_cancelled_can_be_used_again(client: Client) -> None:
    client.send(request(1), cancel(1))
    await client.read()
    assert await client.take() == (1, True)
    client.send(request(1))
    assert await client.take() == (1, False)


async def test_a_cancellation_is_none_of_what_comes_after_it(client: Client) -> None:
    client.send(cancel(1), request(1))
    await client.read()
    assert await client.take() == (1, False)
    assert client.cancelled == [1]


@pytest.mark.parametrize("params", [None, [], [1], {}, {"id": None}, {"id": [1]}, {"id": {}}, {"id": 1.0}, "1"])
async def test_a_cancellation_of_nothing_is_let_be(client: Client, params: Any) -> None:
    client.send(request(1), {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": params})
    client.send({"jsonrpc": "2.0", "method": "$/cancelRequest"})
    await client.read()
    assert await client.take() == (1, False)
    assert client.cancelled == []


@pytest.mark.parametrize("name", [None, [1], {"a": 1}, 1.5])
async def test_an_id_that_is_none_is_handed_on_as_it_is(client: Client, name: Any) -> None:
    # Who takes the message says what is wrong with it.
    client.send(request(name))
    assert await client.take() == (name, False)


# -- answers


async def test_answers_overtake_what_waits(client: Client) -> None:
    # What waits for the answer may be what keeps the requests waiting.
    client.send(request(1), answer("ao-1"), {"jsonrpc": "2.0", "id": "ao-2", "error": {"code": 1, "message": "no"}})
    await client.read()
    assert [message["id"] for message in client.answered] == ["ao-1", "ao-2"]
    client.leave()
    assert [await client.take() for _ in range(2)] == [(1, False), None]


# -- what cannot be read


async def test_what_is_no_message_has_its_turn_between_the_others(client: Client) -> None:
    client.send(request(1))
    client.send_bytes(b"Content-Length: 3\r\n\r\n[1]")
    client.send(request(2))
    assert await client.take() == (1, False)
    with pytest.raises(MalformedError, match="one JSON object"):
        await client.take()
    assert await client.take() == (2, False)


async def test_nothing_is_read_after_what_cannot_be_read_on_from(client: Client) -> None:
    client.send(request(1))
    client.send_bytes(b"Nonsense\r\n\r\n")
    client.send(request(2))
    assert await client.take() == (1, False)
    with pytest.raises(MalformedError):
        await client.take()
    assert await client.take() is None
    assert client.filling.done()


# -- back-pressure


@pytest.fixture
def room_for_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a third message that waits, an inbox is full."""
    monkeypatch.setattr(module, "_MOST_BYTES", 2 * (module._OVERHEAD + 200))


PADDING = {"params": "x" * 50}


@pytest.mark.usefixtures("room_for_two")
async def test_a_client_is_not_read_while_too_much_waits(client: Client) -> None:
    # The answers tell how far it has been read.
    for number in range(1, 7):
        client.send(request(number, **PADDING), answer(f"after {number}"))
    await client.read()
    read = [message["id"] for message in client.answered]
    assert read == ["after 1", "after 2", "after 3"]
    for number in range(1, 4):
        assert await client.take() == (number, False)
        await client.read()
        assert len(client.answered) == number + 3
    client.leave()
    assert [await client.take() for _ in range(4)] == [(4, False), (5, False), (6, False), None]


@pytest.mark.usefixtures("room_for_two")
async def test_what_is_small_counts_too(client: Client) -> None:
    # A flood of small messages costs more than its bytes.
    client.send(*({"method": "x"} for _ in range(1000)), answer("the end"))
    await client.read()
    assert client.answered == []
    for _ in range(1000):
        assert await client.inbox.take() is not None
    await client.read()
    assert len(client.answered) == 1


@pytest.mark.usefixtures("room_for_two")
async def test_one_message_that_is_larger_than_the_room_is_taken_all_the_same(client: Client) -> None:
    client.send(request(1, params="x" * 100_000), request(2, params="x" * 100_000))
    assert [await client.take() for _ in range(2)] == [(1, False), (2, False)]


@pytest.mark.usefixtures("room_for_two")
async def test_what_cannot_be_read_is_told_also_behind_a_full_inbox(client: Client) -> None:
    client.send(*(request(number, **PADDING) for number in range(3)))
    client.send_bytes(b"Nonsense\r\n\r\n")
    await client.read()
    # In one go, as cancelled requests are taken: nobody else has a turn.
    assert [await client.inbox.take() for _ in range(3)] == [(request(number, **PADDING), False) for number in range(3)]
    with pytest.raises(MalformedError):
        await client.inbox.take()
    assert await client.take() is None


# -- fairness


async def test_others_have_their_turn_while_a_flood_is_read(client: Client) -> None:
    client.send(*(request(number) for number in range(1000)))
    read = [client.inbox.waiting[1]]
    while read[-1] < 1000:
        await asyncio.sleep(0)
        read.append(client.inbox.waiting[1])
    assert max(after - before for before, after in pairwise(read)) <= module._TURN
