"""Recorded calls in a buffer whose edits are known: what is copied, cut, taken back, broken, saved, read anew."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from lsprotocol import types as lsp

from ao_lsp.server.lsp.buffers.documents import Document
from ao_lsp.server.lsp.buffers.following import Follower
from ao_lsp.server.lsp.recorded.places import find_places, spots
from ao_lsp.server.model import Run, Site
from ao_lsp.server.sources import Sources
from tests.lsp.test_attached_typing import Read, record
from tests.lsp.typing import UNITS, Typist
from tests.server.graphs import graph

FILE = "/project/agent.py"
ASK = "reply = client.chat.completions.create(model=m)"
LINES = [
    "def plan(topic):",
    f"    {ASK}",
    "    return reply",
    "",
    "def search(topic):",
    f"    {ASK}",
    "    return reply",
    "",
    "def write(topic):",
    f"    {ASK}",
    "    return reply",
    "",
]
PLAN, SEARCH, WRITE = 1, 5, 9
"""The lines of the calls 0, 1 and 2."""


class Buffer(Typist):
    """A buffer of a program that has run: `shown` says on which line (from 0) each call is."""

    def __init__(self, lines: Sequence[str] = LINES, read: Sequence[str] | None = None) -> None:
        super().__init__(list(lines), random.Random(1))
        was = list(lines) if read is None else list(read)
        self.recorded, self.read = record(was), Read(was)

    @property
    def shown(self) -> dict[int, int]:
        places = find_places(Follower(self.document, self.read), spots([FILE], [self.recorded]))
        return {one.number: place.extent.line for place in places for one in place.calls}

    def whole(self, lines: Sequence[str]) -> None:
        """As editors do that send all of the text."""
        self._change(lsp.TextDocumentContentChangeWholeDocument("\n".join(lines)))


def test_of_equal_calls_the_one_that_is_deleted_is_gone() -> None:
    for line, left in ((PLAN, {1: 4, 2: 8}), (SEARCH, {0: 1, 2: 8}), (WRITE, {0: 1, 1: 5})):
        buffer = Buffer()
        assert buffer.shown == {0: PLAN, 1: SEARCH, 2: WRITE}
        buffer.replace(line, line + 1, [])
        assert buffer.shown == left


def test_a_call_that_is_back_is_shown_again() -> None:
    buffer = Buffer()
    assert len(buffer.shown) == 3
    buffer.replace(4, 8, [])
    assert buffer.shown == {0: 1, 2: 5}
    buffer.replace(0, 0, ["import os"])
    assert buffer.shown == {0: 2, 2: 6}
    buffer.replace(5, 5, LINES[4:8])
    assert buffer.shown == {0: 2, 1: 6, 2: 10}


def test_a_function_that_is_cut_and_put_in_elsewhere_takes_its_call_with_it() -> None:
    buffer = Buffer()
    assert len(buffer.shown) == 3
    buffer.replace(0, 4, [])
    assert buffer.shown == {1: 1, 2: 5}
    buffer.replace(4, 4, ["class Agent:", *(f"    {line}" for line in LINES[:3])])
    assert buffer.shown == {0: 6, 1: 1, 2: 9}


@pytest.mark.parametrize("above", [True, False])
def test_of_a_call_and_its_copy_the_call_keeps_what_was_recorded(above: bool) -> None:
    buffer = Buffer()
    assert len(buffer.shown) == 3
    buffer.replace(SEARCH, SEARCH, [f"    {ASK}"]) if above else buffer.put(
        SEARCH, len(LINES[SEARCH]), SEARCH, len(LINES[SEARCH]), f"\n    {ASK}"
    )
    assert buffer.shown == {0: PLAN, 1: SEARCH + 1 if above else SEARCH, 2: WRITE + 1}
    # And a function that is copied, before the original.
    buffer.replace(0, 0, LINES[:4])
    assert buffer.shown[0] == PLAN + 4


def test_edits_of_equal_calls_leave_each_what_it_is() -> None:
    buffer = Buffer()
    assert len(buffer.shown) == 3
    buffer.put(SEARCH, len(LINES[SEARCH]) - 1, SEARCH, len(LINES[SEARCH]) - 1, ", temperature=0")
    buffer.put(PLAN, 12, PLAN, 12, "await ")
    buffer.put(0, 4, 0, 4, "make_")
    buffer.replace(
        WRITE, WRITE + 1, ["    try:", "        reply = client.chat.completions.create(", "            m,", "        )"]
    )
    assert buffer.shown == {0: PLAN, 1: SEARCH, 2: WRITE + 1}


def test_the_whole_text_may_be_sent_at_each_change() -> None:
    buffer = Buffer()
    assert len(buffer.shown) == 3
    for _ in range(3):
        buffer.whole(["# more", *buffer.lines])
    assert buffer.shown == {0: PLAN + 3, 1: SEARCH + 3, 2: WRITE + 3}
    buffer.replace(0, 1, [])
    assert buffer.shown == {0: PLAN + 2, 1: SEARCH + 2, 2: WRITE + 2}


def test_another_branch_and_back_again_loses_nothing() -> None:
    buffer = Buffer()
    assert len(buffer.shown) == 3
    buffer.whole(["def other():", "    return 5", "", *LINES[8:]])
    assert buffer.shown == {2: 4}
    buffer.document.was_saved()
    buffer.whole(LINES)
    assert buffer.shown == {0: PLAN, 1: SEARCH, 2: WRITE}


def test_swapped_functions_do_not_swap_their_calls_also_in_a_buffer_that_is_opened_anew() -> None:
    buffer = Buffer([*LINES[8:12], *LINES[4:8], *LINES[:4]], read=LINES)
    assert buffer.shown == {0: 9, 1: 5, 2: 1}


def test_what_was_saved_before_it_ran_is_known_line_by_line() -> None:
    # The program ran when there were two calls in `plan`; the first one of them has been deleted since.
    buffer = Buffer(LINES)
    buffer.replace(PLAN, PLAN, [f"    {ASK}"])
    buffer.document.was_saved()
    read = list(buffer.lines)
    buffer.replace(PLAN, PLAN + 1, [])
    buffer.recorded, buffer.read = record(read), Read(read)
    assert buffer.shown == {1: PLAN, 2: SEARCH, 3: WRITE}


def test_nothing_that_is_typed_behind_a_call_moves_it() -> None:
    buffer = Buffer()
    for key in '\nx = (y["""':
        buffer.put(2, 0, 2, 0, key)
        assert len(buffer.shown) == 3
        assert buffer.shown[0] == PLAN


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_tabs_marks_and_form_feeds_make_no_difference(end: str) -> None:
    lines = ["\ufeffimport openai", "\f", "def plan(topic):", f"\t{ASK}", "\treturn reply", ""]
    document = Document.opened(f"file://{FILE}", 1, end.join(lines))
    # As Python reads it: without the mark.
    read = ["import openai", *lines[1:]]
    run = record(read)
    for _ in range(2):
        [place] = [one for one in find_places(Follower(document, Read(read)), spots([FILE], [run])) if one.calls]
        assert (place.extent.line, place.extent.column) == (document.lines.index(f"\t{ASK}"), 9)
        at = lsp.Position(0, 0)
        change = lsp.TextDocumentContentChangePartial(lsp.Range(at, at), f"# more{end}")
        document = document.changed(2, [change], UNITS)


def test_any_expression_is_followed_with_the_buffer() -> None:
    buffer = Buffer()
    follower = Follower(buffer.document, buffer.read)
    run = graph([]).run
    topic, reply = Site(FILE, 1, "plan", 1, 9, 14), Site(FILE, 3, "plan", 3, 11, 16)
    for site, at in ((topic, (0, 9)), (reply, (2, 11))):
        extent = follower.extent(site, run)
        assert extent is not None
        assert extent.start == at
    buffer.put(2, 11, 2, 11, "(5, ")
    buffer.put(0, 9, 0, 9, "self, ")
    follower = Follower(buffer.document, buffer.read)
    moved = [follower.extent(site, run) for site in (topic, reply)]
    assert [extent and extent.start for extent in moved] == [(0, 15), (2, 15)]
    buffer.put(2, 15, 2, 16, "R")
    assert Follower(buffer.document, buffer.read).extent(reply, run) is None


def test_what_a_run_of_an_unknown_source_recorded_is_in_no_place() -> None:
    class Unknown(Sources):
        def as_run(self, file: str, run: Run) -> Sequence[str] | None:  # noqa: ARG002 - nobody knows any
            return None

    follower = Follower(Buffer().document, Unknown())
    assert follower.extent(Site(FILE, 1, "plan", 1, 9, 14), graph([]).run) is None
