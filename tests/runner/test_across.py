"""Who waits for whom, where several processes are served from one plan."""

from __future__ import annotations

from pathlib import Path

from ao_lsp.runner import across
from ao_lsp.runner.across import Across
from ao_lsp.runner.claims import Claims
from ao_lsp.runner.replay import Entry


def entry(index: int, started: float, ended: float, lineage: str = "@worker/") -> Entry:
    header = {"action": "replay", "started": started, "duration": ended - started, "lineage": lineage}
    made = Entry({"call": str(index), "request_hash": "", **header}, {})
    made.index = index
    return made


class Process:
    """One process of the run: it has a plan and claims of its own."""

    def __init__(self, folder: Path, entries: list[Entry]) -> None:
        self.claims = Claims(str(folder / "x.plan"))
        self.entries = entries
        found = across.of(entries, self.claims)
        assert found is not None
        self.order: Across = found

    def begin(self, index: int) -> float:
        """Take an entry, and say how long it waits."""
        assert self.claims.take(index)
        assert self.order.begins(self.entries[index])
        return self.asks(index)

    def asks(self, index: int) -> float:
        return self.order.wait_s(self.entries[index])

    def end(self, index: int) -> None:
        self.order.ends(self.entries[index])


def test_what_had_been_answered_later_waits_until_the_earlier_one_is_answered_and_its_process_goes_on(
    tmp_path: Path,
) -> None:
    entries = [entry(0, 100, 103), entry(1, 100, 102), entry(2, 102.5, 104)]
    first, second = Process(tmp_path, entries), Process(tmp_path, entries)
    assert first.begin(0) > 0
    assert second.begin(1) == 0
    assert first.asks(0) > 0
    second.end(1)
    assert first.asks(0) > 0  # whoever got it works on it
    assert second.begin(2) > 0
    while first.asks(0) > 0:  # what it had sent is on its way
        pass
    first.end(0)


def test_what_another_process_had_been_given_before_a_call_began_is_not_waited_for(tmp_path: Path) -> None:
    entries = [entry(number, 100 + number, 100.9 + number) for number in range(5)]
    processes = [Process(tmp_path, entries) for _ in entries]
    for number, process in enumerate(processes):
        assert process.begin(number) == 0
        process.end(number)


def test_calls_of_one_process_do_not_wait_for_each_other_here(tmp_path: Path) -> None:
    entries = [entry(0, 100, 103), entry(1, 100, 102)]
    only = Process(tmp_path, entries)
    assert only.begin(1) == 0
    assert only.begin(0) == 0


def test_there_is_no_order_to_keep_without_children_or_where_they_come_one_long_after_the_other(
    tmp_path: Path,
) -> None:
    claims = Claims(str(tmp_path / "x.plan"))
    assert across.of([entry(0, 100, 103, "MainThread/"), entry(1, 100, 102, "MainThread/")], claims) is None
    assert across.of([entry(0, 100, 103), entry(1, 105, 106)], claims) is None
    assert across.of([entry(0, 100, 103, "MainThread/"), entry(1, 102, 106)], claims) is not None


def test_where_nothing_can_be_written_nobody_is_waited_for_for_ever(tmp_path: Path) -> None:
    entries = [entry(0, 100, 103), entry(1, 100, 102)]
    process = Process(tmp_path / "nowhere", entries)
    process.begin(0)
    while process.asks(0) > 0:
        pass
