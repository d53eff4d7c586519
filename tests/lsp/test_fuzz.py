"""Random and mutated messages: each request has one answer that fits, the session lives, others are served, and nothing
of it is left. `python -m tests.lsp.fuzz` sends more, with other seeds."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections import Counter
from pathlib import Path

import pytest

from ao_lsp.server.lsp.buffers.documents import Document
from ao_lsp.server.lsp.connection.dispatch import Dispatch
from ao_lsp.server.lsp.connection.inbox import Inbox
from ao_lsp.server.lsp.editor import Editor
from tests.daemons import LONG_S, log
from tests.lsp.conftest import AGENT, record
from tests.lsp.editors import AO_LSP
from tests.lsp.fuzz.client import Hostile, Unexpected, session
from tests.lsp.fuzz.expected import expected
from tests.lsp.fuzz.messages import Author, Scene, encoded
from tests.lsp.fuzz.serving import fuzz, served
from tests.lsp.in_process import soon

pytestmark = pytest.mark.usefixtures("home")

MESSAGES = 100_000

OURS = (Dispatch, Document, Editor, Inbox, asyncio.StreamReader, asyncio.Task)


def alive() -> Counter[str]:
    """How many there are of what a client is made of."""
    gc.collect()
    return Counter(type(thing).__name__ for thing in gc.get_objects() if isinstance(thing, OURS))


async def untied() -> None:
    """Wait until those who have left are let go of, a second after that."""
    while alive()["Editor"]:  # noqa: ASYNC110 - no event tells of it
        await asyncio.sleep(0.1)


def blocks() -> int:
    """Pieces of memory that Python holds."""
    gc.collect()
    return sys.getallocatedblocks()


async def test_a_hundred_thousand_hostile_messages_are_answered_as_they_should_be_and_leave_nothing() -> None:
    async with served() as server:
        await fuzz(server, 0, MESSAGES // 10)  # caches are full then
        await soon(untied())
        before, held = alive(), blocks()
        outcome = await fuzz(server, 1, MESSAGES - MESSAGES // 10)
        await soon(untied())
        assert alive() == before
        # Some hundreds are caches that fill up, and timers that have not run out.
        assert blocks() - held < MESSAGES // 20, "memory grows with the messages"
    # Of each kind there were many: the fuzzer has not lost its edge.
    assert all(outcome.answered[code] > 100 for code in ("0", "-32700", "-32600", "-32601", "-32602", "-32800"))
    assert outcome.answered["-32803"] > 10
    assert not outcome.answered["-32603"]


async def test_the_fuzzer_sees_an_answer_that_does_not_fit() -> None:
    scene = Scene((("untitled:1", ""),), "run1", ("c1",))
    said = encoded({"jsonrpc": "2.0", "id": 1, "method": "x"})
    for wrong in (
        {"id": 1, "error": {"code": -32603, "message": "internal"}},
        {"id": "1", "error": {"code": -32002, "message": "the id is another"}},
        {"id": 1, "result": None},
    ):
        reader = asyncio.StreamReader()
        hostile = Hostile(reader, lambda _: None, Author(0, scene))
        hostile.send(said)
        body = encoded({"jsonrpc": "2.0", **wrong})
        reader.feed_data(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        with pytest.raises(Unexpected):
            await hostile.settle()


def test_the_same_seed_says_the_same() -> None:
    scene = Scene((("untitled:1", "x\ny"),), "run1", ("c1",))
    first, second, other = (Author(seed, scene) for seed in (5, 5, 6))
    said = [first.body() for _ in range(200)]
    assert said == [second.body() for _ in range(200)]
    assert said != [other.body() for _ in range(200)]
    # Most are answered, and a good part has nothing wrong with it.
    answered = [wanted for body in said if (wanted := expected(body, "begun")) is not None]
    assert len(answered) > 100
    assert sum(0 in wanted.codes for wanted in answered) > 50


@pytest.mark.parametrize("seed", [0, 1])
async def test_so_are_those_that_come_through_a_real_ao_lsp_and_daemon(agent: Path, seed: int) -> None:
    await asyncio.to_thread(record, agent)
    author = Author(seed, Scene(((agent.as_uri(), AGENT), ("untitled:1", "x")), "run1", ("c1", "c2", "1", "9")))
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(AO_LSP, stdin=pipe, stdout=pipe, limit=1 << 26)
    assert process.stdin is not None
    assert process.stdout is not None
    hostile = Hostile(process.stdout, process.stdin.write, author)
    try:
        await session(hostile, author, 1500)
    finally:
        process.stdin.close()
        await asyncio.wait_for(process.wait(), LONG_S)
    assert hostile.answered["0"] > 300
    said = await asyncio.to_thread(log)
    assert not [line for line in said.splitlines() if " ERROR " in line or "Traceback" in line]
