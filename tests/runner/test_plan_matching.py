"""Which recording a call finds: the rule, as it reads in docs/wire.md, and the index that obeys it."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ao_lsp.runner.replay import Entry, Plan

Asked = tuple[str, tuple[str, str], str]


def entry(number: int, asked: Asked, action: str = "replay") -> dict[str, Any]:
    request, (file, function), lineage = asked
    site = {"file": file, "function": function}
    return {"call": f"c{number}", "action": action, "request_hash": request, "site": site, "lineage": lineage}


def plan(*entries: dict[str, Any]) -> Plan:
    return Plan({"plan": 1}, [Entry(header, {}) for header in entries])


def first_match(entries: list[Entry], request: str, site: tuple[str, str], lineage: str) -> Entry | None:
    """The rule, one sentence after the other."""
    free = [entry for entry in entries if not entry.used]
    same = [entry for entry in free if entry.request_hash == request]
    here = [entry for entry in same if entry.site == site]
    found = [entry for entry in here if entry.lineage == lineage] or here or same
    if not found:
        gone = [entry for entry in free if entry.action in ("live", "input", "edited")]
        found = [entry for entry in gone if entry.site == site and entry.lineage == lineage][:1]
        found = [entry for entry in found if entry.action == "live"]
    if not found:
        return None
    found[0].used = True
    return found[0]


sites = st.sampled_from([("a.py", "f"), ("a.py", "g"), ("b.py", "f")])
asked = st.tuples(st.sampled_from("xyz"), sites, st.sampled_from(["t1", "t2"]))
actions = st.sampled_from(["replay", "edited", "input", "live"])


@given(st.lists(st.tuples(asked, actions), max_size=12), st.lists(asked, max_size=16))
def test_a_call_finds_the_recording_that_the_rule_names(recorded: list[tuple[Asked, str]], calls: list[Asked]) -> None:
    headers = [entry(number, *what) for number, what in enumerate(recorded)]
    simple, indexed = [Entry(header, {}) for header in headers], plan(*headers)
    for call in calls:
        expected, found = first_match(simple, *call), indexed.match(*call)
        assert (found and found.call) == (expected and expected.call)


def test_equal_requests_of_different_tasks_do_not_swap() -> None:
    site = ("a.py", "f")
    made = plan(*(entry(number, ("x", site, f"MainThread/t{number}")) for number in range(3)))
    found = [made.match("x", site, f"MainThread/t{number}") for number in (2, 0, 1)]
    assert [one and one.call for one in found] == ["c2", "c0", "c1"]


def test_a_lookup_looks_at_no_more_entries_in_a_plan_of_ten_thousand() -> None:
    looks = 0

    class Counting(Entry):
        __slots__ = ("_taken",)

        @property
        def used(self) -> bool:
            nonlocal looks
            looks += 1
            return self._taken

        @used.setter
        def used(self, taken: bool) -> None:
            self._taken = taken

    site = ("a.py", "f")
    made = Plan({}, [Counting(entry(n, (f"x{n // 2}", site, "t")), {}) for n in range(10_000)])
    for number in reversed(range(10_000)):
        assert made.match(f"x{number // 2}", site, "t") is not None
    assert looks < 60_000
