"""The store in a database that speaks SQL; which one, its `Driver` knows."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Collection, Sequence

from ao_lsp.server import processes
from ao_lsp.server.graph import RunEnded
from ao_lsp.server.model import Call, Change, Edit, EditField, Exchange, Graph, Run, RunSummary, Session
from ao_lsp.server.processes import Process
from ao_lsp.server.store import (
    Arrival,
    Indexed,
    Recorded,
    RunOutline,
    SaidBy,
    Unindexed,
    reading,
    rows,
    searching,
    writing,
)
from ao_lsp.server.store.driver import Driver
from ao_lsp.server.store.outlines import outlines_of
from ao_lsp.server.store.texts import folded, kept


class SqlStore:
    """Implements `Store`."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    @property
    def name(self) -> str:
        return self._driver.name

    @property
    def damage(self) -> str | None:
        return self._driver.salvaged.words if self._driver.salvaged is not None else None

    @property
    def news(self) -> str | None:
        return self.damage if self._driver.just_salvaged else None

    async def close(self) -> None:
        await self._driver.close()

    async def listen(self, heard: Callable[[Sequence[Change]], None]) -> None:
        await self._driver.listen(heard)

    # -- writing

    async def record(self, arrivals: Sequence[Arrival]) -> Recorded:
        async with self._driver.write() as db:
            return await writing.record(db, arrivals)

    async def conclude(self, ended: RunEnded) -> tuple[Change, ...]:
        async with self._driver.write() as db:
            return await writing.conclude(db, ended)

    async def put_version(self, run: str, version: str, root: str, note: str) -> tuple[Change, ...]:
        async with self._driver.write() as db:
            return await writing.put_version(db, run, version, root, note)

    async def put_matched(self, run: str, texts: int, edges: Sequence[tuple[str, str]]) -> tuple[Change, ...]:
        async with self._driver.write() as db:
            return await writing.put_matched(db, run, texts, edges)

    async def put_edit(self, edit: Edit) -> tuple[Change, ...]:
        async with self._driver.write() as db:
            return await writing.put_edit(db, edit)

    async def delete_edits(
        self, run: str, call: str, fields: Sequence[EditField], every: bool = False
    ) -> tuple[Change, ...]:
        async with self._driver.write() as db:
            return await writing.delete_edits(db, run, call, fields, every)

    async def delete_runs(self, runs: Sequence[str]) -> tuple[Change, ...]:
        async with self._driver.write() as db:
            changes = await writing.delete_runs(db, runs)
        await self._driver.give_back()
        return changes

    async def put_texts(self, indexed: Sequence[Indexed]) -> None:
        async with self._driver.write() as db:
            await searching.put_texts(db, indexed)

    # -- searching

    async def unindexed(self, most: int) -> list[Unindexed]:
        async with self._driver.read() as db:
            return await searching.unindexed(db, most)

    async def find_texts(self, needle: str) -> list[int]:
        wanted = folded(kept(needle))
        async with self._driver.read() as db:
            left = await searching.candidates(db, wanted)
        found: list[int] = []
        # A transaction for each, so that others get their turn.
        for some in searching.batches(left):
            async with self._driver.read() as db:
                found += await searching.containing(db, some, wanted)
            if len(found) >= searching.MOST_FOUND:
                break
        return found

    async def runs_saying(self, texts: Sequence[int]) -> set[str]:
        async with self._driver.read() as db:
            return await searching.runs_saying(db, texts)

    async def with_outer(self, runs: Collection[str]) -> set[str]:
        async with self._driver.read() as db:
            return await searching.with_outer(db, runs)

    async def said(self, run: str) -> list[SaidBy]:
        async with self._driver.read() as db:
            return await searching.said(db, run)

    async def texts(self, texts: Sequence[int]) -> dict[int, str]:
        async with self._driver.read() as db:
            return await searching.texts(db, texts)

    # -- reading

    async def session(self, session: str) -> Session | None:
        async with self._driver.read() as db:
            row = await db.first("SELECT * FROM sessions WHERE id = ?", session)
        return rows.session_of(row) if row else None

    async def run(self, run: str) -> Run | None:
        async with self._driver.read() as db:
            row = await db.first("SELECT * FROM runs WHERE id = ? AND started IS NOT NULL", run)
        return rows.run_of(row) if row else None

    async def run_names(self, most: int | None = None) -> list[tuple[str, str]]:
        statement = """SELECT id, name FROM runs WHERE started IS NOT NULL AND subrun_of IS NULL
            ORDER BY started DESC, rowid DESC"""
        async with self._driver.read() as db:
            found = await (db.fetch(statement) if most is None else db.fetch(f"{statement} LIMIT ?", most))
        return [(row["id"], row["name"]) for row in found]

    async def subrun_names(self) -> list[tuple[str, str]]:
        async with self._driver.read() as db:
            found = await db.fetch(
                """SELECT id, name FROM runs WHERE started IS NOT NULL AND subrun_of IS NOT NULL
                ORDER BY started DESC, rowid DESC"""
            )
        return [(row["id"], row["name"]) for row in found]

    async def summaries(self, runs: Sequence[str]) -> list[RunSummary]:
        async with self._driver.read() as db:
            return await reading.summaries(db, runs)

    async def running(self) -> list[tuple[str, Process | None]]:
        async with self._driver.read() as db:
            return await reading.running(db, None)

    async def running_here(self) -> list[tuple[str, Process | None]]:
        async with self._driver.read() as db:
            return await reading.running(db, processes.host() if self._driver.shared else None)

    async def graph(self, run: str) -> Graph | None:
        async with self._driver.read() as db:
            return await reading.graph(db, run)

    async def unmatched(self, run: str) -> int | None:
        async with self._driver.read() as db:
            row = await db.first("SELECT texts FROM runs WHERE id = ? AND texts > texts_matched", run)
        return row["texts"] if row else None

    async def runs_in_files(self, files: Sequence[str], most: int) -> list[str]:
        async with self._driver.read() as db:
            return await reading.runs_in_files(db, files, most)

    async def last_runs(self) -> list[Run]:
        async with self._driver.read() as db:
            return await reading.last_runs(db)

    async def files_of(self, runs: Sequence[str]) -> set[str]:
        async with self._driver.read() as db:
            found = await db.fetch(
                f"{reading.TREE} SELECT DISTINCT file, stack FROM calls WHERE run IN (SELECT id FROM tree)",  # noqa: S608
                list(runs),
            )
        return rows.files_in(found)

    async def endpoint(self, run: str, call: str) -> str | None:
        async with self._driver.read() as db:
            row = await db.first("SELECT endpoint FROM calls WHERE run = ? AND id = ?", run, call)
        return row["endpoint"] if row else None

    async def exchange(self, run: str, call: str) -> Exchange | None:
        async with self._driver.read() as db:
            row = await db.first(reading.EXCHANGES, [run], [call])
        return rows.exchange_of(row) if row else None

    async def exchanges(self, calls: Sequence[Call]) -> dict[str, Exchange]:
        wanted = {(call.run, call.id) for call in calls}
        async with self._driver.read() as db:
            found = await db.fetch(reading.EXCHANGES, list({run for run, _ in wanted}), [call for _, call in wanted])
        return await asyncio.to_thread(
            lambda: {row["id"]: rows.exchange_of(row) for row in found if (row["run"], row["id"]) in wanted}
        )

    async def body_bytes(self, runs: Sequence[str]) -> dict[str, int]:
        async with self._driver.read() as db:
            found = await db.fetch(reading.BODY_BYTES, list(runs))
        return {row["id"]: row["bytes"] for row in found}

    async def notes(self, run: str) -> list[tuple[float, str, str]]:
        async with self._driver.read() as db:
            found = await db.fetch("SELECT at, level, message FROM notes WHERE run = ? ORDER BY at", run)
        return [(at, level, message) for at, level, message in found]

    async def draws(self, run: str, until: float | None) -> list[str]:
        async with self._driver.read() as db:
            found = await db.fetch(
                "SELECT drawn FROM draws WHERE run = ? AND at <= coalesce(?, at) ORDER BY rowid", run, until
            )
        return [row["drawn"] for row in found]

    async def made(self, run: str, files: Sequence[str]) -> list[tuple[str, bytes]]:
        async with self._driver.read() as db:
            found = await db.fetch(
                "SELECT file, said FROM made WHERE run = ? AND file IN (SELECT value FROM each(?)) ORDER BY rowid",
                run,
                list(files),
            )
        return await asyncio.to_thread(lambda: [(row["file"], zlib.decompress(row["said"])) for row in found])

    async def edits(self, run: str) -> list[Edit]:
        async with self._driver.read() as db:
            found = await db.fetch(reading.EDITS, [run])
        return [rows.edit_of(row) for row in found]

    async def versions(self) -> dict[str, list[str]]:
        async with self._driver.read() as db:
            found = await db.fetch(
                """SELECT version, id FROM runs WHERE version IS NOT NULL AND started IS NOT NULL AND subrun_of IS NULL
                ORDER BY started DESC, rowid DESC"""
            )
        named: dict[str, list[str]] = {}
        for version, run in found:
            named.setdefault(version, []).append(run)
        return named

    async def sessions_without_runs(self, sessions: Sequence[str]) -> list[str]:
        async with self._driver.read() as db:
            found = await db.fetch(
                "SELECT value FROM each(?) WHERE NOT EXISTS (SELECT 1 FROM runs WHERE runs.session = value)",
                list(sessions),
            )
        return [session for (session,) in found]

    async def changes_since(self, session: str, seq: int) -> list[Change] | None:
        async with self._driver.read() as db:
            row = await db.first("SELECT * FROM sessions WHERE id = ?", session)
            if row is None or not row["first_change"] - 1 <= seq <= row["last_change"]:
                return None
            found = await db.fetch("SELECT * FROM changes WHERE session = ? AND seq > ? ORDER BY seq", session, seq)
        return [rows.change_of(row) for row in found]

    async def outline(self, session: str) -> list[RunOutline]:
        async with self._driver.read() as db:
            found = await db.fetch(reading.OUTLINE, session)
        return await asyncio.to_thread(outlines_of, found)

    async def others_wrote(self) -> bool:
        return await self._driver.others_wrote()

    async def counts(self) -> tuple[int, int]:
        async with self._driver.read() as db:
            row = await db.first(
                "SELECT count(*) AS runs, count(*) FILTER (WHERE status = 'running') AS running FROM runs"
                " WHERE started IS NOT NULL AND subrun_of IS NULL"
            )
        return (row["runs"], row["running"]) if row else (0, 0)

    async def size(self) -> int:
        return await self._driver.size()
