"""The tables in PostgreSQL, in a schema of their own, and how an older one becomes a newer one."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ao_lsp.server.store import StoreError

if TYPE_CHECKING:
    import asyncpg

log = logging.getLogger(__name__)

SCHEMA = "ao"

_MIGRATORS = 0x616F2D6C7371
"""Names the lock under which tables are made."""

_BACKUP_KEPT = "30 days"

# What each table and column is for: schema.py. `rowid` is what SQLite has by itself: the order of coming.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE sessions (
            id TEXT PRIMARY KEY,
            created DOUBLE PRECISION NOT NULL,
            first_change BIGINT NOT NULL DEFAULT 1,
            last_change BIGINT NOT NULL DEFAULT 0
        )""",
        """CREATE TABLE runs (
            rowid BIGINT GENERATED ALWAYS AS IDENTITY,
            id TEXT PRIMARY KEY,
            session TEXT REFERENCES sessions (id),
            name TEXT, argv TEXT, target TEXT, options TEXT, cwd TEXT, python TEXT, python_version TEXT,
            env TEXT, pid BIGINT, parent_run TEXT, fork_call TEXT, version TEXT,
            started DOUBLE PRECISION, ended DOUBLE PRECISION,
            status TEXT NOT NULL DEFAULT 'running',
            exit_code BIGINT, error TEXT,
            texts BIGINT NOT NULL DEFAULT 1,
            texts_matched BIGINT NOT NULL DEFAULT 0,
            subrun_of TEXT REFERENCES runs (id) ON DELETE CASCADE,
            root TEXT, path TEXT, result TEXT, remarks TEXT,
            version_root TEXT, version_note TEXT NOT NULL DEFAULT ''
        )""",
        "CREATE INDEX runs_by_start ON runs (started)",
        "CREATE INDEX runs_by_outer ON runs (subrun_of)",
        "CREATE INDEX runs_by_root ON runs (root)",
        "CREATE INDEX runs_by_session ON runs (session)",
        """CREATE TABLE streams (
            run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            id TEXT NOT NULL,
            root BIGINT NOT NULL DEFAULT 0,
            seen TEXT NOT NULL,
            pid BIGINT, process_started TEXT, host TEXT,
            PRIMARY KEY (run, id)
        )""",
        "CREATE TABLE bodies (hash BYTEA PRIMARY KEY, size BIGINT NOT NULL, codec TEXT NOT NULL, data BYTEA NOT NULL)",
        # It is compressed already.
        "ALTER TABLE bodies ALTER COLUMN data SET STORAGE EXTERNAL",
        """CREATE TABLE calls (
            rowid BIGINT GENERATED ALWAYS AS IDENTITY,
            run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            id TEXT NOT NULL,
            kind TEXT, transport TEXT, method TEXT, url TEXT, endpoint TEXT,
            request_headers TEXT, request_hash TEXT, request_body BYTEA REFERENCES bodies (hash),
            file TEXT, site TEXT, stack TEXT, lineage TEXT, thread TEXT, task TEXT,
            origin TEXT, source_call TEXT, input_edited BIGINT,
            started DOUBLE PRECISION,
            provider TEXT, model TEXT, streamed BIGINT NOT NULL DEFAULT 0,
            status TEXT NOT NULL DEFAULT 'running',
            http_status BIGINT, response_headers TEXT, response_body BYTEA REFERENCES bodies (hash),
            chunks TEXT, error TEXT, first_byte DOUBLE PRECISION, duration DOUBLE PRECISION,
            complete BIGINT NOT NULL DEFAULT 0,
            input_tokens BIGINT, output_tokens BIGINT, finish_reason TEXT, preview TEXT,
            cached_tokens BIGINT, cache_write_tokens BIGINT, reasoning_tokens BIGINT, served_model TEXT,
            replayable BIGINT NOT NULL DEFAULT 0,
            PRIMARY KEY (run, id)
        )""",
        "CREATE INDEX calls_by_file ON calls (file)",
        "CREATE INDEX calls_by_request_body ON calls (request_body)",
        "CREATE INDEX calls_by_response_body ON calls (response_body)",
        """CREATE TABLE edges (
            run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            target TEXT NOT NULL,
            source TEXT NOT NULL,
            evidence TEXT NOT NULL,
            path TEXT NOT NULL,
            through TEXT NOT NULL DEFAULT '[]',
            PRIMARY KEY (run, target, source)
        )""",
        """CREATE TABLE matches (
            run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            target TEXT NOT NULL,
            source TEXT NOT NULL,
            PRIMARY KEY (run, target, source)
        )""",
        """CREATE TABLE notes (
            run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            at DOUBLE PRECISION NOT NULL, level TEXT NOT NULL, message TEXT NOT NULL
        )""",
        "CREATE INDEX notes_by_run ON notes (run)",
        """CREATE TABLE draws (
            rowid BIGINT GENERATED ALWAYS AS IDENTITY,
            run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            at DOUBLE PRECISION NOT NULL,
            drawn TEXT NOT NULL
        )""",
        "CREATE INDEX draws_by_run ON draws (run)",
        """CREATE TABLE edits (
            run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            call TEXT NOT NULL,
            field TEXT NOT NULL,
            version BIGINT NOT NULL,
            created DOUBLE PRECISION NOT NULL,
            content TEXT NOT NULL,
            body BYTEA NOT NULL REFERENCES bodies (hash),
            headers TEXT NOT NULL,
            chunks TEXT NOT NULL,
            PRIMARY KEY (run, call, field, version)
        )""",
        "CREATE INDEX edits_by_body ON edits (body)",
        """CREATE TABLE changes (
            session TEXT NOT NULL REFERENCES sessions (id),
            seq BIGINT NOT NULL,
            at DOUBLE PRECISION NOT NULL,
            kind TEXT NOT NULL,
            run TEXT NOT NULL,
            call TEXT,
            PRIMARY KEY (session, seq)
        )""",
    ),
    (
        """CREATE TABLE texts (
            id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            hash TEXT NOT NULL UNIQUE,
            codec TEXT NOT NULL,
            data BYTEA NOT NULL
        )""",
        "CREATE TABLE text_runs (text BIGINT NOT NULL, run TEXT NOT NULL, PRIMARY KEY (text, run))",
        """CREATE TABLE said (
            run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            call TEXT NOT NULL,
            asked TEXT NOT NULL,
            answered TEXT NOT NULL,
            PRIMARY KEY (run, call)
        )""",
        """CREATE TABLE unindexed (
            run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            call TEXT NOT NULL,
            events BIGINT NOT NULL,
            PRIMARY KEY (run, call)
        )""",
        "CREATE TABLE search (text BIGINT PRIMARY KEY REFERENCES texts (id) ON DELETE CASCADE, folded TEXT NOT NULL)",
        # Where it may not be had, texts are looked through one by one.
        """DO $$ BEGIN
            CREATE EXTENSION IF NOT EXISTS pg_trgm;
            CREATE INDEX search_by_gram ON search USING gin (folded gin_trgm_ops);
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING 'no index of texts: %', SQLERRM;
        END $$""",
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
            rowid BIGINT GENERATED ALWAYS AS IDENTITY,
            run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            file TEXT NOT NULL,
            said BYTEA NOT NULL
        )""",
        "CREATE INDEX made_by_run ON made (run, file)",
    ),
)


async def migrate(db: asyncpg.Connection, name: str, migrations: tuple[tuple[str, ...], ...] = MIGRATIONS) -> None:
    """Bring our schema to our version; what its tables held stays in a schema `ao_v<n>_backup`.

    Raises:
        StoreError: it is of a newer version than we know.
        asyncpg.PostgresError: it cannot be read or written.
    """
    if await _version(db) == len(migrations):
        await _drop_old_backups(db)
        return
    async with db.transaction():
        await db.execute("SELECT pg_advisory_xact_lock($1)", _MIGRATORS)
        version = await _version(db)  # another daemon may have been faster
        if version > len(migrations):
            raise StoreError(
                "newer",
                f"the database {name} was made by a newer ao-lsp (its version {version}, ours {len(migrations)})",
                "upgrade ao-lsp, or name another database in AO_DATABASE",
            )
        if version == 0:
            await db.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
            await db.execute(f"CREATE TABLE {SCHEMA}.schema_version (version BIGINT NOT NULL)")
            await db.execute(f"INSERT INTO {SCHEMA}.schema_version VALUES (0)")  # noqa: S608 - a constant
        elif version < len(migrations):
            await _back_up(db, version)
        for number, statements in enumerate(migrations[version:], version + 1):
            for statement in statements:
                await db.execute(statement)
            log.info("database is now version %d", number)
        await db.execute(f"UPDATE {SCHEMA}.schema_version SET version = {len(migrations)}")  # noqa: S608


async def drop_backups(db: asyncpg.Connection) -> None:
    """Drop what migrations have kept: it has all that has been deleted since."""
    for row in await db.fetch("SELECT nspname FROM pg_namespace WHERE nspname ~ $1", f"^{SCHEMA}_v[0-9]+_backup$"):
        await db.execute(f"DROP SCHEMA {row['nspname']} CASCADE")


async def _drop_old_backups(db: asyncpg.Connection) -> None:
    """Those that were made a month ago, which their comment tells."""
    for row in await db.fetch(
        """SELECT nspname FROM pg_namespace WHERE nspname ~ $1
        AND obj_description(oid, 'pg_namespace')::timestamptz < now() - $2::text::interval""",
        f"^{SCHEMA}_v[0-9]+_backup$",
        _BACKUP_KEPT,
    ):
        await db.execute(f"DROP SCHEMA {row['nspname']} CASCADE")


async def _version(db: asyncpg.Connection) -> int:
    # Not `to_regclass`, which in a transaction goes on knowing that there was none.
    if not await db.fetchval(
        "SELECT count(*) FROM pg_tables WHERE schemaname = $1 AND tablename = 'schema_version'", SCHEMA
    ):
        return 0
    return int(await db.fetchval(f"SELECT version FROM {SCHEMA}.schema_version"))  # noqa: S608 - a constant


async def _back_up(db: asyncpg.Connection, version: int) -> None:
    """In the transaction of the migration: either there are both, or neither."""
    backup = f"{SCHEMA}_v{version}_backup"
    await db.execute(f"DROP SCHEMA IF EXISTS {backup} CASCADE")
    await db.execute(f"CREATE SCHEMA {backup}")
    await db.execute(f"""DO $$ BEGIN EXECUTE format('COMMENT ON SCHEMA {backup} IS %L', now()); END $$""")
    for row in await db.fetch("SELECT tablename FROM pg_tables WHERE schemaname = $1", SCHEMA):
        table = row["tablename"]
        await db.execute(f'CREATE TABLE {backup}."{table}" AS TABLE {SCHEMA}."{table}"')
