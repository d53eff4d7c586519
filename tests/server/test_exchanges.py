"""The bodies of many calls: in batches that are bounded in bytes, each of them one query."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest

from ao_lsp import protocol
from ao_lsp.server.core import Core, open_core
from ao_lsp.server.exchanges import in_batches
from ao_lsp.server.ingest import Stream
from ao_lsp.server.model import Call, Exchange
from tests.recorder import Recorder, chat_request

pytestmark = pytest.mark.usefixtures("home")

MB = 1 << 20


@pytest.fixture
async def core(home: str) -> AsyncIterator[Core]:  # noqa: ARG001 - the core lives there
    opened = await open_core()
    yield opened
    await opened.close()


async def recorded(core: Core, *requests: str) -> tuple[Call, ...]:
    runner = Recorder()
    runner.start()
    for number, text in enumerate(requests):
        runner.call(f"c{number:04}", request=chat_request(text))
    runner.end()
    await core.ingest.take(Stream(runner.run, runner.stream, None), protocol.Frames(), b"".join(runner.sent))
    found = await core.store.graph(runner.run)
    assert found is not None
    return found.calls


async def batches(core: Core, calls: Sequence[Call], most_bytes: int | None = None) -> list[list[tuple[str, int]]]:
    """Ids and lengths of requests, in megabytes."""
    found = in_batches(core.store, calls, most_bytes)
    return [[(call.id, len(exchange.request) // MB) for call, exchange in batch] async for batch in found]


async def test_large_bodies_come_a_few_at_a_time_and_one_that_is_larger_than_a_batch_alone(core: Core) -> None:
    calls = await recorded(core, "", "a" * MB, "b" * MB, "c" * 5 * MB, "d" * MB, "e" * 3 * MB)
    assert await batches(core, calls) == [
        [("c0000", 0), ("c0001", 1), ("c0002", 1)],
        [("c0003", 5)],
        [("c0004", 1)],
        [("c0005", 3)],
    ]


async def test_what_is_more_than_wanted_is_not_read(core: Core) -> None:
    calls = await recorded(core, "a" * MB, "b" * MB, "c" * MB, "")
    assert await batches(core, calls, 3 * MB) == [[("c0000", 1), ("c0001", 1)]]
    assert await batches(core, calls, 0) == []
    assert await batches(core, []) == []


async def test_a_graph_of_a_thousand_calls_reads_their_bodies_in_a_few_queries(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    await recorded(core, *(f"question {number}" for number in range(1000)))
    asked: list[int] = []
    exchanges = core.store.exchanges

    async def counted(calls: Sequence[Call]) -> dict[str, Exchange]:
        asked.append(len(calls))
        return await exchanges(calls)

    monkeypatch.setattr(core.store, "exchanges", counted)
    monkeypatch.setattr(core.store, "exchange", None)
    assert len((await core.matching.graph("run1") or pytest.fail("no graph")).calls) == 1000
    assert asked == [250] * 4
    await core.matching.graph("run1")
    assert asked == [250] * 4
