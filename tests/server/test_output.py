"""`ao.output`: what reruns in the background print, on a core without a daemon."""

from __future__ import annotations

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
from tests.daemons import until
from tests.recorder import Recorder
from tests.server.test_subruns import begin

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
async def core(home: str) -> AsyncIterator[Core]:  # noqa: ARG001 - the core lives there
    opened = await open_core()
    yield opened
    await opened.close()


async def do(core: Core, command: str, /, **params: Any) -> dict[str, Any]:
    return await execute(core, Caller(env=os.environ), command, params)


async def error(core: Core, **params: Any) -> CommandError:
    with pytest.raises(CommandError) as raised:
        await do(core, "ao.output", **params)
    return raised.value


async def record(core: Core, subrun: str | None = None, **fields: Any) -> None:
    """A finished run, `run1`, with a subrun where one is named."""
    recorder = Recorder("run1")
    recorder.start(**fields)
    recorder.call("c1")
    if subrun is not None:
        begin(recorder, subrun)
    recorder.end()
    await core.ingest.take(Stream("run1", recorder.stream, None), protocol.Frames(), b"".join(recorder.sent))


async def recorded(core: Core, folder: Path, source: str) -> None:
    """A run of a program that prints something else by now."""
    (folder / "agent.py").write_text(source)
    await record(core, target={"kind": "script", "value": "agent.py"}, cwd=str(folder), python=sys.executable)


def kept(run: str, text: str) -> None:
    folder = Path(paths.log_dir(), "runs")
    folder.mkdir(parents=True)
    (folder / f"{run}.log").write_text(text)


async def whole(core: Core, run: str, **params: Any) -> list[dict[str, Any]]:
    """All answers up to the last, each from where the one before ended."""
    answers = [await do(core, "ao.output", run=run, **params)]
    while not answers[-1]["ended"]:
        before = answers[-1]["next"]
        answers.append(await do(core, "ao.output", run=run, **{**params, "from": before}))
        assert answers[-1]["next"] > before
    return answers


async def test_what_a_rerun_printed_is_there_in_one_piece_or_in_many(core: Core, tmp_path: Path) -> None:
    await recorded(core, tmp_path, "import sys\nprint('größer: 3 €', flush=True)\nsys.exit('too large')\n")
    run = (await do(core, "ao.rerun", wait=True))["run"]
    text = "größer: 3 €\ntoo large\n"
    size = len(text.encode())
    assert await whole(core, run) == [{"run": run, "text": text, "next": size, "ended": True}]
    pieces = await whole(core, run, limit=4)
    assert len(pieces) > 5
    assert "".join(piece["text"] for piece in pieces) == text
    rest = await do(core, "ao.output", run=run, **{"from": size})
    assert (rest["text"], rest["next"], rest["ended"]) == ("", size, True)


async def test_half_a_character_waits_for_its_end_as_long_as_the_program_runs(core: Core, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go on")
    before = "import os\nos.write(1, b'1 \\xe2')\nopen('here', 'w').close()\nopen('go on').read()\n"
    await recorded(core, tmp_path, before + "os.write(1, b'\\x82\\xac \\xe2')\n")
    run = (await do(core, "ao.rerun"))["run"]
    started = core.reruns.running(run)
    assert started is not None
    until(lambda: (tmp_path / "here").exists(), "it does not begin")
    first = await do(core, "ao.output", run=run)
    assert first == {"run": run, "text": "1 ", "next": 2, "ended": False}
    (tmp_path / "go on").write_text("")
    await started.ended.wait()
    last = await do(core, "ao.output", run=run, **{"from": 2})
    assert last == {"run": run, "text": "€ \ufffd", "next": 7, "ended": True}


async def test_a_rerun_that_failed_before_its_program_began_says_why(core: Core, tmp_path: Path) -> None:
    await recorded(core, tmp_path, "")
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho no interpreter at all\nexit 1\n")
    python.chmod(0o755)
    run = (await do(core, "ao.rerun", wait=True, python=str(python)))["run"]
    assert await core.store.run(run) is None
    (answer,) = await whole(core, run)
    assert answer["text"]


async def test_a_subrun_prints_where_the_run_around_it_does(core: Core) -> None:
    await record(core, subrun="sub1")
    kept("run1", "all of it\n")
    (answer,) = await whole(core, "sub1")
    assert (answer["run"], answer["text"]) == ("run1", "all of it\n")


async def test_a_run_in_a_terminal_has_no_kept_output(core: Core) -> None:
    await record(core)
    found = await error(core, run="last")
    assert (found.code, str(found)) == ("conflict", "nothing of what run run1 printed was kept")
    assert "in the background" in found.hint


@pytest.mark.parametrize("run", ["nobody", "../server", "a\0b", "", "x" * 300])
async def test_what_is_no_run_has_no_output_either(run: str, core: Core) -> None:
    await record(core)
    Path(paths.log_dir()).mkdir(parents=True, exist_ok=True)
    Path(paths.log_dir(), "server.log").write_text("not a run's")
    assert (await error(core, run=run)).code == "not_found"


@pytest.mark.parametrize("params", [{"from": -1}, {"limit": 3}])
async def test_an_answer_has_to_be_able_to_go_on(params: dict[str, int], core: Core) -> None:
    await record(core)
    kept("run1", "text")
    assert (await error(core, **params)).code == "bad_params"
