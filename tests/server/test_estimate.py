"""What a rerun will cost, before it starts."""

from __future__ import annotations

from typing import Any

from ao_lsp.server.estimate import Estimate, estimate, told
from ao_lsp.server.model import Call, Edit
from ao_lsp.server.plan import plan
from tests.server.graphs import call, edit, graph

NOW = 1.76e9


def asked(number: int, **fields: Any) -> Call:
    """A call that costs $0.0035: 1,100 tokens."""
    return call(number, **{"model": "gpt-4o", "input_tokens": 1000, "output_tokens": 100, **fields})


def chain(*calls: Call, fork: str | None = None, edits: tuple[Edit, ...] = ()) -> Estimate:
    steps = [(number, number + 1) for number in range(1, len(calls))]
    return estimate(plan(graph(list(calls), *steps), edits, fork), NOW)


def test_calls_that_go_live_cost_what_they_used_when_they_were_recorded() -> None:
    found = chain(asked(1), asked(2), asked(3), fork="c2")
    assert (found.live.calls, found.live.tokens) == (2, 2200)
    assert told(found) == "2 of 3 calls live, about 2,200 tokens, $0.007"


def test_calls_that_may_go_live_are_said_as_up_to() -> None:
    found = chain(asked(1), asked(2), asked(3), edits=(edit(1, "input"),))
    assert (found.live.calls, found.most.calls) == (1, 3)
    assert told(found) == (
        "1 of 3 calls live, about 1,100 tokens, $0.0035 (up to 3 if their input changes, about 3,300 tokens, $0.01)"
    )


def test_where_nothing_goes_live_nothing_is_paid() -> None:
    assert told(chain(asked(1), asked(2))) == "0 of 2 calls live"


def test_what_is_not_known_is_said_and_not_taken_for_nothing() -> None:
    found = chain(asked(1), asked(2, model="unknown"), asked(3, input_tokens=None, output_tokens=None), fork="c1")
    assert told(found) == "3 of 3 calls live, about 2,200 tokens + 1 unknown, $0.0035 + 2 unknown"
    nothing = chain(asked(1, model="unknown", input_tokens=None, output_tokens=None), fork="c1")
    assert told(nothing) == "1 of 1 call live, tokens unknown, cost unknown"


def test_the_price_is_that_of_a_live_call_also_where_the_recording_was_a_replay() -> None:
    assert told(chain(asked(1, origin="replayed"), fork="c1")) == "1 of 1 call live, about 1,100 tokens, $0.0035"


def test_tool_calls_use_no_tokens() -> None:
    tool = asked(1, kind="mcp", model=None, input_tokens=None, output_tokens=None)
    assert told(chain(tool, fork="c1")) == "1 of 1 call live"
