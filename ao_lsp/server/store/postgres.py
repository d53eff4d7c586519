"""PostgreSQL as a `Driver`, for teams: the daemons of several users and machines write into one database.

The only place that knows asyncpg, which is imported when such a database is opened.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ao_lsp.server.model import Change
from ao_lsp.server.store import StoreError
from ao_lsp.server.store.driver import Row
from ao_lsp.server.store.postgres_schema import SCHEMA, drop_backups, migrate
from ao_lsp.server.store.salvage import Salvaged
from ao_lsp.server.store.sql import SqlStore

if TYPE_CHECKING:
    import asyncpg

log = logging.getLogger(__name__)

_CHANNEL = "ao_changes"
_PAYLOAD_BYTES = 7900  # of the 8000 that a notification may have

_WRITERS = 0x616F2D6C7370
"""Names the lock that a writer holds until it has committed: numbers of changes stay dense, and nobody deletes a body
that another is about to name."""

_SMALL_BYTES = 256 << 20
"""A database up to this is written anew after a deletion, which takes seconds and locks it; a larger one has its free
space used again."""

_AGAIN_S = 5.0
"""When to try to listen again after the connection was lost."""

_CLOSE_S = 5.0

# By class of SQLSTATE: code, what is wrong, what to do.
_KNOWN = {
    "08": ("unavailable", "the database {name} cannot be reached", "is it running? see AO_DATABASE"),
    "28": ("unavailable", "the database {name} does not let this user in", "check user and password in AO_DATABASE"),
    "3D": ("unavailable", "there is no database {name}", "make it: createdb, or see AO_DATABASE"),
    "42": (
        "unavailable",
        "the database {name} does not allow it",
        "its user has to be able to make schemas and tables",
    ),
    "53": ("full", "the database {name} has no room left", "free some disk space or memory on its server"),
    "55": ("busy", "the database {name} is busy", "try again"),
    "57": ("unavailable", "the database {name} is shutting down, or starting", "try again"),
    "58": ("unavailable", "the disk fails under the database {name}", "check the disk of its server"),
    "XX": ("corrupt", "the database {name} is damaged", "see the log of its server"),
}


def display_name(address: str) -> str:
    """`address` without its password and options."""
    parts = urlsplit(address)
    return f"postgresql://{parts.netloc.rpartition('@')[2]}{parts.path}"


async def open_store(address: str, busy_timeout_s: float = 30.0) -> SqlStore:
    """The store in the database at `address` (`postgresql://user:password@host/name`), its tables made or migrated
    where needed.

    Raises:
        StoreError: it cannot be reached, does not let us in, or is of a newer version.
    """
    return SqlStore(await open_driver(address, busy_timeout_s))


async def open_driver(address: str, busy_timeout_s: float = 30.0) -> PostgresDriver:
    """The database at `address`; see `open_store`."""
    try:
        name = display_name(address)
    except ValueError as error:
        raise StoreError("unavailable", f"AO_DATABASE is no address: {error}") from None
    try:
        import asyncpg
    except ImportError:
        raise StoreError(
            "unavailable",
            f"the database {name} needs the package asyncpg, which {sys.executable} does not have",
            "pip install 'ao-lsp[postgres]'",
        ) from None
    settings = {
        "application_name": "ao-lsp",
        "search_path": f"{SCHEMA}, public",
        # As in SQLite: a killed server loses the last moment, and a killed daemon nothing.
        "synchronous_commit": "off",
        "lock_timeout": str(int(busy_timeout_s * 1000)),
        # Compiling a query takes longer than any of ours.
        "jit": "off",
    }
    with _translated(name):
        try:
            pool = await asyncpg.create_pool(
                address, min_size=1, max_size=4, timeout=10, server_settings=settings, reset=_leave_as_it_is
            )
        except ValueError as error:
            raise StoreError("unavailable", f"AO_DATABASE is no address: {error}") from None
        try:
            async with pool.acquire() as connection:
                await migrate(connection, name)
        except BaseException:
            pool.terminate()
            raise
    return PostgresDriver(address, settings, pool)


async def _leave_as_it_is(_: object) -> None:
    """A connection that comes back to the pool: nothing of ours outlives its transaction."""


@contextmanager
def _translated(name: str) -> Iterator[None]:
    """Raise `StoreError` where the database cannot do its work; faults of ours (a bad value) pass."""
    import asyncpg

    try:
        yield
    except asyncpg.PostgresError as error:
        state = error.sqlstate or ""
        if state[:2] in ("22", "23"):  # values
            raise
        # Our own SQL may be wrong, too; only the lack of a privilege is the user's.
        known = _KNOWN.get(state[:2]) if state[:2] != "42" or state == "42501" else None
        if known is None:
            log.exception("the database %s failed", name)
            raise StoreError("failed", f"the database {name} failed: {error}", "see ao-server logs") from error
        code, message, hint = known
        log.error("%s (%s)", message.format(name=name), error)  # noqa: TRY400 - nothing of ours to trace
        raise StoreError(code, f"{message.format(name=name)}: {error}", hint) from error
    except asyncpg.DataError:
        raise
    except (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, asyncio.TimeoutError) as error:
        code, message, hint = _KNOWN["08"]
        reason = str(error) or type(error).__name__
        log.error("%s (%s)", message.format(name=name), reason)  # noqa: TRY400 - nothing of ours to trace
        raise StoreError(code, f"{message.format(name=name)}: {reason}", hint) from error


@lru_cache(256)
def _worded(statement: str) -> str:
    """A statement of ours in the words of PostgreSQL."""
    numbers = iter(range(1, 100))
    numbered = re.sub(r"\?", lambda _: f"${next(numbers)}", statement)
    numbered = re.sub(r"\beach\((\$\d+)\)", r"unnest(\1::text[]) AS each (value)", numbered)
    numbered = re.sub(r"\beach_number\((\$\d+)\)", r"unnest(\1::bigint[]) AS each (value)", numbered)
    return numbered.replace("instr(", "strpos(")


def _storable(value: Any) -> Any:
    """A value as a column can hold it: texts have no NUL there."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd") if "\0" in value else value
    return [_storable(item) for item in value] if isinstance(value, list) else value


class PostgresTransaction:
    """Implements `Transaction`. `daemon` is whom its changes are from."""

    def __init__(self, connection: asyncpg.Connection, daemon: str) -> None:
        self._db, self._daemon = connection, daemon

    async def execute(self, statement: str, *values: object) -> int:
        done = await self._db.execute(_worded(statement), *map(_storable, values))
        count = done.rpartition(" ")[2]  # "UPDATE 3"
        return int(count) if count.isdecimal() else 0

    async def execute_many(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        listed = [tuple(map(_storable, row)) for row in rows]
        if len(listed) == 1:  # which takes fewer words between the two
            await self._db.execute(_worded(statement), *listed[0])
        else:
            await self._db.executemany(_worded(statement), listed)

    async def fetch(self, statement: str, *values: object) -> Sequence[Row]:
        found: Sequence[Row] = await self._db.fetch(_worded(statement), *map(_storable, values))
        return found

    async def first(self, statement: str, *values: object) -> Row | None:
        found: Row | None = await self._db.fetchrow(_worded(statement), *map(_storable, values))
        return found

    async def index_texts(self, texts: Sequence[tuple[int, str]]) -> None:
        await self.execute_many("INSERT INTO search (text, folded) VALUES (?, ?)", texts)

    async def unindex_texts(self, texts: Sequence[tuple[int, str]]) -> None:
        """They go with the texts."""

    async def clear_index(self) -> None:
        await self.execute("DELETE FROM search")

    async def candidates(self, needle: str) -> list[int] | None:
        pattern = re.sub(r"([%_\\])", r"\\\1", needle)
        found = await self.fetch("SELECT text FROM search WHERE folded LIKE ?", f"%{pattern}%")
        return sorted((row["text"] for row in found), reverse=True)

    async def announce(self, changes: Sequence[Change]) -> None:
        for payload in _payloads(self._daemon, changes):
            await self._db.execute("SELECT pg_notify($1, $2)", _CHANNEL, payload)


def _payloads(daemon: str, changes: Sequence[Change]) -> Iterator[str]:
    """`changes` as notifications, none of them longer than they may be."""
    head, room = json.dumps(daemon), _PAYLOAD_BYTES - len(daemon) - 10
    held: list[str] = []
    used = 0
    for change in changes:
        fields = [change.session, change.seq, change.at, change.kind, change.run, change.call]
        text = json.dumps([*fields, change.graphs])
        if len(text) > room:  # thousands of subruns: whoever looks at one of them sees it late
            text = json.dumps([*fields, change.graphs[:20]])
        if held and used + len(text) > room:
            yield f"[{head},[{','.join(held)}]]"
            held, used = [], 0
        held.append(text)
        used += len(text) + 1
    if held:
        yield f"[{head},[{','.join(held)}]]"


class PostgresDriver:
    """Implements `Driver`. Made by `open_driver`."""

    shared = True
    salvaged: Salvaged | None = None  # its server looks after its files
    just_salvaged = False

    def __init__(self, address: str, settings: dict[str, str], pool: asyncpg.Pool) -> None:
        self.name = display_name(address)
        self._address, self._settings, self._pool = address, settings, pool
        self._daemon = uuid.uuid4().hex
        self._writing = asyncio.Lock()  # so that who waits for its turn holds no connection
        self._listening: asyncio.Task[None] | None = None
        self._missed = False

    async def close(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait({self._listening})
        try:
            await asyncio.wait_for(self._pool.close(), _CLOSE_S)
        except (asyncio.TimeoutError, OSError):
            self._pool.terminate()

    @asynccontextmanager
    async def write(self) -> AsyncIterator[PostgresTransaction]:
        async with self._writing:
            with _translated(self.name):
                async with self._pool.acquire() as connection, connection.transaction():
                    await connection.execute("SELECT pg_advisory_xact_lock($1)", _WRITERS)
                    yield PostgresTransaction(connection, self._daemon)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[PostgresTransaction]:
        with _translated(self.name):
            async with (
                self._pool.acquire() as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                yield PostgresTransaction(connection, self._daemon)

    async def give_back(self) -> None:
        with _translated(self.name):
            size = await self.size()
            async with self._writing, self._pool.acquire() as connection:
                await drop_backups(connection)
                tables = await connection.fetch(
                    "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname = $1", SCHEMA
                )
                full = "FULL" if size <= _SMALL_BYTES else "TRUNCATE"
                await connection.execute(f"VACUUM ({full}) {', '.join(row['name'] for row in tables)}")

    async def size(self) -> int:
        async with self.read() as db:
            row = await db.first(
                """SELECT coalesce(sum(pg_total_relation_size(pg_class.oid)), 0)::bigint AS bytes FROM pg_class
                JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE nspname = ? AND relkind = 'r'""",
                SCHEMA,
            )
        return int(row["bytes"]) if row else 0

    async def listen(self, heard: Callable[[Sequence[Change]], None]) -> None:
        ready = asyncio.Event()
        self._listening = asyncio.create_task(self._listen(heard, ready))
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait({waiting}, timeout=_AGAIN_S)
        waiting.cancel()

    async def others_wrote(self) -> bool:
        missed, self._missed = self._missed, False
        return missed

    async def _listen(self, heard: Callable[[Sequence[Change]], None], ready: asyncio.Event) -> None:
        """Hand on what others say, and connect again where the connection is lost."""
        import asyncpg

        def notified(_: object, __: int, ___: str, payload: object) -> None:
            with suppress(ValueError, TypeError):
                daemon, changes = json.loads(str(payload))
                if daemon != self._daemon:
                    heard([replace(Change(*change[:6]), graphs=tuple(change[6])) for change in changes])

        while True:
            lost = asyncio.Event()
            try:
                connection = await asyncpg.connect(self._address, timeout=10, server_settings=self._settings)
            except Exception as error:
                log.warning("what other daemons on %s commit is not heard of: %s", self.name, error)
                await asyncio.sleep(_AGAIN_S)
                continue
            try:
                connection.add_termination_listener(lambda _, lost=lost: lost.set())
                await connection.add_listener(_CHANNEL, notified)
                # What was committed while there was no connection, nobody has told us.
                self._missed = self._missed or ready.is_set()
                ready.set()
                await lost.wait()
                log.warning("the connection to %s is lost", self.name)
            finally:
                connection.terminate()
            await asyncio.sleep(_AGAIN_S)
