"""The tables, and how an older database becomes a newer one. `PRAGMA user_version` counts."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from contextlib import suppress
from glob import escape, glob

import aiosqlite

from ao_lsp.server.store import StoreError

log = logging.getLogger(__name__)

_BACKUP_KEPT_S = 30 * 24 * 3600.0

_KEPT = (".v*.bak", ".v*.bak.half", ".damaged-*")
"""What migrations keep, and what salvages do."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # A row stays when its runs are gone: its numbers must never start anew.
        """CREATE TABLE sessions (
            id TEXT PRIMARY KEY,
            created REAL NOT NULL,
            first_change INTEGER NOT NULL DEFAULT 1,
            last_change INTEGER NOT NULL DEFAULT 0
        )""",
        # A run without a session is one of which a child process spoke first: hidden until then.
        """CREATE TABLE runs (
            id TEXT PRIMARY KEY,
            session TEXT REFERENCES sessions (id),
            name TEXT, argv TEXT, target TEXT, options TEXT, cwd TEXT, python TEXT, python_version TEXT,
            env TEXT, pid INTEGER, parent_run TEXT, fork_call TEXT, version TEXT,
            started REAL, ended REAL,
            status TEXT NOT NULL DEFAULT 'running',
            exit_code INTEGER, error TEXT
        )""",
        "CREATE INDEX runs_by_start ON runs (started)",
        """CREATE TABLE streams (
            run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            id TEXT NOT NULL,
            root INTEGER NOT NULL DEFAULT 0,
            seen TEXT NOT NULL,
            pid INTEGER, process_started TEXT,
            PRIMARY KEY (run, id)
        )""",
        "CREATE TABLE bodies (hash BLOB PRIMARY KEY, size INTEGER NOT NULL, codec TEXT NOT NULL, data BLOB NOT NULL)",
        # A call without a start is one whose end was found first: hidden until then.
        """CREATE TABLE calls (
            run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            id TEXT NOT NULL,
            kind TEXT, transport TEXT, method TEXT, url TEXT, endpoint TEXT,
            request_headers TEXT, request_hash TEXT, request_body BLOB REFERENCES bodies (hash),
            file TEXT, site TEXT, stack TEXT, lineage TEXT, thread TEXT, task TEXT,
            origin TEXT, source_call TEXT, input_edited INTEGER,
            started REAL,
            provider TEXT, model TEXT, streamed INTEGER NOT NULL DEFAULT 0,
            status TEXT NOT NULL DEFAULT 'running',
            http_status INTEGER, response_headers TEXT, response_body BLOB REFERENCES bodies (hash),
            chunks TEXT, error TEXT, first_byte REAL, duration REAL, complete INTEGER NOT NULL DEFAULT 0,
            input_tokens INTEGER, output_tokens INTEGER, finish_reason TEXT, preview TEXT,
            PRIMARY KEY (run, id)
        )""",
        "CREATE INDEX calls_by_file ON calls (file)",
        "CREATE INDEX calls_by_request_body ON calls (request_body)",
        "CREATE INDEX calls_by_response_body ON calls (response_body)",
        # `source` may be a call of another run, or one that has not been heard of yet.
        """CREATE TABLE edges (
            run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            target TEXT NOT NULL,
            source TEXT NOT NULL,
            evidence TEXT NOT NULL,
            path TEXT NOT NULL,
            PRIMARY KEY (run, target, source)
        )""",
        """CREATE TABLE notes (
            run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            at REAL NOT NULL, level TEXT NOT NULL, message TEXT NOT NULL
        )""",
        "CREATE INDEX notes_by_run ON notes (run)",
        """CREATE TABLE edits (
            run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            call TEXT NOT NULL,
            field TEXT NOT NULL,
            created REAL NOT NULL,
            content TEXT NOT NULL,
            body BLOB NOT NULL REFERENCES bodies (hash),
            headers TEXT NOT NULL,
            chunks TEXT NOT NULL,
            PRIMARY KEY (run, call, field)
        )""",
        "CREATE INDEX edits_by_body ON edits (body)",
        """CREATE TABLE changes (
            session TEXT NOT NULL REFERENCES sessions (id),
            seq INTEGER NOT NULL,
            at REAL NOT NULL,
            kind TEXT NOT NULL,
            run TEXT NOT NULL,
            call TEXT,
            PRIMARY KEY (session, seq)
        ) WITHOUT ROWID""",
    ),
    (
        # Edges by text are worked out from the rest, and can be at any time again.
        """CREATE TABLE matches (
            run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            target TEXT NOT NULL,
            source TEXT NOT NULL,
            PRIMARY KEY (run, target, source)
        ) WITHOUT ROWID""",
        # How often texts have come in, and how often they had when they were compared.
        "ALTER TABLE runs ADD COLUMN texts INTEGER NOT NULL DEFAULT 1",
        "ALTER TABLE runs ADD COLUMN texts_matched INTEGER NOT NULL DEFAULT 0",
    ),
    (
        # An edit that is edited again stays, so that it can be gone back to: the highest version counts.
        "ALTER TABLE edits RENAME TO edits_without_version",
        """CREATE TABLE edits (
            run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            call TEXT NOT NULL,
            field TEXT NOT NULL,
            version INTEGER NOT NULL,
            created REAL NOT NULL,
            content TEXT NOT NULL,
            body BLOB NOT NULL REFERENCES bodies (hash),
            headers TEXT NOT NULL,
            chunks TEXT NOT NULL,
            PRIMARY KEY (run, call, field, version)
        )""",
        """INSERT INTO edits (run, call, field, version, created, content, body, headers, chunks)
        SELECT run, call, field, 1, created, content, body, headers, chunks FROM edits_without_version""",
        "DROP TABLE edits_without_version",
        "CREATE INDEX edits_by_body ON edits (body)",
    ),
    (
        # Of calls that were recorded before, these stay null.
        "ALTER TABLE calls ADD COLUMN cached_tokens INTEGER",
        "ALTER TABLE calls ADD COLUMN cache_write_tokens INTEGER",
        "ALTER TABLE calls ADD COLUMN reasoning_tokens INTEGER",
        "ALTER TABLE calls ADD COLUMN served_model TEXT",
    ),
    (
        # What programs drew by chance, event by event.
        """CREATE TABLE draws (
            run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            at REAL NOT NULL,
            drawn TEXT NOT NULL
        )""",
        "CREATE INDEX draws_by_run ON draws (run)",
    ),
    (
        # Subruns, and what a program says of a run.
        "ALTER TABLE runs ADD COLUMN subrun_of TEXT REFERENCES runs (id) ON DELETE CASCADE",
        "ALTER TABLE runs ADD COLUMN root TEXT",
        "ALTER TABLE runs ADD COLUMN path TEXT",
        "ALTER TABLE runs ADD COLUMN result TEXT",
        "ALTER TABLE runs ADD COLUMN remarks TEXT",
        "CREATE INDEX runs_by_outer ON runs (subrun_of)",
        "CREATE INDEX runs_by_root ON runs (root)",
        "ALTER TABLE calls ADD COLUMN replayable INTEGER NOT NULL DEFAULT 0",
    ),
    (
        # The child processes that what an edge is about came through.
        "ALTER TABLE edges ADD COLUMN through TEXT NOT NULL DEFAULT '[]'",
    ),
    (
        # Whose code a version is, and why it may not be just what ran.
        "ALTER TABLE runs ADD COLUMN version_root TEXT",
        "ALTER TABLE runs ADD COLUMN version_note TEXT NOT NULL DEFAULT ''",
    ),
    (
        # The machine that the process ran on.
        "ALTER TABLE streams ADD COLUMN host TEXT",
    ),
    (
        # What calls were asked and said, to be searched (searching.py). Beside these there is the index, `search`,
        # which is no part of a version: not every SQLite can make one.
        """CREATE TABLE texts (
            id INTEGER PRIMARY KEY,
            hash TEXT NOT NULL UNIQUE,
            codec TEXT NOT NULL,
            data BLOB NOT NULL
        )""",
        """CREATE TABLE text_runs (
            text INTEGER NOT NULL,
            run TEXT NOT NULL,
            PRIMARY KEY (text, run)
        ) WITHOUT ROWID""",
        """CREATE TABLE said (
            run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            call TEXT NOT NULL,
            asked TEXT NOT NULL,
            answered TEXT NOT NULL,
            PRIMARY KEY (run, call)
        ) WITHOUT ROWID""",
        """CREATE TABLE unindexed (
            run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            call TEXT NOT NULL,
            events INTEGER NOT NULL,
            PRIMARY KEY (run, call)
        ) WITHOUT ROWID""",
        "INSERT INTO unindexed (run, call, events) SELECT run, id, 1 FROM calls",
    ),
    (
        # Whether a run has calls in a file is asked run by run.
        "DROP INDEX calls_by_file",
        "CREATE INDEX calls_by_file ON calls (file, run)",
    ),
    (
        # In which expressions values of calls were made, event by event: JSON, compressed.
        """CREATE TABLE made (
            run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            file TEXT NOT NULL,
            said BLOB NOT NULL
        )""",
        "CREATE INDEX made_by_run ON made (run, file)",
    ),
)


async def migrate(db: aiosqlite.Connection, path: str, migrations: tuple[tuple[str, ...], ...] = MIGRATIONS) -> None:
    """Bring the database at `path` to our version; what it was stays beside it as `<path>.v<n>.bak`.

    Raises:
        StoreError: it is of a newer version than we know.
        sqlite3.Error: it cannot be read or written.
    """
    version = await _version(db)
    if version > len(migrations):
        raise StoreError(
            "newer",
            f"the database {path} was made by a newer ao-lsp (its version {version}, ours {len(migrations)})",
            "upgrade ao-lsp, or set AO_HOME to use another database",
        )
    if version == len(migrations):
        return
    if version > 0:
        await _back_up(db, f"{path}.v{version}.bak")
    await db.execute("BEGIN IMMEDIATE")
    try:
        version = await _version(db)  # another daemon may have been faster
        for number, statements in enumerate(migrations[version:], version + 1):
            for statement in statements:
                await db.execute(statement)
            log.info("database is now version %d", number)
        await db.execute(f"PRAGMA user_version = {max(version, len(migrations))}")
    except BaseException:
        await db.rollback()
        raise
    await db.commit()


def delete_backups(path: str, older_than_s: float = 0.0) -> None:
    """Delete what migrations and salvages have kept of the database at `path`: it has all that has been deleted since.
    What cannot be deleted is logged, and stays."""
    for backup in (file for ending in _KEPT for file in glob(escape(path) + ending)):
        try:
            if time.time() - os.path.getmtime(backup) >= older_than_s:
                os.unlink(backup)
        except FileNotFoundError:
            pass
        except OSError as error:
            log.warning("%s cannot be deleted: %s", backup, error)


def delete_old_backups(path: str) -> None:
    """Of a database that has been in use for a month since, nobody wants what it was."""
    delete_backups(path, _BACKUP_KEPT_S)


async def _version(db: aiosqlite.Connection) -> int:
    async with db.execute("PRAGMA user_version") as cursor:
        row = await cursor.fetchone()
    return int(row[0]) if row else 0


async def _back_up(db: aiosqlite.Connection, path: str) -> None:
    half = path + ".half"
    with suppress(FileNotFoundError):
        os.unlink(half)
    copy = sqlite3.connect(half, check_same_thread=False)  # aiosqlite copies in its own thread
    try:
        await db.backup(copy)
    finally:
        copy.close()
    os.replace(half, path)
