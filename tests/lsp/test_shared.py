"""What is read for many: once after each change, however many ask, and whatever becomes of those who asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from ao_lsp.server.lsp.recorded import shared as module
from ao_lsp.server.lsp.recorded.shared import Shared
from tests.lsp.in_process import soon


class Source:
    """Things that are read one letter at a time; `go_on` lets a reading end."""

    def __init__(self) -> None:
        self.reads: list[str] = []
        self.values = {"a": 1, "b": 1}
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.fault: Exception | None = None
        self.shared: Shared[str, tuple[str, int]] = Shared(self._read)

    async def _read(self, key: str) -> tuple[str, int]:
        self.reads.append(key)
        found = key, self.values[key]
        await self.go_on.wait()
        if self.fault is not None:
            raise self.fault
        return found

    def change(self, key: str) -> None:
        self.values[key] += 1
        self.shared.forget([key])


@pytest.fixture
async def source(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Source]:
    monkeypatch.setattr(module, "_REST", 0.0)
    made = Source()
    yield made
    made.shared.close()


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_thing_is_read_once_for_all_until_it_changes(source: Source) -> None:
    values = await asyncio.gather(*(source.shared.get("a") for _ in range(20)))
    assert all(value is values[0] for value in values)
    assert await source.shared.get("a") is values[0]
    assert (await source.shared.get("b"), source.reads) == (("b", 1), ["a", "b"])
    source.change("a")
    assert (await source.shared.get("a"), source.reads) == (("a", 2), ["a", "b", "a"])


async def test_who_asks_after_a_change_is_not_given_what_was_read_before_it(source: Source) -> None:
    source.go_on.clear()
    early = asyncio.create_task(source.shared.get("a"))
    await turns()
    source.change("a")
    late = [asyncio.create_task(source.shared.get("a")) for _ in range(5)]
    await turns()
    assert source.reads == ["a"], "one reading at a time"
    source.go_on.set()
    assert await soon(early) == ("a", 1)
    assert await soon(asyncio.gather(*late)) == [("a", 2)] * 5
    assert source.reads == ["a", "a"]


async def test_one_who_goes_away_takes_nothing_from_the_others(source: Source) -> None:
    source.go_on.clear()
    first, second = (asyncio.create_task(source.shared.get("a")) for _ in range(2))
    await turns()
    first.cancel()
    await asyncio.wait({first})
    source.go_on.set()
    assert await soon(second) == ("a", 1)
    assert source.reads == ["a"]


async def test_a_reading_that_fails_is_told_to_all_and_tried_again(source: Source) -> None:
    source.fault = RuntimeError("no disk")
    failed = await asyncio.gather(*(source.shared.get("a") for _ in range(3)), return_exceptions=True)
    assert [str(one) for one in failed] == ["no disk"] * 3
    source.fault = None
    assert await source.shared.get("a") == ("a", 1)


async def test_what_changes_all_the_time_rests_between_two_readings(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_REST", 3.0)
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    clock = iter(range(0, 1000, 2))
    monkeypatch.setattr(asyncio, "sleep", sleep)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: float(next(clock))))
    for _ in range(3):
        source.change("a")
        await source.shared.get("a")
    # Each look at the clock is two seconds later: a reading takes two, the next begins six after its end.
    assert slept == [0.0, 4.0, 4.0]


async def test_what_has_been_known_longest_goes(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_KEPT", 2)
    source.values = dict.fromkeys("abc", 1)
    for key in "abc":
        await source.shared.get(key)
    assert [source.shared.known(key) for key in "abc"] == [None, ("b", 1), ("c", 1)]
    source.shared.forget_where(lambda value: value[0] == "c")
    known: list[Any] = [await source.shared.get(key) for key in "bc"]
    assert (known, source.reads) == ([("b", 1), ("c", 1)], ["a", "b", "c", "c"])
    source.shared.forget_all()
    await source.shared.get("b")
    assert source.reads == ["a", "b", "c", "c", "b"]
