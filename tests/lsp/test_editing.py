"""Editing a recorded call in an editor: a file opens, and saving it is the edit."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ao_lsp import paths
from tests.daemons import ask, log, start
from tests.lsp.conftest import PLAN, begin, plan_site, record
from tests.lsp.editors import User, editor

pytestmark = pytest.mark.usefixtures("home")


def edits(call: str = "c1") -> list[tuple[str, str]]:
    """Field and content of the edits of a call of the run."""
    return [(edit["field"], edit["content"]) for edit in ask("ao.call", run="run1", call=call)["edits"]]


async def opened(user: User, agent: Path, title: str = "✎ output") -> Path:
    """The file that a lens of the first call opens."""
    uri = await user.open(agent)
    return Path((await user.click(uri, PLAN, title))["path"])


async def test_saving_the_opened_file_stores_the_edit_and_asks_to_rerun(agent: Path) -> None:
    record(agent)
    async with editor("vscode") as user:
        file = await opened(user, agent)
        assert (user.shown, file.name, file.read_text("utf-8")) == ([file], "plan-1.output.md", "output of c1\n")
        user.save(file, "something else\n")
        await user.until(lambda: user.asked)
        (asked,) = user.asked
        assert asked.startswith("stored the edited output of call 1 (plan). Rerun from here? 2 of 3 calls live, about ")
        assert edits() == [("output", "something else")]
        assert user.messages == []


async def test_an_editor_that_does_not_tell_of_the_save_is_not_needed_to(agent: Path) -> None:
    record(agent)
    async with editor("neovim-0.11") as user:
        file = await opened(user, agent)
        # As most editors write: a new file in the place of the old one.
        new = file.with_suffix(".new")
        new.write_text("from outside\n", "utf-8")
        os.replace(new, file)
        await user.until(lambda: user.asked)
        file.write_text("once more\n", "utf-8")
        await user.until(lambda: len(user.asked) == 2)
        assert edits() == [("output", "once more")]


async def test_an_edit_is_stored_once_however_often_it_is_heard_of(agent: Path) -> None:
    record(agent)
    async with editor("vscode") as user, editor("helix") as other:
        file = await opened(user, agent)
        assert await opened(other, agent) == file
        user.save(file, "twice watched\n")
        user.save(file)
        await user.until(lambda: user.asked or other.asked)
        user.save(file, "and again\n")
        await user.until(lambda: len(user.asked) + len(other.asked) == 2)
        assert edits() == [("output", "and again")]
    assert log().count("failed") == 0


async def test_saving_without_a_change_is_no_edit_and_saving_the_original_takes_it_back(agent: Path) -> None:
    record(agent)
    async with editor("vscode") as user:
        file = await opened(user, agent)
        user.save(file)
        user.save(file, "changed\n")
        await user.until(lambda: user.asked)
        user.save(file, "output of c1\n")
        await user.until(lambda: user.messages)
        assert user.messages == ["took back the edited output of call 1 (plan)"]
        assert (edits(), len(user.asked)) == ([], 1)


async def test_a_refused_edit_says_why_and_keeps_what_was_written(agent: Path) -> None:
    record(agent)
    async with editor("vscode") as user:
        file = await opened(user, agent, "✎ input")
        assert file.name == "plan-1.input.json"
        request: dict[str, Any] = json.loads(file.read_text("utf-8"))
        assert request["messages"] == [{"role": "user", "content": "c1"}]
        user.save(file, '{"messages": [}')
        await user.until(lambda: user.messages)
        assert "is not JSON" in user.messages[0]
        del request["model"]
        user.save(file, json.dumps(request))
        await user.until(lambda: len(user.messages) == 2)
        assert 'must have "model"' in user.messages[1]
        assert (edits(), user.asked) == ([], [])
        await opened(user, agent, "✎ input")  # opened anew: what was refused is not lost
        assert json.loads(file.with_name(file.name + ".bak").read_text("utf-8")) == request
        request["model"] = "gpt-6"
        user.save(file, json.dumps(request))
        await user.until(lambda: user.asked)
        [(field, content)] = edits()
        assert (field, json.loads(content)["model"]) == ("input", "gpt-6")


async def test_a_mistake_is_shown_where_it_is_until_it_is_mended(agent: Path) -> None:
    record(agent)
    async with editor("vscode") as user:
        file = await opened(user, agent, "✎ input")
        request: dict[str, Any] = json.loads(file.read_text("utf-8"))
        user.save(file, '{\n  "model": "𝒳", "messages": [}')
        await user.until(lambda: user.messages)
        reason = "this begins like a whole request, and is not JSON: Expecting value"
        assert user.messages[-1] == f"the edit was not stored: line 2, column 30: {reason}"
        await user.until(lambda: user.client.diagnostics.get(file.as_uri()))
        [mark] = user.client.diagnostics[file.as_uri()]
        assert (mark.range.start.line, mark.range.start.character) == (1, 30), "in the units of the editor"
        assert "is not JSON" in str(mark.message)
        request["messages"][0]["role"] = "usr"
        user.save(file, json.dumps(request, indent=2))
        await user.until(lambda: len(user.messages) == 2)
        line = next(n for n, text in enumerate(file.read_text("utf-8").splitlines(), 1) if "usr" in text)
        assert f"not stored: line {line}, column " in user.messages[-1]
        request["messages"][0]["role"] = "user"
        request["messages"][0]["content"] = "another question"
        user.save(file, json.dumps(request))
        await user.until(lambda: user.asked)
        await user.until(lambda: not user.client.diagnostics[file.as_uri()])


async def test_of_one_file_there_is_one_question_at_a_time(agent: Path) -> None:
    record(agent)
    async with editor("vscode") as user:
        file = await opened(user, agent)
        user.answering.clear()  # the user thinks
        user.save(file, "first\n")
        await user.until(lambda: user.asked)
        for text in ("second\n", "third\n", "fourth\n"):
            user.save(file, text)
        await user.until(lambda: edits() == [("output", "fourth")])
        user.save(file, "output of c1\n")
        await user.until(lambda: edits() == [])
        assert len(user.asked) == 1
        user.answers["stored the edited output"] = "Rerun"
        user.answering.set()
        await user.until(lambda: len(user.messages) == 2)
        assert user.messages[-1] == "the edit was taken back meanwhile: nothing is rerun"
        assert ask("ao.runs")["total"] == 1


async def test_the_file_says_what_counts_and_what_was_taken_back_is_an_edit_again_when_it_is_saved_again(
    agent: Path,
) -> None:
    record(agent)
    async with editor("vscode") as user:
        uri = await user.open(agent)
        file = await opened(user, agent)
        user.save(file, "edited\n")
        await user.until(lambda: user.asked)
        await user.click(uri, PLAN, "↶ edited output")
        await user.until(lambda: file.read_text("utf-8") == "output of c1\n")
        ask("ao.edit", run="run1", call="c1", content="from a terminal")
        await user.until(lambda: file.read_text("utf-8") == "from a terminal\n")
        await user.click(uri, PLAN, "↶ edited output")
        await user.until(lambda: file.read_text("utf-8") == "output of c1\n")
        user.save(file, "edited\n")  # as the buffer of an editor may have it still
        await user.until(lambda: len(user.asked) == 2)
        assert edits() == [("output", "edited")]
        assert not file.with_name(file.name + ".bak").exists()


async def test_what_an_editor_does_to_a_file_by_itself_is_no_edit(agent: Path) -> None:
    record(agent)
    async with editor("vscode") as user:
        file = await opened(user, agent)
        for bytes_ in (b"output of c1", b"output of c1\r\n", b"output of c1\n\n", b"\xef\xbb\xbfoutput of c1\n"):
            file.write_bytes(bytes_)
            user.save(file)
        file.write_bytes(b"two\r\nlines\r\n")
        user.save(file)
        await user.until(lambda: user.asked)
        assert edits() == [("output", "two\nlines")]
        assert len(user.asked) == 1
        assert user.messages == []


async def test_a_file_of_a_run_that_was_deleted_is_refused(agent: Path) -> None:
    record(agent)
    async with editor("vscode") as user:
        file = await opened(user, agent)
        ask("ao.rm", runs=["run1"])
        record(agent, "run2")
        file.parent.mkdir(parents=True)  # as editors do
        user.save(file, "too late\n")
        await user.until(lambda: user.messages)
        assert user.messages == [
            "the edit was not stored: there is no run run1 (ao runs lists them; the newest is run2)"
        ]
        assert ask("ao.call", run="run2", call="c1")["edits"] == []


async def test_a_file_that_is_no_text_is_refused(agent: Path) -> None:
    record(agent)
    async with editor("vscode") as user:
        file = await opened(user, agent)
        file.write_bytes(b"\xff\xfe")
        user.save(file)
        await user.until(lambda: user.messages)
        assert "cannot be read as UTF-8" in user.messages[0]


async def test_tool_calls_are_edited_in_the_whole_response(agent: Path) -> None:
    start()
    recorder = begin(agent)
    wanted = {"id": "t1", "type": "function", "function": {"name": "search", "arguments": '{"q": 1}'}}
    message = {"role": "assistant", "content": None, "tool_calls": [wanted]}
    choices = [{"index": 0, "message": message, "finish_reason": "tool_calls"}]
    body = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": choices}
    recorder.call("c1", site=plan_site(agent), stack=[plan_site(agent)], response=json.dumps(body).encode())
    recorder.end()
    recorder.wait()
    async with editor("vscode") as user:
        file = await opened(user, agent)
        assert file.name == "plan-1.output.json"
        text = file.read_text("utf-8")
        user.save(file, text.replace('{\\"q\\": 1}', '{\\"q\\": 2}'))
        await user.until(lambda: user.asked)
        assert '"q\\": 2' in edits()[0][1]


async def test_the_file_shows_the_stored_edit_when_it_is_opened_again(agent: Path) -> None:
    record(agent)
    ask("ao.edit", run="run1", call="c1", content="from the terminal")
    async with editor("vscode") as user:
        file = await opened(user, agent)
        assert file.read_text("utf-8") == "from the terminal\n"


async def test_edit_files_go_with_their_run_and_are_nobody_elses(agent: Path) -> None:
    record(agent)
    async with editor("vscode") as user:
        file = await opened(user, agent)
        assert file.stat().st_mode & 0o777 == 0o600
        assert Path(paths.edit_dir()).stat().st_mode & 0o077 == 0
        await user.run("ao.graph", run="run1", format="text", open=True)
        ask("daemon.clear")
        assert not file.exists()
        assert not list(Path(paths.view_dir()).rglob("*.txt"))


async def test_a_run_id_from_outside_leads_to_no_other_folder(agent: Path) -> None:
    record(agent, run="../../escaped")
    async with editor("vscode") as user:
        file = await opened(user, agent)
        assert Path(paths.edit_dir()).resolve() in file.resolve().parents
        user.save(file, "edited\n")
        await user.until(lambda: user.asked)
        assert ask("ao.call", run="last", call="c1")["edits"][0]["content"] == "edited"


async def test_a_full_disk_is_said(agent: Path) -> None:
    record(agent)
    Path(paths.data_dir(), "edits").write_text("a file in the place of the folder")
    async with editor("vscode") as user:
        with pytest.raises(Exception, match=r"cannot be written: Not a directory|cannot be written: File exists"):
            await opened(user, agent)
        assert user.messages == []
