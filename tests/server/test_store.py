"""The database: what it keeps, what it gives back, and what it says when it cannot."""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ao_lsp.server import graph, pricing
from ao_lsp.server.model import Edit
from ao_lsp.server.store import Arrival, StoreError, writing
from ao_lsp.server.store.schema import MIGRATIONS, migrate
from ao_lsp.server.store.sqlite import SqliteStore, open_store
from tests.recorder import CHAT, SITE, chat_request, chat_response

PAGE = Path(__file__).parents[2] / "docs" / "store.md"


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "data" / "ao.db")


@pytest.fixture
async def store(path: str) -> AsyncIterator[SqliteStore]:
    opened = await open_store(path, busy_timeout_s=0.1)
    yield opened
    await opened.close()


def arrivals(run: str, events: Sequence[tuple[dict[str, Any], dict[str, bytes]]], first: int = 1) -> list[Arrival]:
    found = []
    for seq, (event, parts) in enumerate(events, first):
        fact = graph.read({"at": time.time(), **event}, parts, run)
        if isinstance(fact, graph.CallEnded):
            fact = graph.summarised(fact, CHAT)
        found.append(Arrival(run, "s1", seq, None, fact))
    return found


def started(session: str = "session1", **more: Any) -> tuple[dict[str, Any], dict[str, bytes]]:
    return {"type": "run.start", "session": session, "name": "a.py", "argv": ["a.py"], **more}, {}


def called(call: str, text: str = "hi", **more: Any) -> list[tuple[dict[str, Any], dict[str, bytes]]]:
    url = {"endpoint": CHAT, "url": f"https://api.openai.com{CHAT}", "site": SITE}
    headers = [["content-type", "application/json"]]
    return [
        ({"type": "call.start", "call": call, **url, **more}, {"request": chat_request(call)}),
        (
            {"type": "call.end", "call": call, "status": "ok", "http_status": 200, "headers": headers},
            {"response": chat_response(text)},
        ),
    ]


def ended() -> tuple[dict[str, Any], dict[str, bytes]]:
    return {"type": "run.end", "status": "finished", "exit_code": 0}, {}


async def record(store: SqliteStore, run: str, *calls: str, session: str = "session1") -> None:
    events = [started(session), *(event for call in calls for event in called(call)), ended()]
    await store.record(arrivals(run, events))


async def test_what_is_written_comes_back_as_it_was(store: SqliteStore) -> None:
    site = {"file": "/p/a.py", "line": 3, "function": "f", "end_line": None, "column": 4, "end_column": None}
    events = [
        started(target={"kind": "module", "value": "a"}, options=["--no-taint"], env={"LANG": "C"}, cwd="/p", pid=7),
        *called("c1", "hello", site=site, stack=[site], lineage={"task": 1}, thread="T", task="t", source_call="x"),
        ended(),
    ]
    await store.record(arrivals("run1", events))
    found = await store.graph("run1")
    assert found is not None
    assert found.run.target == ("module", "a")
    assert (found.run.options, found.run.env, found.run.cwd) == (("--no-taint",), (("LANG", "C"),), "/p")
    (call,) = found.calls
    assert call.site is not None
    assert (call.site.line, call.site.column, call.stack) == (3, 4, (call.site,))
    assert (call.lineage, call.thread, call.task, call.source_call) == ({"task": 1}, "T", "t", "x")
    assert (call.provider, call.model, call.preview, call.input_tokens) == ("openai", "gpt-5", "hello", 7)
    exchange = await store.exchange("run1", "c1")
    assert exchange is not None
    assert (exchange.request, exchange.response) == (chat_request("c1"), chat_response("hello"))


async def test_equal_bodies_are_stored_once(store: SqliteStore, path: str) -> None:
    for run in ("run1", "run2"):
        await record(store, run, "c1")
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM bodies").fetchone() == (2,)


async def test_deleting_a_run_deletes_what_only_it_had_and_gives_the_space_back(store: SqliteStore, path: str) -> None:
    await record(store, "run1", "c1")
    noise = os.urandom(2 << 20).hex()
    await store.record(arrivals("run2", [started("session2"), *called("c1"), *called("c2", noise), ended()]))
    full = store.size()
    changes = await store.delete_runs(["run2"])
    assert [(change.kind, change.run) for change in changes] == [("run.deleted", "run2")]
    assert await store.graph("run2") is None
    assert full - store.size() > 2 << 20
    kept = await store.exchange("run1", "c1")
    assert kept is not None, "a body that another run shares is gone"
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM calls").fetchone() == (1,)
        assert db.execute("SELECT count(*) FROM streams").fetchone() == (1,)
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_changes_are_numbered_densely_within_their_session(store: SqliteStore) -> None:
    await record(store, "run1", "c1", session="one")
    await record(store, "run2", "c1", session="two")
    await record(store, "run3", session="one")
    changes = await store.changes_since("one", 0)
    assert changes is not None
    assert [(change.seq, change.kind, change.run) for change in changes] == [
        (1, "run.started", "run1"),
        (2, "call.started", "run1"),
        (3, "call.ended", "run1"),
        (4, "run.ended", "run1"),
        (5, "run.started", "run3"),
        (6, "run.ended", "run3"),
    ]
    assert await store.changes_since("one", 6) == []
    tail = await store.changes_since("one", 4)
    assert tail is not None
    assert [change.seq for change in tail] == [5, 6]


async def test_a_number_that_is_too_old_or_was_never_given_means_read_everything(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "_CHANGES_KEPT", 5)
    for number in range(6):
        await record(store, f"run{number}", "c1")
    assert await store.changes_since("session1", 0) is None
    assert await store.changes_since("session1", 99) is None
    assert await store.changes_since("nobody", 0) is None
    session = await store.session("session1")
    assert session is not None
    assert session.last_change == 24
    kept = await store.changes_since("session1", session.first_change - 1)
    assert kept is not None
    assert [change.seq for change in kept] == list(range(session.first_change, 25))


async def test_numbers_go_on_after_every_run_of_a_session_is_deleted(store: SqliteStore) -> None:
    await record(store, "run1", "c1")
    await store.delete_runs(["run1"])
    await record(store, "run2")
    changes = await store.changes_since("session1", 4)
    assert changes is not None
    assert [(change.seq, change.kind) for change in changes] == [
        (5, "run.deleted"),
        (6, "run.started"),
        (7, "run.ended"),
    ]


def an_edit(text: str, call: str = "c1") -> Edit:
    return Edit("run1", call, "output", 1.0, text, text.encode(), (("a", "b"),), ((1, 2.0),))


async def test_the_last_edit_counts_and_each_can_be_taken_back(store: SqliteStore, path: str) -> None:
    await record(store, "run1", "c1", "c2")
    for edit in (an_edit("first"), an_edit("second"), an_edit("another's", "c2")):
        assert [change.kind for change in await store.put_edit(edit)] == ["edit.stored"]
    found, _ = await store.edits("run1")
    assert found == replace(an_edit("second"), version=2)
    assert (await store.summaries(["run1"]))[0].edits == 2, "calls and fields are counted, not versions"
    original = await store.exchange("run1", "c1")
    assert original is not None
    assert original.response == chat_response("hi")
    assert [change.kind for change in await store.delete_edits("run1", "c1", ("output", "input"))] == ["edit.removed"]
    assert await store.edits("run1") == [an_edit("first"), an_edit("another's", "c2")]
    await store.delete_edits("run1", "c1", ("output",))
    assert await store.delete_edits("run1", "c1", ("output",)) == ()
    assert await store.edits("run1") == [an_edit("another's", "c2")]
    await store.delete_edits("run1", "c2", ("output",))
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM bodies").fetchone() == (3,), "the bodies of edits are gone with them"


async def test_all_edits_of_a_call_can_be_taken_back_at_once(store: SqliteStore) -> None:
    await record(store, "run1", "c1", "c2")
    for edit in (an_edit("first"), an_edit("second"), an_edit("third"), an_edit("another's", "c2")):
        await store.put_edit(edit)
    await store.delete_edits("run1", "c1", ("output",), every=True)
    assert await store.edits("run1") == [an_edit("another's", "c2")]


async def test_an_edit_that_says_the_same_again_is_no_new_one(store: SqliteStore) -> None:
    await record(store, "run1", "c1")
    await store.put_edit(an_edit("first"))
    assert await store.put_edit(an_edit("first")) == ()
    await store.delete_edits("run1", "c1", ("output",))
    assert await store.edits("run1") == []


async def test_a_batch_is_committed_as_a_whole_or_not_at_all(store: SqliteStore) -> None:
    bad = Arrival("run1", "s1", 3, None, graph.RunNote("run1", 1.0, "info", "\ud800"))
    with pytest.raises(UnicodeEncodeError):
        await store.record([*arrivals("run1", [started(), ended()]), bad])
    assert await store.run("run1") is None
    await record(store, "run1")
    assert await store.run("run1") is not None


async def test_runs_are_found_by_the_files_that_their_calls_were_made_from(store: SqliteStore) -> None:
    file, caller = str(SITE["file"]), {**SITE, "file": '/project/ma"in é.py'}
    await record(store, "run1", "c1")
    await record(store, "run2", "c1", "c2")
    await record(store, "run3")
    through = [started(), *called("c1", stack=[SITE, caller])]
    await store.record(arrivals("run4", through))
    assert await store.runs_in_files([file], 9) == ["run4", "run2", "run1"]
    assert await store.runs_in_files(["/elsewhere.py", file], 2) == ["run4", "run2"]
    assert await store.runs_in_files([str(caller["file"])], 9) == ["run4"]
    assert await store.runs_in_files(["/elsewhere.py"], 9) == []
    assert await store.files_of(["run1", "run3"]) == {file}
    assert await store.files_of(["run4"]) == {file, caller["file"]}
    assert await store.files_of([]) == set()


async def test_edges_from_calls_of_other_runs_are_kept_out_of_a_graph(store: SqliteStore) -> None:
    inputs = [{"call": "elsewhere", "evidence": "tracked"}, {"call": "c1", "evidence": "matched"}, {"call": "c1"}]
    events = [started(), *called("c1"), *called("c2", inputs=inputs)]
    await store.record(arrivals("run1", events))
    found = await store.graph("run1")
    assert found is not None
    assert [(edge.source, edge.target, edge.evidence) for edge in found.edges] == [("c1", "c2", "tracked")]


# -- when it cannot


async def test_a_locked_database_is_an_error_with_a_reason_and_not_the_end(store: SqliteStore, path: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="locked by another program") as raised:
            await record(store, "run1")
        assert raised.value.code == "busy"
        other.execute("ROLLBACK")
    await record(store, "run1")
    assert await store.run("run1") is not None


async def test_a_full_disk_is_an_error_with_a_reason_and_not_the_end(store: SqliteStore) -> None:
    await record(store, "run1")
    await store._writer.execute("PRAGMA max_page_count = 1")
    events = [started(), *called("c1", os.urandom(1 << 20).hex())]
    with pytest.raises(StoreError, match="no room left") as raised:
        await store.record(arrivals("run2", events))
    assert raised.value.code == "full"
    assert await store.run("run2") is None
    await store._writer.execute("PRAGMA max_page_count = 1073741823")
    await store.record(arrivals("run2", events))
    assert await store.run("run2") is not None


def damage(path: str) -> None:
    os.makedirs(os.path.dirname(path))
    Path(path).write_bytes(b"SQLite format 3\0" + b"\xee" * 5000)


async def test_a_damaged_database_is_an_error_with_a_reason(path: str) -> None:
    damage(path)
    with pytest.raises(StoreError) as raised:
        await open_store(path)
    assert raised.value.code == "corrupt"
    assert "move it away" in raised.value.hint


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


async def test_an_older_database_is_migrated_and_what_it_was_is_kept_beside_it(store: SqliteStore, path: str) -> None:
    await record(store, "run1", "c1")
    await migrate(store._writer, path, LATER)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT id, color FROM runs").fetchall() == [("run1", "blue")]
        assert db.execute("PRAGMA user_version").fetchone() == (len(LATER),)
    with closing(sqlite3.connect(f"{path}.v{len(MIGRATIONS)}.bak")) as db:
        assert db.execute("SELECT id FROM runs").fetchall() == [("run1",)]
        assert "color" not in [column[1] for column in db.execute("PRAGMA table_info(runs)")]


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


async def test_what_is_deleted_is_overwritten_whatever_sqlite_does_by_itself(store: SqliteStore) -> None:
    (row,) = await store._writer.execute_fetchall("PRAGMA secure_delete")
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


async def test_a_migration_that_fails_changes_nothing(store: SqliteStore, path: str) -> None:
    await record(store, "run1")
    with pytest.raises(sqlite3.OperationalError):
        await migrate(store._writer, path, (*LATER, ("SELECT nonsense",)))
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        assert "color" not in [column[1] for column in db.execute("PRAGMA table_info(runs)")]
    await record(store, "run2")


async def test_migrating_twice_is_the_same_as_once(store: SqliteStore, path: str) -> None:
    await migrate(store._writer, path, LATER)
    await migrate(store._writer, path, LATER)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (len(LATER),)


async def test_the_page_about_the_store_has_its_tables(store: SqliteStore) -> None:
    page = PAGE.read_text(encoding="utf-8")
    described = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    found = await store._reader.execute_fetchall("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
    assert sorted(described) == [name for (name,) in found]


async def test_a_version_is_that_of_a_run_and_of_its_subruns_also_of_those_that_begin_later(store: SqliteStore) -> None:
    await store.record(arrivals("run1", [started(), ({"type": "subrun.start", "subrun": "first"}, {})]))
    (change,) = await store.put_version("run1", "1234", "/project", "app.py was written after the run began")
    assert (change.kind, change.run, change.graphs) == ("run.versioned", "run1", ("run1",))
    await store.record(arrivals("run1", [({"type": "subrun.start", "subrun": "second"}, {})], first=3))
    for run in ("run1", "first", "second"):
        found = await store.run(run)
        assert found is not None
        assert (found.version, found.version_root) == ("1234", "/project")
        assert found.version_note == "app.py was written after the run began"
    assert await store.versions() == {"1234": ["run1"]}


async def test_a_version_that_has_been_said_or_is_of_no_run_is_no_change(store: SqliteStore) -> None:
    await store.record(arrivals("run1", [started()]))
    assert await store.put_version("run1", "1234", "/project", "")
    assert not await store.put_version("run1", "1234", "/project", "")
    assert not await store.put_version("run2", "1234", "/project", "")
