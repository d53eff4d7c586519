"""The index of what calls were asked and said. Every function here runs inside a transaction.

Each text is kept once, whatever number of calls has it. `said` has the texts of each call, `text_runs` the runs in
which a text is: by that a search finds its runs, and looks at the calls of those only that are shown.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence

from ao_lsp.server.store import Indexed, SaidBy, Unindexed, rows
from ao_lsp.server.store.driver import Transaction
from ao_lsp.server.store.reading import TREE
from ao_lsp.server.store.texts import GRAM, folded, kept, ranges_of, ranges_text, text_hash, text_of, text_row

MOST_FOUND = 20_000
"""Texts that a search finds, the newest first: whoever finds more has looked for nothing in particular."""

_BATCH = 500

HEARD = """INSERT INTO unindexed (run, call, events) VALUES (?, ?, 1)
    ON CONFLICT (run, call) DO UPDATE SET events = unindexed.events + 1"""

_UNINDEXED = """SELECT unindexed.events, calls.run, calls.id, calls.endpoint, calls.url, calls.request_headers,
    calls.response_headers, calls.chunks, request.codec AS request_codec, request.data AS request_data,
    response.codec AS response_codec, response.data AS response_data
    FROM unindexed JOIN calls ON calls.run = unindexed.run AND calls.id = unindexed.call
    JOIN bodies AS request ON request.hash = calls.request_body
    LEFT JOIN bodies AS response ON response.hash = calls.response_body
    WHERE calls.started IS NOT NULL LIMIT ?"""

_SAID = f"""{TREE} SELECT calls.run, calls.id, said.asked, said.answered FROM calls
    LEFT JOIN said ON said.run = calls.run AND said.call = calls.id
    WHERE calls.run IN (SELECT id FROM tree) AND calls.started IS NOT NULL
    ORDER BY calls.started, calls.rowid"""  # noqa: S608 - constants


async def unindexed(db: Transaction, most: int) -> list[Unindexed]:
    """Calls of which texts have come in since they were indexed."""
    found = await db.fetch(_UNINDEXED, most)
    return await asyncio.to_thread(
        lambda: [
            Unindexed(row["run"], row["id"], row["events"], row["endpoint"], row["url"], rows.exchange_of(row))
            for row in found
        ]
    )


async def put_texts(db: Transaction, indexed: Sequence[Indexed]) -> None:
    """Index calls."""
    there = await db.fetch(
        "SELECT id FROM runs WHERE id IN (SELECT value FROM each(?))", list({one.run for one in indexed})
    )
    runs = {row["id"] for row in there}
    calls = [one for one in indexed if one.run in runs]
    texts = {text: kept(text) for one in calls for text in (*one.asked, *one.answered)}
    numbers = await _numbered(db, set(texts.values()))
    said: list[tuple[str, str, str, str]] = []
    named: set[tuple[int, str]] = set()
    for one in calls:
        asked, answered = ({numbers[texts[text]] for text in some} for some in (one.asked, one.answered))
        said.append((one.run, one.call, ranges_text(asked), ranges_text(answered)))
        named.update((number, one.run) for number in asked | answered)
    await _each(
        db,
        """INSERT INTO said (run, call, asked, answered) VALUES (?, ?, ?, ?)
        ON CONFLICT (run, call) DO UPDATE SET asked = excluded.asked, answered = excluded.answered""",
        said,
    )
    await _each(db, "INSERT INTO text_runs (text, run) VALUES (?, ?) ON CONFLICT DO NOTHING", sorted(named))
    # What came in meanwhile is for the next time.
    await _each(
        db,
        "DELETE FROM unindexed WHERE run = ? AND call = ? AND events = ?",
        [(one.run, one.call, one.events) for one in indexed],
    )


async def _numbered(db: Transaction, texts: set[str]) -> dict[str, int]:
    """The number of each kept text; those that have none yet are kept and indexed."""
    by_hash = {text_hash(text): text for text in texts}
    select = "SELECT id, hash FROM texts WHERE hash IN (SELECT value FROM each(?))"
    known = {row["hash"]: row["id"] for row in await db.fetch(select, list(by_hash))}
    new = {key: text for key, text in by_hash.items() if key not in known}
    if new:
        made = await asyncio.to_thread(lambda: [text_row(text) for text in new.values()])
        await db.execute_many("INSERT INTO texts (hash, codec, data) VALUES (?, ?, ?)", made)
        numbers = {row["hash"]: row["id"] for row in await db.fetch(select, list(new))}
        await db.index_texts([(numbers[key], folded(text)) for key, text in new.items()])
        known |= numbers
    return {text: known[key] for key, text in by_hash.items()}


async def candidates(db: Transaction, needle: str) -> list[int]:
    """Texts that may contain a folded text, the newest first."""
    found = await db.candidates(needle) if len(needle) >= GRAM else None
    if found is None:
        found = [row["id"] for row in await db.fetch("SELECT id FROM texts ORDER BY id DESC")]
    return found


async def containing(db: Transaction, numbers: Sequence[int], needle: str) -> list[int]:
    """Those of these texts that do contain it."""
    found = await texts(db, numbers)
    return await asyncio.to_thread(
        lambda: [number for number in numbers if number in found and needle in folded(found[number])]
    )


async def texts(db: Transaction, numbers: Sequence[int]) -> dict[int, str]:
    """Texts by their numbers."""
    found = await db.fetch(
        "SELECT id, codec, data FROM texts WHERE id IN (SELECT value FROM each_number(?))", list(numbers)
    )
    return await asyncio.to_thread(lambda: {row["id"]: text_of(row["codec"], row["data"]) for row in found})


async def runs_saying(db: Transaction, numbers: Sequence[int]) -> set[str]:
    """The runs that have one of these texts."""
    found = await db.fetch(
        "SELECT DISTINCT run FROM text_runs WHERE text IN (SELECT value FROM each_number(?))", list(numbers)
    )
    return {row["run"] for row in found}


async def with_outer(db: Transaction, runs: Collection[str]) -> set[str]:
    """These runs, and those around them."""
    found = await db.fetch(
        """WITH RECURSIVE around (id) AS (
            SELECT value FROM each(?) UNION SELECT runs.subrun_of FROM runs JOIN around ON runs.id = around.id
        ) SELECT id FROM around WHERE id IS NOT NULL""",
        list(runs),
    )
    return {row["id"] for row in found}


async def said(db: Transaction, run: str) -> list[SaidBy]:
    """What each call of a run and its subruns was asked and said."""
    return [
        SaidBy(
            row["run"], row["id"], number, tuple(ranges_of(row["asked"] or "")), tuple(ranges_of(row["answered"] or ""))
        )
        for number, row in enumerate(await db.fetch(_SAID, [run]), 1)
    ]


async def named_by(db: Transaction, runs: Sequence[str]) -> dict[str, set[int]]:
    """The texts that runs and their subruns have, by run."""
    found: dict[str, set[int]] = {}
    for row in await db.fetch(
        f"{TREE} SELECT run, asked, answered FROM said WHERE run IN (SELECT id FROM tree)",  # noqa: S608
        list(runs),
    ):
        numbers = found.setdefault(row["run"], set())
        for some in (*ranges_of(row["asked"]), *ranges_of(row["answered"])):
            numbers.update(some)
    return found


async def forget(db: Transaction, named: dict[str, set[int]]) -> None:
    """After runs were deleted, that had these texts: delete what no other run has."""
    for run, numbers in named.items():
        await _each(db, "DELETE FROM text_runs WHERE text = ? AND run = ?", [(number, run) for number in numbers])
    every = sorted(set().union(*named.values()))
    gone: list[int] = []
    for some in batches(every):
        found = await db.fetch(
            """SELECT id FROM texts WHERE id IN (SELECT value FROM each_number(?))
            AND NOT EXISTS (SELECT 1 FROM text_runs WHERE text_runs.text = texts.id)""",
            some,
        )
        gone += [row["id"] for row in found]
    if not gone:
        return
    count = await db.first("SELECT count(*) AS texts FROM texts")
    left = (count["texts"] if count else 0) - len(gone)
    # Taking a text out of an index costs as much as putting one in.
    anew = left < len(gone)
    for some in batches(gone):
        if not anew:
            await db.unindex_texts([(number, folded(text)) for number, text in (await texts(db, some)).items()])
        await db.execute("DELETE FROM texts WHERE id IN (SELECT value FROM each_number(?))", some)
    if anew:
        await db.clear_index()
        for some in batches([row["id"] for row in await db.fetch("SELECT id FROM texts ORDER BY id")]):
            await db.index_texts([(number, folded(text)) for number, text in (await texts(db, some)).items()])


def batches(numbers: Sequence[int]) -> Iterable[list[int]]:
    """Numbers, some hundred at a time."""
    for first in range(0, len(numbers), _BATCH):
        yield list(numbers[first : first + _BATCH])


async def _each(db: Transaction, statement: str, values: Sequence[Sequence[object]]) -> None:
    if values:
        await db.execute_many(statement, values)
