"""What the user of an editor sees: the real `ao-lsp`, the real daemon, and what each editor can do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException

from tests.daemons import ask, log, start
from tests.lsp.conftest import AGENT, NEVER, PLAN, SEARCH, begin, plan_site, record, search_site
from tests.lsp.editors import PROFILES, editor
from tests.recorder import chat_request, chat_response

pytestmark = pytest.mark.usefixtures("home")

OFFERS = ["▶ rerun from here", "✎ output", "✎ input", "graph"]


@pytest.mark.parametrize("profile", PROFILES)
async def test_every_editor_sees_what_was_recorded_at_the_calls_of_its_file(agent: Path, profile: str) -> None:
    record(agent)
    async with editor(profile) as user:
        uri = await user.open(agent)
        assert await user.lens_titles(uri) == {
            PLAN: [*OFFERS, "gpt-5 · 10 tok · <$0.0001 · 0.25 s"],
            SEARCH: [*OFFERS, "2 calls · gpt-5 · 20 tok · <$0.0001 · 0.50 s"],
            NEVER: ["not recorded yet"],
        }
        assert await user.hints(uri) == {PLAN: "→ output of c1", SEARCH: "→ output of c3"}
        hover = await user.hover(uri, PLAN)
        for part in ("plan", "gpt-5", "7 tokens in, 3 out", "$0.0001", "output of c1", "user", "c1", "agent.py:14"):
            assert part in hover
        assert "← 1 plan" in await user.hover(uri, SEARCH)
        assert await user.hover(uri, 1) == ""
        assert user.messages == []
    assert "Traceback" not in log()


async def test_a_hover_tells_the_way_of_each_value_and_which_is_known_by_its_text_only(agent: Path) -> None:
    start()
    runner = begin(agent)
    plan = "Survey the harbour wall first, then replace every cracked bollard."
    way = [{"file": str(agent), "line": line} for line in (PLAN, 10, 30, 10, SEARCH)]
    runner.call("c1", site=plan_site(agent), response=chat_response(plan), at=1000.0)
    runner.call("c2", site=plan_site(agent), at=1001.0)
    tracked = {"call": "c2", "evidence": "tracked", "path": way}
    runner.call_start("c3", [tracked], chat_request(plan), site=search_site(agent), at=1002.0)
    runner.call_end("c3")
    runner.end()
    runner.wait()
    async with editor("neovim-0.12") as user:
        hover = await user.hover(await user.open(agent), SEARCH)
        # Markdown: links in brackets.
        said = re.sub(r"\]\([^)]*\)|[\[\\]", "", hover)
        assert "← 1 plan at agent.py:9 (matched by its text)" in said
        assert "← 2 plan at agent.py:9, through agent.py:10, agent.py:30" in said
        assert "agent.py:14" not in said.split("← 2")[1].split("\n")[0]


@pytest.mark.parametrize("profile", PROFILES)
async def test_every_lens_is_a_code_action_too(agent: Path, profile: str) -> None:
    record(agent)
    async with editor(profile) as user:
        uri = await user.open(agent)
        for line in (PLAN, SEARCH, NEVER):
            lenses = [one.command for one in await user.lenses(uri) if one.range.start.line == line - 1]
            actions = await user.actions(uri, line)
            offered = [(command.command, list(command.arguments or ())) for _, command in actions]
            assert offered[: len(lenses)] == [(lens.command, list(lens.arguments or ())) for lens in lenses if lens]
            to_read = [] if line == NEVER else ["ao.openPrompt", "ao.openOutput"]
            assert [command for command, _ in offered[len(lenses) :]] == to_read
            assert all(title.startswith("ao: ") for title, _ in actions)
        assert await user.actions(uri, SEARCH + 2) == await user.actions(uri, SEARCH)
        titles = [title for title, _ in await user.actions(uri, 1)]
        assert titles == ["ao: graph of the last run of agent.py", "ao: record this file"]
        assert len(await user.actions(uri, PLAN, "refactor")) == 7
        assert await user.actions(uri, PLAN, "source.organizeImports") == []


async def test_positions_are_in_the_units_of_the_editor(tmp_path: Path) -> None:
    file = tmp_path / "agent.py"
    source = 'import openai\nc = openai.OpenAI()\nx = "𝒳é"; r = c.responses.create(model="m", input="𝒳")\n'
    file.write_text(source, "utf-8")
    # The call starts behind `x = "𝒳é"; r = `: 14 code points.
    for profile, column in (("empty", 15), ("vscode", 15), ("neovim-0.11", 18), ("eglot", 14)):
        async with editor(profile) as user:
            uri = await user.open(file)
            [lens] = await user.lenses(uri)
            assert lens.range.start == lsp.Position(2, column), profile


async def test_calls_show_before_they_have_ever_run(agent: Path) -> None:
    async with editor("vscode") as user:
        uri = await user.open(agent)
        assert await user.lens_titles(uri) == {line: ["not recorded yet"] for line in (PLAN, SEARCH, NEVER)}
        assert await user.hints(uri) == {}
        assert await user.click(uri, PLAN, "not recorded") == {
            "command": "ao-record agent.py",
            "argv": ["ao-record", "agent.py"],
            "cwd": str(agent.parent),
        }
        assert "ao-record agent.py" in user.messages[0]


async def test_only_python_files_are_looked_at(tmp_path: Path) -> None:
    file = tmp_path / "notes.md"
    file.write_text(AGENT, "utf-8")
    async with editor("vscode") as user:
        uri = await user.open(file)
        assert (await user.lenses(uri), await user.hints(uri), await user.hover(uri, PLAN)) == ([], {}, "")


async def test_a_run_shows_up_while_it_goes_on(agent: Path) -> None:
    start()
    async with editor("vscode", ao=True) as user:
        uri = await user.open(agent)
        recorder = begin(agent)
        recorder.call_start("c1", site=plan_site(agent), stack=[plan_site(agent)])
        recorder.wait()
        await user.until(lambda: {"lenses", "hints"} <= set(user.refreshes))
        assert await user.hints(uri) == {PLAN: "… running"}
        user.refreshes.clear()
        recorder.call_end("c1")
        recorder.wait()
        await user.until(lambda: {"lenses", "hints"} <= set(user.refreshes))
        assert await user.hints(uri) == {PLAN: "→ output of c1"}
        assert user.refreshes.index("hints") < user.refreshes.index("lenses"), "Neovim 0.12 would draw old hints"
        recorder.end()
        recorder.wait()
        revision = (await user.request("ao/graph", run="last"))["revision"]
        await user.until(lambda: user.graph_changes[-1:] == [{"run": "run1", "revision": revision}])


async def test_what_happened_can_be_asked_for_from_a_number_on(agent: Path) -> None:
    start()
    async with editor("vscode", ao=True) as user:
        recorder = begin(agent)
        recorder.call("c1", site=plan_site(agent), stack=[plan_site(agent)])
        recorder.wait()
        found = await user.request("ao/events", run="last")
        kinds = [change["kind"] for change in found["changes"] if change["kind"] != "run.versioned"]
        assert kinds == ["run.started", "call.started", "call.ended"]
        assert (found["session"], found["seq"]) == ("session-run1", found["changes"][-1]["seq"])
        recorder.end()
        recorder.wait()
        more = await user.request("ao/events", session=found["session"], after=found["seq"])
        assert "run.ended" in [change["kind"] for change in more["changes"]]
        assert [change["seq"] for change in more["changes"]] == list(range(found["seq"] + 1, more["seq"] + 1))
        # Of another database, or too old.
        snapshot = (await user.request("ao/events", run="run1", after=99))["snapshot"]
        assert [(run["id"], run["status"], len(run["calls"])) for run in snapshot["runs"]] == [("run1", "finished", 1)]


async def test_a_subrun_that_is_shown_is_kept_fresh_while_it_goes_on(agent: Path) -> None:
    start()
    async with editor("vscode", ao=True) as user:
        uri = await user.open(agent)
        recorder = begin(agent)
        recorder.event("subrun.start", subrun="part", name="part", session="session-run1", argv=["agent.py"], path=[])
        recorder.wait()
        await user.until(lambda: any(change["run"] == "part" for change in user.graph_changes))
        assert (await user.request("ao/graph", run="part"))["nodes"] == []
        user.graph_changes.clear()
        user.refreshes.clear()
        recorder.call_start("c1", subrun="part", site=plan_site(agent), stack=[plan_site(agent)])
        recorder.call_end("c1", subrun="part")
        recorder.wait()
        shown = await user.request("ao/graph", run="part")
        assert [node["id"] for node in shown["nodes"]] == ["c1"]
        told = [{"run": run, "revision": shown["revision"]} for run in ("part", "run1")]
        await user.until(lambda: all(change in user.graph_changes for change in told))
        await user.until(lambda: {"lenses", "hints"} <= set(user.refreshes))
        assert await user.hints(uri) == {PLAN: "→ output of c1"}
        # Who ends without a word ends its subruns, and who looks at them hears of it.
        user.graph_changes.clear()
        recorder.end()
        recorder.wait()
        await user.until(lambda: any(change["run"] == "part" for change in user.graph_changes))
        assert (await user.request("ao/graph", run="part"))["run"]["status"] == "killed"


async def test_a_client_that_did_not_ask_for_it_gets_no_notification_of_ours(agent: Path) -> None:
    record(agent, "before")
    async with editor("vscode") as user, editor("neovim-0.12", ao=True) as other:
        await user.open(agent)
        record(agent)
        await user.until(lambda: user.refreshes)
        await other.until(lambda: other.graph_changes)
        assert user.graph_changes == []
        assert user.capabilities.experimental is None
        assert other.capabilities.experimental is not None


async def test_a_client_may_negotiate_in_its_initialization_options(agent: Path) -> None:
    async with editor("helix", options={"ao": {"version": 1}}) as user:
        await user.open(agent)
        record(agent)
        await user.until(lambda: user.graph_changes)


@pytest.mark.parametrize("profile", ["helix", "eglot", "empty"])
async def test_an_editor_that_cannot_refresh_is_not_asked_to(agent: Path, profile: str) -> None:
    async with editor(profile, ao=True) as user:
        await user.open(agent)
        record(agent)
        await user.until(lambda: user.graph_changes)
        assert user.refreshes == []


async def test_runs_of_other_files_cause_no_refresh(agent: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.py"
    other.write_text(AGENT, "utf-8")
    async with editor("vscode", ao=True) as user:
        await user.open(other)
        record(agent)
        await user.until(lambda: user.graph_changes)
        assert user.refreshes == []


async def test_recorded_calls_follow_an_unsaved_buffer(agent: Path) -> None:
    record(agent)
    async with editor("vscode") as user:
        uri = await user.open(agent)
        user.insert(uri, 0, 0, "# a comment\n\n")
        assert await user.hints(uri) == {PLAN + 2: "→ output of c1", SEARCH + 2: "→ output of c3"}
        user.replace(uri, AGENT.replace("messages=[{", "messages=[{{{"))
        assert set(await user.hints(uri)) == {PLAN, SEARCH}, "broken syntax clears nothing"
        user.replace(uri, AGENT.replace('"gpt-5-mini"', '"gpt-6"'))
        assert set(await user.hints(uri)) == {PLAN, SEARCH}


async def test_two_editors_share_a_daemon_and_one_that_crashes_disturbs_nobody(agent: Path) -> None:
    record(agent)
    async with editor("vscode") as user:
        uri = await user.open(agent)
        async with editor("neovim-0.11") as other:
            other_uri = await other.open(agent)
            other.insert(other_uri, 0, 0, "\n")  # buffers are apart
            assert set(await other.hints(other_uri)) == {PLAN + 1, SEARCH + 1}
            assert set(await user.hints(uri)) == {PLAN, SEARCH}
            assert len([c for c in ask("daemon.status")["clients"] if c["role"] == "lsp"]) == 2
        async with editor("helix") as crashing:
            await crashing.open(agent)
            server = crashing.client._server
            assert server is not None
            server.kill()
            await server.wait()
            crashing.client.capabilities = None  # nobody is there to say goodbye to
        assert set(await user.hints(uri)) == {PLAN, SEARCH}
    assert "Traceback" not in log()


async def test_commands_of_the_command_line_work_in_an_editor(agent: Path) -> None:
    record(agent)
    async with editor("helix") as user:
        runs = await user.run("ao.runs")
        assert [run["id"] for run in runs["runs"]] == ["run1"]
        graph = await user.run("ao.graph", run="run1", format="text")
        assert "search" in graph["text"]
        assert (await user.run("ao.call", run="run1", call=2))["output"]["text"] == "output of c2"
        with pytest.raises(JsonRpcException, match="there is no run nope"):
            await user.run("ao.graph", run="nope")
        with pytest.raises(JsonRpcException, match="did you mean format"):
            await user.run("ao.graph", formt="text")
        assert user.messages == [], "who asked is answered, not shown a message"


async def test_of_several_calls_the_user_chooses(agent: Path) -> None:
    record(agent)
    async with editor("vscode") as user:
        uri = await user.open(agent)
        assert await user.click(uri, SEARCH, "✎ output") == {}, "the question was dismissed"
        user.answers["Edit the output of which call?"] = "call 2"
        answer = await user.click(uri, SEARCH, "✎ output")
        assert user.shown == [Path(answer["path"])]
        assert user.shown[0].read_text("utf-8") == "output of c2\n"


async def test_failed_and_edited_calls_say_so(agent: Path) -> None:
    start()
    recorder = begin(agent)
    recorder.call_start("c1", site=plan_site(agent), stack=[plan_site(agent)])
    recorder.call_end("c1", b'{"error": {"message": "rate limit"}}', status="error", http_status=429)
    recorder.call("c2", site=search_site(agent), stack=[search_site(agent)])
    recorder.end()
    recorder.wait()
    ask("ao.edit", run="run1", call="c2", content="better")
    async with editor("neovim-0.12") as user:
        uri = await user.open(agent)
        assert await user.hints(uri) == {PLAN: "✗ HTTP 429: rate limit", SEARCH: "✎ better"}
        titles = await user.lens_titles(uri)
        assert titles[PLAN] == ["▶ rerun from here", "✎ input", "graph", "gpt-5 · 0.25 s · failed"]
        assert "↶ edited output" in titles[SEARCH]
        await user.click(uri, SEARCH, "↶")
        await user.until(lambda: user.refreshes)
        assert (await user.hints(uri))[SEARCH] == "→ output of c2"


async def test_the_panel_gets_what_the_commands_give_and_a_revision(agent: Path) -> None:
    record(agent)
    async with editor("vscode", ao=True) as user:
        graph = await user.request("ao/graph", run="last")
        assert graph.pop("revision") > 0
        assert graph == ask("ao.graph", run="last")
        assert (await user.request("ao/runs"))["total"] == 1
        assert (await user.request("ao/call", run="run1", call="c1"))["call"]["number"] == 1
        with pytest.raises(JsonRpcException, match="there is no run nope"):
            await user.request("ao/graph", run="nope")


async def test_a_call_is_located_in_the_buffer_as_it_is_now(agent: Path) -> None:
    record(agent)
    async with editor("vscode", ao=True) as user:
        where = {"uri": agent.as_uri(), "line": SEARCH, "end_line": SEARCH + 3, "moved": False, "found": True}
        assert await user.request("ao/locate", run="run1", call=2) == where, "of the file, as nothing has it open"
        uri = await user.open(agent)
        user.insert(uri, 0, 0, "# a comment\n\n")
        assert await user.request("ao/locate", run="run1", call=2) == {
            **where, "line": SEARCH + 2, "end_line": SEARCH + 5, "moved": True,
        }  # fmt: skip
        user.replace(uri, "# nothing is left\n")
        assert await user.request("ao/locate", run="run1", call=2) == {**where, "found": False}
        with pytest.raises(JsonRpcException, match="has no call 9"):
            await user.request("ao/locate", run="run1", call=9)
    agent.unlink()
    async with editor("vscode", ao=True) as user:
        assert await user.request("ao/locate", run="run1", call=2) == {**where, "found": False}


async def test_nothing_is_advertised_that_belongs_to_others() -> None:
    async with editor("vscode") as user:
        offered = user.capabilities
        for theirs in ("definition_provider", "references_provider", "completion_provider", "rename_provider"):
            assert getattr(offered, theirs) is None
        for ours in ("code_lens_provider", "inlay_hint_provider", "hover_provider", "execute_command_provider"):
            assert getattr(offered, ours)


async def test_a_command_that_is_picked_from_a_list_shows_what_it_gives(agent: Path) -> None:
    record(agent)
    async with editor("helix") as user:
        # As Helix and Emacs send it: without any argument.
        await user.client.workspace_execute_command_async(lsp.ExecuteCommandParams("ao.graph"))
        [shown] = user.shown
        assert "3 calls" in shown.read_text("utf-8").splitlines()[0]
