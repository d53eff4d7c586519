"""What a transaction of the writing connection does. Every function here runs inside one."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable, Mapping, Sequence

import aiosqlite

from ao_lsp.server.model import Change, Edit, EditField
from ao_lsp.server.sequence import Seen
from ao_lsp.server.store import Arrival, Recorded
from ao_lsp.server.store.batch import Batch, Streams
from ao_lsp.server.store.rows import CALL_END_COLUMNS, CALL_START_COLUMNS, RUN_COLUMNS, dump, packed_body, storable

# The record of changes of a session is cut where it is longer than this: whoever is further behind
# reads everything.
_CHANGES_KEPT = 10_000

# Compressing more than this would keep the event loop from everything else for too long.
_IN_LOOP_BYTES = 64 << 10


def _upsert(table: str, columns: str, key: str) -> str:
    names = [name.strip() for name in columns.split(",")]
    # A response is a stream if either side says so: the request may ask for one and fail.
    updates = (f"{n} = max({n}, excluded.{n})" if n == "streamed" else f"{n} = excluded.{n}" for n in names)
    values = ", ".join("?" * len(names))
    return f"INSERT INTO {table} ({columns}) VALUES ({values}) ON CONFLICT {key} DO UPDATE SET {', '.join(updates)}"  # noqa: S608 - constants


_RUN = _upsert("runs", RUN_COLUMNS, "(id)")
_CALL_START = _upsert("calls", CALL_START_COLUMNS, "(run, id)")
_CALL_END = _upsert("calls", CALL_END_COLUMNS, "(run, id)")
_BODY = "INSERT OR IGNORE INTO bodies (hash, size, codec, data) VALUES (?, ?, ?, ?)"
_EDGE = """INSERT INTO edges (run, target, source, evidence, path, through) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (run, target, source) DO UPDATE SET evidence = excluded.evidence, path = excluded.path,
    through = excluded.through"""
# Also of the runs around it: their graphs have its calls.
_TOLD = """WITH RECURSIVE around (id) AS (
        VALUES (?) UNION SELECT runs.subrun_of FROM runs JOIN around ON runs.id = around.id
    ) UPDATE runs SET texts = texts + 1 WHERE id IN (SELECT id FROM around)"""
_AROUND = """WITH RECURSIVE around (run, id) AS (
        SELECT value, value FROM json_each(?)
        UNION SELECT around.run, runs.subrun_of FROM runs JOIN around ON runs.id = around.id
        WHERE runs.subrun_of IS NOT NULL
    ) SELECT run, id FROM around WHERE run != id"""
_BELOW = """WITH RECURSIVE below (id) AS (
        SELECT id FROM runs WHERE subrun_of = ? UNION SELECT runs.id FROM runs JOIN below ON runs.subrun_of = below.id
    ) SELECT id FROM below"""
END_SUBRUNS = "UPDATE runs SET ended = ?, status = ? WHERE root = ? AND status = 'running'"
"""A program that is over leaves no subrun running."""
# A subrun may have begun in a child process with a command line of its own; what is run again is the whole program.
_OF_PROGRAM = """UPDATE runs
    SET (argv, target, options, cwd, python, python_version, env, version, version_root, version_note)
    = (SELECT argv, target, options, cwd, python, python_version, env, version, version_root, version_note
    FROM runs AS program WHERE program.id = runs.root)
    WHERE id = ? AND (SELECT started FROM runs AS program WHERE program.id = runs.root) IS NOT NULL"""
_STREAM = """INSERT INTO streams (run, id, seen, pid, process_started) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (run, id) DO UPDATE SET seen = excluded.seen, pid = coalesce(excluded.pid, pid),
    process_started = coalesce(excluded.process_started, process_started)"""
_SEEN = """SELECT run, id, seen FROM streams WHERE (run, id) IN
    (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?))"""


async def record(db: aiosqlite.Connection, arrivals: Sequence[Arrival]) -> Recorded:
    """Write down what has not been seen of `arrivals`."""
    keys = sorted({(arrival.run, arrival.stream) for arrival in arrivals})
    known = await db.execute_fetchall(_SEEN, (json.dumps(keys),))
    streams = Streams({(run, stream): Seen.decoded(seen) for run, stream, seen in known})
    fresh, gaps = streams.fresh(arrivals)
    batch = Batch()
    if sum(arrival.weight for arrival in fresh) > _IN_LOOP_BYTES:
        await asyncio.to_thread(batch.add_all, fresh)
    else:
        batch.add_all(fresh)
    await _write(db, batch, streams)
    return Recorded(await log_changes(db, batch.changes), tuple(gaps))


async def _write(db: aiosqlite.Connection, batch: Batch, streams: Streams) -> None:
    await _each(db, "INSERT OR IGNORE INTO sessions (id, created) VALUES (?, ?)", batch.sessions.items())
    await _each(db, "INSERT OR IGNORE INTO runs (id) VALUES (?)", [(run,) for run in batch.touched])
    await _each(db, _RUN, batch.runs)
    await _each(db, _OF_PROGRAM, [(run,) for run, _ in batch.subruns])
    await _each(
        db,
        _STREAM,
        [
            (*key, seen.encoded(), process and process.pid, process and process.started)
            for key, seen, process in ((key, seen, streams.processes.get(key)) for key, seen in streams.seen.items())
            if key[0] in batch.touched
        ],
    )
    await _each(db, "UPDATE streams SET root = 1 WHERE run = ? AND id = ?", batch.roots)
    await _each(db, _BODY, batch.bodies.values())
    await _each(db, _CALL_START, batch.call_starts)
    await _each(db, _EDGE, batch.edges)
    await _each(db, _CALL_END, batch.call_ends)
    told = dict.fromkeys(row[0] for row in (*batch.call_starts, *batch.call_ends))
    told.update(dict.fromkeys(run for run, _ in batch.subruns))
    await _each(db, _TOLD, [(run,) for run in told])
    await _each(db, "UPDATE runs SET ended = ?, status = ?, exit_code = ?, error = ? WHERE id = ?", batch.run_ends)
    await _each(db, END_SUBRUNS, [(at, "killed", run) for at, *_, run in batch.run_ends])
    await _each(db, "UPDATE runs SET result = ? WHERE id = ?", batch.results)
    await _each(
        db, "UPDATE runs SET remarks = json_insert(coalesce(remarks, '[]'), '$[#]', ?) WHERE id = ?", batch.remarks
    )
    await _each(db, "INSERT INTO notes (run, at, level, message) VALUES (?, ?, ?, ?)", batch.notes)
    await _each(db, "INSERT INTO draws (run, at, drawn) VALUES (?, ?, ?)", batch.draws)


async def log_changes(
    db: aiosqlite.Connection, changes: Sequence[tuple[str, float, str, str | None]]
) -> tuple[Change, ...]:
    """Number `(run, at, kind, call)` within their sessions and write them down; a subrun's as its root's.

    A run whose session is not known yet has no changes: its start, when it comes, tells all.
    """
    runs = json.dumps(sorted({run for run, *_ in changes}))
    found = await db.execute_fetchall(
        """SELECT runs.id, coalesce(runs.root, runs.id), sessions.id, sessions.first_change, sessions.last_change
        FROM runs JOIN sessions ON sessions.id = runs.session
        WHERE runs.id IN (SELECT value FROM json_each(?))""",
        (runs,),
    )
    session_of = {run: session for run, _, session, _, _ in found}
    root_of = {run: root for run, root, *_ in found}
    graphs = await _graphs_of(db, changes, root_of)
    last = {session: seq for _, _, session, _, seq in found}
    first = {session: seq for _, _, session, seq, _ in found}
    made: list[Change] = []
    for run, at, kind, call in changes:
        session = session_of.get(run)
        if session is not None:
            last[session] += 1
            made.append(Change(session, last[session], at, kind, root_of[run], call, graphs[run, kind]))
    await _each(
        db,
        "INSERT INTO changes (session, seq, at, kind, run, call) VALUES (?, ?, ?, ?, ?, ?)",
        [(c.session, c.seq, c.at, c.kind, c.run, c.call) for c in made],
    )
    await _each(
        db, "UPDATE sessions SET last_change = ? WHERE id = ?", [(seq, session) for session, seq in last.items()]
    )
    for session in last:
        if last[session] - first[session] >= 2 * _CHANGES_KEPT:
            await forget_changes(db, session, last[session] - _CHANGES_KEPT)
    return tuple(made)


async def _graphs_of(
    db: aiosqlite.Connection, changes: Sequence[tuple[str, float, str, str | None]], root_of: Mapping[str, str]
) -> dict[tuple[str, str], tuple[str, ...]]:
    """`Change.graphs` of each run and kind. Most programs have no subruns, and nothing is asked for them."""
    inside = {run for run, root in root_of.items() if run != root}
    around: dict[str, list[str]] = {run: [run] for run in root_of}
    for run, outer in await db.execute_fetchall(_AROUND, (json.dumps(sorted(inside)),)) if inside else ():
        around[run].append(outer)
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for run, _, kind, _ in changes:
        if run in around and (run, kind) not in found:
            ends = kind in ("run.ended", "run.deleted")
            below = await db.execute_fetchall(_BELOW, (run,)) if ends else ()
            found[run, kind] = (*around[run], *(subrun for (subrun,) in below))
    return found


async def forget_changes(db: aiosqlite.Connection, session: str, before: int) -> None:
    """Drop the changes of a session that are numbered lower than `before`."""
    await db.execute("DELETE FROM changes WHERE session = ? AND seq < ?", (session, before))
    await db.execute("UPDATE sessions SET first_change = ? WHERE id = ?", (before, session))


async def delete_runs(db: aiosqlite.Connection, runs: Sequence[str]) -> tuple[Change, ...]:
    """Delete runs, what belongs to them, and the bodies that nobody names any more."""
    wanted = json.dumps(runs)
    made = await log_changes(db, [(run, time.time(), "run.deleted", None) for run in runs])
    await db.execute("DELETE FROM runs WHERE id IN (SELECT value FROM json_each(?))", (wanted,))
    await _collect_bodies(db)
    return made


async def put_version(db: aiosqlite.Connection, run: str, version: str, root: str, note: str) -> tuple[Change, ...]:
    """Say which code a run and its subruns had; no change where there is no such run, or that has been said."""
    cursor = await db.execute(
        """UPDATE runs SET version = :version, version_root = :root, version_note = :note
        WHERE :run IN (id, root) AND (version, version_root, version_note) IS NOT (:version, :root, :note)""",
        {"run": run, "version": version, "root": storable(root), "note": storable(note)},
    )
    return await log_changes(db, [(run, time.time(), "run.versioned", None)]) if cursor.rowcount else ()


async def put_matched(
    db: aiosqlite.Connection, run: str, texts: int, edges: Sequence[tuple[str, str]]
) -> tuple[Change, ...]:
    """Store the edges by text of a run that is still there; a change where they are not the same as before."""
    cursor = await db.execute("UPDATE runs SET texts_matched = ? WHERE id = ?", (texts, run))
    if not cursor.rowcount:
        return ()
    before = await db.execute_fetchall("SELECT source, target FROM matches WHERE run = ?", (run,))
    if {(source, target) for source, target in before} == set(edges):
        return ()
    await db.execute("DELETE FROM matches WHERE run = ?", (run,))
    await _each(
        db,
        "INSERT INTO matches (run, source, target) VALUES (?, ?, ?)",
        [(run, source, target) for source, target in edges],
    )
    return await log_changes(db, [(run, time.time(), "edges.matched", None)])


async def put_edit(db: aiosqlite.Connection, edit: Edit) -> tuple[Change, ...]:
    """Store an edit as the one that counts; no change where the one that does says the same."""
    of = (edit.run, edit.call, edit.field)
    found = await db.execute_fetchall(
        "SELECT version, content FROM edits WHERE run = ? AND call = ? AND field = ? ORDER BY version DESC LIMIT 1", of
    )
    version, said = next(iter(found), (0, None))
    content = storable(edit.content)
    if said == content:
        return ()
    body = packed_body(edit.body)
    await db.execute(_BODY, body)
    await db.execute(
        """INSERT INTO edits (run, call, field, version, created, content, body, headers, chunks)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (*of, version + 1, edit.created, content, body[0], dump(edit.headers), dump(edit.chunks)),
    )
    return await log_changes(db, [(edit.run, edit.created, "edit.stored", edit.call)])


async def delete_edits(
    db: aiosqlite.Connection, run: str, call: str, fields: Sequence[EditField], every: bool
) -> tuple[Change, ...]:
    """Take the last edit of each field back, or `every` one; no change where there was none."""
    cursor = await db.execute(
        """DELETE FROM edits WHERE run = :run AND call = :call AND field IN (SELECT value FROM json_each(:fields))
        AND (:every OR version = (SELECT max(version) FROM edits AS others
            WHERE others.run = :run AND others.call = :call AND others.field = edits.field))""",
        {"run": run, "call": call, "fields": json.dumps(fields), "every": every},
    )
    if not cursor.rowcount:
        return ()
    await _collect_bodies(db)
    return await log_changes(db, [(run, time.time(), "edit.removed", call)])


async def _collect_bodies(db: aiosqlite.Connection) -> None:
    """Delete the bodies that nobody names any more."""
    await db.execute(
        """DELETE FROM bodies WHERE
        NOT EXISTS (SELECT 1 FROM calls WHERE calls.request_body = bodies.hash)
        AND NOT EXISTS (SELECT 1 FROM calls WHERE calls.response_body = bodies.hash)
        AND NOT EXISTS (SELECT 1 FROM edits WHERE edits.body = bodies.hash)"""
    )


async def _each(db: aiosqlite.Connection, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
    listed = list(rows)
    if listed:
        await db.executemany(statement, listed)
