"""Where the input of a call came from: the sources, the lines on the way, the places in the input."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ao_lsp import protocol
from ao_lsp.server.command import Caller
from ao_lsp.server.commands import execute
from ao_lsp.server.core import Core, open_core
from ao_lsp.server.ingest import Stream
from ao_lsp.server.matching.ranges import Standing, standing, told_apart
from ao_lsp.server.params import CommandError
from ao_lsp.server.sources import function_at
from tests.recorder import Recorder, chat_request, chat_response

PLAN = "Survey the harbour wall first, then replace every cracked bollard."
NOTE = "The herring fleet returns on Friday."


# -- where an output stands in an input


def at(text: str, part: str) -> tuple[int, int]:
    return text.index(part), text.index(part) + len(part)


def test_a_whole_output_stands_where_its_words_stand_in_a_row() -> None:
    text = f"Do this: {PLAN} And again: {PLAN.upper()}"
    found = standing([PLAN], text)
    assert found.sure
    assert [text[start:end] for start, end in found.ranges] == [PLAN[:-1], PLAN.upper()[:-1]]


def test_parts_of_an_output_stand_where_each_of_them_does() -> None:
    text = "1. replace every cracked bollard\n2. survey the harbour wall first"
    found = standing([PLAN], text)
    assert found == Standing((at(text, "replace every cracked bollard"), at(text, text[36:])), True)


def test_values_of_a_json_output_count_and_its_keys_do_not() -> None:
    text = "Vlissingen: which municipality is that?"
    assert standing([json.dumps({"municipality": "Vlissingen"})], text).ranges == (at(text, "Vlissingen"),)


def test_escaped_line_ends_are_no_part_of_a_word() -> None:
    text = json.dumps({"plan": "Survey the harbour wall first,\nthen replace every cracked bollard."})
    assert standing([PLAN], text).ranges == (at(text, text[10:-3]),)


@pytest.mark.parametrize("output", ["yes", "3", "a", "Done!", "", "..."])
def test_of_a_word_that_is_everywhere_it_is_not_certain_where_it_stands(output: str) -> None:
    assert not standing([output], "Answer yes or no. Were all 3 of them done? ... a").sure


def test_what_was_changed_stands_nowhere() -> None:
    assert standing([PLAN], PLAN[::-1]) == Standing((), False)


def test_what_one_output_quotes_of_another_is_not_told_of_that_one() -> None:
    review = f"Too short. You say: {PLAN} Say when."
    text = f"Revise.\nDraft: {PLAN} {NOTE}\nReview: {review}"
    draft, critic = told_apart([standing([f"{PLAN} {NOTE}"], text), standing([review], text)])
    assert [text[start:end] for start, end in draft.ranges] == [f"{PLAN} {NOTE}"[:-1]]
    assert [text[start:end] for start, end in critic.ranges] == [review[:-1]]


def test_an_output_of_any_length_is_looked_for() -> None:
    assert standing(["tick tock " * 30_000], "tock tick " * 30_000).ranges in ((), ((0, 199_999),))
    assert standing(["a " * 60], "a " * 100_000).sure


SOURCE = """\
import os
# comment
async def f(
    x,
):
    if x:
        def inner():
            return (1,
    2)
    y = 2

class C:
    def method(self):
        return 1
z = 3
"""


@pytest.mark.parametrize(
    ("line", "function"),
    [(1, None), (6, "f"), (8, "inner"), (10, "f"), (14, "method"), (15, None), (0, None), (99, None)],
)
def test_the_function_of_a_line_is_known_by_indentation(line: int, function: str | None) -> None:
    assert function_at(SOURCE.split("\n"), line) == function


# -- the command


@pytest.fixture
async def core(home: str) -> AsyncIterator[Core]:  # noqa: ARG001 - the core lives there
    opened = await open_core()
    yield opened
    await opened.close()


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program that has not changed since it ran."""
    file = tmp_path / "agent.py"
    file.write_text("def plan():\n    return ask('plan')\n\ndef act(plan):\n    ask('Do: ' + plan)\n")
    os.utime(file, (500, 500))
    return file


async def record(core: Core, program: Path) -> str:
    """c3 has the outputs of c1 (over two lines) and c2 (whose way is not known); its input."""
    text = f"Do: {PLAN}\nMind: {NOTE.upper()}\nAnswer yes or no."
    path = [{"file": str(program), "line": 2}, {"file": str(program), "line": 5}]
    runner = Recorder()
    runner.start(at=999.0)
    runner.call("c1", response=chat_response(PLAN), at=1000.0)
    runner.call("c2", response=chat_response(NOTE), at=1001.0)
    runner.call_start("c3", [{"call": "c1", "evidence": "tracked", "path": path}], chat_request(text), at=1002.0)
    runner.call_end("c3")
    runner.end()
    await core.ingest.take(Stream(runner.run, runner.stream, None), protocol.Frames(), b"".join(runner.sent))
    return text


async def why(core: Core, **params: Any) -> dict[str, Any]:
    return await execute(core, Caller(), "ao.why", {"call": 3, **params})


async def test_each_source_comes_with_the_lines_on_its_way_and_where_it_stands(core: Core, program: Path) -> None:
    text = await record(core, program)
    found = await why(core)
    assert (found["run"], found["call"]["id"], found["part"]) == ("run1", "c3", None)
    assert found["messages"] == [{"role": "user", "start": 0, "end": len(text)}]
    first, second = found["sources"]
    assert first["call"]["id"] == "c1"
    del first["call"], second["call"]
    start, end = at(text, PLAN[:-1])
    assert first == {
        "number": 1,
        "source": "c1",
        "target": "c3",
        "evidence": "tracked",
        "path": [
            {"file": str(program), "line": 2, "function": "plan", "text": "return ask('plan')"},
            {"file": str(program), "line": 5, "function": "act", "text": "ask('Do: ' + plan)"},
        ],
        "certain": True,
        "ranges": [{"start": start, "end": end, "text": PLAN[:-1]}],
    }
    assert (second["source"], second["evidence"], second["path"]) == ("c2", "matched", [])


async def test_of_a_part_only_what_stands_in_it_is_told(core: Core, program: Path) -> None:
    text = await record(core, program)
    start, end = at(text, "HERRING")
    found = await why(core, start=start, end=end)
    assert found["part"] == {"start": start, "end": end, "text": "HERRING"}
    assert [source["source"] for source in found["sources"]] == ["c2"]
    assert [source["source"] for source in (await why(core, end=10))["sources"]] == ["c1"]
    assert (await why(core, start=text.index("Answer")))["sources"] == []


async def test_what_was_changed_may_be_in_any_part(core: Core) -> None:
    runner = Recorder()
    runner.start()
    runner.call("c1", response=chat_response("17"), at=1000.0)
    runner.call("c2", response=chat_response(PLAN), at=1001.0)
    runner.call_start("c3", ["c1", "c2"], chat_request(f"{PLAN} Lift 34 tons."), at=1002.0)
    await core.ingest.take(Stream(runner.run, runner.stream, None), protocol.Frames(), b"".join(runner.sent))
    found = await why(core, start=len(PLAN))
    assert [(source["source"], source["certain"]) for source in found["sources"]] == [("c1", False)]


async def test_lines_of_a_file_that_has_changed_are_not_shown(core: Core, program: Path) -> None:
    await record(core, program)
    program.write_text("something else\n" * 10)
    (first, _) = (await why(core))["sources"]
    assert first["path"][0] == {"file": str(program), "line": 2, "function": None, "text": None}
    program.unlink()
    (again, _) = (await why(core))["sources"]
    assert again["path"] == first["path"]


@pytest.mark.parametrize("part", [{"start": 5, "end": 4}, {"start": -1}, {"end": 10_000}, {"start": 10_000}])
async def test_a_part_that_the_input_has_not_is_refused(core: Core, program: Path, part: dict[str, int]) -> None:
    text = await record(core, program)
    with pytest.raises(CommandError, match=f"in an input of {len(text)} characters") as raised:
        await why(core, **part)
    assert raised.value.code == "bad_params"


async def test_messages_and_tool_calls_are_one_text(core: Core) -> None:
    called = [{"id": "t", "type": "function", "function": {"name": "look", "arguments": '{"where": "quay"}'}}]
    messages = [
        {"role": "user", "content": "Where?"},
        {"role": "assistant", "content": None, "tool_calls": called},
        {"role": "tool", "content": ""},
        {"role": "user", "content": "So?"},
    ]
    runner = Recorder()
    runner.start()
    runner.call("c1", request=json.dumps({"model": "m", "messages": messages}).encode())
    await core.ingest.take(Stream(runner.run, runner.stream, None), protocol.Frames(), b"".join(runner.sent))
    found = await why(core, call=1, start=0)
    assert found["part"]["text"] == 'Where?\nlook({"where": "quay"})\n\nSo?'
    assert [found["part"]["text"][m["start"] : m["end"]] for m in found["messages"]] == [
        "Where?", 'look({"where": "quay"})', "", "So?"
    ]  # fmt: skip


async def test_a_call_without_sources_or_a_request_that_can_be_read_has_none(core: Core) -> None:
    runner = Recorder()
    runner.start()
    runner.call("c1", request=b"\xff")
    await core.ingest.take(Stream(runner.run, runner.stream, None), protocol.Frames(), b"".join(runner.sent))
    found = await why(core, call=1)
    assert (found["messages"], found["sources"]) == ([], [])
