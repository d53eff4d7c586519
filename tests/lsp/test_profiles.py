"""The whole way in every editor whose capabilities were captured, and in one that says nothing of itself: a program is
recorded, seen, edited and rerun. Nothing is sent that the editor has not said that it can (pytest-lsp warns of it, and
a warning is an error)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from lsprotocol import types as lsp
from model_server import ModelServer

from tests.daemons import LONG_S, log, own_home, start
from tests.lsp.editors import CANNOT_SHOW, PROFILES, User, editor
from tests.runner.recorded import RECORD

PROGRAM = """\
import json
import os
import urllib.request

URL = os.environ["OPENAI_BASE_URL"] + "/chat/completions"


def request(text):
    body = json.dumps({"model": "gpt-5", "messages": [{"role": "user", "content": text}]}).encode()
    headers = {"Content-Type": "application/json"}
    return urllib.request.Request(URL, body, headers)


def text(response):
    return json.load(response)["choices"][0]["message"]["content"]


plan = text(urllib.request.urlopen(request("Plan a report about tides.")))
report = text(urllib.request.urlopen(request("Write the report: " + plan)))
print(report)
"""
PLAN, REPORT = 18, 19
"""The lines of its calls."""

CANNOT_ASK = ("helix-25.01", "empty")
REFRESHED = ("vscode", "neovim-0.10", "neovim-0.11", "neovim-0.12", "lsp-mode-8", "lsp-mode-9")


@pytest.fixture(scope="module", autouse=True)
def one_daemon() -> Iterator[None]:
    """The editors have it in common: they come one after the other, each with a program of its own."""
    with pytest.MonkeyPatch.context() as patch, own_home(patch):
        start()
        yield


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


@pytest.mark.parametrize("profile", PROFILES)
async def test_a_program_is_recorded_seen_edited_and_rerun(tmp_path: Path, server: ModelServer, profile: str) -> None:
    file = tmp_path / "agent.py"
    file.write_text(PROGRAM, "utf-8")
    async with editor(profile, env=server.env) as user:
        user.can_ask = profile not in CANNOT_ASK
        uri = await user.open(file)
        assert await user.lens_titles(uri) == {}
        await recorded(file, server)
        await shows(user, uri, PLAN, "→ ")
        titles = await user.lens_titles(uri)
        assert sorted(titles) == [PLAN, REPORT]
        assert all(words[:4] == ["▶ rerun from here", "✎ output", "✎ input", "graph"] for words in titles.values())
        report = (await user.hints(uri))[REPORT]
        assert "→ 2 " in await user.hover(uri, PLAN, 22)
        actions = await user.actions(uri, PLAN)
        assert len(actions) == len(titles[PLAN]) + 2, "prompt and output, to read"

        edit_file = await opened(user, profile, named(actions, "ao: edit the output of call 1"))
        user.answers = {"stored the edited output": "Rerun from here"}
        user.save(edit_file, "Count the waves.")
        if not user.can_ask:
            await user.until(lambda: any("stored the edited output" in message for message in user.messages))
            await user.choose(named(await user.actions(uri, PLAN), "ao: rerun from call 1"))
        await shows(user, uri, PLAN, "→ Count the waves.", but=(REPORT, report))
        assert "Write the report: Count the waves." in str(server.requests[-1]["request"])
        if profile in REFRESHED:  # after what was seen by asking again and again
            await user.until(lambda: user.refreshes, "nobody said that there is something new")
        else:
            assert user.refreshes == []
        assert user.capabilities.definition_provider is None
        assert user.capabilities.completion_provider is None
    assert "Traceback" not in log()


def named(actions: list[tuple[str, lsp.Command]], beginning: str) -> lsp.Command:
    """The action whose title begins so."""
    return next(command for title, command in actions if title.startswith(beginning))


async def recorded(file: Path, server: ModelServer) -> None:
    """Record the program, as in the editor's terminal."""
    process = await asyncio.create_subprocess_exec(
        RECORD, file.name, cwd=file.parent, env={**os.environ, **server.env}, stdout=asyncio.subprocess.DEVNULL
    )
    assert await process.wait() == 0


async def shows(user: User, uri: str, line: int, hint: str, but: tuple[int, str] | None = None) -> None:
    """Wait until a line has a hint that begins so, and (`but`) another line no longer has the one that it had."""
    for _ in range(int(LONG_S / 0.05)):
        hints = await user.hints(uri)
        other = hints.get(but[0], "") if but is not None else "→ "
        if hints.get(line, "").startswith(hint) and other.startswith("→ ") and (but is None or other != but[1]):
            return  # and not while it runs
        await asyncio.sleep(0.05)  # between two looks
    raise AssertionError(f"no hint {hint!r} on line {line}: {hints}")


async def opened(user: User, profile: str, action: lsp.Command) -> Path:
    """The file that an action opens, as far as this editor can open files."""
    path = Path((await user.choose(action))["path"])
    if profile in CANNOT_SHOW:
        assert str(path) in user.messages[-1]
        assert user.put_into_buffers == ([] if profile == "empty" else [path])
    else:
        assert user.shown == [path]
    return path
