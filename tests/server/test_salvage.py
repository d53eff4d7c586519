"""Damaged databases: what can be read is saved, what it was is kept, the user is told, recording goes on."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from ao_lsp import paths
from ao_lsp.server.store import StoreError, salvage
from ao_lsp.server.store.pages import Pages
from ao_lsp.server.store.sql import SqlStore
from ao_lsp.server.store.sqlite import SqliteDriver, open_store
from tests.daemons import ask, log
from tests.recorder import chat_request, chat_response
from tests.server.stored import an_edit, arrivals, called, ended, record, started, valued

PAGE = 4096
RUNS, CALLS = 20, 10


@pytest.fixture
async def path(tmp_path: Path) -> str:
    """A database with some runs, with nothing left in its log."""
    path = str(tmp_path / "data" / "ao.db")
    store = await open_store(path)
    for run in range(RUNS):
        calls = [event for call in range(CALLS) for event in called(f"c{call}", text(run, call))]
        await store.record(arrivals(f"run{run}", [started(f"session{run}"), *calls, valued(), ended()]))
    await store.put_edit(an_edit("edited"))
    await store.close()
    return path


def text(run: int, call: int) -> str:
    """What a call said: too long for one page, and not to be compressed."""
    chance = random.Random(run * 1000 + call)
    return "".join(chr(chance.randrange(0x4E00, 0x9FFF)) for _ in range(50 if call % 5 else 4000))


def kept(path: str) -> list[str]:
    """The damaged files that are beside the database."""
    return sorted(file.name for file in Path(path).parent.glob("ao.db.damaged-*") if not file.name.endswith("json"))


def overwrite(path: str, at: int, data: bytes) -> None:
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(data)


async def read(store: SqlStore) -> tuple[int, int]:
    """How many calls can be read, and how many of them with what was said, byte for byte."""
    calls = whole = 0
    for run, name in await store.run_names():
        found = await store.graph(run)
        assert found is not None
        assert name in ("a.py", "(salvaged)")
        for call in found.calls:
            calls += 1
            exchange = await store.exchange(run, call.id)
            assert exchange is not None
            number = int(run.removeprefix("run")), int(call.id.removeprefix("c"))
            if exchange.response is not None:
                assert exchange.response == chat_response(text(*number)), "what is there has to be right"
                whole += exchange.request == chat_request(call.id)
    return calls, whole


async def use(store: SqlStore) -> None:
    """Read everything and write into every part."""
    await read(store)
    for run, _ in await store.run_names():
        await store.delete_runs([run])


async def goes_on(store: SqlStore, path: str) -> None:
    """Recording goes on, and so does reading; nothing is wrong with what is there now."""
    await record(store, "later", "c1", session="session3")
    assert (await store.run_names())[0][0] == "later"
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        assert db.execute("PRAGMA auto_vacuum").fetchone() == (2,)


async def test_every_row_is_read_out_of_a_file_that_is_whole(path: str) -> None:
    found = list(Pages(path).rows())
    with closing(sqlite3.connect(path)) as db:
        for table in ("sessions", "runs", "streams", "bodies", "calls", "edges", "notes", "edits", "draws", "made"):
            rows = {row for row in found if salvage.table_of(row) == table}
            same = rows == set(db.execute(f"SELECT * FROM {table}"))
            assert same, table


async def test_pages_overwritten_in_the_middle_cost_what_was_on_them(path: str) -> None:
    pages = os.path.getsize(path) // PAGE
    for page in (pages // 3, pages // 2, pages // 2 + 1):
        overwrite(path, page * PAGE, os.urandom(PAGE))
    # Nobody notices until SQLite says so.
    store = await open_store(path)
    if store.damage is None:
        with pytest.raises(StoreError) as raised:
            await use(store)
        assert raised.value.code == "corrupt"
    calls, whole = await read(store)
    assert calls > 100
    assert whole > 80
    assert store.damage is not None
    assert "was damaged" in store.damage
    assert len(kept(path)) >= 1
    await goes_on(store, path)
    await store.close()


@pytest.mark.parametrize("first", [0, 1])
async def test_damage_of_the_pages_above_the_rows_costs_none_of_them(path: str, first: int) -> None:
    overwritten = 0
    data = Path(path).read_bytes()
    for number in range(1, len(data) // PAGE):
        if data[number * PAGE] == 5:  # an interior page of a table
            overwrite(path, number * PAGE + first, os.urandom(PAGE - first))
            overwritten += 1
    assert overwritten
    store = await open_store(path)
    assert await read(store) == (RUNS * CALLS, RUNS * CALLS)
    assert [edit.content for edit in await store.edits("run1")] == ["edited"]
    await goes_on(store, path)
    await store.close()


async def test_of_a_file_without_its_end_the_beginning_is_saved(path: str) -> None:
    os.truncate(path, os.path.getsize(path) * 2 // 3 + 100)
    store = await open_store(path)
    calls, whole = await read(store)
    assert calls > RUNS * CALLS // 3
    assert 0 < whole < RUNS * CALLS
    await goes_on(store, path)
    await store.close()


@pytest.mark.parametrize("length", [1, 16, 100, PAGE])
async def test_a_header_of_garbage_costs_no_call(path: str, length: int) -> None:
    overwrite(path, 0, b"\xee" * length)
    store = await open_store(path)
    assert await read(store) == (RUNS * CALLS, RUNS * CALLS)
    assert kept(path)
    await goes_on(store, path)
    await store.close()


async def test_a_file_that_never_was_a_database_is_kept_and_the_user_is_told(tmp_path: Path) -> None:
    path = str(tmp_path / "ao.db")
    Path(path).write_bytes(b"no database at all " * 1000)
    store = await open_store(path)
    assert store.damage is not None
    assert "0 runs with 0 calls were saved" in store.damage
    (name,) = kept(path)
    assert (tmp_path / name).read_bytes() == b"no database at all " * 1000
    await goes_on(store, path)
    await store.close()


@pytest.fixture
def killed(tmp_path: Path) -> str:
    """A database whose daemon was killed: all of it is in its log."""
    path = str(tmp_path / "ao.db")
    program = f"""
import asyncio, os
from ao_lsp.server.store.sqlite import open_store
from tests.server.stored import arrivals, called, ended, started
from tests.server.test_salvage import text
async def main():
    store = await open_store({path!r})
    for run in range(20):
        calls = [event for call in range(10) for event in called(f"c{{call}}", text(run, call))]
        await store.record(arrivals(f"run{{run}}", [started(f"session{{run}}"), *calls, ended()]))
    os._exit(0)
asyncio.run(main())
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    assert os.path.getsize(path + "-wal") > 100 * PAGE
    return path


async def test_a_whole_log_is_read_by_sqlite_and_no_damage(killed: str) -> None:
    assert salvage.damage(killed) is None
    store = await open_store(killed)
    assert store.damage is None
    assert await read(store) == (RUNS * CALLS, RUNS * CALLS)
    await store.close()


def in_a_frame(path: str) -> None:
    overwrite(path + "-wal", 32 + 40 * (PAGE + 24) + 1000, os.urandom(100))


def in_the_header(path: str) -> None:
    overwrite(path + "-wal", 0, os.urandom(32))


def in_the_salt(path: str) -> None:
    overwrite(path + "-wal", 16, b"salt")


@pytest.mark.parametrize("harm", [in_a_frame, in_the_header, in_the_salt])
async def test_a_damaged_log_costs_a_page_and_not_what_was_committed_after(
    killed: str, harm: Callable[[str], None]
) -> None:
    harm(killed)
    store = await open_store(killed)
    calls, _ = await read(store)
    assert calls > RUNS * CALLS * 3 // 4
    assert store.damage is not None
    assert len(kept(killed)) == 2, "the file and its log"
    await goes_on(store, killed)
    await store.close()


async def test_a_salvage_that_is_killed_is_done_again_or_finished(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    overwrite(path, 0, b"\xee" * 100)
    before = Path(path).read_bytes()

    class KilledError(Exception):
        pass

    replaced = os.replace
    steps = 0
    while True:
        left = steps

        def step(source: str, target: str) -> None:
            nonlocal left
            if left == 0:
                raise KilledError
            left -= 1
            replaced(source, target)

        monkeypatch.setattr(os, "replace", step)
        try:
            store = await open_store(path)
        except KilledError:
            steps += 1
            continue
        break
    monkeypatch.undo()
    assert steps > 0
    assert await read(store) == (RUNS * CALLS, RUNS * CALLS)
    (name,) = kept(path)
    assert (Path(path).parent / name).read_bytes() == before
    await store.close()
    assert not [file.name for file in Path(path).parent.iterdir() if "salvage" in file.name]


async def test_damage_that_shows_while_the_daemon_serves_is_mended_without_a_restart(path: str) -> None:
    store = await open_store(path)
    await store.run_names()
    data = Path(path).read_bytes()
    for number in range(1, len(data) // PAGE):
        if data[number * PAGE] in (5, 13):
            overwrite(path, number * PAGE, b"\xff")
            if number % 3:
                overwrite(path, number * PAGE, data[number * PAGE : number * PAGE + 1])
    codes = set()
    for number in range(RUNS):
        try:
            await store.graph(f"run{number}")
            await record(store, f"new{number}", "c1")
        except StoreError as error:
            codes.add(error.code)
    assert codes == {"corrupt"}
    assert store.damage is not None
    await goes_on(store, path)
    await store.close()


async def test_where_nothing_can_be_saved_the_daemon_says_so_and_changes_nothing(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    overwrite(path, 0, b"\xee" * 100)
    before = Path(path).read_bytes()

    def full(_: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(salvage, "_make", full)
    with pytest.raises(StoreError, match="No space left") as raised:
        await open_store(path)
    assert raised.value.code == "full"
    assert Path(path).read_bytes() == before


async def test_who_reads_changes_on_from_a_number_is_told_to_read_everything(path: str) -> None:
    store = await open_store(path)
    session = await store.session("session3")
    await store.close()
    assert session is not None
    overwrite(path, 0, b"\xee" * 100)
    store = await open_store(path)
    assert await store.changes_since("session3", session.last_change) is None
    await record(store, "later", session="session3")
    after = await store.session("session3")
    assert after is not None
    assert after.last_change > session.last_change
    await store.close()


async def test_the_damaged_file_goes_with_the_first_run_that_is_deleted(path: str) -> None:
    overwrite(path, 0, b"\xee" * 100)
    store = await open_store(path)
    assert isinstance(store._driver, SqliteDriver)
    await store.close()
    store = await open_store(path)
    assert store.damage is not None, "it is told as long as it is kept"
    assert store.news is None
    await store.delete_runs(["run1"])
    assert kept(path) == []
    assert store.damage is None
    await store.close()


def test_who_starts_the_daemon_is_told_and_so_is_who_asks_for_its_status(
    home: str, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    os.makedirs(os.path.dirname(paths.database()))
    os.replace(path, paths.database())
    overwrite(paths.database(), 0, b"\xee" * 100)
    assert paths.database().startswith(home)
    assert len(ask("ao.runs", limit=100)["runs"]) == RUNS
    told = capsys.readouterr().err
    assert told.startswith(f"ao: the database was damaged: {RUNS} runs with {RUNS * CALLS} calls were saved")
    damage = ask("daemon.status")["database"]["damage"]
    assert told == f"ao: {damage}\n"
    assert damage in log()
    shown = subprocess.run([sys.executable, "-m", "ao_lsp.cli.server", "status"], capture_output=True, text=True)
    assert "the database was damaged" in shown.stdout
