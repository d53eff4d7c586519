"""The store in SQLite: what it says when it cannot, and how an older database becomes a newer one."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import aiosqlite
import pytest

from ao_lsp.server import pricing
from ao_lsp.server.store import StoreError
from ao_lsp.server.store.errors import translated
from ao_lsp.server.store.schema import MIGRATIONS, migrate
from ao_lsp.server.store.sql import SqlStore
from ao_lsp.server.store.sqlite import SqliteDriver, open_store
from tests.server.stored import an_edit, arrivals, asked, called, record, started, valued

PAGE = Path(__file__).parents[2] / "docs" / "store.md"


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "data" / "ao.db")


@pytest.fixture
async def store(path: str) -> AsyncIterator[SqlStore]:
    opened = await open_store(path, busy_timeout_s=0.1)
    yield opened
    await opened.close()


def writer(store: SqlStore) -> aiosqlite.Connection:
    driver = store._driver
    assert isinstance(driver, SqliteDriver)
    return driver._writer


async def test_a_locked_database_is_an_error_with_a_reason_and_not_the_end(store: SqlStore, path: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="locked by another program") as raised:
            await record(store, "run1")
        assert raised.value.code == "busy"
        other.execute("ROLLBACK")
    await record(store, "run1")
    assert await store.run("run1") is not None


async def test_a_full_disk_is_an_error_with_a_reason_and_not_the_end(store: SqlStore) -> None:
    await record(store, "run1")
    await writer(store).execute("PRAGMA max_page_count = 1")
    events = [started(), *called("c1", os.urandom(1 << 20).hex())]
    with pytest.raises(StoreError, match="no room left") as raised:
        await store.record(arrivals("run2", events))
    assert raised.value.code == "full"
    assert await store.run("run2") is None
    await writer(store).execute("PRAGMA max_page_count = 1073741823")
    await store.record(arrivals("run2", events))
    assert await store.run("run2") is not None


async def test_a_database_of_a_newer_version_is_refused_and_left_as_it_is(path: str) -> None:
    os.makedirs(os.path.dirname(path))
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 999")
    with pytest.raises(StoreError, match="made by a newer ao-lsp") as raised:
        await open_store(path)
    assert raised.value.code == "newer"
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (999,)


LATER = (*MIGRATIONS, ("ALTER TABLE runs ADD COLUMN color TEXT", "UPDATE runs SET color = 'blue'"))


async def test_an_older_database_is_migrated_and_what_it_was_is_kept_beside_it(store: SqlStore, path: str) -> None:
    await record(store, "run1", "c1")
    await migrate(writer(store), path, LATER)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT id, color FROM runs").fetchall() == [("run1", "blue")]
        assert db.execute("PRAGMA user_version").fetchone() == (len(LATER),)
    with closing(sqlite3.connect(f"{path}.v{len(MIGRATIONS)}.bak")) as db:
        assert db.execute("SELECT id FROM runs").fetchall() == [("run1",)]
        assert "color" not in [column[1] for column in db.execute("PRAGMA table_info(runs)")]


async def test_a_migration_whose_backup_cannot_be_written_does_not_begin(
    store: SqlStore, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await record(store, "run1", "c1")

    async def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(aiosqlite.Connection, "backup", full)
    with pytest.raises(StoreError, match="no room left"), translated(path):
        await migrate(writer(store), path, LATER)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        assert "color" not in [column[1] for column in db.execute("PRAGMA table_info(runs)")]
    assert await store.run("run1") is not None


def test_a_disk_without_room_for_the_backup_keeps_the_daemon_from_starting_with_a_reason(path: str) -> None:
    os.makedirs(os.path.dirname(path))
    with closing(sqlite3.connect(path)) as db:
        for statement in (*(one for some in MIGRATIONS[:5] for one in some), "PRAGMA user_version = 5"):
            db.execute(statement)
        db.execute("INSERT INTO notes (run, at, level, message) VALUES ('r', 1, 'info', ?)", ("x" * 200_000,))
        db.commit()
    before = Path(path).read_bytes()
    # A process that may write no larger files: what a full disk looks like from inside.
    program = f"""
import asyncio, resource
from ao_lsp.server.store import StoreError
from ao_lsp.server.store.sqlite import open_store
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
try:
    asyncio.run(open_store({path!r}))
except StoreError as error:
    print(error.code, error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith(("full ", "unavailable ")), done.stderr
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (5,)
        assert db.execute("SELECT length(message) FROM notes").fetchone() == (200_000,)
    assert len(Path(path).read_bytes()) == len(before)


async def test_what_a_migration_kept_goes_with_the_first_deletion_or_after_a_month(path: str) -> None:
    def old() -> None:
        with closing(sqlite3.connect(path)) as db:
            for statement in (*(one for some in MIGRATIONS[:5] for one in some), "PRAGMA user_version = 5"):
                db.execute(statement)
            db.execute("INSERT INTO runs (id, name) VALUES ('run1', 'a planted secret')")
            db.commit()

    os.makedirs(os.path.dirname(path))
    old()
    backup = Path(f"{path}.v5.bak")
    half, other = Path(f"{path}.v4.bak.half"), Path(path).with_name("other.v5.bak")
    store = await open_store(path)
    assert b"a planted secret" in backup.read_bytes()
    half.touch()
    other.touch()
    await store.delete_runs(["run1"])
    assert [backup.exists(), half.exists(), other.exists()] == [False, False, True]
    assert b"a planted secret" not in b"".join(file.read_bytes() for file in Path(path).parent.iterdir())
    await store.close()

    os.unlink(path)
    old()
    await (await open_store(path)).close()
    for age, is_kept in ((29, True), (31, False)):
        os.utime(backup, (time.time() - age * 24 * 3600,) * 2)
        await (await open_store(path)).close()
        assert backup.exists() == is_kept


async def test_what_is_deleted_is_overwritten_whatever_sqlite_does_by_itself(store: SqlStore) -> None:
    (row,) = await writer(store).execute_fetchall("PRAGMA secure_delete")
    assert row[0] == 1


async def test_edits_of_a_database_from_before_there_were_versions_are_the_first_ones(path: str) -> None:
    os.makedirs(os.path.dirname(path))
    with closing(sqlite3.connect(path)) as db:
        for statement in (*MIGRATIONS[0], *MIGRATIONS[1], "PRAGMA user_version = 2"):
            db.execute(statement)
        db.execute("INSERT INTO runs (id) VALUES ('run1')")
        db.execute("INSERT INTO bodies VALUES (x'01', 3, 'raw', 'new')")
        db.execute("INSERT INTO edits VALUES ('run1', 'c1', 'output', 1.0, 'new', x'01', '[]', '[]')")
        db.commit()
    store = await open_store(path)
    try:
        assert [(edit.content, edit.version) for edit in await store.edits("run1")] == [("new", 1)]
        await store.put_edit(an_edit("newer"))
        assert [(edit.content, edit.version) for edit in await store.edits("run1")] == [("newer", 2)]
        await store.delete_runs(["run1"])
        assert await store.edits("run1") == []
    finally:
        await store.close()


async def test_calls_from_before_cached_tokens_were_kept_have_the_price_of_all_tokens(path: str) -> None:
    os.makedirs(os.path.dirname(path))
    with closing(sqlite3.connect(path)) as db:
        for statement in (*MIGRATIONS[0], *MIGRATIONS[1], *MIGRATIONS[2], "PRAGMA user_version = 3"):
            db.execute(statement)
        db.execute("INSERT INTO sessions (id, created) VALUES ('s', 1.0)")
        db.execute(
            """INSERT INTO runs (id, session, name, argv, target, options, cwd, python, python_version, env, started)
            VALUES ('run1', 's', 'a', '[]', '["script", "a"]', '[]', '/', '', '', '{}', 1.0)"""
        )
        db.execute(
            """INSERT INTO calls (run, id, kind, url, endpoint, stack, lineage, origin, started, provider, model,
            status, input_tokens, output_tokens)
            VALUES ('run1', 'c1', 'llm', 'https://api.openai.com/v1/chat/completions',
            '/v1/chat/completions', '[]', '""', 'live', 1.7e9, 'openai', 'gpt-4o', 'ok', 1000, 100)"""
        )
        db.commit()
    store = await open_store(path)
    try:
        graph = await store.graph("run1")
        assert graph is not None
        (call,) = graph.calls
        assert (call.input_tokens, call.cached_tokens, call.served_model) == (1000, None, None)
        assert pricing.cost(call.spent) == pytest.approx(0.0035)
        (summary,) = await store.summaries(["run1"])
        assert summary.spent == (call.spent,)
    finally:
        await store.close()


async def test_a_migration_that_fails_changes_nothing(store: SqlStore, path: str) -> None:
    await record(store, "run1")
    with pytest.raises(sqlite3.OperationalError):
        await migrate(writer(store), path, (*LATER, ("SELECT nonsense",)))
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        assert "color" not in [column[1] for column in db.execute("PRAGMA table_info(runs)")]
    await record(store, "run2")


async def test_migrating_twice_is_the_same_as_once(store: SqlStore, path: str) -> None:
    await migrate(writer(store), path, LATER)
    await migrate(writer(store), path, LATER)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (len(LATER),)


async def test_the_private_names_of_aiosqlite_that_we_use_are_there(store: SqlStore) -> None:
    db = writer(store)
    assert await db._execute(db._conn.execute, "SELECT 1")  # type: ignore[no-untyped-call] # as it is


async def test_what_gives_no_rows_is_done_before_what_does(store: SqlStore) -> None:
    async with store._driver.write() as db:
        await db.execute_many("INSERT INTO sessions (id, created) VALUES (?, ?)", [("a", 1.0), ("b", 2.0)])
        assert [row["id"] for row in await db.fetch("SELECT id FROM sessions ORDER BY id")] == ["a", "b"]
        await db.execute_many("DELETE FROM sessions WHERE id = ?", [("a",)])
    assert await asked(store, "SELECT id FROM sessions") == [("b",)]


async def test_the_page_about_the_store_has_its_tables(store: SqlStore) -> None:
    page = PAGE.read_text(encoding="utf-8")
    described = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    found = await writer(store).execute_fetchall("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
    assert sorted(described) == [name for (name,) in found if not name.startswith("search")]


async def test_in_which_expressions_values_were_made_is_kept_by_file_and_goes_with_the_run(store: SqlStore) -> None:
    await store.record(arrivals("run1", [started(), *called("c1"), valued(), valued("/b.py")]))
    ((file, said),) = await store.made("run1", ["/project/agent.py", "/c.py"])
    assert (file, said) == ("/project/agent.py", valued()[1]["made"])
    await store.delete_runs(["run1"])
    assert await store.made("run1", ["/project/agent.py", "/b.py"]) == []
