"""What a recorded call gives is tagged where it stands: the fields of a record, and nothing beside them."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from ao_lsp.taint.adopt import adopt
from ao_lsp.taint.origins import origin
from ao_lsp.taint.state import TAINT
from ao_lsp.taint.table import mark, origins_of, sweep

pytestmark = pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 does not track")


class Delta(BaseModel):
    model_config = ConfigDict(extra="allow")
    content: str
    role: Any = None


class Chunk(BaseModel):
    index: int
    deltas: list[Delta]
    done: bool = False


ROLE = "assistant"


def chunk(content: str) -> Chunk:
    return Chunk(index=0, deltas=[Delta(content=content, role=ROLE, seen=2.5)])  # type: ignore[call-arg]  # one more


def test_each_field_of_a_record_comes_from_the_call_and_what_others_hold_of_it_does_not() -> None:
    made = adopt(chunk("".join(("some ", "words"))), origin("a"), True)
    delta = made.deltas[0]
    found = [origins_of(value) for value in (made.index, delta.content, delta.role, delta.seen)]
    assert found == [origin("a")] * 4
    assert not origins_of(ROLE)
    assert not origins_of(0)


def test_a_record_stays_equal_to_one_that_nobody_tagged() -> None:
    made = adopt(chunk("words"), origin("a"), True)
    assert made == chunk("words")
    assert repr(made) == repr(chunk("words"))
    assert [type(value) for value in made.__dict__.values()] == [int, list, bool]


def test_a_field_that_came_from_elsewhere_keeps_its_origins() -> None:
    words = mark("".join(("my ", "words")), origin("b"))
    made = adopt(chunk(words), origin("a"), True)
    assert origins_of(made.deltas[0].content) == origin("b")
    assert made.deltas[0].content is words
    assert origins_of(made.deltas[0].seen) == origin("a")


def test_an_empty_text_which_everybody_shares_stays_untagged() -> None:
    made = adopt(chunk(""), origin("a"), True)
    assert made.deltas[0].content == ""
    assert not origins_of("")


def test_records_leave_nothing_in_the_table_when_they_are_gone() -> None:
    sweep()
    before = len(TAINT)
    for number in range(100):
        adopt(chunk(f"words {number}"), origin("a"), True)
    sweep()
    assert len(TAINT) == before
