"""Deleting runs: all of theirs goes, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ao_lsp import paths, protocol
from ao_lsp.server import editor_files
from ao_lsp.server.command import Caller
from ao_lsp.server.commands import execute
from ao_lsp.server.core import Core
from ao_lsp.server.ingest import Stream
from ao_lsp.server.params import CommandError
from ao_lsp.server.store.rows import unpacked_body
from ao_lsp.server.store.sql import SqlStore
from ao_lsp.server.views import Json
from tests.recorder import Recorder, chat_response
from tests.server.stored import asked

pytestmark = pytest.mark.usefixtures("home")


async def do(core: Core, command: str, /, **params: Any) -> Json:
    return await execute(core, Caller(), command, params)


async def record(core: Core, run: str, said: str, session: str = "s", ended: bool = True) -> None:
    recorder = Recorder(run)
    recorder.start(session=session)
    recorder.call("c1", response=chat_response(said))
    recorder.call("c2", ("c1",), response=chat_response("what all runs say"))
    if ended:
        recorder.end()
    await core.ingest.take(Stream(run, recorder.stream, None), protocol.Frames(), b"".join(recorder.sent))


async def on_disk(core: Core, text: str) -> list[str]:
    """The files below the home that hold `text`, and tables of the database, its bodies unpacked."""
    found = []
    for folder, _, names in os.walk(os.environ["AO_HOME"]):
        for name in names:
            data = Path(folder, name).read_bytes()
            if text.encode() in data:
                found.append(name)
    assert isinstance(core.store, SqlStore)
    bodies = [unpacked_body(*row) for row in await asked(core.store, "SELECT codec, data FROM bodies")]
    for table in ("runs", "calls", "edits", "notes"):
        if any(text in str(row) for row in await asked(core.store, f"SELECT * FROM {table}")):
            found.append(table)
    return found + ["bodies" for body in bodies if text.encode() in body]


async def test_a_deleted_run_is_gone_from_the_disk_and_others_stay_whole(core: Core) -> None:
    await record(core, "run1", "apricots of one run")
    await record(core, "run2", "cherries of the other")
    await do(core, "ao.edit", run="run1", call="1", content="edited apricots")
    assert await on_disk(core, "apricots of one run")
    found = await do(core, "ao.rm", runs=["run1"])
    assert found["deleted"] == ["run1"]
    assert not await on_disk(core, "apricots")
    assert [run["id"] for run in (await do(core, "ao.runs"))["runs"]] == ["run2"]
    other = await do(core, "ao.call", run="run2", call="2")
    assert other["output"]["text"] == "what all runs say"
    assert [edge["number"] for edge in other["sources"]] == [1]


async def test_the_space_is_given_back(core: Core) -> None:
    await record(core, "run1", os.urandom(1 << 20).hex())
    before = await core.store.size()
    found = await do(core, "ao.rm", runs=["last"])
    assert found["freed_bytes"] > 1 << 20
    assert await core.store.size() < before - (1 << 20)


async def test_files_outside_of_the_database_go_with_their_run(core: Core) -> None:
    await record(core, "run1", "a")
    await record(core, "run2", "b")
    log = Path(paths.log_dir(), "runs", "run1.log")
    log.parent.mkdir(parents=True)
    log.write_text("what it printed")
    session = Path(paths.session_file("s"))
    session.parent.mkdir(parents=True)
    session.write_text("{}")
    Path(paths.spool_dir()).mkdir(parents=True, exist_ok=True)
    damaged = Path(paths.spool_dir(), "run1-s1.spool.damaged")
    damaged.write_text("half an event")
    view = Path(editor_files.write_view(("run", "run1", "graph.txt"), "a graph"))
    compared = Path(editor_files.write_view(("run", "run2", "from", "run1", "run1-run2.diff"), "a diff"))
    await do(core, "ao.rm", runs=["run1"])
    assert [path.exists() for path in (log, damaged, view, compared)] == [False] * 4
    assert session.exists()  # run2 is of the session
    await do(core, "ao.rm", runs=["run2"])
    assert not session.exists()


async def test_an_id_leads_out_of_no_folder(core: Core) -> None:
    outside = Path(paths.data_dir(), "kept.json")
    await record(core, "run1", "a", session="../kept")
    outside.parent.mkdir(exist_ok=True)
    outside.write_text("{}")
    Path(paths.session_dir()).mkdir()
    await do(core, "ao.rm", runs=["run1"])
    assert outside.exists()


async def test_a_running_run_is_refused_and_then_nothing_is_deleted(core: Core) -> None:
    await record(core, "run1", "a")
    await record(core, "run2", "b", ended=False)
    with pytest.raises(CommandError, match="run run2 is still running; nothing was deleted") as refused:
        await do(core, "ao.rm", runs=["run1", "run2"])
    assert refused.value.code == "conflict"
    assert len((await do(core, "ao.runs"))["runs"]) == 2


async def test_editors_hear_of_it(core: Core) -> None:
    await record(core, "run1", "a")
    with core.changes.subscribe() as changes:
        await do(core, "ao.rm", runs=["run1", "last"])
        assert [(change.kind, change.run) for change in await changes.next()] == [("run.deleted", "run1")]


async def test_no_run_at_all_is_a_mistake(core: Core) -> None:
    for runs, code in (([], "bad_params"), (["nothing"], "not_found")):
        with pytest.raises(CommandError) as refused:
            await do(core, "ao.rm", runs=runs)
        assert refused.value.code == code
