"""The `ao.*` commands, as the command line and editors use them, on a core without a daemon."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ao_lsp import paths, protocol
from ao_lsp.server.command import Caller
from ao_lsp.server.commands import execute
from ao_lsp.server.core import Core, open_core
from ao_lsp.server.ingest import Stream
from ao_lsp.server.params import CommandError
from tests.recorder import Recorder, chat_response

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
async def core(home: str) -> AsyncIterator[Core]:  # noqa: ARG001 - the core lives there
    opened = await open_core()
    yield opened
    await opened.close()


async def take(core: Core, recorder: Recorder) -> None:
    """Commit what a recorder has said."""
    await core.ingest.take(Stream(recorder.run, recorder.stream, None), protocol.Frames(), b"".join(recorder.sent))


async def record(core: Core, run: str = "run1", **fields: Any) -> None:
    """A finished run: c1 → c2 → c3."""
    recorder = Recorder(run)
    recorder.start(**fields)
    for number, inputs in ((1, ()), (2, ("c1",)), (3, ("c2",))):
        recorder.call(f"c{number}", inputs)
    recorder.end()
    await take(core, recorder)


async def do(core: Core, command: str, /, **params: Any) -> dict[str, Any]:
    return await execute(core, Caller(), command, params)


async def error(core: Core, command: str, /, **params: Any) -> CommandError:
    with pytest.raises(CommandError) as raised:
        await do(core, command, **params)
    return raised.value


# -- what every command has in common


async def test_a_parameter_that_does_not_exist_is_refused_with_the_one_that_was_meant(core: Core) -> None:
    found = await error(core, "ao.graph", evidense="all")
    assert (found.code, str(found), found.hint) == (
        "bad_params",
        "no such parameter: evidense",
        "did you mean evidence?",
    )


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("ao.graph", {"run": 7}, "run must be text"),
        ("ao.graph", {"format": "png"}, "format must be json | text | mermaid | dot | svg"),
        ("ao.graph", {"color": 1}, "color must be true or false"),
        ("ao.runs", {"limit": True}, "limit must be a whole number"),
        ("ao.runs", {"limit": 0}, "limit must be at least 1"),
        ("ao.runs", {"name": "("}, "name is no regular expression"),
        ("ao.call", {}, "call is missing"),
        ("ao.call", {"call": 1.5}, "call must be text or a whole number"),
        ("ao.edit", {"call": 1}, "content is missing"),
        ("ao.plan", {"policy": "maybe"}, "policy must be live | strict | ask"),
        ("ao.rerun", {"policy": "ask"}, "policy must be live | strict"),
    ],
)
async def test_a_parameter_of_another_type_is_refused_in_words(
    core: Core, name: str, params: Any, message: str
) -> None:
    found = await error(core, name, **params)
    assert found.code == "bad_params"
    assert message in str(found)


async def test_parameters_that_are_no_object_are_refused(core: Core) -> None:
    given: list[Any] = [[], "run1", 3]
    for params in given:
        with pytest.raises(CommandError, match="one JSON object"):
            await execute(core, Caller(), "ao.runs", params)
    assert await execute(core, Caller(), "ao.runs", None) == {"runs": [], "total": 0}


async def test_a_command_that_does_not_exist_is_refused_with_the_one_that_was_meant(core: Core) -> None:
    found = await error(core, "ao.grahp")
    assert (found.code, found.hint) == ("unknown_command", "did you mean ao.graph?")


async def test_a_fault_of_ours_is_logged_and_named_and_not_the_end(
    core: Core, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(core.store, "run_names", None)
    found = await error(core, "ao.runs")
    assert found.code == "internal"
    assert "ao.runs failed" in caplog.text


# -- which run, which call


async def test_a_run_is_named_by_id_prefix_name_or_last(core: Core) -> None:
    await record(core, "aaa111", name="first")
    await record(core, "aab222", name="agent.py")
    await record(core, "bbb333", name="agent.py")
    for wanted, run in {
        "aaa111": "aaa111", "aaa": "aaa111", "first": "aaa111", "agent.py": "bbb333", "last": "bbb333", "b": "bbb333",
    }.items():  # fmt: skip
        assert (await do(core, "ao.graph", run=wanted))["run"]["id"] == run, wanted


async def test_a_run_that_is_meant_by_nobody_or_several_is_an_error_with_a_hint(core: Core) -> None:
    assert (await error(core, "ao.graph")).hint == "record a program: ao-record script.py"
    await record(core, "aaa111")
    await record(core, "aab222")
    ambiguous, unknown, empty = [await error(core, "ao.graph", run=run) for run in ("aa", "zzz", "")]
    assert (ambiguous.code, ambiguous.hint) == ("ambiguous", "one of aab222, aaa111")
    assert (unknown.code, unknown.hint) == ("not_found", "ao runs lists them; the newest is aab222")
    assert empty.code == "not_found"


async def test_a_call_is_named_by_number_id_or_prefix(core: Core) -> None:
    await record(core)
    for wanted in (2, "2", "c2"):
        assert (await do(core, "ao.call", call=wanted))["call"]["id"] == "c2"
    ambiguous, unknown = [await error(core, "ao.call", call=call) for call in ("c", 4)]
    assert ambiguous.code == "ambiguous"
    assert (unknown.code, unknown.hint) == ("not_found", "it has calls 1 to 3: ao graph run1")


# -- looking


async def test_the_graph_has_exactly_the_documented_fields(core: Core) -> None:
    await record(core)
    found = await do(core, "ao.graph", run="run1")
    assert list(found) == ["run", "subruns", "nodes", "edges", "outside"]
    assert list(found["run"]) == [
        "id", "name", "status", "exit_code", "argv", "started", "duration_s", "version", "parent_run", "fork_call",
        "subrun_of", "result", "notes", "version_exact", "version_note", "cost_usd", "unknown_costs",
    ]  # fmt: skip
    assert list(found["nodes"][0]) == [
        "id", "run", "number", "kind", "provider", "model", "endpoint", "status", "origin", "file", "line", "end_line",
        "function", "input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens", "cost_usd", "duration_s",
        "streamed", "thread", "task", "subrun",
    ]  # fmt: skip
    assert found["edges"][0] == {
        "source": "c1",
        "target": "c2",
        "evidence": "tracked",
        "path": [{"file": "/project/agent.py", "line": 11}],
    }
    node = {key: value for key, value in found["nodes"][0].items() if key not in ("id", "number", "run", "subrun")}
    assert node == {
        "kind": "llm", "provider": "openai", "model": "gpt-5", "endpoint": "/v1/chat/completions", "status": "ok",
        "origin": "live", "file": "/project/agent.py", "line": 12, "end_line": 12, "function": "work",
        "input_tokens": 7, "output_tokens": 3, "cached_tokens": None, "reasoning_tokens": None,
        "cost_usd": 3.875e-05, "duration_s": 0.25, "streamed": False,
        "thread": "MainThread", "task": None,
    }  # fmt: skip


async def test_cached_tokens_are_kept_and_paid_less(core: Core) -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 0, "prompt_tokens_details": {"cached_tokens": 1000}}
    recorder = Recorder()
    recorder.start()
    recorder.call("c1", response=chat_response(usage={**usage, "prompt_tokens_details": {}}))
    recorder.call("c2", response=chat_response(usage=usage))
    await take(core, recorder)
    full, cached = (await do(core, "ao.graph"))["nodes"]
    assert (full["cached_tokens"], cached["cached_tokens"]) == (None, 1000)
    assert cached["cost_usd"] == pytest.approx(full["cost_usd"] / 10)


async def test_a_run_costs_what_its_live_calls_cost_and_says_how_many_are_unknown(core: Core) -> None:
    recorder = Recorder()
    recorder.start()
    recorder.call("c1")
    recorder.call("c2", origin="replayed")
    recorder.call("c3", url="http://127.0.0.1:1/v1/chat/completions")
    await take(core, recorder)
    graph = await do(core, "ao.graph")
    first, second, third = graph["nodes"]
    assert first["cost_usd"] > 0
    assert (second["cost_usd"], third["cost_usd"]) == (0, None)
    (run,) = (await do(core, "ao.runs"))["runs"]
    for found in (graph["run"], run):
        assert (found["cost_usd"], found["unknown_costs"]) == (first["cost_usd"], 1)


async def test_a_run_of_which_no_cost_is_known_has_none(core: Core) -> None:
    recorder = Recorder()
    recorder.start()
    recorder.call("c1", url="http://127.0.0.1:1/v1/chat/completions")
    await take(core, recorder)
    (run,) = (await do(core, "ao.runs"))["runs"]
    assert (run["cost_usd"], run["unknown_costs"]) == (None, 1)
    assert "cost unknown" in (await do(core, "ao.graph", format="text"))["text"]


async def test_edges_that_were_matched_by_text_can_be_left_out(core: Core) -> None:
    recorder = Recorder()
    recorder.start()
    recorder.call("c1")
    recorder.call("c2", inputs=())
    matched = {"call": "c2", "evidence": "matched"}
    recorder.call_start("c3", inputs=("c1", matched))
    await take(core, recorder)
    assert len((await do(core, "ao.graph"))["edges"]) == 2
    (edge,) = (await do(core, "ao.graph", evidence="tracked"))["edges"]
    assert edge["source"] == "c1"


@pytest.mark.parametrize(
    ("form", "start"), [("text", "agent.py · finished"), ("mermaid", "flowchart"), ("dot", "digraph"), ("svg", "<svg")]
)
async def test_a_graph_can_be_had_as_a_drawing(core: Core, form: str, start: str) -> None:
    await record(core)
    found = await do(core, "ao.graph", format=form)
    assert (found["run"], found["format"]) == ("run1", form)
    assert found["text"].startswith(start)


async def test_a_drawing_in_text_says_whose_its_lines_are(core: Core) -> None:
    await record(core)
    await do(core, "ao.edit", call=2, content="better")
    found = await do(core, "ao.graph", format="text")
    whole = await do(core, "ao.graph")
    assert [row["node"] for row in found["rows"]] == whole["nodes"]
    lines = found["text"].splitlines()
    assert [lines[row["row"]].split()[0] for row in found["rows"]] == ["1", "2", "3"]
    assert (found["details"], found["subruns"]) == (whole["run"], [])


async def test_what_the_recorder_could_not_do_stands_below_the_drawing(core: Core) -> None:
    recorder = Recorder()
    recorder.start()
    for _ in range(2):
        recorder.event("run.note", level="warning", message="tracking lost a value\x1b[2J")
    recorder.end()
    await take(core, recorder)
    drawn = (await do(core, "ao.graph", format="text"))["text"]
    assert drawn.splitlines()[1:] == ["! tracking lost a value\N{REPLACEMENT CHARACTER}[2J"]


async def test_runs_are_listed_newest_first_with_what_a_list_shows(core: Core) -> None:
    await record(core, "run1", name="one")
    await record(core, "run2", name="two", at=1e10)
    await record(core, "run3", name="twofold", at=0.0)
    found = await do(core, "ao.runs")
    assert [run["id"] for run in found["runs"]] == ["run2", "run1", "run3"]
    assert found["runs"][0]["calls"] == 3
    assert (found["runs"][0]["input_tokens"], found["runs"][0]["output_tokens"]) == (21, 9)
    limited = await do(core, "ao.runs", limit=1, name="^two")
    assert ([run["id"] for run in limited["runs"]], limited["total"]) == (["run2"], 2)


async def test_a_call_is_shown_whole(core: Core) -> None:
    await record(core)
    found = await do(core, "ao.call", call=2, raw=True)
    assert found["messages"] == [{"role": "user", "text": "c2", "tool_calls": []}]
    assert found["output"]["text"] == "output of c2"
    assert list(found["output"]) == ["text", "reasoning", "tool_calls", "finish_reason", "model", "usage"]
    assert found["output"]["usage"] == {
        "input_tokens": 7, "cached_tokens": None, "cache_write_tokens": None, "output_tokens": 3,
        "reasoning_tokens": None,
    }  # fmt: skip
    assert found["request"]["body"]["messages"][0]["content"] == "c2"
    assert found["response"]["body"]["object"] == "chat.completion"
    assert [(edge["source"], edge["number"]) for edge in found["sources"]] == [("c1", 1)]
    assert [(edge["target"], edge["number"]) for edge in found["targets"]] == [("c3", 3)]
    assert set(found["raw"]) == {"request", "response"}
    assert "raw" not in await do(core, "ao.call", call=2)


async def test_a_call_that_has_not_ended_or_failed_is_shown_too(core: Core) -> None:
    recorder = Recorder()
    recorder.start()
    recorder.call_start("running")
    recorder.call_start("failed")
    body = b'{"error": {"message": "slow down", "type": "rate_limit"}}'
    recorder.call_end("failed", body, status="error", http_status=429)
    recorder.call_start("broken")
    recorder.call_end("broken", b"", status="error", http_status=None, error={"type": "ReadTimeout", "message": "oh"})
    await take(core, recorder)
    running, failed, broken = [await do(core, "ao.call", call=call) for call in ("running", "failed", "broken")]
    assert (running["call"]["status"], running["response"], running["output"]) == ("running", None, None)
    assert failed["error"] == {"type": "HTTP 429", "message": "slow down", "file": None, "line": None}
    assert (broken["error"]["type"], broken["response"]) == ("ReadTimeout", None)


# -- editing


async def test_an_edit_is_stored_shown_and_taken_back_and_the_original_is_kept(core: Core) -> None:
    await record(core)
    assert await do(core, "ao.edit", call=1, content="better") == {
        "run": "run1",
        "call": "c1",
        "number": 1,
        "field": "output",
    }
    shown = await do(core, "ao.call", call=1)
    assert [(edit["field"], edit["content"]) for edit in shown["edits"]] == [("output", "better")]
    assert shown["output"]["text"] == "output of c1"
    assert (await do(core, "ao.runs"))["runs"][0]["edits"] == 1
    assert (await do(core, "ao.unedit", call=1))["fields"] == ["output"]
    assert (await error(core, "ao.unedit", call=1)).code == "not_found"


async def test_an_edit_that_an_sdk_would_choke_on_is_refused_with_the_reason_and_a_way_out(core: Core) -> None:
    await record(core)
    found = await error(core, "ao.edit", call=1, content='{"object": "chat.completion"}')
    assert (found.code, str(found)) == ("refused", '"choices" must be a list of objects')
    assert found.hint == "the whole output as it is: ao call run1 1 --response"
    whole = json.dumps({"model": "m", "messages": [{"role": "usr", "content": "x"}]})
    found = await error(core, "ao.edit", call=1, field="input", content=whole)
    assert (found.code, "messages[0].role" in str(found)) == ("refused", True)
    assert found.hint == "the whole input as it is: ao call run1 1 --request"
    assert (await do(core, "ao.runs"))["runs"][0]["edits"] == 0


async def test_only_the_edit_that_is_named_is_taken_back(core: Core) -> None:
    await record(core)
    whole = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x"}]})
    await do(core, "ao.edit", call=1, content="better")
    await do(core, "ao.edit", call=1, field="input", content=whole)
    assert (await do(core, "ao.unedit", call=1, field="input"))["fields"] == ["input"]
    assert [edit["field"] for edit in (await do(core, "ao.call", call=1))["edits"]] == ["output"]


async def test_what_was_edited_twice_goes_back_to_the_first_edit_and_then_to_the_recording(core: Core) -> None:
    await record(core)
    for content in ("good", "better", "best"):
        await do(core, "ao.edit", call=1, content=content)

    async def counting() -> list[tuple[str, int]]:
        return [(edit["content"], edit["version"]) for edit in (await do(core, "ao.call", call=1))["edits"]]

    assert await counting() == [("best", 3)]
    back = await do(core, "ao.unedit", call=1)
    assert (back["fields"], back["restored"]) == (["output"], ["output"])
    assert await counting() == [("better", 2)]
    assert (await do(core, "ao.unedit", call=1, all=True))["restored"] == []
    assert await counting() == []


async def test_half_of_a_surrogate_pair_can_be_recorded_and_edited(core: Core) -> None:
    recorder = Recorder("run1")
    recorder.start()
    recorder.call("c1", response=chat_response("cut \ud83d"))
    await take(core, recorder)
    assert (await do(core, "ao.call", call=1))["output"]["text"] == "cut \ud83d"
    await do(core, "ao.edit", call=1, content="and cut \udc00 again")
    (edit,) = await core.store.edits("run1")
    assert edit.content == "and cut \N{REPLACEMENT CHARACTER} again"
    assert b"and cut \\udc00 again" in edit.body


async def test_subscribers_hear_of_edits_and_of_every_event_in_order(core: Core) -> None:
    with core.changes.subscribe() as changes:
        await record(core)
        await do(core, "ao.edit", call=1, content="better")
        heard = await changes.next()
    assert [change.seq for change in heard] == list(range(1, len(heard) + 1))
    assert [change.kind for change in heard][:2] == ["run.started", "call.started"]
    assert (heard[-1].kind, heard[-1].call) == ("edit.stored", "c1")
    assert await core.store.changes_since(heard[0].session, 0) == heard


# -- rerunning


def plans() -> list[str]:
    return os.listdir(paths.plan_dir()) if os.path.exists(paths.plan_dir()) else []


def content(path: str) -> str:
    return Path(path).read_text()


async def test_a_plan_says_what_would_happen_and_a_dry_run_leaves_nothing_behind(core: Core) -> None:
    await record(core)
    found = await do(core, "ao.plan", **{"from": 2, "dry_run": True})
    assert found["counts"] == {"calls": 3, "replayed": 1, "edited": 0, "live": 2, "affected": 0, "run": 0}
    assert [entry["action"] for entry in found["calls"]] == ["replay", "live", "live"]
    assert (found["parent_run"], found["fork_call"]) == ("run1", "c2")
    assert "plan" not in found
    assert plans() == []


async def test_a_plan_has_what_is_needed_to_start_the_rerun(core: Core) -> None:
    await record(
        core,
        argv=["-m", "x", "--fast"],
        target={"kind": "module", "value": "pkg.mod"},
        options=["--rewrite", "lib"],
        env={"LANG": "C", "AO_HOME": "/elsewhere"},
        python="/venv/bin/python",
        cwd="/project",
    )
    found = await do(core, "ao.plan")
    assert found["argv"] == [
        sys.executable, "-m", "ao_lsp.runner", "--python", "/venv/bin/python", "--rewrite", "lib", "-m", "pkg.mod",
        "x", "--fast",
    ]  # fmt: skip
    assert (found["cwd"], found["python"]) == ("/project", "/venv/bin/python")
    assert found["env"] == {"LANG": "C", "AO_PLAN": found["plan"]}
    assert found["plan"] == os.path.join(paths.plan_dir(), f"{found['run']}.plan")
    assert os.stat(found["plan"]).st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("target", "argv", "named"),
    [
        ({"kind": "script", "value": "agent.py"}, ["agent.py", "-v"], ["agent.py", "-v"]),
        ({"kind": "command", "value": "print(1)"}, ["-c", "-v"], ["-c", "print(1)", "-v"]),
        ({"kind": "module", "value": "m"}, ["-m"], ["-m", "m"]),
    ],
)
async def test_a_program_is_named_again_as_it_was(core: Core, target: Any, argv: list[str], named: list[str]) -> None:
    await record(core, target=target, argv=argv, python="")
    assert (await do(core, "ao.plan"))["argv"] == [sys.executable, "-m", "ao_lsp.runner", *named]


async def test_a_rerun_in_the_background_runs_the_program_again_with_its_plan(core: Core, tmp_path: Path) -> None:
    script = tmp_path / "agent.py"
    script.write_text("import os, sys\nprint('again', sys.argv[1:], os.environ['FROM_CALLER'])\nsys.exit(3)\n")
    argv = ["agent.py", "x"]
    await record(
        core, argv=argv, target={"kind": "script", "value": "agent.py"}, cwd=str(tmp_path), python=sys.executable
    )
    said: list[tuple[int, int | None, str]] = []
    caller = Caller(env={**os.environ, "FROM_CALLER": "yes"}, progress=lambda *told: said.append(told))
    found = await execute(core, caller, "ao.rerun", {"wait": True})
    assert found["exit_code"] == 3
    assert content(found["log"]) == "again ['x'] yes\n"
    assert said[0] == (0, 3, "0 of about 3 calls")
    assert not core.busy


async def test_a_rerun_can_be_stopped_with_all_that_it_started(core: Core, tmp_path: Path) -> None:
    script = tmp_path / "agent.py"
    script.write_text("import subprocess, time\nsubprocess.Popen(['sleep', '60'])\ntime.sleep(60)\n")
    await record(core, target={"kind": "script", "value": "agent.py"}, cwd=str(tmp_path), python=sys.executable)
    found = await do(core, "ao.rerun")
    assert core.busy
    assert await do(core, "ao.stop", run=found["run"]) == {"run": found["run"], "subrun": None}
    assert not core.busy
    with pytest.raises(ProcessLookupError):
        os.killpg(found["pid"], 0)
    assert (await error(core, "ao.stop", run="run1")).code == "conflict"


async def test_a_rerun_whose_folder_is_gone_is_an_error_and_leaves_no_plan(core: Core) -> None:
    await record(core, cwd="/no/such/folder")
    found = await error(core, "ao.rerun")
    assert (found.code, "cannot be started in /no/such/folder" in str(found)) == ("conflict", True)
    assert plans() == []


# -- comparing


async def test_a_diff_of_a_run_with_itself_is_refused_and_names_the_one_that_is_meant(core: Core) -> None:
    await record(core, "run1")
    found = await error(core, "ao.diff", a="run1", b="last")
    assert (found.code, "a name means its newest run" in str(found)) == ("bad_params", True)


async def test_a_diff_tells_what_the_program_got_otherwise(core: Core) -> None:
    await record(core, "run1")
    recorder = Recorder("run2")
    recorder.start()
    recorder.call("d1", origin="replayed", source_call="c1", response=chat_response("output of c1"))
    recorder.call("d2", origin="edited", source_call="c2", response=chat_response("edited"), request_hash="hash-c2")
    recorder.end()
    await take(core, recorder)
    found = await do(core, "ao.diff", a="run1", b="run2")
    assert found["counts"] == {"same": 1, "changed": 1, "added": 0, "removed": 1}
    same, changed, removed = found["calls"]
    assert (same["output"], same["b"]["origin"]) == (None, "replayed")
    assert changed["output"] == {"a": "output of c2", "b": "edited"}
    assert (changed["input_changed"], removed["b"]) == (False, None)


@pytest.mark.parametrize(
    "params", [{"run": "a\ud83d"}, {"run": "last", "call": 1 << 63}, {"run": "last", "call": "\udc00"}]
)
async def test_what_can_be_the_name_of_nothing_is_refused(core: Core, params: Any) -> None:
    await record(core)
    assert (await error(core, "ao.call", **{"call": 1, **params})).code == "bad_params"
