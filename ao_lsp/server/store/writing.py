"""What a transaction of the writing connection does. Every function here runs inside one."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable, Mapping, Sequence

from ao_lsp.server import processes
from ao_lsp.server.graph import RunEnded
from ao_lsp.server.model import Change, Edit, EditField
from ao_lsp.server.sequence import Seen
from ao_lsp.server.store import Arrival, Recorded, searching
from ao_lsp.server.store.batch import Batch, Streams
from ao_lsp.server.store.driver import Transaction
from ao_lsp.server.store.rows import (
    CALL_END_COLUMNS,
    CALL_START_COLUMNS,
    RUN_COLUMNS,
    dump,
    failure_text,
    packed_body,
    storable,
)

# The record of changes of a session is cut where it is longer than this: whoever is further behind
# reads everything.
_CHANGES_KEPT = 10_000

# Compressing more than this would keep the event loop from everything else for too long.
_IN_LOOP_BYTES = 64 << 10


def _upsert(table: str, columns: str, key: str) -> str:
    names = [name.strip() for name in columns.split(",")]
    # A response is a stream if either side says so: the request may ask for one and fail.
    larger = "CASE WHEN calls.streamed > excluded.streamed THEN calls.streamed ELSE excluded.streamed END"
    updates = (f"{n} = {larger}" if n == "streamed" else f"{n} = excluded.{n}" for n in names)
    values = ", ".join("?" * len(names))
    return f"INSERT INTO {table} ({columns}) VALUES ({values}) ON CONFLICT {key} DO UPDATE SET {', '.join(updates)}"  # noqa: S608 - constants


_RUN = _upsert("runs", RUN_COLUMNS, "(id)")
_CALL_START = _upsert("calls", CALL_START_COLUMNS, "(run, id)")
_CALL_END = _upsert("calls", CALL_END_COLUMNS, "(run, id)")
_BODY = "INSERT INTO bodies (hash, size, codec, data) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
_EDGE = """INSERT INTO edges (run, target, source, evidence, path, through) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (run, target, source) DO UPDATE SET evidence = excluded.evidence, path = excluded.path,
    through = excluded.through"""
# Also of the runs around it: their graphs have its calls.
_TOLD = """WITH RECURSIVE around (id) AS (
        SELECT CAST(? AS TEXT) UNION SELECT runs.subrun_of FROM runs JOIN around ON runs.id = around.id
    ) UPDATE runs SET texts = texts + 1 WHERE id IN (SELECT id FROM around)"""
_AROUND = """WITH RECURSIVE around (run, id) AS (
        SELECT value, value FROM each(?)
        UNION SELECT around.run, runs.subrun_of FROM runs JOIN around ON runs.id = around.id
        WHERE runs.subrun_of IS NOT NULL
    ) SELECT run, id FROM around WHERE run != id"""
_BELOW = """WITH RECURSIVE below (id) AS (
        SELECT id FROM runs WHERE subrun_of = ? UNION SELECT runs.id FROM runs JOIN below ON runs.subrun_of = below.id
    ) SELECT id FROM below"""
END_SUBRUNS = "UPDATE runs SET ended = ?, status = ? WHERE root = ? AND status = 'running'"
"""A program that is over leaves no subrun running."""
# A subrun may have begun in a child process with a command line of its own; what is run again is the whole program.
# Which of the two is heard of first does not matter.
_OF_PROGRAM, _OF_SUBRUNS = (
    f"""UPDATE runs
    SET (argv, target, options, cwd, python, python_version, env, version, version_root, version_note)
    = (SELECT argv, target, options, cwd, python, python_version, env, version, version_root, version_note
    FROM runs AS program WHERE program.id = runs.root)
    WHERE {which} = ? AND (SELECT started FROM runs AS program WHERE program.id = runs.root) IS NOT NULL"""  # noqa: S608
    for which in ("id", "root")
)
_STREAM = """INSERT INTO streams (run, id, seen, pid, process_started, host) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (run, id) DO UPDATE SET seen = excluded.seen, pid = coalesce(excluded.pid, streams.pid),
    process_started = coalesce(excluded.process_started, streams.process_started)"""
_SEEN = (
    "SELECT run, id, seen FROM streams WHERE run IN (SELECT value FROM each(?)) AND id IN (SELECT value FROM each(?))"
)
_BODIES_OF = """WITH RECURSIVE tree (id) AS (
        SELECT value FROM each(?) UNION SELECT runs.id FROM runs JOIN tree ON runs.subrun_of = tree.id
    )
    SELECT request_body AS hash FROM calls WHERE run IN (SELECT id FROM tree) AND request_body IS NOT NULL
    UNION SELECT response_body FROM calls WHERE run IN (SELECT id FROM tree) AND response_body IS NOT NULL
    UNION SELECT body FROM edits WHERE run IN (SELECT id FROM tree)"""
_UNNAMED = """NOT EXISTS (SELECT 1 FROM calls WHERE calls.request_body = bodies.hash)
    AND NOT EXISTS (SELECT 1 FROM calls WHERE calls.response_body = bodies.hash)
    AND NOT EXISTS (SELECT 1 FROM edits WHERE edits.body = bodies.hash)"""

_FEW_RUNS = 100
"""Of so many, their bodies are looked at one by one; where more are deleted, every body is."""


async def record(db: Transaction, arrivals: Sequence[Arrival]) -> Recorded:
    """Write down what has not been seen of `arrivals`."""
    keys = {(arrival.run, arrival.stream) for arrival in arrivals}
    known = await db.fetch(_SEEN, sorted({run for run, _ in keys}), sorted({stream for _, stream in keys}))
    streams = Streams({(run, stream): Seen.decoded(seen) for run, stream, seen in known if (run, stream) in keys})
    fresh, gaps = streams.fresh(arrivals)
    batch = Batch()
    if sum(arrival.weight for arrival in fresh) > _IN_LOOP_BYTES:
        await asyncio.to_thread(batch.add_all, fresh)
    else:
        batch.add_all(fresh)
    await _write(db, batch, streams)
    return Recorded(await log_changes(db, batch.changes), tuple(gaps))


async def _write(db: Transaction, batch: Batch, streams: Streams) -> None:
    await _each(db, "INSERT INTO sessions (id, created) VALUES (?, ?) ON CONFLICT DO NOTHING", batch.sessions.items())
    await _each(db, "INSERT INTO runs (id) VALUES (?) ON CONFLICT DO NOTHING", [(run,) for run in batch.touched])
    await _each(db, _RUN, batch.runs)
    await _each(db, _OF_PROGRAM, [(run,) for run, _ in batch.subruns])
    await _each(db, _OF_SUBRUNS, [(run,) for run, _ in batch.roots])
    host = processes.host()
    await _each(
        db,
        _STREAM,
        [
            (*key, seen.encoded(), process and process.pid, process and process.started, host)
            for key, seen, process in ((key, seen, streams.processes.get(key)) for key, seen in streams.seen.items())
            if key[0] in batch.touched
        ],
    )
    await _each(db, "UPDATE streams SET root = 1 WHERE run = ? AND id = ?", batch.roots)
    await _each(db, _BODY, batch.bodies.values())
    await _each(db, _CALL_START, batch.call_starts)
    await _each(db, _EDGE, batch.edges)
    await _each(db, _CALL_END, batch.call_ends)
    await _each(db, searching.HEARD, dict.fromkeys(row[:2] for row in (*batch.call_starts, *batch.call_ends)))
    told = dict.fromkeys(row[0] for row in (*batch.call_starts, *batch.call_ends))
    told.update(dict.fromkeys(run for run, _ in batch.subruns))
    await _each(db, _TOLD, [(run,) for run in told])
    await _each(db, "UPDATE runs SET ended = ?, status = ?, exit_code = ?, error = ? WHERE id = ?", batch.run_ends)
    await _each(db, END_SUBRUNS, [(at, "killed", run) for at, *_, run in batch.run_ends])
    await _each(db, "UPDATE runs SET result = ? WHERE id = ?", batch.results)
    for remark, run in batch.remarks:
        row = await db.first("SELECT remarks FROM runs WHERE id = ?", run)
        remarks = json.loads((row and row["remarks"]) or "[]")
        await db.execute("UPDATE runs SET remarks = ? WHERE id = ?", storable(dump([*remarks, remark])), run)
    await _each(db, "INSERT INTO notes (run, at, level, message) VALUES (?, ?, ?, ?)", batch.notes)
    await _each(db, "INSERT INTO draws (run, at, drawn) VALUES (?, ?, ?)", batch.draws)
    await _each(db, "INSERT INTO made (run, file, said) VALUES (?, ?, ?)", batch.made)


async def conclude(db: Transaction, ended: RunEnded) -> tuple[Change, ...]:
    """End a run that has not ended."""
    if not await db.execute(
        "UPDATE runs SET ended = ?, status = ?, exit_code = ?, error = ? WHERE id = ? AND status = 'running'",
        ended.at,
        ended.status,
        ended.exit_code,
        failure_text(ended.error),
        ended.run,
    ):
        return ()
    await db.execute(END_SUBRUNS, ended.at, ended.status, ended.run)
    return await log_changes(db, [(ended.run, ended.at, "run.ended", None)])


async def log_changes(db: Transaction, changes: Sequence[tuple[str, float, str, str | None]]) -> tuple[Change, ...]:
    """Number `(run, at, kind, call)` within their sessions and write them down; a subrun's as its root's.

    A run whose session is not known yet has no changes: its start, when it comes, tells all.
    """
    if not changes:
        return ()
    found = await db.fetch(
        """SELECT runs.id, coalesce(runs.root, runs.id), sessions.id, sessions.first_change, sessions.last_change
        FROM runs JOIN sessions ON sessions.id = runs.session
        WHERE runs.id IN (SELECT value FROM each(?))""",
        sorted({run for run, *_ in changes}),
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
    await db.announce(made)
    return tuple(made)


async def _graphs_of(
    db: Transaction, changes: Sequence[tuple[str, float, str, str | None]], root_of: Mapping[str, str]
) -> dict[tuple[str, str], tuple[str, ...]]:
    """`Change.graphs` of each run and kind. Most programs have no subruns, and nothing is asked for them."""
    inside = {run for run, root in root_of.items() if run != root}
    around: dict[str, list[str]] = {run: [run] for run in root_of}
    for run, outer in await db.fetch(_AROUND, sorted(inside)) if inside else ():
        around[run].append(outer)
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for run, _, kind, _ in changes:
        if run in around and (run, kind) not in found:
            ends = kind in ("run.ended", "run.deleted")
            below = await db.fetch(_BELOW, run) if ends else ()
            found[run, kind] = (*around[run], *(subrun for (subrun,) in below))
    return found


async def forget_changes(db: Transaction, session: str, before: int) -> None:
    """Drop the changes of a session that are numbered lower than `before`."""
    await db.execute("DELETE FROM changes WHERE session = ? AND seq < ?", session, before)
    await db.execute("UPDATE sessions SET first_change = ? WHERE id = ?", before, session)


async def delete_runs(db: Transaction, runs: Sequence[str]) -> tuple[Change, ...]:
    """Delete runs, what belongs to them, and the bodies that nobody names any more."""
    made = await log_changes(db, [(run, time.time(), "run.deleted", None) for run in runs])
    few = len(runs) <= _FEW_RUNS
    bodies = await db.fetch(_BODIES_OF, list(runs)) if few else ()
    texts = await searching.named_by(db, runs)
    await db.execute("DELETE FROM runs WHERE id IN (SELECT value FROM each(?))", list(runs))
    if few:
        await _collect(db, [body["hash"] for body in bodies])
    else:
        await db.execute(f"DELETE FROM bodies WHERE {_UNNAMED}")  # noqa: S608 - constants
    await searching.forget(db, texts)
    return made


async def put_version(db: Transaction, run: str, version: str, root: str, note: str) -> tuple[Change, ...]:
    """Say which code a run and its subruns had; no change where there is no such run, or that has been said."""
    said = (version, storable(root), storable(note))
    changed = await db.execute(
        """UPDATE runs SET version = ?, version_root = ?, version_note = ? WHERE ? IN (id, root)
        AND (version IS NULL OR version_root IS NULL OR version != ? OR version_root != ? OR version_note != ?)""",
        *said,
        run,
        *said,
    )
    return await log_changes(db, [(run, time.time(), "run.versioned", None)]) if changed else ()


async def put_matched(db: Transaction, run: str, texts: int, edges: Sequence[tuple[str, str]]) -> tuple[Change, ...]:
    """Store the edges by text of a run that is still there; a change where they are not the same as before."""
    if not await db.execute("UPDATE runs SET texts_matched = ? WHERE id = ?", texts, run):
        return ()
    before = await db.fetch("SELECT source, target FROM matches WHERE run = ?", run)
    if {(source, target) for source, target in before} == set(edges):
        return ()
    await db.execute("DELETE FROM matches WHERE run = ?", run)
    await _each(
        db,
        "INSERT INTO matches (run, source, target) VALUES (?, ?, ?)",
        [(run, source, target) for source, target in edges],
    )
    return await log_changes(db, [(run, time.time(), "edges.matched", None)])


async def put_edit(db: Transaction, edit: Edit) -> tuple[Change, ...]:
    """Store an edit as the one that counts; no change where the one that does says the same."""
    of = (edit.run, edit.call, edit.field)
    last = await db.first(
        "SELECT version, content FROM edits WHERE run = ? AND call = ? AND field = ? ORDER BY version DESC LIMIT 1", *of
    )
    version, said = last or (0, None)
    content = storable(edit.content)
    if said == content:
        return ()
    body = packed_body(edit.body)
    await db.execute(_BODY, *body)
    await db.execute(
        """INSERT INTO edits (run, call, field, version, created, content, body, headers, chunks)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        *of,
        version + 1,
        edit.created,
        content,
        body[0],
        dump(edit.headers),
        dump(edit.chunks),
    )
    return await log_changes(db, [(edit.run, edit.created, "edit.stored", edit.call)])


async def delete_edits(
    db: Transaction, run: str, call: str, fields: Sequence[EditField], every: bool
) -> tuple[Change, ...]:
    """Take the last edit of each field back, or `every` one; no change where there was none."""
    kept = [
        (row["field"], row["version"], row["body"])
        for row in await db.fetch(
            """SELECT field, version, body FROM edits WHERE run = ? AND call = ?
            AND field IN (SELECT value FROM each(?))""",
            run,
            call,
            list(fields),
        )
    ]
    last = {field: max(version for other, version, _ in kept if other == field) for field, *_ in kept}
    taken = [(field, version, body) for field, version, body in kept if every or version == last[field]]
    if not taken:
        return ()
    await _each(
        db,
        "DELETE FROM edits WHERE run = ? AND call = ? AND field = ? AND version = ?",
        [(run, call, field, version) for field, version, _ in taken],
    )
    await _collect(db, [body for *_, body in taken])
    return await log_changes(db, [(run, time.time(), "edit.removed", call)])


async def _collect(db: Transaction, bodies: Sequence[bytes]) -> None:
    """Delete those of `bodies` that nobody names any more."""
    await _each(db, f"DELETE FROM bodies WHERE hash = ? AND {_UNNAMED}", [(body,) for body in bodies])  # noqa: S608


async def _each(db: Transaction, statement: str, rows: Iterable[Sequence[object]]) -> None:
    listed = list(rows)
    if listed:
        await db.execute_many(statement, listed)
