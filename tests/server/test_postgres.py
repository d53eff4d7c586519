"""What only the store in PostgreSQL has: a server that may be away, and other daemons on the same database."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest

from ao_lsp.server import graph, processes
from ao_lsp.server.core import Core, open_core
from ao_lsp.server.model import Change
from ao_lsp.server.store import Arrival, StoreError, opening
from ao_lsp.server.store.postgres import PostgresDriver, display_name, open_store
from ao_lsp.server.store.postgres_schema import MIGRATIONS, migrate
from ao_lsp.server.store.sql import SqlStore
from tests import postgres
from tests.daemons import LONG_S
from tests.server.stored import arrivals, asked, called, ended, record, started


@pytest.fixture
async def address() -> str:
    return await postgres.server().database()


@pytest.fixture
async def stores(address: str) -> AsyncIterator[tuple[SqlStore, SqlStore]]:
    """Two daemons' stores in one database."""
    pair = await open_store(address), await open_store(address)
    yield pair
    for store in pair:
        await store.close()


async def test_a_text_that_postgresql_cannot_hold_is_kept_without_what_it_cannot(
    stores: tuple[SqlStore, SqlStore],
) -> None:
    events = [started(name="a\0b"), *called("c1", "said\0this", thread="T\0"), ended()]
    await stores[0].record(arrivals("run1", events))
    found = await stores[0].graph("run1")
    assert found is not None
    assert (found.run.name, found.calls[0].thread, found.calls[0].preview) == ("a\ufffdb", "T\ufffd", "said\ufffdthis")
    exchange = await stores[0].exchange("run1", "c1")
    assert exchange is not None
    assert b"said\\u0000this" in (exchange.response or b""), "a body is kept byte for byte"


async def test_daemons_that_write_side_by_side_number_the_changes_of_a_session_densely(
    stores: tuple[SqlStore, SqlStore],
) -> None:
    await asyncio.gather(*(record(stores[n % 2], f"run{n}", "c1", "c2", session="shared") for n in range(20)))
    changes = await stores[0].changes_since("shared", 0)
    assert changes is not None
    assert [change.seq for change in changes] == list(range(1, 20 * 6 + 1))


async def test_an_event_counts_once_whichever_daemon_it_comes_to(stores: tuple[SqlStore, SqlStore]) -> None:
    events = arrivals("run1", [started(), *called("c1"), ended()])
    made = await asyncio.gather(*(store.record(events) for store in stores))
    assert sum(len(recorded.changes) for recorded in made) == 4


async def test_deleting_in_one_daemon_takes_no_body_that_another_is_about_to_name(
    stores: tuple[SqlStore, SqlStore],
) -> None:
    await record(stores[0], "run0", "c1")
    for n in range(10):
        await asyncio.gather(record(stores[0], f"run{n + 1}", "c1"), stores[1].delete_runs([f"run{n}"]))
    assert await stores[0].exchange("run10", "c1") is not None


async def test_what_one_daemon_commits_others_hear_of(stores: tuple[SqlStore, SqlStore]) -> None:
    heard: list[Change] = []
    arrived = asyncio.Event()

    def hear(changes: Sequence[Change]) -> None:
        heard.extend(changes)
        if any(change.kind == "run.ended" for change in changes):
            arrived.set()

    own: list[Change] = []
    await stores[1].listen(hear)
    await stores[0].listen(own.extend)
    events = arrivals("run1", [started(), *(event for n in range(200) for event in called(f"c{n}")), ended()])
    recorded = await stores[0].record(events)
    await asyncio.wait_for(arrived.wait(), LONG_S)
    assert heard == list(recorded.changes), "in order, none lost or doubled, in notifications of a bounded size"
    assert [change.graphs for change in heard] == [("run1",)] * len(heard)
    assert own == [], "what a daemon commits itself it publishes itself"


async def test_a_daemon_whose_connection_is_cut_goes_on_with_another(address: str) -> None:
    store = await open_store(address)
    await record(store, "run1")
    other = await asyncpg.connect(address)
    await other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ao-lsp'")
    await other.close()
    for _ in range(5):  # one for each connection that was in the pool
        with suppress(StoreError):
            await record(store, "run2")
            break
    assert [run for run, _ in await store.run_names()] == ["run2", "run1"]
    await store.close()


# -- runs of other machines


@pytest.fixture
async def core(home: str, address: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Core]:  # noqa: ARG001 - the core lives there
    monkeypatch.setenv("AO_DATABASE", address)
    opened = await open_core()
    yield opened
    await opened.close()


async def test_a_run_of_another_machine_is_never_marked_lost_by_this_one(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = processes.Process(1 << 22, "another-boot:1")  # nobody has this number here
    for run, host in (("theirs", "another-machine"), ("ours", processes.host())):
        monkeypatch.setattr(processes, "host", lambda host=host: host)
        fact = graph.read({"at": 1.0, **started(session=run)[0]}, {}, run)
        await core.store.record([Arrival(run, "s1", 1, gone, fact)])
    await core.liveness.begin()
    await core.look()
    assert {one.run.id: one.run.status for one in await core.store.summaries(["theirs", "ours"])} == {
        "theirs": "running",
        "ours": "lost",
    }
    assert [run for run, _ in await core.store.running()] == ["theirs"], "nor may it be deleted here"


# -- addresses


async def test_a_server_that_is_not_there_is_an_error_with_a_reason(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"postgresql:///db cannot be reached") as raised:
        await open_store(f"postgresql://somebody:secret@/db?host={tmp_path}")
    assert raised.value.code == "unavailable"
    assert "secret" not in str(raised.value)


async def test_a_database_that_is_not_there_is_an_error_with_a_reason() -> None:
    with pytest.raises(StoreError, match="there is no database") as raised:
        await open_store(postgres.server().address("nowhere"))
    assert raised.value.code == "unavailable"


async def test_an_address_that_is_none_is_an_error_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    for address in ("mysql://root:secret@host/db", "postgresql://[host/db", "postgresql://host:port/db"):
        monkeypatch.setenv("AO_DATABASE", address)
        with pytest.raises(StoreError) as raised:
            await opening.open_store()
        assert raised.value.code == "unavailable"
        assert "secret" not in str(raised.value)


async def test_without_asyncpg_the_user_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    with pytest.raises(StoreError, match="needs the package asyncpg") as raised:
        await open_store("postgresql://host/db")
    assert "ao-lsp[postgres]" in raised.value.hint


def test_a_password_is_in_no_name() -> None:
    assert display_name("postgresql://me:secret@host:5432/db?sslkey=x") == "postgresql://host:5432/db"


# -- migrations

LATER = (*MIGRATIONS, ("ALTER TABLE runs ADD COLUMN color TEXT", "UPDATE runs SET color = 'blue'"))


async def connection(store: SqlStore) -> asyncpg.Connection:
    driver = store._driver
    assert isinstance(driver, PostgresDriver)
    return await asyncpg.connect(driver._address, server_settings=driver._settings)


async def test_an_older_database_is_migrated_and_what_it_was_is_kept_until_runs_are_deleted(
    stores: tuple[SqlStore, SqlStore],
) -> None:
    store = stores[0]
    await record(store, "run1", "c1")
    db = await connection(store)
    await migrate(db, "name", LATER)
    await migrate(db, "name", LATER)
    backup = f"ao_v{len(MIGRATIONS)}_backup"
    assert await db.fetchval("SELECT color FROM runs") == "blue"
    assert await db.fetchval(f"SELECT id FROM {backup}.runs") == "run1"
    await store.delete_runs(["run1"])
    assert await db.fetchval("SELECT to_regclass($1)::text", f"{backup}.runs") is None
    await db.close()


async def test_what_a_migration_kept_goes_after_a_month(stores: tuple[SqlStore, SqlStore]) -> None:
    db = await connection(stores[0])
    await migrate(db, "name", LATER)
    backup = f"ao_v{len(MIGRATIONS)}_backup"
    for age, is_kept in ((29, True), (31, False)):
        then = await db.fetchval("SELECT (now() - $1::text::interval)::text", f"{age} days")
        await db.execute(f"COMMENT ON SCHEMA {backup} IS '{then}'")
        await migrate(db, "name", LATER)
        assert (await db.fetchval("SELECT to_regclass($1)::text", f"{backup}.runs") is not None) == is_kept
    await db.close()


async def test_a_migration_that_fails_changes_nothing(stores: tuple[SqlStore, SqlStore]) -> None:
    await record(stores[0], "run1")
    db = await connection(stores[0])
    with pytest.raises(asyncpg.PostgresError):
        await migrate(db, "name", (*LATER, ("SELECT nonsense",)))
    assert await db.fetchval("SELECT version FROM schema_version") == len(MIGRATIONS)
    assert await db.fetchval("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'ao_v%'") == 0
    await db.close()


async def test_daemons_that_start_at_once_make_the_tables_once() -> None:
    address = await postgres.server().database("template0")
    opened = await asyncio.gather(*(open_store(address) for _ in range(5)))
    assert await asked(opened[0], "SELECT version FROM schema_version") == [(len(MIGRATIONS),)]
    for store in opened:
        await store.close()


async def test_a_database_of_a_newer_version_is_refused_and_left_as_it_is(address: str) -> None:
    store = await open_store(address)
    db = await connection(store)
    await store.close()
    await db.execute("UPDATE schema_version SET version = 999")
    with pytest.raises(StoreError, match="made by a newer ao-lsp") as raised:
        await open_store(address)
    assert raised.value.code == "newer"
    assert await db.fetchval("SELECT version FROM schema_version") == 999
    await db.close()


async def test_the_space_of_deleted_runs_is_given_back(stores: tuple[SqlStore, SqlStore]) -> None:
    store = stores[0]
    await store.record(arrivals("run1", [started(), *called("c1", os.urandom(1 << 20).hex()), ended()]))
    await record(store, "run2", "c1")
    full = await store.size()
    await store.delete_runs(["run1"])
    assert full - await store.size() > 1 << 20
