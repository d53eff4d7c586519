"""Diagnostics of programs that were really recorded, as editors show them."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types as lsp
from model_server import ModelServer

from tests.daemons import start
from tests.lsp.conftest import AGENT, PLAN, SEARCH, begin, plan_site, search_site, site
from tests.lsp.editors import PROFILES, User, editor, every_editor, introduction
from tests.runner.recorded import RECORD

pytestmark = pytest.mark.usefixtures("home")

PROGRAM = """\
import json
import sys

import openai

client = openai.OpenAI()
PROMPT = "Name a town."


def ask(model, text):
    reply = client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}])
    return reply.choices[0].message.content


def warm_up():
    client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hello"}])


def town():
    reply = client.chat.completions.create(model="m", messages=[{"role": "user", "content": PROMPT}])
    return reply.choices[0].message.content


def main(model):
    warm_up()
    said = ask(model, town())
    print(json.loads(said)["town"] if "crash" in sys.argv else said)


main(sys.argv[1])
"""
ASK, WARM_UP, TOWN, CRASH = 11, 16, 20, 27
"""Lines of it."""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    file = tmp_path / "town.py"
    file.write_text(PROGRAM, "utf-8")
    return file


async def run(file: Path, server: ModelServer, *arguments: str) -> int:
    """Record a program to its end."""
    process = await asyncio.create_subprocess_exec(
        RECORD, file.name, *arguments,
        cwd=file.parent, env={**os.environ, **server.env},
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    return await process.wait()


async def test_a_crash_is_on_the_line_that_raised_with_the_output_that_it_was_about(
    program: Path, model_server: ModelServer
) -> None:
    start()

    async def looks(profile: str, user: User) -> None:
        uri = program.as_uri()
        [crash] = await user.problems(uri, (CRASH, "crash"))
        assert (crash.source, crash.severity) == ("ao", lsp.DiagnosticSeverity.Error)
        assert crash.message.startswith("town.py failed here: JSONDecodeError: Expecting value")
        line = PROGRAM.splitlines()[CRASH - 1]
        assert (crash.range.start.character, crash.range.end.character) == (4, len(line))
        if shows_related(profile):
            related = [(one.location.range.start.line + 1, one.message) for one in crash.related_information or ()]
            assert [at for at, _ in related] == [ASK, 30]
            assert related[0][1].startswith("over the output of call 3 (ask): ")
            assert related[1][1] == "called by <module>"
        else:
            assert crash.related_information is None
            assert "over the output of call 3 (ask): " in crash.message
            assert f"called by <module> ({program}:30)" in crash.message
        # It follows the edits of the buffer, and is no more where the line says something else.
        user.insert(uri, 0, 0, "import os\n")
        await user.problems(uri, (CRASH + 1, "crash"))
        user.replace(uri, PROGRAM.replace("json.loads(said)", "json.loads(said.strip())"))
        await user.problems(uri)
        user.replace(uri, PROGRAM)
        await user.problems(uri, (CRASH, "crash"))
        user.refreshes.clear()

    async def looks_again(user: User) -> None:
        # The last run of the program is what counts. What its first call said, nobody wanted to know.
        [unused] = await user.problems(program.as_uri(), (WARM_UP, "unused-output"))
        assert unused.severity == lsp.DiagnosticSeverity.Hint
        assert unused.message == "nothing uses the output of call 1 (warm_up)"
        assert ("diagnostics" in user.refreshes) == (user.capabilities.diagnostic_provider is not None)

    async with every_editor() as editors:
        for _, user in editors:
            await user.open(program)
        assert await run(program, model_server, "m", "crash") == 1
        await asyncio.gather(*(looks(profile, user) for profile, user in editors))
        assert await run(program, model_server, "m") == 0
        await asyncio.gather(*(looks_again(user) for _, user in editors))
        asking = [profile for profile, user in editors if user.capabilities.diagnostic_provider]
        assert asking == [profile for profile in PROFILES if profile in ("vscode", "neovim-0.12")]


def shows_related(profile: str) -> bool:
    said = introduction(profile).capabilities.text_document
    sent = said.publish_diagnostics if said is not None else None
    asked = said.diagnostic if said is not None else None
    return any(one is not None and bool(one.related_information) for one in (sent, asked))


RETRY = """\
import openai

client = openai.OpenAI(max_retries=1)


def ask(model):
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Which town?"}])


def patient():
    return client.chat.completions.create(
        model="rate-limit-then-ok", messages=[{"role": "user", "content": "Which town?"}]
    )


patient()
for model in ("m", "fail-400", "fail-401"):
    try:
        ask(model)
    except openai.APIStatusError as error:
        print("no answer", error.status_code)
"""


async def test_a_failed_call_is_an_error_and_a_warning_where_it_was_answered_when_asked_again(
    tmp_path: Path, model_server: ModelServer
) -> None:
    file = tmp_path / "agent.py"
    file.write_text(RETRY, "utf-8")
    start()
    assert await run(file, model_server) == 0
    async with editor("vscode") as user:
        uri = await user.open(file)
        failed, retried = await user.problems(uri, (7, "failed-call"), (11, "failed-call"))
        assert (failed.severity, retried.severity) == (lsp.DiagnosticSeverity.Error, lsp.DiagnosticSeverity.Warning)
        assert failed.message.startswith("call 5 (ask) failed: HTTP 401: ")
        assert failed.message.endswith("; so did 1 more of the 3 calls here")
        assert retried.message.startswith("call 1 (patient) failed: HTTP 429: ")
        assert retried.message.endswith(" – asked again, it was answered (call 2)")
        # Of a call over several lines only the first one is underlined.
        longer = RETRY.replace("create(model=model, ", "create(\n        model=model,\n        ")
        user.replace(uri, longer)
        failed, *_ = await user.diagnostics(uri)
        assert (failed.range.start.line, failed.range.end.line) == (6, 6)


async def test_an_error_of_a_call_that_ended_the_program_is_told_once(
    tmp_path: Path, model_server: ModelServer
) -> None:
    file = tmp_path / "agent.py"
    file.write_text(RETRY.replace("APIStatusError", "RateLimitError").replace("patient()\n", "", 1), "utf-8")
    start()
    assert await run(file, model_server) == 1
    async with editor("vscode") as user:
        [crash] = await user.problems(await user.open(file), (7, "crash"))
        assert "BadRequestError" in crash.message
        first, *_ = crash.related_information or ()
        assert first.message == "the last call before it: call 2 (ask)"


async def test_a_recording_is_stale_where_its_function_or_a_constant_in_it_has_changed(agent: Path) -> None:
    source = AGENT.replace('"content": question', '"content": PROMPT + question').replace(
        "client =", 'PROMPT = "Look for: "\nclient ='
    )
    agent.write_text(source, "utf-8")
    start()
    runner = begin(agent)
    runner.call("c1", site=moved(plan_site(agent)), stack=[moved(plan_site(agent))])
    runner.call("c2", ("c1",), site=moved(search_site(agent)), stack=[moved(search_site(agent))])
    runner.end()
    runner.wait()
    async with editor("neovim-0.12") as user:
        uri = await user.open(agent)
        await user.problems(uri)
        for changed in (
            source + "\n\ndef more():\n    pass\n",
            source.replace("def plan(topic):", "def plan(topic):  # the first step"),
            source.replace("def plan(topic):\n", "def plan(topic):\n\n    # the first step\n"),
            source.replace("def plan(", "def outline("),
            source.replace("import openai", "import openai\nOTHER = 5"),
        ):
            user.replace(uri, changed)
            await user.problems(uri)
        user.replace(uri, source.replace('"content": topic', '"content": topic.strip()'))
        [stale] = await user.problems(uri, (PLAN + 1, "stale-recording"))
        assert stale.severity == lsp.DiagnosticSeverity.Hint
        assert stale.message == "`plan` has changed since call 1 (plan) was recorded"
        # Long buffers are read beside everything else.
        user.replace(uri, source.replace("Look for", "Search for") + "\nx = 1\n" * 600)
        [stale] = await user.problems(uri, (SEARCH + 1, "stale-recording"))
        assert stale.message == "`PROMPT` has changed since call 2 (search) was recorded"


def moved(site: dict[str, Any]) -> dict[str, Any]:
    return {**site, "line": site["line"] + 1, "end_line": site["end_line"] + 1}


USED = """\
import openai

client = openai.OpenAI()


def forgotten():
    reply = client.chat.completions.create(model="m", messages=[])
    text = client.chat.completions.create(model="m", messages=[]).choices[0].message.content


def decides():
    reply = client.chat.completions.create(model="m", messages=[])
    if "yes" in reply.choices[0].message.content:
        return 1


def gives():
    return client.chat.completions.create(model="m", messages=[])


def keeps():
    client.last = client.chat.completions.create(model="m", messages=[])


def looked_up():
    reply = client.chat.completions.create(model="m", messages=[])
    return locals()


def remembered():
    client.responses.create(model="m", input="x", conversation="c")
    client.chat.completions.create(model="m", messages=[]).to_json()
    _unused = client.chat.completions.create(model="m", messages=[])
"""


async def test_an_output_reached_nothing_only_where_nothing_can_have_used_it(tmp_path: Path) -> None:
    file = tmp_path / "agent.py"
    file.write_text(USED, "utf-8")
    start()
    runner = begin(file)
    for number, line in enumerate(USED.splitlines(), 1):
        if "create(" in line:
            start_column = line.index("client.", line.index(" = ") if "client.last" in line else 0)
            here = site(file, number, number, start_column, line.index(")") + 1, "f")
            runner.call(f"c{number}", site=here, stack=[here])
    runner.end()
    runner.wait()
    async with editor("vscode") as user:
        await user.problems(await user.open(file), (7, "unused-output"), (8, "unused-output"))


async def test_diagnostics_are_sent_once_and_cleared_when_the_buffer_is_closed(agent: Path) -> None:
    start()
    runner = begin(agent)
    runner.call_start("c1", site=plan_site(agent), stack=[plan_site(agent)])
    runner.call_end("c1", b"{}", status="error", http_status=500)
    runner.end()
    runner.wait()
    async with editor("helix") as user:
        sent = count_sent(user)
        uri = await user.open(agent)
        await user.problems(uri, (PLAN, "failed-call"))
        # What does not change what is shown sends nothing.
        user.insert(uri, 25, 0, "# one more line")
        record_again(agent)
        user.insert(uri, 0, 0, "# and one at the top\n")
        await user.problems(uri, (PLAN + 1, "failed-call"))
        assert [(one.version, len(one.diagnostics)) for one in sent] == [(1, 1), (3, 1)]
        user.close(uri)
        await user.problems(uri)
        assert [len(one.diagnostics) for one in sent] == [1, 1, 0]


def record_again(agent: Path) -> None:
    """A run of another program that imports this file, and that has not come to its calls."""
    runner = begin(agent.with_name("other.py"), "run2")
    runner.end()
    runner.wait()


def count_sent(user: User) -> list[lsp.PublishDiagnosticsParams]:
    sent: list[lsp.PublishDiagnosticsParams] = []
    user.on_diagnostics = sent.append
    return sent


async def test_each_kind_can_be_turned_off(agent: Path) -> None:
    start()
    runner = begin(agent)
    runner.call_start("c1", site=plan_site(agent), stack=[plan_site(agent)])
    runner.call_end("c1", b"{}", status="error", http_status=500)
    runner.end()
    runner.wait()
    for kinds, wanted in (([], []), (["crash"], []), (["crash", "failed-call"], [(PLAN, "failed-call")])):
        async with editor("vscode", options={"ao": {"settings": {"diagnostics": kinds}}}) as user:
            uri = await user.open(agent)
            await user.problems(uri, *wanted)
            assert user.messages == []
    async with editor("vscode", options={"ao": {"settings": {"diagnostics": ["crashes"]}}}) as user:
        await user.problems(await user.open(agent), (PLAN, "failed-call"))
        assert "must be a list of failed-call, crash, unused-output or stale-recording" in user.messages[0]
