"""Subruns in the daemon: how they are stored, listed, drawn and deleted."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ao_lsp import protocol
from ao_lsp.server import subruns
from ao_lsp.server.command import Caller
from ao_lsp.server.commands import execute
from ao_lsp.server.core import Core, open_core
from ao_lsp.server.graph import RunEnded
from ao_lsp.server.ingest import Stream
from ao_lsp.server.params import CommandError
from ao_lsp.server.render import Style, drawn
from tests.recorder import SITE, Recorder, chat_request, chat_response
from tests.server.graphs import call, graph

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
async def core(home: str) -> AsyncIterator[Core]:  # noqa: ARG001 - the core lives there
    opened = await open_core()
    yield opened
    await opened.close()


async def take(core: Core, *recorders: Recorder) -> None:
    """Commit what these have said, one after the other."""
    for recorder in recorders:
        stream = Stream(recorder.run, recorder.stream, None)
        await core.ingest.take(stream, protocol.Frames(), b"".join(recorder.sent))


async def do(core: Core, command: str, /, **params: Any) -> dict[str, Any]:
    return await execute(core, Caller(), command, params)


def begin(recorder: Recorder, subrun: str, outer: str | None = None, **fields: Any) -> None:
    said = {"session": f"session-{recorder.run}", "argv": ["agent.py"], "cwd": "/", "path": [[subrun, "", 1]]}
    recorder.event("subrun.start", subrun=subrun, subrun_of=outer, name=f"named {subrun}", **said, **fields)


def nested() -> Recorder:
    """A run with a call, a subrun with one, and one in there with one, in a chain."""
    recorder = Recorder()
    recorder.start()
    recorder.call("c1")
    begin(recorder, "outer")
    recorder.call_start("c2", ("c1",), subrun="outer")
    recorder.call_end("c2", subrun="outer")
    begin(recorder, "inner", "outer")
    recorder.call_start("c3", ("c2",), subrun="inner")
    recorder.call_end("c3", subrun="inner")
    recorder.event("subrun.end", subrun="inner", status="failed", error={"type": "E", "message": "m"})
    recorder.event("run.mark", subrun="outer", result={"a": 1}, note="so")
    recorder.event("subrun.end", subrun="outer", status="finished", error=None)
    recorder.call("c4", ("c3", "c2"))
    recorder.end()
    return recorder


async def test_one_subrun_can_be_unfolded_in_a_drawing_and_those_in_it_stay_folded(core: Core) -> None:
    await take(core, nested())

    async def rows(*unfolded: str) -> list[tuple[str, str]]:
        found = await do(core, "ao.graph", run="run1", format="text", unfolded=list(unfolded))
        lines = found["text"].splitlines()
        for row in found["rows"]:
            number = str(row["node"]["number"]) + ("+" if row["node"]["kind"] == "subrun" else "")
            assert lines[row["row"]].split()[0] == number
        return [(row["node"]["kind"], row["node"]["id"]) for row in found["rows"]]

    assert await rows() == [("llm", "c1"), ("subrun", "outer"), ("llm", "c4")]
    inner = [("llm", "c1"), ("llm", "c2"), ("subrun", "inner"), ("llm", "c4")]
    assert await rows("outer") == inner
    assert await rows("outer", "inner") == [("llm", f"c{number}") for number in (1, 2, 3, 4)]
    assert await rows("inner") == await rows(), "what is around it is folded"


async def test_each_run_has_the_calls_in_it_and_the_way_in_from_outside(core: Core) -> None:
    await take(core, nested())
    seen: dict[str, list[Any]] = {}
    for run in ("run1", "outer", "inner"):
        found = await do(core, "ao.graph", run=run)
        seen[run] = [(node["id"], node["number"], node["subrun"]) for node in found["nodes"]]
        ways = {(edge["source"], edge["target"]) for edge in found["edges"]}
        coming = [(edge["source"], edge["run"], edge["number"]) for edge in found["outside"]]
        seen[f"{run} edges"] = [*sorted(ways), *coming]
    assert seen == {
        "run1": [("c1", 1, None), ("c2", 2, "named outer"), ("c3", 3, "named outer / named inner"), ("c4", 4, None)],
        "run1 edges": [("c1", "c2"), ("c2", "c3"), ("c2", "c4"), ("c3", "c4")],
        "outer": [("c2", 1, None), ("c3", 2, "named inner")],
        "outer edges": [("c2", "c3"), ("c1", "run1", 1)],
        "inner": [("c3", 1, None)],
        "inner edges": [("c2", "outer", 1)],
    }


async def test_runs_are_listed_with_their_subruns_below_them_which_no_limit_counts(core: Core) -> None:
    first, other = nested(), Recorder("run2")
    other.start(name="other")
    other.end()
    await take(core, first, other)
    found = await do(core, "ao.runs", limit=2)
    assert [(run["id"], run["subrun_of"], run["calls"], run["status"]) for run in found["runs"]] == [
        ("run2", None, 0, "finished"),
        ("run1", None, 4, "finished"),
        ("outer", "run1", 2, "finished"),
        ("inner", "outer", 1, "failed"),
    ]
    assert found["total"] == 2
    assert (found["runs"][2]["result"], found["runs"][2]["notes"]) == ({"a": 1}, ["so"])
    assert [run["id"] for run in (await do(core, "ao.runs", limit=1))["runs"]] == ["run2"]
    assert [run["id"] for run in (await do(core, "ao.runs", name="named"))["runs"]] == ["inner", "outer"]
    assert [run["id"] for run in (await do(core, "ao.runs", within="run1"))["runs"]] == ["outer", "inner"]
    assert (await do(core, "ao.graph"))["run"]["id"] == "run2"
    assert (await do(core, "ao.graph", run="named inner"))["run"]["id"] == "inner"


async def test_what_calls_of_subruns_said_is_exported_and_compared(core: Core) -> None:
    other = Recorder("run2")
    other.start()
    begin(other, "again")
    other.call_start("d2", request=chat_request("something else"), subrun="again")
    other.call_end("d2", chat_response("another answer"), subrun="again")
    other.end()
    await take(core, nested(), other)
    exported = json.loads((await do(core, "ao.export", run="run1"))["text"])
    said = {call["id"]: call["output"]["text"] for call in exported["calls"]}
    assert said == {f"c{number}": f"output of c{number}" for number in range(1, 5)}
    assert [call["b"]["subrun"] for call in (await do(core, "ao.diff", a="outer", b="run2"))["calls"] if call["b"]] == [
        "named again"
    ]
    changed = next(call for call in (await do(core, "ao.diff", a="outer", b="again"))["calls"] if call["b"])
    assert changed["output"] == {"a": "output of c2", "b": "another answer"}
    assert changed["messages"] == [{"role": "user", "a": "c2", "b": "something else"}]


async def test_the_order_in_which_processes_are_heard_does_not_matter(core: Core) -> None:
    # A forked child speaks first, of a subrun that its parent has begun.
    child = Recorder(stream="child")
    child.event("process.start", run="run1", pid=1, parent_stream="s1")
    child.call("c9", subrun="inner")
    await take(core, child)
    assert (await do(core, "ao.runs") if await core.store.run_names() else None) is None
    await take(core, nested())
    found = await do(core, "ao.graph", run="inner")
    assert {node["id"] for node in found["nodes"]} == {"c3", "c9"}


async def test_a_subrun_is_run_again_as_its_program_also_when_its_process_was_heard_first(core: Core) -> None:
    worker = Recorder(stream="worker")
    worker.event("process.start", run="run1", pid=1, parent_stream="s1")
    begin(worker, "outer")  # with a command line of its own
    await take(core, worker)
    program = Recorder()
    program.start(argv=["main.py", "--all"], cwd="/project")
    await take(core, program)
    found = await core.store.run("outer")
    assert found is not None
    assert (found.argv, found.cwd) == (("main.py", "--all"), "/project")


async def test_what_happens_in_a_subrun_is_a_change_of_the_whole_run(core: Core) -> None:
    with core.changes.subscribe() as changes:
        await take(core, nested())
        heard = await changes.next()
        told = [(change.run, change.kind) for change in heard]
        # Whoever looks at a subrun hears of it, too, and whoever looks at a run of what is inside.
        assert [change.graphs for change in heard if change.call == "c3"] == [("inner", "outer", "run1")] * 2
        assert [change.graphs for change in heard if change.kind == "run.ended"] == [("run1", "outer", "inner")]
    assert {run for run, _ in told} == {"run1"}
    assert [kind for _, kind in told].count("subrun.started") == 2
    assert [kind for _, kind in told].count("run.ended") == 1
    assert ("run1", "run.marked") in told


async def test_a_run_that_ends_without_a_word_ends_its_subruns(core: Core) -> None:
    recorder = Recorder()
    recorder.start()
    begin(recorder, "outer")
    await take(core, recorder)
    assert [run for run, _ in await core.store.running()] == ["run1"]
    await core.store.conclude(RunEnded("run1", 5.0, "lost"))
    assert {run["status"] for run in (await do(core, "ao.runs"))["runs"]} == {"lost"}


async def test_a_deleted_run_takes_its_subruns_along_and_a_deleted_subrun_leaves_the_rest(core: Core) -> None:
    await take(core, nested())
    await core.delete_runs(["inner"])
    assert [node["id"] for node in (await do(core, "ao.graph", run="run1"))["nodes"]] == ["c1", "c2", "c4"]
    await core.delete_runs(["run1"])
    assert await core.store.run("outer") is None


async def test_a_deleted_subrun_is_not_told_of_as_the_end_of_the_run_around_it(core: Core) -> None:
    await take(core, nested())
    with core.changes.subscribe() as changes:
        await core.delete_runs(["inner"])
        await core.delete_runs(["run1"])
        assert [change.gone for change in changes.taken()] == [("inner",), ("run1", "outer")]


async def test_a_subrun_is_not_deleted_while_its_program_runs(core: Core) -> None:
    recorder = Recorder()
    recorder.start()
    begin(recorder, "outer")
    recorder.event("subrun.end", subrun="outer", status="finished", error=None)
    await take(core, recorder)
    with pytest.raises(CommandError, match="run outer is still running; nothing was deleted"):
        await do(core, "ao.rm", runs=["outer"])
    recorder.end()
    await take(core, recorder)
    assert (await do(core, "ao.rm", runs=["outer"]))["deleted"] == ["outer"]


async def test_the_files_of_a_run_are_those_of_its_subruns_too(core: Core) -> None:
    recorder = Recorder()
    recorder.start()
    begin(recorder, "outer")
    recorder.call_start("c1", subrun="outer", site={**SITE, "file": "/project/inside.py"}, stack=[])
    await take(core, recorder)
    assert await core.store.files_of(["run1"]) == await core.store.files_of(["outer"]) == {"/project/inside.py"}


async def test_the_plan_of_a_subrun_has_the_calls_outside_and_says_which_subrun_it_is(core: Core) -> None:
    await take(core, nested())
    found = await do(core, "ao.plan", run="outer", **{"from": "c3"})
    assert [(entry["call"], entry["action"]) for entry in found["calls"]] == [("c2", "replay"), ("c3", "live")]
    frames = protocol.Frames()
    frames.feed(Path(found["plan"]).read_bytes())
    first, *entries = [protocol.loads(head) for head, _ in frames]
    assert first["path"] == [["outer", "", 1]]
    assert first["subruns"] == [{"run": "inner", "path": [["inner", "", 1]], "fork_call": "c3"}]
    assert [(entry["call"], entry["action"], entry.get("path")) for entry in entries] == [
        ("c1", "replay", None),
        ("c4", "replay", None),
        ("c2", "replay", [["outer", "", 1]]),
        ("c3", "live", [["inner", "", 1]]),
    ]
    await core.delete_runs(["run1"])


def test_a_drawing_folds_each_subrun_into_one_node_unless_asked_not_to() -> None:
    made = graph([call(1), call(2, run="s1"), call(3, run="s2"), call(4, run="s1"), call(5)], (1, 2), (2, 4), (3, 5))
    runs = tuple(
        type(made.run)(**{
            **{name: getattr(made.run, name) for name in made.run.__slots__},
            "id": run, "name": f"sample {run}", "subrun_of": "run1", "root": "run1", "started": started,
        })
        for run, started in (("s1", 1001.5), ("s2", 1002.5))
    )  # fmt: skip
    whole = type(made)(made.run, made.calls, made.edges, (), runs)
    folded = subruns.folded(whole)
    text = drawn(folded, "text", Style())
    lines = [line.split() for line in text.splitlines() if line[:1] in " 12345" and line.strip()]
    assert [(line[0], "▣" in " ".join(line)) for line in lines] == [
        ("1", False),
        ("2+", True),
        ("3+", True),
        ("5", False),
    ]
    assert "sample s1" in text
    assert "5 calls · 2 subruns" in text
    assert lines[3][-1] == "3+"
    every = drawn(whole, "text", Style())
    assert every.count("sample s1") == 2
    for form in ("mermaid", "dot", "svg"):
        assert "sample s2" in drawn(folded, form, Style())
        assert "sample s2" in drawn(whole, form, Style())
