"""The places of a buffer, with the calls that were recorded there: through edits, helpers and several runs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import pytest

from ao_lsp.server.lsp.buffers.documents import Document
from ao_lsp.server.lsp.buffers.following import Follower
from ao_lsp.server.lsp.recorded.places import Place, find_places, spots
from ao_lsp.server.lsp.recorded.recordings import Record
from ao_lsp.server.model import Call, Run, Site
from ao_lsp.server.sources import Sources
from tests.server.graphs import call, graph

FILE = "/project/agent.py"

ASK = "client.chat.completions.create(model=m)"
SOURCE = [
    "def plan(topic):",  # 1
    f"    return {ASK}",
    "",
    "def search(question):",  # 4
    "    return client.chat.completions.create(",
    "        model=m,",
    "    )",
    "",
    "def never():",  # 9
    f"    return {ASK}",
]
PLAN, SEARCH = Site(FILE, 2, "plan", 2, 11, 50), Site(FILE, 5, "search", 7, 11, 5)


class Told(Sources):
    """Sources that the test tells: of each run the lines that it read, of files that it knows."""

    def __init__(self, **runs: Sequence[str]) -> None:
        super().__init__()
        self._runs = runs
        self.asked: list[str] = []

    def as_run(self, file: str, run: Run) -> Sequence[str] | None:
        self.asked.append(file)
        return self._runs.get(run.id)


UNKNOWN = Told()
"""Nobody knows what any file looked like."""


def record(calls: list[Call], run: str = "run1") -> Record:
    return Record(graph(calls, id=run), {})


def at(number: int, site: Site | None, *callers: Site, **fields: Any) -> Call:
    """A call, made at a site that was called by others, the innermost first."""
    return call(number, site=site, stack=(site, *callers) if site else callers, **fields)


def places(
    lines: Sequence[str], *records: Record, sources: Sources = UNKNOWN, names: Collection[str] = (FILE,)
) -> list[tuple[int, str, list[int]]]:
    """Of each place its line (from 1), what is there (of the first line), and the numbers of its calls."""
    found = _find(lines, *records, sources=sources, names=names)
    return [(p.extent.line + 1, _text(lines, p), [one.number for one in p.calls]) for p in found]


def called(lines: Sequence[str], *records: Record, sources: Sources = UNKNOWN) -> dict[int, list[int]]:
    """The numbers of the calls, by their line (from 1)."""
    return {line: numbers for line, _, numbers in places(lines, *records, sources=sources) if numbers}


def _find(
    lines: Sequence[str], *records: Record, sources: Sources = UNKNOWN, names: Collection[str] = (FILE,)
) -> tuple[Place, ...]:
    document = Document.opened(f"file://{FILE}", 1, "\n".join(lines))
    return find_places(Follower(document, sources), spots(names, records))


def _text(lines: Sequence[str], place: Place) -> str:
    extent = place.extent
    end = extent.end_column if extent.end_line == extent.line else None
    return lines[extent.line][extent.column : end]


# -- what has run, and what has not


def test_a_call_that_never_ran_is_a_place_without_calls() -> None:
    for records in ((), (record([]),), (record([at(1, Site("/elsewhere.py", 2, "plan"))]),)):
        found = _find(SOURCE, *records)
        assert [(place.extent.line, place.record, place.calls) for place in found] == [
            (1, None, ()), (4, None, ()), (9, None, ()),
        ]  # fmt: skip


def test_recorded_calls_are_at_the_call_that_made_them() -> None:
    run = record([at(1, PLAN), at(2, SEARCH), at(3, PLAN)])
    assert places(SOURCE, run, sources=Told(run1=SOURCE)) == [
        (2, ASK, [1, 3]),
        (5, "client.chat.completions.create(", [2]),
        (10, ASK, []),
    ]
    assert _find(SOURCE, run, sources=Told(run1=SOURCE))[0].record is run


def test_a_call_without_a_site_is_nowhere() -> None:
    assert called(SOURCE, record([at(1, None)]), sources=Told(run1=SOURCE)) == {}


def test_a_buffer_without_calls_has_no_places() -> None:
    assert places(["x = 1", ""]) == []


def test_calls_in_a_line_are_told_apart_by_their_columns() -> None:
    lines = [f"x, y = {ASK}, {ASK}"]
    left, right = Site(FILE, 1, "<module>", 1, 7, 46), Site(FILE, 1, "<module>", 1, 48, 87)
    run = record([at(1, right), at(2, left), at(3, right)])
    found = _find(lines, run, sources=Told(run1=lines))
    assert [(place.extent.column, [one.number for one in place.calls]) for place in found] == [(7, [2]), (48, [1, 3])]


def test_a_call_over_several_lines_is_found_by_any_line_from_its_beginning_to_its_head() -> None:
    # Python 3.10 tells the line of the method's name, and no columns; later ones tell where the call begins.
    lines = ["reply = (", "    client", "    .chat.completions", "    .create(", "        model=m,", "    )", ")"]
    for line in (2, 3, 4):
        run = record([at(1, Site(FILE, line, "<module>"))])
        assert called(lines, run, sources=Told(run1=lines)) == {2: [1]}
        assert called(lines, run) == {2: [1]}
    # Without the source, and with another call that begins nearer.
    lines = ["reply = (", "    client", "    .chat.completions", "    .create(m))", ASK]
    assert called(lines, record([at(1, Site(FILE, 4, "<module>"))])) == {2: [1]}


def test_a_recorded_call_that_does_not_look_like_one_is_a_place_all_the_same() -> None:
    # Some library asks a model inside.
    lines = ["def work():", "    return agent.run('topic') or 5"]
    with_columns, without = Site(FILE, 2, "work", 2, 11, 29), Site(FILE, 2, "work")
    source = Told(run1=lines)
    assert places(lines, record([at(1, with_columns)]), sources=source) == [(2, "agent.run('topic')", [1])]
    assert places(lines, record([at(1, without)]), sources=source) == [(2, "return agent.run('topic') or 5", [1])]
    assert places(lines, record([at(1, with_columns)])) == [(2, "return agent.run('topic') or 5", [1])]


# -- followed through edits


def test_calls_are_followed_through_edits_that_are_not_saved() -> None:
    new = ["import os", "", *SOURCE[:1], "    # ask", *SOURCE[1:4], "    check(question)", *SOURCE[4:]]
    run = record([at(1, PLAN), at(2, SEARCH)])
    assert called(new, run, sources=Told(run1=SOURCE)) == {5: [1], 9: [2]}


def test_calls_are_followed_into_functions_that_move() -> None:
    new = ["class Agent:", *(f"    {line}" for line in SOURCE[3:8]), *SOURCE[:3], *SOURCE[8:]]
    assert called(new, record([at(1, PLAN), at(2, SEARCH)]), sources=Told(run1=SOURCE)) == {8: [1], 3: [2]}


def test_a_call_is_the_same_one_when_its_line_is_edited() -> None:
    new = [*SOURCE[:1], "    reply = await client.chat.completions.create(model=n, temperature=0)", *SOURCE[2:]]
    assert called(new, record([at(1, PLAN)]), sources=Told(run1=SOURCE)) == {2: [1]}


def test_a_call_whose_line_is_gone_is_gone() -> None:
    new = [*SOURCE[:1], *SOURCE[2:]]
    assert called(new, record([at(1, PLAN), at(2, SEARCH)]), sources=Told(run1=SOURCE)) == {4: [2]}


def test_calls_in_a_line_are_told_apart_when_it_is_only_indented() -> None:
    line = f"x, y = {ASK}, {ASK}"
    left, right = Site(FILE, 1, "<module>", 1, 7, 46), Site(FILE, 1, "<module>", 1, 48, 87)
    run = record([at(1, left), at(2, right)])
    found = _find(["if True:", f"    {line}"], run, sources=Told(run1=[line]))
    assert [(place.extent.column, [one.number for one in place.calls]) for place in found] == [(11, [1]), (52, [2])]


def test_what_is_called_keeps_its_extent_when_its_line_is_only_indented() -> None:
    line = "x = ask(1) + ask(2)"
    one, two = Site(FILE, 1, "<module>", 1, 4, 10), Site(FILE, 1, "<module>", 1, 13, 19)
    run = record([at(1, one), at(2, two)])
    new = ["if True:", f"        {line}"]
    assert places(new, run, sources=Told(run1=[line])) == [(2, "ask(1)", [1]), (2, "ask(2)", [2])]


def test_what_is_called_on_a_line_that_was_edited_keeps_its_extent() -> None:
    run = record([at(1, Site(FILE, 1, "<module>", 1, 4, 10))])
    for line in ("  xyz = ask(1)  ", "  xyz = ask(1, 2) or 5"):
        call = line.split(" = ")[1].split(")")[0] + ")"
        assert places([line], run, sources=Told(run1=["x = ask(1)"])) == [(1, call, [1])]


def test_what_is_called_where_nobody_knows_the_columns_is_the_whole_line() -> None:
    run = record([at(1, Site(FILE, 1, "<module>"))])
    assert places(["  xyz = ask(1)  "], run, sources=Told(run1=["x = ask(1)"])) == [(1, "xyz = ask(1)", [1])]


def test_a_line_that_was_emptied_is_no_place() -> None:
    run = record([at(1, Site(FILE, 1, "<module>", 1, 4, 10))])
    assert places(["   "], run, sources=Told(run1=["x = ask(1)"])) == []


def test_a_line_that_the_source_does_not_have_is_no_place() -> None:
    # The file is not what the program ran: generated code that claims to be it.
    run = record([at(1, Site(FILE, 99, "plan")), at(2, Site(FILE, 0, "plan"))])
    assert called(SOURCE, run, sources=Told(run1=SOURCE)) == {}


# -- nobody knows the source


def test_without_the_source_a_call_is_where_its_line_says_if_the_function_is_right() -> None:
    assert called(SOURCE, record([at(1, PLAN), at(2, SEARCH)])) == {2: [1], 5: [2]}


def test_without_the_source_a_call_is_the_nearest_one_of_its_function() -> None:
    lines = ["import os", "", *SOURCE]
    assert called(lines, record([at(1, PLAN), at(2, SEARCH)])) == {4: [1], 7: [2]}
    several = ["def plan():", f"    {ASK}", "    x = 1", "    y = 2", f"    {ASK}"]
    assert called(several, record([at(1, Site(FILE, 6, "plan")), at(2, Site(FILE, 3, "plan"))])) == {5: [1], 2: [2]}


def test_without_the_source_a_function_is_known_by_its_last_name() -> None:
    # Python 3.10 tells nothing else; what a comprehension or lambda does, the function around it does.
    lines = ["class Agent:", "    def plan(self):", f"        return [{ASK} for _ in x]"]
    for function in ("plan", "Agent.plan", "Agent.plan.<locals>.<listcomp>", "Agent.plan.<locals>.<lambda>"):
        assert called(lines, record([at(1, Site(FILE, 1, function))])) == {3: [1]}, function
    top = [f"x = [{ASK} for _ in y]"]
    for function in ("<module>", "<listcomp>", "<lambda>", "<module>.<locals>.<genexpr>"):
        assert called(top, record([at(1, Site(FILE, 5, function))])) == {1: [1]}, function


def test_without_the_source_a_call_whose_function_is_gone_is_nowhere() -> None:
    assert called(SOURCE, record([at(1, Site(FILE, 2, "other"))])) == {}
    assert called(SOURCE, record([at(1, Site(FILE, 2, "<module>"))])) == {}
    assert called(["x = 1"], record([at(1, Site(FILE, 70, "plan"))])) == {}


@pytest.mark.parametrize(
    ("lines", "line", "function"),
    [
        (["def work(a):", "    if a:", "", "        return run(a)"], 4, "work"),
        (["async def work(a):", "\tx = 1", "\treturn run(a)"], 3, "work"),
        (["class A:", "    def work(a):", "        return run(a)"], 3, "A.work"),
        (["class A:", "    def work(a):", "\treturn run(a)"], 3, "A.work"),
        (["def outer():", "    def inner():", "        pass", "    return run(a)"], 4, "outer"),
        (["def outer():", "    def inner():", "        return run(a)"], 3, "outer.<locals>.inner"),
        (["def work(): pass", "run(a)"], 2, "<module>"),
        (["if True:", "    run(a)"], 2, "<module>"),
        (["def work(:", "    return run(a) +"], 2, "work"),
    ],
)
def test_without_the_source_a_line_that_calls_something_in_the_right_function_is_the_place(
    lines: list[str], line: int, function: str
) -> None:
    assert called(lines, record([at(1, Site(FILE, line, function))])) == {line: [1]}
    assert called(lines, record([at(1, Site(FILE, line, "another"))])) == {}


def test_without_the_source_a_line_that_calls_nothing_is_no_place() -> None:
    assert called(["def work():", "    return 5"], record([at(1, Site(FILE, 2, "work"))])) == {}


# -- helpers


HELPER = [
    "def ask(prompt):",  # 1
    f"    return {ASK}",
    "",
    "def plan(topic):",  # 4
    "    first = ask(topic)",
    "    return first, ask(first)",
    "",
    "def work():",  # 8
    "    return plan('x'), ask('y')",
]
IN_ASK = Site(FILE, 2, "ask", 2, 11, 50)
FIRST, SECOND = Site(FILE, 5, "plan", 5, 12, 22), Site(FILE, 6, "plan", 6, 18, 28)
IN_WORK, DIRECT = Site(FILE, 9, "work", 9, 11, 20), Site(FILE, 9, "work", 9, 22, 30)


def test_the_callers_of_a_helper_are_places_with_their_own_calls() -> None:
    run = record([at(1, IN_ASK, FIRST), at(2, IN_ASK, SECOND), at(3, IN_ASK, FIRST)])
    assert places(HELPER, run, sources=Told(run1=HELPER)) == [
        (2, ASK, [1, 2, 3]),
        (5, "ask(topic)", [1, 3]),
        (6, "ask(first)", [2]),
    ]


def test_a_helper_with_one_caller_is_one_place() -> None:
    run = record([at(1, IN_ASK, FIRST, IN_WORK), at(2, IN_ASK, FIRST, IN_WORK)])
    assert called(HELPER, run, sources=Told(run1=HELPER)) == {2: [1, 2]}


def test_callers_are_shown_where_their_ways_part_and_no_further_out() -> None:
    retry = Site("/project/retry.py", 3, "retry", 3, 4, 20)
    run = record([at(1, IN_ASK, retry, FIRST, IN_WORK), at(2, IN_ASK, retry, SECOND, DIRECT)])
    assert called(HELPER, run, sources=Told(run1=HELPER)) == {2: [1, 2], 5: [1], 6: [2]}


def test_a_helper_of_another_file_is_shown_by_its_callers() -> None:
    elsewhere = Site("/project/helpers.py", 2, "ask", 2, 11, 50)
    run = record([at(1, elsewhere, FIRST), at(2, elsewhere, SECOND), at(3, elsewhere, Site("/project/x.py", 1, "f"))])
    sources = Told(run1=HELPER)
    assert called(HELPER, run, sources=sources) == {5: [1], 6: [2]}
    assert set(sources.asked) == {FILE}, "other files are not read"


def test_callers_in_one_line_are_places_of_their_own() -> None:
    run = record([at(1, IN_ASK, DIRECT), at(2, IN_ASK, IN_WORK)])
    assert places(HELPER, run, sources=Told(run1=HELPER))[1:] == [(9, "plan('x')", [2]), (9, "ask('y')", [1])]


def test_a_way_that_ends_before_the_ways_part_shows_no_callers() -> None:
    assert called(HELPER, record([at(1, IN_ASK), at(2, IN_ASK, FIRST)]), sources=Told(run1=HELPER)) == {2: [1, 2]}
    assert called(HELPER, record([call(1, site=IN_ASK, stack=())]), sources=Told(run1=HELPER)) == {2: [1]}


def test_a_function_that_calls_itself_has_its_calls_once() -> None:
    # The same line stands for a site and for its own caller.
    deep = record([at(1, IN_ASK, IN_ASK), at(2, IN_ASK, FIRST)])
    assert called(HELPER, deep, sources=Told(run1=HELPER)) == {2: [1, 2], 5: [2]}


def test_callers_are_followed_through_edits() -> None:
    run = record([at(1, IN_ASK, FIRST), at(2, IN_ASK, SECOND)])
    new = ["import os", *HELPER[:5], "    check(first)", *HELPER[5:]]
    assert called(new, run, sources=Told(run1=HELPER)) == {3: [1, 2], 6: [1], 8: [2]}


# -- several runs


def test_a_place_shows_the_newest_run_that_came_to_it() -> None:
    newest, older = record([at(1, PLAN, run="new")], "new"), record([at(1, PLAN), at(2, SEARCH), at(3, SEARCH)], "old")
    found = _find(SOURCE, newest, older, sources=Told(new=SOURCE, old=SOURCE))
    assert [(place.record, [one.number for one in place.calls]) for place in found] == [
        (newest, [1]), (older, [2, 3]), (None, []),
    ]  # fmt: skip


def test_each_run_is_followed_from_the_source_that_it_read() -> None:
    later = ["# a comment", *SOURCE]
    newest = record([at(1, Site(FILE, 3, "plan", 3, 11, 50))], "new")
    older = record([at(1, SEARCH)], "old")
    assert called(["import os", *later], newest, older, sources=Told(new=later, old=SOURCE)) == {4: [1], 7: [1]}


def test_a_run_of_an_unknown_source_and_one_of_a_known_one_meet_at_a_place() -> None:
    newest, older = record([at(1, PLAN)], "new"), record([at(7, PLAN), at(8, SEARCH)], "old")
    assert called(["import os", *SOURCE], newest, older, sources=Told(old=SOURCE)) == {3: [1], 6: [8]}


def test_sources_that_are_read_for_one_look_only_are_not_taken_for_each_other() -> None:
    class Forgetful(Told):
        """A cache that is full: what it gives, nobody else keeps."""

        def as_run(self, file: str, run: Run) -> Sequence[str] | None:
            known = super().as_run(file, run)
            return None if known is None else list(known)

    versions = {f"run{number}": ["#"] * number + SOURCE for number in range(20)}
    records = [
        record([at(number + 1, Site(FILE, PLAN.line + number, "plan", None, 11))], run)
        for number, run in enumerate(versions)
    ]
    for one in records:
        assert list(called(SOURCE, one, sources=Forgetful(**versions))) == [2]
    assert called(SOURCE, *records, sources=Forgetful(**versions)) == {2: [1]}
    assert called(SOURCE, record([]), *records[::-1], sources=Forgetful(**versions)) == {2: [20]}


# -- a file with several names


def test_a_file_is_found_under_every_name_that_it_has() -> None:
    linked = "/link/agent.py"
    run = record([at(1, PLAN), at(2, Site(linked, 5, "search", 7, 11, 5))])
    found = places(SOURCE, run, sources=Told(run1=SOURCE), names=[linked, FILE])
    assert [numbers for _, _, numbers in found] == [[1], [2], []]
    assert [numbers for _, _, numbers in places(SOURCE, run, sources=Told(run1=SOURCE), names=[linked])] == [
        [], [2], [],
    ]  # fmt: skip


def test_a_place_that_was_recorded_under_two_names_has_all_its_calls_in_order() -> None:
    linked = "/link/agent.py"
    run = record([at(1, PLAN), at(2, Site(linked, 2, "plan", 2, 11, 50)), at(3, PLAN)])
    assert places(SOURCE, run, sources=Told(run1=SOURCE), names=[linked, FILE])[0] == (2, ASK, [1, 2, 3])


# -- a buffer that does not parse


def test_calls_are_found_in_a_buffer_that_does_not_parse() -> None:
    new = [*SOURCE[:3], "x = (", *SOURCE[3:]]
    run = record([at(1, PLAN), at(2, SEARCH)])
    for sources in (Told(run1=SOURCE), UNKNOWN):
        assert called(new, run, sources=sources) == {2: [1], 6: [2]}


def test_places_are_in_the_order_of_the_buffer() -> None:
    run = record([at(1, IN_ASK, SECOND), at(2, IN_ASK, FIRST)])
    assert [line for line, _, _ in places(HELPER, run, sources=Told(run1=HELPER))] == [2, 5, 6]
