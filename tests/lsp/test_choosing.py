"""Several runs, subruns and calls at one place: one lens for each thing to do, and questions which of them is meant."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.daemons import ask, start
from tests.lsp.conftest import NEVER, PLAN, SEARCH, record, search_site
from tests.lsp.editors import editor
from tests.lsp.raw import Raw, notification
from tests.lsp.raw import client as raw_client
from tests.recorder import Recorder, chat_response

pytestmark = pytest.mark.usefixtures("home")


def searches(agent: Path, run: str, calls: list[str], started: float, subrun: str | None = None) -> None:
    """A run that made these calls at one place; `subrun`: the second half in one of that name."""
    runner = begin_at(agent, run, started)
    inside: dict[str, Any] = {}
    for number, call in enumerate(calls):
        if subrun is not None and number == len(calls) // 2:
            runner.event("subrun.start", subrun=subrun, name=subrun, session=run, argv=["agent.py"], path=[])
            inside = {"subrun": subrun}
        here = search_site(agent)
        runner.call_start(call, site=here, stack=[here], at=started + number, **inside)
        runner.call_end(call, chat_response(f"output of {run} {call}"), **inside)
    runner.end()
    runner.wait()
    runner.close()


def begin_at(agent: Path, run: str, started: float) -> Recorder:
    recorder = Recorder(run).connect()
    target = {"kind": "script", "value": str(agent)}
    recorder.start(argv=[str(agent)], target=target, cwd=str(agent.parent), at=started)
    return recorder


async def test_of_more_calls_than_nine_there_are_pages(agent: Path) -> None:
    start()
    searches(agent, "run1", [f"c{number}" for number in range(1, 21)], 1000.0)
    async with editor("vscode") as user:
        uri = await user.open(agent)
        titles = (await user.lens_titles(uri))[SEARCH]
        assert titles[:4] == ["▶ rerun from here", "✎ output", "✎ input", "graph"]
        assert titles[4].startswith("20 calls · gpt-5 · ")
        user.answers["Open the output of which call?"] = ["more…", "more…", "call 20 "]
        [command] = [one for title, one in await user.actions(uri, SEARCH) if title.startswith("ao: open the output")]
        await user.choose(command)
        assert [len(offered) for offered in user.offered] == [9, 9, 4]
        assert user.offered[0][:2] == ["call 1 (search) · output of run1 c1", "call 2 (search) · output of run1 c2"]
        assert [offered[-1] for offered in user.offered] == ["more…", "more…", "call 20 (search) · output of run1 c20"]
        assert len(user.shown_uris) == 1
        assert "c20" in user.shown_uris[0]


def at(started: float) -> str:
    """How a run that started then is told."""
    return datetime.fromtimestamp(started).astimezone().strftime("%d %b %H:%M:%S")


def several(agent: Path) -> None:
    """Three runs that came to one place."""
    start()
    searches(agent, "run1", ["c1", "c2"], 1000.0)
    searches(agent, "run2", [f"d{number}" for number in range(1, 13)], 2000.0, "sample")
    searches(agent, "run3", ["e1"], 3000.0)
    ask("ao.edit", run="run1", call="c2", content="better")


async def test_a_run_a_subrun_and_a_call_are_chosen_and_what_to_do(agent: Path) -> None:
    several(agent)
    async with editor("neovim-0.12") as user:
        uri = await user.open(agent)
        assert (await user.lens_titles(uri))[SEARCH][-1] == "3 runs…"
        user.answers = {
            "Which run?": at(2000.0),
            "Which subrun?": "sample",
            "Which call?": "call 12 ",
            "What about call 12 (search)?": "Edit its output",
        }
        assert await user.click(uri, SEARCH, "3 runs") == {"run": "sample", "call": "d12"}
        assert user.shown[0].read_text("utf-8") == "output of run2 d12\n"
        assert user.offered[0] == [
            f"{at(3000.0)} · agent.py · finished · 1 call",
            f"{at(2000.0)} · agent.py · finished · 12 calls",
            f"{at(1000.0)} · agent.py · finished · 2 calls · edited",
        ]
        assert user.offered[1] == ["outside of subruns · 6 calls", "sample · 6 calls"]
        assert user.offered[2][0] == "call 7 (search) · sample · output of run2 d7"
        assert user.offered[3] == ["Read it", "Rerun from it", "Edit its output", "Edit its input", "Graph of its run"]
        # Of few calls nothing is asked that need not be, and whoever chooses nothing gets nothing.
        user.answers = {"Which run?": at(3000.0), "What about call 1 (search)?": "Graph"}
        assert await user.click(uri, SEARCH, "3 runs") == {"run": "run3", "call": "e1"}
        user.answers = {"Which run?": at(1000.0), "Which call?": "call 2 (search) · ✎ better"}
        assert await user.click(uri, SEARCH, "3 runs") == {}
        assert user.asked[-1] == "What about call 2 (search)?"


async def test_another_run_can_be_chosen_where_a_call_is(agent: Path) -> None:
    several(agent)
    searches(agent, "run4", ["f1", "f2"], 4000.0)
    async with editor("vscode") as user:
        uri = await user.open(agent)
        assert (await user.lens_titles(uri))[SEARCH][-1] == "4 runs…"
        user.answers = {
            "Edit the output of which call?": ["another run…", "call 1 (search)"],
            "Which run?": at(1000.0),
        }
        await user.click(uri, SEARCH, "✎ output")
        assert user.shown[0].read_text("utf-8") == "output of run1 c1\n"
        assert user.offered[0][-1] == "another run…"


async def test_a_client_that_cannot_ask_gets_the_newest_and_is_told_so(agent: Path) -> None:
    several(agent)
    searches(agent, "run4", ["f1", "f2"], 4000.0)
    async with editor("neovim-0.11") as user:
        user.can_ask = False
        uri = await user.open(agent)
        await user.click(uri, SEARCH, "✎ output")
        assert user.shown[0].read_text("utf-8") == "output of run4 f2\n"
        told = "Neovim cannot ask which call is meant; taken was call 2 (search) of run run4"
        assert user.messages == [f"{told}. From now on the menu of code actions names each"]
        assert await user.click(uri, SEARCH, "4 runs") == {"run": "run4", "call": "f2"}


async def test_a_client_that_has_refused_to_ask_has_an_action_for_each_call(agent: Path) -> None:
    start()
    searches(agent, "run1", ["c1", "c2"], 1000.0)
    async with editor("helix-25.01") as user:
        user.can_ask = False
        uri = await user.open(agent)
        assert "ao: edit the output of call 1 (search) or 1 more call…" in [
            t for t, _ in await user.actions(uri, SEARCH)
        ]
        await user.click(uri, SEARCH, "✎ output")
        actions = await user.actions(uri, SEARCH)
        titles = [title for title, _ in actions]
        for verb in (
            "rerun from",
            "edit the output of",
            "edit the input of",
            "open the prompt of",
            "open the output of",
        ):
            assert [title for title in titles if title.startswith(f"ao: {verb} ")] == [
                f"ao: {verb} call 1 (search)", f"ao: {verb} call 2 (search)",
            ]  # fmt: skip
        await user.choose(dict(actions)["ao: edit the output of call 1 (search)"])
        assert len(user.messages) == 3, user.messages
        assert "-1.output.md" in user.messages[-1]


async def test_the_command_line_has_what_can_be_chosen(agent: Path) -> None:
    several(agent)
    found = ask("ao.chooseCall", run="run3", call=1)["calls"]
    assert [one["call"] for one in found] == ["e1", *(f"d{number}" for number in range(1, 13)), "c1", "c2"]
    assert found[-1] == {"run": "run1", "call": "c2", "number": 2, "name": "search"}


def action_kinds(raw: Raw, file: Path, line: int, only: list[str] | None = None, automatic: bool = False) -> list[str]:
    """The kinds of the code actions on a line. As they are sent: lsprotocol takes each for a command."""
    where = {"line": line - 1, "character": 0}
    context: dict[str, Any] = {"diagnostics": [], "triggerKind": 2 if automatic else 1}
    if only is not None:
        context["only"] = only
    params = {
        "textDocument": {"uri": file.as_uri()},
        "range": {"start": where, "end": where},
        "context": context,
    }
    return [action["kind"] for action in raw.ask(2, "textDocument/codeAction", params)["result"]]


def opened(raw: Raw, file: Path) -> None:
    item = {"uri": file.as_uri(), "languageId": "python", "version": 1, "text": file.read_text("utf-8")}
    raw.send(notification("textDocument/didOpen", {"textDocument": item}))


def test_actions_have_kinds_by_which_editors_choose(agent: Path) -> None:
    record(agent)
    nothing = agent.with_name("nothing.py")
    nothing.write_text("x = 1\n")
    with raw_client() as raw:
        support = {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": ["refactor", "source"]}}}
        said = raw.begin(capabilities={"textDocument": {"codeAction": support}})
        kinds = said["result"]["capabilities"]["codeActionProvider"]["codeActionKinds"]
        assert kinds == ["refactor.rewrite.ao", "source.ao"]
        opened(raw, agent)
        opened(raw, nothing)
        rewrite = "refactor.rewrite.ao."
        everything = [
            rewrite + name
            for name in ("rerunFrom", "editOutput", "editInput", "graph", "call", "openPrompt", "openOutput")
        ]
        assert action_kinds(raw, agent, PLAN) == everything
        assert action_kinds(raw, agent, PLAN, automatic=True) == everything
        assert action_kinds(raw, agent, PLAN, ["refactor.rewrite"]) == everything
        assert action_kinds(raw, agent, PLAN, [rewrite + "editOutput"]) == [rewrite + "editOutput"]
        assert action_kinds(raw, agent, NEVER) == [rewrite + "record"]
        whole = ["source.ao.graph", "source.ao.record"]
        assert action_kinds(raw, agent, PLAN, ["source"]) == whole
        assert action_kinds(raw, agent, PLAN, ["source.ao.graph"]) == whole[:1]
        # Where there is no call, a menu that was asked for has what concerns the file; one that comes by itself not.
        assert action_kinds(raw, agent, 1) == whole
        assert action_kinds(raw, agent, 1, automatic=True) == []
        assert action_kinds(raw, agent, 1, ["quickfix"]) == []
        assert action_kinds(raw, nothing, 1) == []


async def test_lenses_of_a_line_begin_one_after_the_other(agent: Path) -> None:
    # Neovim shows those that begin at the same place in an order of its own.
    record(agent)
    async with editor("neovim-0.11") as user:
        lenses = [lens for lens in await user.lenses(await user.open(agent)) if lens.range.start.line == PLAN - 1]
        starts = [lens.range.start.character for lens in lenses]
        assert starts == list(range(starts[0], starts[0] + 5))
        assert {lens.range.end.line for lens in lenses} == {PLAN - 1}
