"""What is asked of the database. Every function here runs inside a transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from ao_lsp.server.detours import without_detours
from ao_lsp.server.model import Call, Edge, Graph, Run, RunSummary, Spent
from ao_lsp.server.processes import Process
from ao_lsp.server.store import rows
from ao_lsp.server.store.driver import Row, Transaction
from ao_lsp.server.store.rows import dump
from ao_lsp.server.store.totals import summed

# The runs in a list, with their subruns, and theirs.
TREE = """WITH RECURSIVE tree (id) AS (
        SELECT value FROM each(?)
        UNION SELECT runs.id FROM runs JOIN tree ON runs.subrun_of = tree.id
    )"""

_SUMMARY = f"""{TREE} SELECT runs.*,
    (SELECT count(*) FROM edits WHERE run = runs.id AND version = 1) AS edits
    FROM runs WHERE runs.started IS NOT NULL AND runs.id IN (SELECT id FROM tree)
    ORDER BY runs.started DESC, runs.rowid DESC"""  # noqa: S608 - constants

_SPENT = f"""SELECT run, status, {rows.SPENT_COLUMNS} FROM calls
    WHERE run IN (SELECT value FROM each(?)) AND started IS NOT NULL"""  # noqa: S608 - constants

# From the newest run on, one by one: calls of one file may be a million.
_RUNS_OF_FILES = """SELECT id, started, rowid FROM runs AS program WHERE started IS NOT NULL AND subrun_of IS NULL AND (
        EXISTS (SELECT 1 FROM calls WHERE file IN (SELECT value FROM each(?)) AND run = program.id
            AND calls.started IS NOT NULL)
        OR EXISTS (SELECT 1 FROM runs JOIN calls ON calls.run = runs.id WHERE runs.root = program.id
            AND file IN (SELECT value FROM each(?)) AND calls.started IS NOT NULL)
    ) ORDER BY started DESC, rowid DESC LIMIT ?"""

# A stack names files as JSON does. There is no index on that, so only the last runs are searched.
_LAST = """SELECT id, started, rowid FROM runs WHERE started IS NOT NULL AND subrun_of IS NULL
    ORDER BY started DESC, rowid DESC LIMIT 10"""
_IN_STACKS = """SELECT DISTINCT coalesce(runs.root, runs.id) AS id FROM runs JOIN calls ON calls.run = runs.id, each(?)
    WHERE runs.id IN (
        SELECT value FROM each(?) UNION SELECT runs.id FROM runs WHERE root IN (SELECT value FROM each(?))
    ) AND calls.started IS NOT NULL AND instr(calls.stack, value) > 0"""

_NEWEST = """SELECT * FROM runs WHERE started IS NOT NULL AND subrun_of IS NULL
    ORDER BY started DESC, rowid DESC LIMIT 20"""
_FAILED_SUBRUNS = """SELECT * FROM runs WHERE root IN (SELECT value FROM each(?)) AND started IS NOT NULL
    AND error IS NOT NULL ORDER BY started DESC, rowid DESC LIMIT 20"""

EDITS = f"""{TREE} SELECT edits.*, bodies.codec, bodies.data FROM edits
    JOIN bodies ON bodies.hash = edits.body WHERE run IN (SELECT id FROM tree) AND version =
    (SELECT max(version) FROM edits AS every
    WHERE every.run = edits.run AND every.call = edits.call AND every.field = edits.field)
    ORDER BY created"""  # noqa: S608 - constants

EXCHANGES = """SELECT calls.run, calls.id, calls.request_headers, calls.response_headers, calls.chunks,
    request.codec AS request_codec, request.data AS request_data,
    response.codec AS response_codec, response.data AS response_data
    FROM calls JOIN bodies AS request ON request.hash = calls.request_body
    LEFT JOIN bodies AS response ON response.hash = calls.response_body
    WHERE calls.run IN (SELECT value FROM each(?)) AND calls.id IN (SELECT value FROM each(?))"""

OUTLINE = """SELECT runs.id, runs.subrun_of, runs.root, runs.status, calls.id AS call, calls.status AS call_status
    FROM runs LEFT JOIN calls ON calls.run = runs.id AND calls.started IS NOT NULL
    WHERE runs.session = ? AND runs.started IS NOT NULL
    ORDER BY runs.started, runs.rowid, calls.started, calls.rowid"""

# The length stands before the data in each row, so that no body has to be read for it.
BODY_BYTES = """SELECT calls.id, request.size + coalesce(response.size, 0) AS bytes
    FROM calls JOIN bodies AS request ON request.hash = calls.request_body
    LEFT JOIN bodies AS response ON response.hash = calls.response_body
    WHERE calls.run IN (SELECT value FROM each(?))"""


async def summaries(db: Transaction, runs: Sequence[str]) -> list[RunSummary]:
    """Runs and their subruns, newest first."""
    found = await db.fetch(_SUMMARY, list(runs))
    calls: dict[str, list[tuple[str, Spent]]] = {row["id"]: [] for row in found}
    for row in await db.fetch(_SPENT, list(calls)):
        calls[row[0]].append((row[1], Spent(*row[2:])))
    return summed([_summary(row, calls[row["id"]]) for row in found])


def _summary(row: Row, calls: Sequence[tuple[str, Spent]]) -> RunSummary:
    return RunSummary(
        rows.run_of(row),
        calls=len(calls),
        failed_calls=sum(status == "error" for status, _ in calls),
        live_calls=sum(spent.origin == "live" for _, spent in calls),
        edits=row["edits"],
        input_tokens=sum(spent.input_tokens or 0 for _, spent in calls),
        output_tokens=sum(spent.output_tokens or 0 for _, spent in calls),
        spent=tuple(spent for _, spent in calls),
    )


async def running(db: Transaction, host: str | None) -> list[tuple[str, Process | None]]:
    """The runs that have not ended; with `host` only those whose program runs there, or nobody knows where."""
    found = await db.fetch(
        """SELECT runs.id, streams.pid, streams.process_started, streams.host FROM runs
        LEFT JOIN streams ON streams.run = runs.id AND streams.root = 1
        WHERE runs.status = 'running' AND runs.started IS NOT NULL AND runs.subrun_of IS NULL"""
    )
    return [
        (run, Process(pid, started) if pid is not None else None)
        for run, pid, started, there in found
        if host is None or there is None or there == host
    ]


async def runs_in_files(db: Transaction, files: Sequence[str], most: int) -> list[str]:
    """The newest runs that made a call from one of `files`."""
    found = {row["id"]: row for row in await db.fetch(_RUNS_OF_FILES, list(files), list(files), most)}
    last = {row["id"]: row for row in await db.fetch(_LAST)}
    for row in await db.fetch(_IN_STACKS, [dump(file) for file in files], list(last), list(last)):
        found[row["id"]] = last[row["id"]]
    return sorted(found, key=lambda run: (found[run]["started"], found[run]["rowid"]), reverse=True)[:most]


async def last_runs(db: Transaction) -> list[Run]:
    """The newest runs, and those of their subruns that an error has ended; newest first."""
    runs = [rows.run_of(row) for row in await db.fetch(_NEWEST)]
    failed = await db.fetch(_FAILED_SUBRUNS, [run.id for run in runs])
    return sorted([*runs, *map(rows.run_of, failed)], key=lambda run: run.started, reverse=True)


async def graph(db: Transaction, run: str) -> Graph | None:
    """A run with its subruns, their calls, and edges."""
    row = await db.first("SELECT * FROM runs WHERE id = ? AND started IS NOT NULL", run)
    if row is None:
        return None
    tree = [
        rows.run_of(found)
        for found in await db.fetch(
            f"{TREE} SELECT * FROM runs WHERE id IN (SELECT id FROM tree) AND started IS NOT NULL"  # noqa: S608
            " ORDER BY started, rowid",
            [run],
        )
    ]
    runs = [one.id for one in tree]
    found = await db.fetch(
        """SELECT * FROM calls WHERE run IN (SELECT value FROM each(?)) AND started IS NOT NULL
        ORDER BY started, rowid""",
        runs,
    )
    # Beside the event loop: of ten thousand calls it takes a good part of a second.
    calls = await asyncio.to_thread(lambda: tuple(rows.call_of(call, number) for number, call in enumerate(found, 1)))
    number = {call.id: call.number for call in calls}
    edges = await db.fetch(
        """SELECT target, source, evidence, path, through FROM edges WHERE run IN (SELECT value FROM each(?))
        UNION ALL
        SELECT target, source, 'matched', '[]', '[]' FROM matches WHERE run = ? AND NOT EXISTS (
            SELECT 1 FROM edges WHERE edges.run IN (SELECT value FROM each(?))
            AND edges.target = matches.target AND edges.source = matches.source AND edges.through = '[]'
        )""",
        runs,
        run,
        runs,
    )
    inside, from_outside = await asyncio.to_thread(_edges, edges, calls)
    return Graph(
        run=rows.run_of(row),
        calls=calls,
        edges=inside,
        outside=await _outside(db, from_outside, row["session"], number),
        subruns=tuple(one for one in tree if one.id != run),
    )


def _edges(found: Iterable[Row], calls: Sequence[Call]) -> tuple[tuple[Edge, ...], list[Edge]]:
    """The edges to the calls that come from one of these, in order; and the others."""
    number = {call.id: call.number for call in calls}
    heard = [rows.edge_of(edge) for edge in found if edge["target"] in number]
    inside = without_detours([edge for edge in heard if edge.source in number], calls)
    inside.sort(key=lambda edge: (number[edge.target], number[edge.source]))
    return tuple(inside), [edge for edge in heard if edge.source not in number]


async def _outside(
    db: Transaction, edges: Sequence[Edge], session: str, number: Mapping[str, int]
) -> tuple[tuple[Edge, Call], ...]:
    """Those of `edges` whose sources are calls of other runs of the session, with these calls, which are numbered
    within the run that they belong to. `number` is that of each target."""
    outside: list[tuple[Edge, Call]] = []
    for edge in edges:
        call = await db.first(
            """SELECT calls.* FROM calls JOIN runs ON runs.id = calls.run
            WHERE runs.session = ? AND calls.id = ? AND calls.started IS NOT NULL""",
            session,
            edge.source,
        )
        if call is None:
            continue
        before = await db.first(
            f"""{TREE} SELECT count(*) AS number FROM calls WHERE run IN (SELECT id FROM tree)
            AND (started, rowid) <= (SELECT started, rowid FROM calls WHERE run = ? AND id = ?)""",  # noqa: S608
            [call["run"]],
            call["run"],
            call["id"],
        )
        outside.append((edge, rows.call_of(call, before["number"] if before else 0)))
    return tuple(sorted(outside, key=lambda found: (number[found[0].target], found[1].started)))
