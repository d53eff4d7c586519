"""SQLite as a `Driver`: one connection that writes, one that reads beside it (WAL)."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from functools import lru_cache
from typing import TypeVar

import aiosqlite

from ao_lsp.server.model import Change
from ao_lsp.server.store import StoreError
from ao_lsp.server.store.driver import Row
from ao_lsp.server.store.errors import is_damage, translated
from ao_lsp.server.store.salvage import Salvaged, damage, finish, last_salvaged, salvage
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
    """The database at `path`; see `open_store`. Of a damaged one, what can be read is saved first."""
    driver = SqliteDriver(path, busy_timeout_s)
    await driver.open()
    return driver


async def _opened(path: str, busy_timeout_s: float) -> tuple[aiosqlite.Connection, aiosqlite.Connection, bool]:
    """The connections that write and read, and whether there is an index of texts."""
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
        await _looked_through(writer)
        await asyncio.to_thread(delete_old_backups, path)
        reader = await _connection(path, busy_timeout_s)
    except BaseException:
        await writer.close()
        raise
    await reader.execute("PRAGMA query_only = ON")
    return writer, reader, indexed


async def _looked_through(db: aiosqlite.Connection) -> None:
    """Read the first and the last row of each table: where the way to them is damaged, it shows now."""
    for (table,) in await db.execute_fetchall(
        """SELECT name FROM sqlite_schema WHERE type = 'table'
        AND sql LIKE 'CREATE TABLE%' AND sql NOT LIKE '%WITHOUT ROWID'"""
    ):
        for order in ("ASC", "DESC"):
            await db.execute_fetchall(f'SELECT * FROM "{table}" ORDER BY rowid {order} LIMIT 1')  # noqa: S608 - ours


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


@contextmanager
def _filesystem(path: str) -> Iterator[None]:
    """Raise `StoreError` where files cannot be written."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        log.error("the database %s: %s", path, error)  # noqa: TRY400 - nothing of ours to trace
        raise StoreError(
            "full" if full else "unavailable",
            f"the database {path} cannot be written: {error.strerror}",
            "free some disk space" if full else "check that its folder is yours",
        ) from error


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

    def __init__(self, path: str, busy_timeout_s: float) -> None:
        self.name = self._path = path
        self._busy_timeout_s = busy_timeout_s
        self._writer: aiosqlite.Connection
        self._reader: aiosqlite.Connection
        self._indexed = self._is_open = False
        # A transaction spans several awaits, and a connection can be in one only.
        self._writing, self._reading = asyncio.Lock(), asyncio.Lock()
        self._data_version: int | None = None
        self._saving: asyncio.Task[None] | None = None
        self.salvaged: Salvaged | None = None
        self.just_salvaged = False

    async def open(self) -> None:
        """Connect; where the file is damaged, only after what can be read of it was saved.

        Raises:
            StoreError: it cannot be opened, saved or written, or is of a newer version.
        """
        with translated(self._path), _filesystem(self._path):
            os.makedirs(os.path.dirname(self._path), 0o700, exist_ok=True)
            found: Salvaged | None = await asyncio.to_thread(finish, self._path)
            wrong: str | None = await asyncio.to_thread(damage, self._path)
            if found is None and wrong is not None:
                found = await asyncio.to_thread(salvage, self._path)
            try:
                await self._connect()
            except sqlite3.DatabaseError as error:
                if not is_damage(error):
                    raise
                found = await asyncio.to_thread(salvage, self._path)
                await self._connect()
            self.just_salvaged = found is not None
            self.salvaged = found or await asyncio.to_thread(last_salvaged, self._path)

    async def _connect(self) -> None:
        self._writer, self._reader, self._indexed = await _opened(self._path, self._busy_timeout_s)
        self._is_open, self._inode = True, os.stat(self._path).st_ino

    async def _save(self) -> None:
        """Save what can be read, while who wants to read or write waits."""
        async with self._writing, self._reading:
            try:
                await self._close()
                with translated(self._path), _filesystem(self._path):
                    self.salvaged = await asyncio.to_thread(salvage, self._path, self._inode) or self.salvaged
                    await self._connect()
            except StoreError:
                return  # it has said why; whoever asks next tries again
            finally:
                self._saving = None

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Have a database that turns out to be damaged saved."""
        try:
            with translated(self._path):
                yield
        except StoreError as error:
            if error.code == "corrupt" and self._saving is None:
                self._saving = asyncio.create_task(self._save())
            raise

    async def _close(self) -> None:
        if self._is_open:
            self._is_open = False
            await self._reader.close()
            await self._writer.close()

    async def close(self) -> None:
        if self._saving is not None:
            await asyncio.wait({self._saving})
        await self._close()

    async def listen(self, heard: Callable[[Sequence[Change]], None]) -> None:
        """Other processes of the user's do not tell; see `others_wrote`."""

    async def others_wrote(self) -> bool:
        # Of the writing connection: it changes when any other one commits, and only it writes here.
        if not self._is_open:
            return False
        with self._watched():
            async with self._writer.execute("PRAGMA data_version") as cursor:
                row = await cursor.fetchone()
        before, self._data_version = self._data_version, row[0] if row else None
        return before is not None and before != self._data_version

    @asynccontextmanager
    async def write(self) -> AsyncIterator[SqliteTransaction]:
        async with self._writing:
            with self._watched():
                await self._open_again()
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
            with self._watched():
                await self._open_again()
                try:
                    yield SqliteTransaction(self._reader, self._indexed, "BEGIN")
                finally:
                    await self._reader.rollback()

    async def _open_again(self) -> None:
        """Where saving a damaged database has failed: it is damaged still."""
        if not self._is_open:
            raise StoreError("corrupt", f"the database {self._path} is damaged", "see ao-server logs")

    async def give_back(self) -> None:
        # Whoever deletes wants it gone; and that the migrated or salvaged database is good has been seen by then.
        await asyncio.to_thread(delete_backups, self._path)
        self.salvaged = None
        await self._merge_index()
        # Outside of a transaction: pages are free once it is committed.
        async with self._writing, self._reading:
            with self._watched():
                # As a script: `execute` steps once, and each step frees one page.
                await self._writer.executescript("PRAGMA incremental_vacuum")
                await self._writer.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")

    async def _merge_index(self) -> None:
        """Have what was taken out of the index leave it: it is only marked until its parts are merged. In steps, so
        that events are committed in between."""
        pages, done = -_MERGED_PAGES, 0  # negative once: all parts are to be one
        while self._indexed:
            async with self._writing:
                with self._watched():
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
