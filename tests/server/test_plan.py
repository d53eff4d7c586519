"""What a rerun does with each call. A chain 1 → 2 → 3 with 4 apart, unless a test says otherwise."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ao_lsp import protocol
from ao_lsp.server.model import Call, Exchange, Graph
from ao_lsp.server.plan import counts, plan
from ao_lsp.server.plan_file import PlanHead, write_plan
from tests.server.graphs import call, edit, graph


def chain() -> Graph:
    return graph([call(number) for number in (1, 2, 3, 4)], (1, 2), (2, 3))


def actions(made: Graph, *edits: Any, fork: int | None = None) -> str:
    """The actions in order, by their first letters; affected calls in capitals."""
    entries = plan(made, edits, f"c{fork}" if fork else None)
    return "".join(entry.action[0].upper() if entry.affected else entry.action[0] for entry in entries)


def test_without_edits_and_fork_everything_replays() -> None:
    assert actions(chain()) == "rrrr"


def test_an_edited_output_is_served_and_what_it_reaches_may_go_live() -> None:
    assert actions(chain(), edit(1)) == "eRRr"
    assert actions(chain(), edit(2)) == "reRr"


def test_an_edited_input_is_sent_and_what_it_reaches_may_go_live() -> None:
    assert actions(chain(), edit(2, "input")) == "riRr"


def test_an_edited_output_wins_over_an_edited_input_of_the_same_call() -> None:
    assert actions(chain(), edit(2), edit(2, "input")) == "reRr"


def test_from_a_call_it_and_all_that_depends_on_it_go_live() -> None:
    assert actions(chain(), fork=1) == "lllr"
    assert actions(chain(), fork=2) == "rllr"
    assert actions(chain(), fork=4) == "rrrl"


def test_from_a_call_whose_output_is_edited_only_what_depends_on_it_goes_live() -> None:
    assert actions(chain(), edit(2), fork=2) == "relr"


def test_from_a_call_whose_input_is_edited_it_goes_live_with_that_input() -> None:
    assert actions(chain(), edit(2, "input"), fork=2) == "rilr"


def test_an_edit_downstream_of_the_fork_is_kept() -> None:
    assert actions(chain(), edit(3), fork=1) == "ller"


def test_an_edit_apart_from_the_fork_is_kept_and_may_reach_on() -> None:
    made = graph([call(number) for number in (1, 2, 3, 4)], (1, 2), (3, 4))
    assert actions(made, edit(3), fork=1) == "lleR"


def test_dependence_goes_over_matched_edges_too_and_over_diamonds_once() -> None:
    made = graph([call(number) for number in range(1, 6)], (1, 2), (1, 3), (2, 4, "matched"), (3, 4), (4, 5))
    assert actions(made, fork=1) == "lllll"
    assert actions(made, fork=2) == "rlrll"


def test_edges_in_a_circle_end() -> None:
    assert actions(graph([call(1), call(2), call(3)], (1, 2), (2, 1)), fork=1) == "llr"


def test_a_call_that_was_never_answered_goes_live() -> None:
    unanswered = [
        call(1, status="running", http_status=None),
        call(2, status="error", http_status=None),
        call(3, status="cancelled"),
        call(4, status="error", http_status=200),  # the connection broke in the middle
    ]
    assert actions(graph(unanswered)) == "llll"


def test_an_http_error_is_an_answer_and_replays() -> None:
    assert actions(graph([call(1, status="error", http_status=429), call(2)])) == "rr"


def test_a_response_that_the_program_stopped_reading_replays() -> None:
    assert actions(graph([call(1, complete=False)])) == "r"


def test_the_counts_say_what_it_will_cost() -> None:
    entries = plan(chain(), [edit(1), edit(4, "input")], None)
    found = counts(entries)
    assert (found.calls, found.live, found.edited, found.replayed, found.affected) == (4, 1, 1, 2, 2)


class _Recorded:
    """A store that knows exchanges and draws only."""

    async def draws(self, run: str, until: float | None) -> list[str]:
        return [f'{{"seed":"{run}"}}', f'{{"until":{json.dumps(until)}}}']

    async def body_bytes(self, runs: Sequence[str]) -> dict[str, int]:
        assert list(runs) in ([], ["run1"])
        return {f"c{number}": 20 for number in range(1, 3001)}

    async def exchanges(self, calls: Sequence[Call]) -> dict[str, Exchange]:
        return {call.id: self._exchange(f"{call.run}/{call.id}".encode()) for call in calls}

    def _exchange(self, name: bytes) -> Exchange:
        return Exchange((), b"sent " + name, (("content-type", "text/plain"),), b"got " + name, ((4, 0.5),))


def frames_of(path: str) -> list[tuple[dict[str, Any], bytes]]:
    frames = protocol.Frames()
    frames.feed(Path(path).read_bytes())
    return [(json.loads(header), payload) for header, payload in frames]


async def test_the_plan_file_is_as_the_wire_document_says(tmp_path: Path) -> None:
    made = graph(
        [call(1), call(2), call(3), call(4, status="cancelled", lineage={"task": "t"}), call(5, site=None)],
        (1, 2),
        options=("--no-taint",),
    )
    edits = {("c2", "output"): edit(2), ("c3", "input"): edit(3, "input")}
    entries = plan(made, edits.values(), None)
    head = PlanHead("new-run", made.run, "c2", "strict")
    path = await write_plan(str(tmp_path / "plans"), head, entries, edits, _Recorded())  # type: ignore[arg-type]
    assert path == str(tmp_path / "plans" / "new-run.plan")
    assert list((tmp_path / "plans").iterdir()) == [Path(path)]
    (first, drawn), *rest = frames_of(path)
    # Only what was drawn before the fork.
    assert json.loads(drawn) == [{"seed": "run1"}, {"until": call(2).started}]
    assert first == {
        "plan": 1,
        "run": "new-run",
        "session": "session1",
        "parent_run": "run1",
        "fork_call": "c2",
        "name": "agent.py",
        "policy": "strict",
        "path": [],
        "subruns": [],
        "parts": [["draws", len(drawn)]],
    }
    assert [header["action"] for header, _ in rest] == ["replay", "edited", "input", "live", "replay"]
    parts = [protocol.parts_of(header, payload) for header, payload in rest]
    assert parts == [
        {"response": b"got run1/c1"},
        {"response": b"new"},
        {"request": b"new"},
        {},
        {"response": b"got run1/c5"},
    ]
    site = {
        "file": "/project/agent.py",
        "line": 10,
        "end_line": None,
        "column": None,
        "end_column": None,
        "function": "work",
    }
    recorded = {
        "call": "c1",
        "request_hash": "h1",
        "site": site,
        "lineage": "MainThread/",
        "action": "replay",
        "number": 1,
        "started": 1001.0,
        "duration": 0.5,
        "streamed": False,
    }
    answer = {"http_status": 200, "headers": [["content-type", "text/plain"]], "chunks": [[4, 0.5]], "error": None}
    assert rest[0][0] == {**recorded, **answer, "parts": [["response", 11]]}
    assert rest[3][0]["lineage"] == {"task": "t"}
    assert rest[4][0]["site"] is None


@pytest.mark.parametrize("size", [0, 3000])
async def test_a_plan_of_any_size_is_written(tmp_path: Path, size: int) -> None:
    made = graph([call(number) for number in range(1, size + 1)])
    head = PlanHead("new-run", made.run, None, "live")
    path = await write_plan(str(tmp_path), head, plan(made, [], None), {}, _Recorded())  # type: ignore[arg-type]
    assert len(frames_of(path)) == size + 1
