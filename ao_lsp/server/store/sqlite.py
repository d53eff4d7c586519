"""The store in SQLite: one connection that writes, one that reads beside it (WAL)."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager

import aiosqlite

from ao_lsp.server.detours import without_detours
from ao_lsp.server.graph import RunEnded
from ao_lsp.server.model import Call, Change, Edge, Edit, EditField, Exchange, Graph, Run, RunSummary, Session, Spent
from ao_lsp.server.processes import Process
from ao_lsp.server.store import Arrival, Recorded, RunOutline, rows, writing
from ao_lsp.server.store.errors import translated
from ao_lsp.server.store.outlines import outlines_of
from ao_lsp.server.store.rows import dump, failure_text
from ao_lsp.server.store.schema import delete_backups, delete_old_backups, migrate
from ao_lsp.server.store.totals import summed

# The runs in the JSON list `:runs`, with their subruns, and theirs.
_TREE = """WITH RECURSIVE tree (id) AS (
        SELECT value FROM json_each(:runs)
        UNION SELECT runs.id FROM runs JOIN tree ON runs.subrun_of = tree.id
    )"""

_SUMMARY = f"""{_TREE} SELECT runs.*,
    (SELECT count(*) FROM calls WHERE run = runs.id AND started IS NOT NULL) AS calls,
    (SELECT count(*) FROM calls WHERE run = runs.id AND calls.status = 'error') AS failed_calls,
    (SELECT count(*) FROM calls WHERE run = runs.id AND origin = 'live') AS live_calls,
    (SELECT count(*) FROM edits WHERE run = runs.id AND version = 1) AS edits,
    (SELECT coalesce(sum(input_tokens), 0) FROM calls WHERE run = runs.id) AS input_tokens,
    (SELECT coalesce(sum(output_tokens), 0) FROM calls WHERE run = runs.id) AS output_tokens
    FROM runs WHERE runs.started IS NOT NULL AND runs.id IN (SELECT id FROM tree)
    ORDER BY runs.started DESC, runs.rowid DESC"""  # noqa: S608 - constants

_SPENT = f"""SELECT run, {rows.SPENT_COLUMNS} FROM calls
    WHERE run IN (SELECT value FROM json_each(?)) AND started IS NOT NULL"""  # noqa: S608 - constants

# A stack names files as JSON does. There is no index on that, so only the last runs are searched.
_RUNS_IN_FILES = """SELECT id FROM runs WHERE started IS NOT NULL AND id IN (
    SELECT coalesce(runs.root, runs.id) FROM runs JOIN calls ON calls.run = runs.id
    WHERE calls.started IS NOT NULL AND file IN (SELECT value FROM json_each(:files))
    UNION
    SELECT coalesce(runs.root, runs.id) FROM runs JOIN calls ON calls.run = runs.id, json_each(:files) AS wanted
    WHERE coalesce(runs.root, runs.id) IN (
        SELECT id FROM runs WHERE started IS NOT NULL AND subrun_of IS NULL ORDER BY started DESC, rowid DESC LIMIT 10
    )
    AND instr(calls.stack, json_quote(wanted.value)))
    ORDER BY started DESC, rowid DESC LIMIT :most"""

_EDITS = f"""{_TREE} SELECT edits.*, bodies.codec, bodies.data FROM edits
    JOIN bodies ON bodies.hash = edits.body WHERE run IN (SELECT id FROM tree) AND version =
    (SELECT max(version) FROM edits AS every
    WHERE (every.run, every.call, every.field) = (edits.run, edits.call, edits.field))
    ORDER BY created"""  # noqa: S608 - constants

_EXCHANGES = """SELECT calls.id, calls.request_headers, calls.response_headers, calls.chunks,
    request.codec AS request_codec, request.data AS request_data,
    response.codec AS response_codec, response.data AS response_data
    FROM calls JOIN bodies AS request ON request.hash = calls.request_body
    LEFT JOIN bodies AS response ON response.hash = calls.response_body
    WHERE (calls.run, calls.id) IN
        (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?))"""

_OUTLINE = """SELECT runs.id, runs.subrun_of, runs.root, runs.status, calls.id AS call, calls.status AS call_status
    FROM runs LEFT JOIN calls ON calls.run = runs.id AND calls.started IS NOT NULL
    WHERE runs.session = ? AND runs.started IS NOT NULL
    ORDER BY runs.started, runs.rowid, calls.started, calls.rowid"""

# The length stands before the data in each row, so that no body has to be read for it.
_BODY_BYTES = """SELECT calls.id, request.size + coalesce(response.size, 0) AS bytes
    FROM calls JOIN bodies AS request ON request.hash = calls.request_body
    LEFT JOIN bodies AS response ON response.hash = calls.response_body
    WHERE calls.run IN (SELECT value FROM json_each(?))"""


async def open_store(path: str, busy_timeout_s: float = 5.0) -> SqliteStore:
    """The store at `path`, made or migrated where needed.

    Raises:
        StoreError: it cannot be opened, is damaged, or of a newer version.
    """
    os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
    with translated(path):
        writer = await _connection(path, busy_timeout_s)
        try:
            # Settled before the first table exists, or never: freed pages can be given back later.
            await writer.execute("PRAGMA auto_vacuum = INCREMENTAL")
            await writer.execute("PRAGMA journal_mode = WAL")
            await writer.execute("PRAGMA synchronous = NORMAL")
            # What is deleted is overwritten. Some builds of SQLite do so by themselves, others do not.
            await writer.execute("PRAGMA secure_delete = ON")
            await migrate(writer, path)
            await asyncio.to_thread(delete_old_backups, path)
            reader = await _connection(path, busy_timeout_s)
            await reader.execute("PRAGMA query_only = ON")
        except BaseException:
            await writer.close()
            raise
    return SqliteStore(path, writer, reader)


async def _connection(path: str, busy_timeout_s: float) -> aiosqlite.Connection:
    db = await aiosqlite.connect(path, timeout=busy_timeout_s, isolation_level=None)
    db.row_factory = sqlite3.Row
    await db.execute("PRAGMA foreign_keys = ON")
    return db


class SqliteStore:
    """Implements `Store`. Made by `open_store`."""

    def __init__(self, path: str, writer: aiosqlite.Connection, reader: aiosqlite.Connection) -> None:
        self._path = path
        self._writer, self._reader = writer, reader
        # A transaction spans several awaits, and a connection can be in one only.
        self._writing, self._reading = asyncio.Lock(), asyncio.Lock()
        self._data_version: int | None = None

    async def close(self) -> None:
        await self._reader.close()
        await self._writer.close()

    # -- writing

    async def record(self, arrivals: Sequence[Arrival]) -> Recorded:
        async with self._write() as db:
            return await writing.record(db, arrivals)

    async def conclude(self, ended: RunEnded) -> tuple[Change, ...]:
        async with self._write() as db:
            cursor = await db.execute(
                "UPDATE runs SET ended = ?, status = ?, exit_code = ?, error = ? WHERE id = ? AND status = 'running'",
                (ended.at, ended.status, ended.exit_code, failure_text(ended.error), ended.run),
            )
            if not cursor.rowcount:
                return ()
            await db.execute(writing.END_SUBRUNS, (ended.at, ended.status, ended.run))
            return await writing.log_changes(db, [(ended.run, ended.at, "run.ended", None)])

    async def put_version(self, run: str, version: str, root: str, note: str) -> tuple[Change, ...]:
        async with self._write() as db:
            return await writing.put_version(db, run, version, root, note)

    async def versions(self) -> dict[str, list[str]]:
        async with self._read() as db:
            found = await db.execute_fetchall(
                """SELECT version, id FROM runs WHERE version IS NOT NULL AND started IS NOT NULL AND subrun_of IS NULL
                ORDER BY started DESC, rowid DESC"""
            )
        named: dict[str, list[str]] = {}
        for version, run in found:
            named.setdefault(version, []).append(run)
        return named

    async def put_matched(self, run: str, texts: int, edges: Sequence[tuple[str, str]]) -> tuple[Change, ...]:
        async with self._write() as db:
            return await writing.put_matched(db, run, texts, edges)

    async def put_edit(self, edit: Edit) -> tuple[Change, ...]:
        async with self._write() as db:
            return await writing.put_edit(db, edit)

    async def delete_edits(
        self, run: str, call: str, fields: Sequence[EditField], every: bool = False
    ) -> tuple[Change, ...]:
        async with self._write() as db:
            return await writing.delete_edits(db, run, call, fields, every)

    async def delete_runs(self, runs: Sequence[str]) -> tuple[Change, ...]:
        async with self._write() as db:
            changes = await writing.delete_runs(db, runs)
        # Whoever deletes wants it gone; and that the migrated database is good has been seen by then.
        await asyncio.to_thread(delete_backups, self._path)
        # Outside of the transaction: pages are free once it is committed.
        async with self._writing, self._reading:
            with translated(self._path):
                # As a script: `execute` steps once, and each step frees one page.
                await self._writer.executescript("PRAGMA incremental_vacuum")
                await self._writer.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")
        return changes

    @asynccontextmanager
    async def _write(self) -> AsyncIterator[aiosqlite.Connection]:
        """A transaction: committed at the end, rolled back by an exception."""
        async with self._writing:
            with translated(self._path):
                try:
                    await self._writer.execute("BEGIN IMMEDIATE")
                    yield self._writer
                    await self._writer.commit()
                except BaseException:
                    await self._writer.rollback()
                    raise

    # -- reading

    async def session(self, session: str) -> Session | None:
        async with self._read() as db:
            row = await _first(db, "SELECT * FROM sessions WHERE id = ?", session)
        return rows.session_of(row) if row else None

    async def run(self, run: str) -> Run | None:
        async with self._read() as db:
            row = await _first(db, "SELECT * FROM runs WHERE id = ? AND started IS NOT NULL", run)
        return rows.run_of(row) if row else None

    async def run_names(self) -> list[tuple[str, str]]:
        async with self._read() as db:
            found = await db.execute_fetchall(
                """SELECT id, name FROM runs WHERE started IS NOT NULL AND subrun_of IS NULL
                ORDER BY started DESC, rowid DESC"""
            )
        return [(row["id"], row["name"]) for row in found]

    async def subrun_names(self) -> list[tuple[str, str]]:
        async with self._read() as db:
            found = await db.execute_fetchall(
                """SELECT id, name FROM runs WHERE started IS NOT NULL AND subrun_of IS NOT NULL
                ORDER BY started DESC, rowid DESC"""
            )
        return [(row["id"], row["name"]) for row in found]

    async def summaries(self, runs: Sequence[str]) -> list[RunSummary]:
        async with self._read() as db:
            found = list(await db.execute_fetchall(_SUMMARY, {"runs": json.dumps(runs)}))
            listed = json.dumps([row["id"] for row in found])
            spent: dict[str, list[Spent]] = {row["id"]: [] for row in found}
            for row in await db.execute_fetchall(_SPENT, (listed,)):
                spent[row["run"]].append(rows.spent_of(row))
        own = [
            RunSummary(
                rows.run_of(row),
                calls=row["calls"],
                failed_calls=row["failed_calls"],
                live_calls=row["live_calls"],
                edits=row["edits"],
                input_tokens=row["input_tokens"],
                output_tokens=row["output_tokens"],
                spent=tuple(spent[row["id"]]),
            )
            for row in found
        ]
        return summed(own)

    async def running(self) -> list[tuple[str, Process | None]]:
        async with self._read() as db:
            found = await db.execute_fetchall(
                """SELECT runs.id, streams.pid, streams.process_started FROM runs
                LEFT JOIN streams ON streams.run = runs.id AND streams.root
                WHERE runs.status = 'running' AND runs.started IS NOT NULL AND runs.subrun_of IS NULL"""
            )
        return [(run, Process(pid, started) if pid is not None else None) for run, pid, started in found]

    async def graph(self, run: str) -> Graph | None:
        async with self._read() as db:
            return await _graph(db, run)

    async def unmatched(self, run: str) -> int | None:
        async with self._read() as db:
            row = await _first(db, "SELECT texts FROM runs WHERE id = ? AND texts > texts_matched", run)
        return row["texts"] if row else None

    async def runs_in_files(self, files: Sequence[str], most: int) -> list[str]:
        async with self._read() as db:
            found = await db.execute_fetchall(_RUNS_IN_FILES, {"files": dump(files), "most": most})
        return [row["id"] for row in found]

    async def files_of(self, runs: Sequence[str]) -> set[str]:
        async with self._read() as db:
            found = await db.execute_fetchall(
                f"{_TREE} SELECT DISTINCT file, stack FROM calls WHERE run IN (SELECT id FROM tree)",  # noqa: S608
                {"runs": dump(runs)},
            )
        return rows.files_in(found)

    async def endpoint(self, run: str, call: str) -> str | None:
        async with self._read() as db:
            row = await _first(db, "SELECT endpoint FROM calls WHERE run = ? AND id = ?", run, call)
        return row["endpoint"] if row else None

    async def exchange(self, run: str, call: str) -> Exchange | None:
        async with self._read() as db:
            row = await _first(db, _EXCHANGES, json.dumps([[run, call]]))
        return rows.exchange_of(row) if row else None

    async def exchanges(self, calls: Sequence[Call]) -> dict[str, Exchange]:
        async with self._read() as db:
            found = await db.execute_fetchall(_EXCHANGES, (json.dumps([[call.run, call.id] for call in calls]),))
        return await asyncio.to_thread(lambda: {row["id"]: rows.exchange_of(row) for row in found})

    async def body_bytes(self, runs: Sequence[str]) -> dict[str, int]:
        async with self._read() as db:
            found = await db.execute_fetchall(_BODY_BYTES, (json.dumps(runs),))
        return {row["id"]: row["bytes"] for row in found}

    async def notes(self, run: str) -> list[tuple[float, str, str]]:
        async with self._read() as db:
            found = await db.execute_fetchall("SELECT at, level, message FROM notes WHERE run = ? ORDER BY at", (run,))
        return [(at, level, message) for at, level, message in found]

    async def draws(self, run: str, until: float | None) -> list[str]:
        async with self._read() as db:
            found = await db.execute_fetchall(
                "SELECT drawn FROM draws WHERE run = ? AND at <= coalesce(?, at) ORDER BY rowid", (run, until)
            )
        return [row["drawn"] for row in found]

    async def edits(self, run: str) -> list[Edit]:
        async with self._read() as db:
            found = await db.execute_fetchall(_EDITS, {"runs": json.dumps([run])})
        return [rows.edit_of(row) for row in found]

    async def sessions_without_runs(self, sessions: Sequence[str]) -> list[str]:
        async with self._read() as db:
            found = await db.execute_fetchall(
                """SELECT value FROM json_each(?)
                WHERE NOT EXISTS (SELECT 1 FROM runs WHERE runs.session = json_each.value)""",
                (json.dumps(sessions),),
            )
        return [session for (session,) in found]

    async def changes_since(self, session: str, seq: int) -> list[Change] | None:
        async with self._read() as db:
            row = await _first(db, "SELECT * FROM sessions WHERE id = ?", session)
            if row is None or not row["first_change"] - 1 <= seq <= row["last_change"]:
                return None
            found = await db.execute_fetchall(
                "SELECT * FROM changes WHERE session = ? AND seq > ? ORDER BY seq", (session, seq)
            )
        return [rows.change_of(row) for row in found]

    async def outline(self, session: str) -> list[RunOutline]:
        async with self._read() as db:
            found = await db.execute_fetchall(_OUTLINE, (session,))
        return await asyncio.to_thread(outlines_of, found)

    async def others_wrote(self) -> bool:
        # Of the writing connection: it changes when any other one commits, and only it writes here.
        with translated(self._path):
            row = await _first(self._writer, "PRAGMA data_version")
        before, self._data_version = self._data_version, row[0] if row else None
        return before is not None and before != self._data_version

    async def counts(self) -> tuple[int, int]:
        async with self._read() as db:
            row = await _first(
                db,
                "SELECT count(*) AS runs, coalesce(sum(status = 'running'), 0) AS running FROM runs"
                " WHERE started IS NOT NULL AND subrun_of IS NULL",
            )
        return (row["runs"], row["running"]) if row else (0, 0)

    def size(self) -> int:
        files = (self._path, self._path + "-wal")
        return sum(os.path.getsize(file) for file in files if os.path.exists(file))

    @asynccontextmanager
    async def _read(self) -> AsyncIterator[aiosqlite.Connection]:
        """A transaction, so that several statements see one state."""
        async with self._reading:
            with translated(self._path):
                try:
                    await self._reader.execute("BEGIN")
                    yield self._reader
                finally:
                    await self._reader.rollback()


async def _graph(db: aiosqlite.Connection, run: str) -> Graph | None:
    row = await _first(db, "SELECT * FROM runs WHERE id = ? AND started IS NOT NULL", run)
    if row is None:
        return None
    tree = [
        rows.run_of(found)
        for found in await db.execute_fetchall(
            f"{_TREE} SELECT * FROM runs WHERE id IN (SELECT id FROM tree) AND started IS NOT NULL"  # noqa: S608
            " ORDER BY started, rowid",
            {"runs": json.dumps([run])},
        )
    ]
    runs = json.dumps([one.id for one in tree])
    found = await db.execute_fetchall(
        """SELECT * FROM calls WHERE run IN (SELECT value FROM json_each(?)) AND started IS NOT NULL
        ORDER BY started, rowid""",
        (runs,),
    )
    # Beside the event loop: of ten thousand calls it takes a good part of a second.
    calls = await asyncio.to_thread(lambda: tuple(rows.call_of(call, number) for number, call in enumerate(found, 1)))
    number = {call.id: call.number for call in calls}
    edges = await db.execute_fetchall(
        """SELECT target, source, evidence, path, through FROM edges WHERE run IN (SELECT value FROM json_each(:runs))
        UNION ALL
        SELECT target, source, 'matched', '[]', '[]' FROM matches WHERE run = :run AND NOT EXISTS (
            SELECT 1 FROM edges WHERE edges.run IN (SELECT value FROM json_each(:runs))
            AND edges.target = matches.target AND edges.source = matches.source AND edges.through = '[]'
        )""",
        {"run": run, "runs": runs},
    )
    inside, from_outside = await asyncio.to_thread(_edges, edges, calls)
    return Graph(
        run=rows.run_of(row),
        calls=calls,
        edges=inside,
        outside=await _outside(db, from_outside, row["session"], number),
        subruns=tuple(one for one in tree if one.id != run),
    )


def _edges(found: Iterable[sqlite3.Row], calls: Sequence[Call]) -> tuple[tuple[Edge, ...], list[Edge]]:
    """The edges to the calls that come from one of these, in order; and the others."""
    number = {call.id: call.number for call in calls}
    heard = [rows.edge_of(edge) for edge in found if edge["target"] in number]
    inside = without_detours([edge for edge in heard if edge.source in number], calls)
    inside.sort(key=lambda edge: (number[edge.target], number[edge.source]))
    return tuple(inside), [edge for edge in heard if edge.source not in number]


async def _outside(
    db: aiosqlite.Connection, edges: Sequence[Edge], session: str, number: Mapping[str, int]
) -> tuple[tuple[Edge, Call], ...]:
    """Those of `edges` whose sources are calls of other runs of the session, with these calls, which are numbered
    within the run that they belong to. `number` is that of each target."""
    outside: list[tuple[Edge, Call]] = []
    for edge in edges:
        call = await _first(
            db,
            """SELECT calls.* FROM calls JOIN runs ON runs.id = calls.run
            WHERE runs.session = ? AND calls.id = ? AND calls.started IS NOT NULL""",
            session,
            edge.source,
        )
        if call is None:
            continue
        before = await _first(
            db,
            f"""{_TREE} SELECT count(*) AS number FROM calls WHERE run IN (SELECT id FROM tree)
            AND (started, rowid) <= (SELECT started, rowid FROM calls WHERE run = :run AND id = :call)""",  # noqa: S608
            {"runs": json.dumps([call["run"]]), "run": call["run"], "call": call["id"]},
        )
        outside.append((edge, rows.call_of(call, before["number"] if before else 0)))
    return tuple(sorted(outside, key=lambda found: (number[found[0].target], found[1].started)))


async def _first(db: aiosqlite.Connection, statement: str, *values: object) -> sqlite3.Row | None:
    """The first row; `values` are those of the statement, or one mapping of them by name."""
    named = values[0] if len(values) == 1 and isinstance(values[0], dict) else values
    async with db.execute(statement, named) as cursor:
        return await cursor.fetchone()
