"""Texts to read in an editor: prompts, outputs, logs, graphs, diffs, old code; under addresses or as files."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types as lsp
from model_server import ModelServer
from pygls.exceptions import JsonRpcException

from ao_lsp import paths
from tests.daemons import ask, log, start
from tests.lsp.conftest import PLAN, begin, plan_site, record
from tests.lsp.editors import CANNOT_SHOW, PROFILES, User, editor
from tests.recorder import chat_response
from tests.runner.recorded import RECORD

pytestmark = pytest.mark.usefixtures("home")

STANDARD: dict[str, Any] = {"textDocumentContent": {"dynamicRegistration": False}}
"""What a client of LSP 3.18 says that it can do."""


async def standard(user: User, uri: str) -> str:
    """What such a client shows under an address."""
    params = lsp.TextDocumentContentParams(uri)
    return (await user.client.workspace_text_document_content_async(params)).text


async def test_texts_open_as_read_only_files_with_names_and_endings(agent: Path) -> None:
    record(agent)
    async with editor("vscode") as user:
        uri = await user.open(agent)
        await user.click(uri, PLAN, "graph")
        assert "├▶●  search" in user.shown[-1].read_text("utf-8")
        assert user.shown[-1].stat().st_mode & 0o777 == 0o400
        await user.click(uri, PLAN, "graph")  # a second time, over the read-only one
        await user.click(uri, PLAN, "gpt-5")
        await user.run("ao.openPrompt", run="run1", call=2)
        await user.run("ao.openOutput", run="run1", call=2)
        await user.run("ao.openOutput", run="run1", call=2, format="json")
        assert [file.name for file in user.shown] == [
            "graph.txt", "graph.txt", "plan-1.md", "search-2.prompt.md", "search-2.output.md", "search-2.response.json",
        ]  # fmt: skip
        whole, prompt, output, response = (file.read_text("utf-8") for file in user.shown[2:])
        assert "## user\n\nc1\n\n## output\n\noutput of c1" in whole
        assert "→ 2" in whole
        assert (prompt, output) == ("## user\n\nc2\n", "output of c2\n")
        assert json.loads(response)["object"] == "chat.completion"
        assert user.messages == []


@pytest.mark.parametrize("profile", PROFILES)
async def test_every_editor_gets_to_a_text_or_is_told_where_it_is(agent: Path, profile: str) -> None:
    record(agent)
    async with editor(profile) as user:
        answer = await user.run("ao.openPrompt", run="run1", call=1)
        file = Path(answer["path"])
        assert (file.name, file.read_text("utf-8")) == ("plan-1.prompt.md", "## user\n\nc1\n")
        if profile in CANNOT_SHOW:
            where = "in" if profile == "empty" else "open now:"
            assert (user.shown, user.messages) == ([], [f"the prompt of call 1 (plan) is {where} {file}"])
        else:
            assert (user.shown, user.messages) == ([file], [])
        assert user.capabilities.workspace is not None
        assert user.capabilities.workspace.text_document_content is None, "offered to those only that know it"


async def test_a_client_of_lsp_3_18_opens_addresses_and_asks_for_their_texts(agent: Path) -> None:
    record(agent)
    async with editor("vscode", workspace=STANDARD) as user:
        assert user.capabilities.workspace is not None
        assert user.capabilities.workspace.text_document_content == lsp.TextDocumentContentOptions(("ao",))
        answer = await user.run("ao.openOutput", run="run1", call=1)
        assert answer == {"uri": "ao:///run/run1/call/c1/plan-1.output.md", "language": "markdown"}
        assert user.shown_uris == [answer["uri"]]
        assert await standard(user, answer["uri"]) == "output of c1\n"
        await user.run("ao.graph", run="run1", format="text", open=True, evidence="tracked")
        assert user.shown_uris[-1] == "ao:///run/run1/graph.tracked.txt"
        assert "├▶●  search" in await standard(user, user.shown_uris[-1])
        assert not Path(paths.view_dir()).exists()
        for wrong in ("ao:///run/run1/nothing.txt", "file:///etc/passwd", "ao:///", "ao:///code/x//../..", "no"):
            with pytest.raises(JsonRpcException, match="address of no text"):
                await standard(user, wrong)


async def test_a_client_of_ours_opens_addresses_and_hears_when_they_change(agent: Path) -> None:
    start()
    recorder = begin(agent)
    recorder.call_start("c1", site=plan_site(agent), stack=[plan_site(agent)])
    recorder.wait()
    async with editor("neovim-0.12", ao={"content": True}) as user:
        await user.run("ao.openOutput", run="run1", call=1)
        [uri] = user.shown_uris
        found = await user.request("ao/content", uri=uri)
        assert found == {
            "uri": uri, "language": "markdown", "text": "It is still running.\n", "live": True, "gone": False,
        }  # fmt: skip
        recorder.call_end("c1")
        recorder.wait()
        await user.until(lambda: user.content_changes == [uri])
        # Nobody has asked since: it is not told of again.
        recorder.call("c2", ("c1",), site=plan_site(agent), stack=[plan_site(agent)])
        recorder.wait()
        found = await user.request("ao/content", uri=uri)
        assert (found["text"], found["live"]) == ("output of c1\n", False)
        assert user.content_changes == [uri]
        recorder.end()
        recorder.wait()
        await user.until(lambda: ask("ao.runs")["runs"][0]["status"] == "finished")
        ask("ao.rm", runs=["run1"])
        await user.until(lambda: user.content_changes[1:])
        gone = await user.request("ao/content", uri=uri)
        assert (gone["text"], gone["gone"]) == (
            "This is not there any more: run run1 was deleted, or never was.\n",
            True,
        )
    assert "Traceback" not in log()


async def test_a_graph_that_is_open_follows_its_run_in_every_way_of_showing_it(agent: Path) -> None:
    start()
    recorder = begin(agent)
    recorder.call("c1", site=plan_site(agent), stack=[plan_site(agent)])
    recorder.wait()
    async with editor("helix") as with_files, editor("vscode", workspace=STANDARD) as user:
        await with_files.run("ao.graph", format="text", open=True)
        [file] = with_files.shown
        await user.run("ao.graph", format="text", open=True)
        [uri] = user.shown_uris
        assert "╰▶●  plan" not in await standard(user, uri)
        recorder.call("c2", ("c1",), site=plan_site(agent), stack=[plan_site(agent)])
        recorder.wait()
        await user.until(lambda: user.content_changes == [uri])
        assert "c2" in ask("ao.graph")["nodes"][1]["id"]
        assert "╰▶●  plan" in await standard(user, uri)
        await with_files.until(lambda: "╰▶●  plan" in file.read_text("utf-8"))
        recorder.end()
        recorder.wait()


async def test_what_a_rerun_prints_is_shown_while_it_goes_on(tmp_path: Path, model_server: ModelServer) -> None:
    file = tmp_path / "agent.py"
    file.write_text(
        "import openai, os, pathlib, time\n"
        "print('\\x1b[31mfirst\\x1b[0m', flush=True)\n"
        "while pathlib.Path('wait').exists():\n"
        "    time.sleep(0.01)\n"
        "print('10%\\r100%', flush=True)\n"
        "while pathlib.Path('go').exists():\n"
        "    time.sleep(0.01)\n"
        "openai.OpenAI().chat.completions.create(model='m', messages=[{'role': 'user', 'content': 'x'}])\n",
        "utf-8",
    )
    start()
    env = {**os.environ, **model_server.env}
    recording = await asyncio.create_subprocess_exec(
        RECORD, file.name, cwd=tmp_path, env=env, stdout=asyncio.subprocess.DEVNULL
    )
    assert await recording.wait() == 0
    (tmp_path / "wait").touch()
    (tmp_path / "go").touch()
    async with editor("vscode", workspace=STANDARD, env=model_server.env) as user:
        run = (await user.run("ao.rerun", run="last"))["run"]
        await user.run("ao.openLog", run=run)
        [uri] = user.shown_uris

        async def shows(text: str) -> None:
            """As a client does: it asks again when it is told to, and only then."""
            while await standard(user, uri) != text:
                await user.until(lambda: user.content_changes, text)
                user.content_changes.clear()

        await shows("first\n\n… (it goes on)\n")
        (tmp_path / "wait").unlink()
        await shows("first\n100%\n\n… (it goes on)\n")
        (tmp_path / "go").unlink()
        await shows("first\n100%\n")
        with pytest.raises(JsonRpcException, match=r"nothing of what run .* printed was kept"):
            await user.run("ao.openLog", run=ask("ao.runs")["runs"][1]["id"])
        # What it changed in, and how the code was; both are in the menu of the call.
        titles = [title for title, _ in await user.actions(await user.open(file), 8)]
        menu = ["ao: what changed since", "ao: what agent.py printed"]
        assert [title.split(" run ")[0] for title in titles[-2:]] == menu
        diff = await standard(user, (await user.run("ao.openDiff"))["uri"])
        assert diff.startswith("# agent.py ")
        assert "identical, 1 same" in diff
        code = await user.run("ao.openCode", version=run, file="agent.py", line=5)
        assert code["uri"] == f"ao:///code/{run}/agent.py"
        assert await standard(user, code["uri"]) == file.read_text("utf-8")
        assert user.client.shown_documents[-1].selection == lsp.Range(lsp.Position(4, 0), lsp.Position(4, 0))


async def test_a_diff_is_in_the_unified_format(agent: Path) -> None:
    record(agent, "a")
    start()
    recorder = begin(agent, "b")
    recorder.call("c1", site=plan_site(agent), response=chat_response("a better plan\nin two lines"))
    recorder.end()
    recorder.wait()
    async with editor("vscode") as user:
        file = Path((await user.run("ao.openDiff", a="a", b="b"))["path"])
        assert file.name == "a-b.diff"
        text = file.read_text("utf-8")
        assert "# 1 → 1 changed: plan · gpt-5 · live · output\n--- a/1/output\n+++ b/1/output\n@@ -1 +1,2 @@\n" in text
        assert "-output of c1\n+a better plan\n+in two lines\n" in text
        assert "--- a/2/output\n+++ /dev/null\n" in text
        with pytest.raises(JsonRpcException, match="run b is no rerun"):
            await user.run("ao.openDiff")


async def test_of_several_calls_the_user_chooses_what_to_read(agent: Path) -> None:
    record(agent)
    async with editor("vscode") as user:
        assert await user.run("ao.openOutput", run="run1", call="c2", among=["c2", "c3"]) == {}
        user.answers["Open the output of which call?"] = "call 3"
        await user.run("ao.openOutput", run="run1", call="c2", among=["c2", "c3"])
        assert user.shown[-1].read_text("utf-8") == "output of c3\n"


async def test_an_id_from_outside_leads_to_no_other_folder(agent: Path) -> None:
    record(agent, run="../../escaped")
    async with editor("helix") as user:
        file = Path((await user.run("ao.openPrompt", call=1))["path"])
        assert Path(paths.view_dir()).resolve() in file.resolve().parents
        answer = await user.run("ao.content", uri="ao:///code/..%2F..%2Fescaped/..%2F..%2Fetc%2Fpasswd")
        assert answer["gone"] is True
