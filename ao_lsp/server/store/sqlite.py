"""SQLite as a `Driver`: one connection that writes, one that reads beside it (WAL)."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, closing
from functools import lru_cache
from typing import TypeVar

import aiosqlite

from ao_lsp.server.model import Change
from ao_lsp.server.store.driver import Row
from ao_lsp.server.store.errors import translated
from ao_lsp.server.store.schema import delete_backups, delete_old_backups, migrate
from ao_lsp.server.store.sql import SqlStore
from ao_lsp.server.store.texts import grams

log = logging.getLogger(__name__)

T = TypeVar("T")

_MERGED_PAGES = 500
"""Of the index in one step, about 20 ms."""


async def open_store(path: str, busy_timeout_s: float = 5.0) -> SqlStore:
    """The store at `path`, made or migrated where needed.

    Raises:
        StoreError: it cannot be opened, is damaged, or of a newer version.
    """
    return SqlStore(await open_driver(path, busy_timeout_s))


async def open_driver(path: str, busy_timeout_s: float = 5.0) -> SqliteDriver:
    """The database at `path`; see `open_store`."""
    with translated(path):
        os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
        writer = await _connection(path, busy_timeout_s)
        try:
            # Settled before the first table exists, or never: freed pages can be given back later.
            await writer.execute("PRAGMA auto_vacuum = INCREMENTAL")
            await writer.execute("PRAGMA journal_mode = WAL")
            await writer.execute("PRAGMA synchronous = NORMAL")
            # What is deleted is overwritten. Some builds of SQLite do so by themselves, others do not.
            await writer.execute("PRAGMA secure_delete = ON")
            await migrate(writer, path)
            indexed = await _index_made(writer)
            await asyncio.to_thread(delete_old_backups, path)
            reader = await _connection(path, busy_timeout_s)
            await reader.execute("PRAGMA query_only = ON")
        except BaseException:
            await writer.close()
            raise
    return SqliteDriver(path, writer, reader, indexed)


async def _index_made(db: aiosqlite.Connection) -> bool:
    """Whether there is an index of texts: SQLite before 3.34 has no trigrams, and some builds no FTS5."""
    try:
        await db.execute(
            "CREATE VIRTUAL TABLE IF NOT EXISTS search USING"
            " fts5(text, content = '', columnsize = 0, detail = none, tokenize = 'trigram')"
        )
        await db.execute_fetchall("SELECT rowid FROM search WHERE search MATCH 'abc' LIMIT 1")
    except sqlite3.OperationalError as error:
        log.warning(
            "this SQLite (%s) makes no index of texts; each is looked through: %s", sqlite3.sqlite_version, error
        )
        return False
    return True


async def _connection(path: str, busy_timeout_s: float) -> aiosqlite.Connection:
    db = await aiosqlite.connect(path, timeout=busy_timeout_s, isolation_level=None)
    db.row_factory = sqlite3.Row
    await db.execute("PRAGMA foreign_keys = ON")
    return db


@lru_cache(256)
def _worded(statement: str) -> str:
    """A statement of ours in the words of SQLite: lists are values as JSON."""
    return statement.replace("each(?)", "json_each(?)").replace("each_number(?)", "json_each(?)")


def _values(values: Iterable[object]) -> list[object]:
    return [json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value for value in values]


def _done(
    db: sqlite3.Connection,
    waiting: Iterable[tuple[str, Iterable[Sequence[object]]]],
    what: Callable[[sqlite3.Connection], T],
) -> T:
    for statement, rows in waiting:
        if statement.startswith("BEGIN"):
            db.execute(statement)
        else:
            db.executemany(statement, rows)
    return what(db)


class SqliteTransaction:
    """Implements `Transaction`. aiosqlite does each statement in a thread, and the way there and back takes longer than
    most statements: what gives no rows waits for the next one that does, or for the end, and goes with it."""

    def __init__(self, connection: aiosqlite.Connection, indexed: bool, begin: str) -> None:
        self._db, self._indexed = connection, indexed
        self._waiting: list[tuple[str, Iterable[Sequence[object]]]] = [(begin, ())]

    async def _do(self, what: Callable[[sqlite3.Connection], T]) -> T:
        """What waits, and then `what`, in the thread of the connection."""
        waiting, self._waiting = self._waiting, []
        # Private names, held by a test: there is no public way to do several things at once.
        done: T = await self._db._execute(_done, self._db._conn, waiting, what)  # type: ignore[no-untyped-call] # as it is
        return done

    async def execute(self, statement: str, *values: object) -> int:
        return await self._do(lambda db: db.execute(_worded(statement), _values(values)).rowcount)

    async def execute_many(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        self._waiting.append((_worded(statement), rows))

    async def fetch(self, statement: str, *values: object) -> list[sqlite3.Row]:
        return await self._do(lambda db: db.execute(_worded(statement), _values(values)).fetchall())

    async def first(self, statement: str, *values: object) -> Row | None:
        def one(db: sqlite3.Connection) -> Row | None:
            with closing(db.execute(_worded(statement), _values(values))) as cursor:
                found: Row | None = cursor.fetchone()
            return found

        return await self._do(one)

    async def commit(self) -> None:
        await self._do(lambda db: db.commit())

    async def index_texts(self, texts: Sequence[tuple[int, str]]) -> None:
        if self._indexed:
            self._waiting.append(("INSERT INTO search (rowid, text) VALUES (?, ?)", texts))

    async def unindex_texts(self, texts: Sequence[tuple[int, str]]) -> None:
        if self._indexed:
            self._waiting.append(("INSERT INTO search (search, rowid, text) VALUES ('delete', ?, ?)", texts))

    async def clear_index(self) -> None:
        if self._indexed:
            await self.execute("INSERT INTO search (search) VALUES ('delete-all')")

    async def candidates(self, needle: str) -> list[int] | None:
        if not self._indexed:
            return None
        # The index knows which texts have a gram, and not where: texts are about as long as an index of places.
        quoted = " AND ".join('"{}"'.format(gram.replace('"', '""')) for gram in grams(needle))
        found = await self.fetch("SELECT rowid FROM search WHERE search MATCH ? ORDER BY rowid DESC", quoted)
        return [number for (number,) in found]

    async def announce(self, changes: Sequence[Change]) -> None:
        """They look for themselves."""


class SqliteDriver:
    """Implements `Driver`. Made by `open_driver`."""

    shared = False

    def __init__(self, path: str, writer: aiosqlite.Connection, reader: aiosqlite.Connection, indexed: bool) -> None:
        self.name = self._path = path
        self._indexed = indexed
        self._writer, self._reader = writer, reader
        # A transaction spans several awaits, and a connection can be in one only.
        self._writing, self._reading = asyncio.Lock(), asyncio.Lock()
        self._data_version: int | None = None

    async def close(self) -> None:
        await self._reader.close()
        await self._writer.close()

    async def listen(self, heard: Callable[[Sequence[Change]], None]) -> None:
        """Other processes of the user's do not tell; see `others_wrote`."""

    async def others_wrote(self) -> bool:
        # Of the writing connection: it changes when any other one commits, and only it writes here.
        with translated(self._path):
            async with self._writer.execute("PRAGMA data_version") as cursor:
                row = await cursor.fetchone()
        before, self._data_version = self._data_version, row[0] if row else None
        return before is not None and before != self._data_version

    @asynccontextmanager
    async def write(self) -> AsyncIterator[SqliteTransaction]:
        async with self._writing:
            with translated(self._path):
                try:
                    transaction = SqliteTransaction(self._writer, self._indexed, "BEGIN IMMEDIATE")
                    yield transaction
                    await transaction.commit()
                except BaseException:
                    await self._writer.rollback()
                    raise

    @asynccontextmanager
    async def read(self) -> AsyncIterator[SqliteTransaction]:
        async with self._reading:
            with translated(self._path):
                try:
                    yield SqliteTransaction(self._reader, self._indexed, "BEGIN")
                finally:
                    await self._reader.rollback()

    async def give_back(self) -> None:
        # Whoever deletes wants it gone; and that the migrated database is good has been seen by then.
        await asyncio.to_thread(delete_backups, self._path)
        await self._merge_index()
        # Outside of a transaction: pages are free once it is committed.
        async with self._writing, self._reading:
            with translated(self._path):
                # As a script: `execute` steps once, and each step frees one page.
                await self._writer.executescript("PRAGMA incremental_vacuum")
                await self._writer.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")

    async def _merge_index(self) -> None:
        """Have what was taken out of the index leave it: it is only marked until its parts are merged. In steps, so
        that events are committed in between."""
        pages, done = -_MERGED_PAGES, 0  # negative once: all parts are to be one
        while self._indexed:
            async with self._writing:
                with translated(self._path):
                    before = self._writer.total_changes
                    await self._writer.execute("INSERT INTO search (search, rank) VALUES ('merge', ?)", (pages,))
                    done = self._writer.total_changes - before
            if done < 2:  # as FTS5 says that nothing was left to do
                return
            pages = _MERGED_PAGES

    async def size(self) -> int:
        return _bytes(self._path, self._path + "-wal")


def _bytes(*files: str) -> int:
    return sum(os.path.getsize(file) for file in files if os.path.exists(file))
