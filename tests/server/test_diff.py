"""Which calls of two runs belong together, and whether they are the same."""

from __future__ import annotations

from dataclasses import replace

from ao_lsp.server.diff import match
from ao_lsp.server.model import Call, Graph
from tests.server.graphs import call, graph


def verdicts(a: Graph, b: Graph) -> list[tuple[int | None, int | None, str]]:
    return [
        (pair.a.number if pair.a else None, pair.b.number if pair.b else None, pair.verdict) for pair in match(a, b)
    ]


def other(number: int, function: str = "work", line: int = 10, **fields: object) -> Call:
    """A call of the second run: another id, but the same answer as the first run's call of its number."""
    return call(number, function, line, id=f"d{number}", run="run2", **fields)


def test_the_same_calls_are_the_same() -> None:
    a, b = graph([call(1, "plan"), call(2, "write")]), graph([other(1, "plan"), other(2, "write")])
    assert verdicts(a, b) == [(1, 1, "same"), (2, 2, "same")]


def test_another_output_is_a_change_and_another_request_is_told_apart_from_it() -> None:
    a = graph([call(1, "plan"), call(2, "write")])
    b = graph([other(1, "plan", response_hash=b"new"), other(2, "write", request_hash="new")])
    pairs = match(a, b)
    assert [(pair.verdict, pair.input_changed) for pair in pairs] == [("changed", False), ("same", True)]


def test_calls_at_the_same_place_pair_up_in_order() -> None:
    a = graph([call(number) for number in (1, 2, 3)])
    b = graph([other(1), other(2)])
    assert verdicts(a, b) == [(1, 1, "same"), (2, 2, "same"), (3, None, "removed")]


def test_concurrent_tasks_that_finish_in_another_order_are_told_apart_by_lineage() -> None:
    a = graph([call(1, lineage="a"), call(2, lineage="b")])
    b = graph([other(1, lineage="b", response_hash=b"r2"), other(2, lineage="a", response_hash=b"r1")])
    assert verdicts(a, b) == [(2, 1, "same"), (1, 2, "same")]


def test_the_recording_that_was_served_is_the_counterpart() -> None:
    a = graph([call(1), call(2)])
    b = graph([other(1, source_call="c2", response_hash=b"r2"), other(2, source_call="c1", response_hash=b"r1")])
    assert verdicts(a, b) == [(2, 1, "same"), (1, 2, "same")]


def test_lines_that_moved_in_an_edited_file_do_not_part_calls() -> None:
    a = graph([call(1, "plan", 10), call(2, "write", 20)])
    b = graph([other(1, "plan", 14), other(2, "write", 24)])
    assert verdicts(a, b) == [(1, 1, "same"), (2, 2, "same")]


def within(made: Graph, *names: str) -> Graph:
    """`made`, of which each call is in a subrun: in order, that of these names."""
    ids = {name: f"{made.calls[0].run}/{name}" for name in names}
    runs = (replace(made.run, id=ids[name], name=name, path=((name, "", 1),)) for name in dict.fromkeys(names))
    calls = (replace(call, run=ids[name]) for call, name in zip(made.calls, names, strict=True))
    return replace(made, calls=tuple(calls), subruns=tuple(runs))


def test_calls_of_a_subrun_belong_to_those_of_the_same_one_though_all_are_asked_otherwise() -> None:
    a = within(graph([call(1), call(2), call(3), call(4)]), "one", "two", "one", "two")
    new = [other(number, request_hash=f"new{number}") for number in (1, 2, 3, 4, 5)]
    b = within(graph(new), "two", "one", "one", "one", "two")
    assert [(x, y) for x, y, _ in verdicts(a, b)] == [(2, 1), (1, 2), (3, 3), (None, 4), (4, 5)]


def test_where_subruns_have_other_names_calls_are_matched_as_if_there_were_none() -> None:
    a = within(graph([call(1), call(2)]), "one", "two")
    b = within(graph([other(1), other(2)]), "first", "second")
    assert verdicts(a, b) == [(1, 1, "same"), (2, 2, "same")]


def test_places_that_move_onto_each_others_lines_stay_the_same_places() -> None:
    a = graph([call(1, "run", 10), call(2, "run", 12)])
    b = graph([other(1, "run", 12, request_hash="x"), other(2, "run", 14, request_hash="y")])
    assert verdicts(a, b) == [(1, 1, "same"), (2, 2, "same")]


def test_a_call_that_comes_before_equal_ones_is_the_added_one() -> None:
    a = graph([call(1), call(2)])
    b = graph([other(1, request_hash="new"), other(2, request_hash="h1"), other(3, request_hash="h2")])
    assert [(found[0], found[1]) for found in verdicts(a, b)] == [(None, 1), (1, 2), (2, 3)]


def test_added_and_removed_calls_stand_where_they_were_made() -> None:
    a = graph([call(1, "plan"), call(2, "check"), call(3, "write")])
    b = graph([other(1, "plan"), other(2, "search"), other(3, "write")])
    assert verdicts(a, b) == [(1, 1, "same"), (None, 2, "added"), (2, None, "removed"), (3, 3, "same")]


def test_runs_without_calls_and_calls_without_places_can_be_compared() -> None:
    assert verdicts(graph([]), graph([])) == []
    assert verdicts(graph([call(1, site=None)]), graph([other(1, site=None)])) == [(1, 1, "same")]
