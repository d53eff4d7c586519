"""What can be read of a damaged database goes into a new one; the damaged one is kept beside it.

In steps, each of which a killed daemon may leave behind: the new database is made under another name, gets the name
`<path>.salvaged` when it is whole, the damaged one is moved away, and then the new one has its place.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import sqlite3
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from glob import escape, glob

from ao_lsp.server.store.pages import MAGIC, Pages, Value
from ao_lsp.server.store.rows import digest, packed_body, unpacked_body
from ao_lsp.server.store.schema import MIGRATIONS

log = logging.getLogger(__name__)

_ROWS = 1000  # at a time


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What became of a damaged database, which is now at `kept_as`. `pages` and `rows` could not be read, or made no
    sense; `texts` are requests and responses of calls that are there."""

    at: float
    kept_as: str
    runs: int
    calls: int
    pages: int
    rows: int
    texts: int

    @property
    def words(self) -> str:
        """For the user."""
        lost = [f"{count} {what}{'' if count == 1 else 's'}" for count, what in self._losses if count]
        return (
            f"the database was damaged: {self.runs} runs with {self.calls} calls were saved; "
            f"{', '.join(lost) if lost else 'nothing that could be found'} lost. What it was is kept in {self.kept_as}"
        )

    @property
    def _losses(self) -> tuple[tuple[int, str], ...]:
        return (self.pages, "page"), (self.rows, "row"), (self.texts, "request or response")


def damage(path: str) -> str | None:
    """What is wrong with the file at `path`, as far as can be told at once; None where it looks whole."""
    try:
        size = os.path.getsize(path)
    except OSError:
        return None
    if size == 0:
        return None
    with open(path, "rb") as file:
        head = file.read(100)
    if len(head) < 100 or not head.startswith(MAGIC):
        return "it has no header"
    log_bytes = os.path.getsize(path + "-wal") if os.path.exists(path + "-wal") else 0
    pages = int.from_bytes(head[28:32], "big")
    page_size = int.from_bytes(head[16:18], "big")
    short = size < pages * (65536 if page_size == 1 else page_size)
    if not short and not log_bytes:
        return None
    found = _looked_at(path)
    # A daemon that retires may have been writing: then it is another the next time.
    return found if found is not None and found == _looked_at(path) else None


def _looked_at(path: str) -> str | None:
    pages = Pages(path)
    if pages.missing:
        return "its end is missing"
    return f"{pages.lost_frames} pages of its log are damaged" if pages.lost_frames else None


def salvage(path: str, seen: int | None = None) -> Salvaged | None:
    """Put a new database with what can be read of the one at `path` in its place. None where somebody else has just
    done so: `seen` is the inode of the file that was found to be damaged.

    Raises:
        OSError, sqlite3.Error: the new one cannot be written; everything is as it was.
    """
    lock = os.open(path + ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(path + ".salvaged"):
            if seen is not None and os.stat(path).st_ino != seen:
                return None
            _make(path)
        return finish(path)
    finally:
        os.close(lock)


def finish(path: str) -> Salvaged | None:
    """Go on where a salvage broke off that had all it wanted; None where there was none."""
    if not os.path.exists(path + ".salvaged"):
        return None
    # Where that was moved already, only the last step is left.
    found = _read(path + ".salvaged.json") or last_salvaged(path)
    if found is None:
        os.unlink(path + ".salvaged")  # somebody has taken away what belongs to it
        return None
    # The log first: without its database it is nothing, and the database without it would be taken for whole.
    for ending in ("-wal", ""):
        if os.path.exists(path + ending) and not os.path.exists(found.kept_as + ending):
            os.replace(path + ending, found.kept_as + ending)
    with suppress(FileNotFoundError):
        os.unlink(path + "-shm")
    if os.path.exists(path + ".salvaged.json"):
        os.replace(path + ".salvaged.json", found.kept_as + ".json")
    os.replace(path + ".salvaged", path)
    log.error("%s", found.words)
    return found


def last_salvaged(path: str) -> Salvaged | None:
    """The last time that it had to be done, as long as the damaged file is kept."""
    files = sorted(glob(f"{escape(path)}.damaged-*.json"), reverse=True)
    return next((found for found in map(_read, files) if found is not None), None)


def _read(path: str) -> Salvaged | None:
    with suppress(OSError, ValueError, TypeError), open(path, encoding="utf-8") as said:
        return Salvaged(**json.load(said))
    return None


def _make(path: str) -> None:
    half = path + ".salvage"
    for file in (half, half + "-journal", path + ".salvaged.json"):
        with suppress(FileNotFoundError):
            os.unlink(file)
    log.error("the database %s is damaged; what can be read of it is saved", path)
    pages = Pages(path)
    with closing(sqlite3.connect(half, isolation_level=None)) as db:
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        db.execute("PRAGMA foreign_keys = OFF")
        db.execute("BEGIN")
        for statements in MIGRATIONS:
            for statement in statements:
                db.execute(statement)
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        rows = _fill(db, pages)
        texts = _mend(db)
        runs, calls = (db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("runs", "calls"))  # noqa: S608
        db.execute("COMMIT")
    stamp = time.strftime("%Y%m%dT%H%M%S")
    found = Salvaged(
        time.time(), f"{path}.damaged-{stamp}", runs, calls, pages.unreadable + pages.lost_frames, rows, texts
    )
    with open(path + ".salvaged.json", "w", encoding="utf-8") as said:
        json.dump(asdict(found), said)
    os.replace(half, path + ".salvaged")


def _fill(db: sqlite3.Connection, pages: Pages) -> int:
    """Insert every row that is of one of our tables, and tell how many were, but make no sense."""
    columns = {
        table: [column[1] for column in db.execute(f"PRAGMA table_info({table})")]
        for table in ("sessions", "runs", "streams", "bodies", "calls", "edges", "notes", "edits", "draws", "made")
    }
    lost = 0
    for table, row in _known(pages):
        names = columns[table]
        if not _makes_sense(table, dict(zip(names, row, strict=False))):
            lost += 1
            continue
        some = names[: len(row)]
        values = ", ".join("?" * len(some))
        try:
            db.execute(f"INSERT INTO {table} ({', '.join(some)}) VALUES ({values})", row[: len(some)])  # noqa: S608
        except sqlite3.IntegrityError:
            lost += 1
    return lost


def _known(pages: Pages) -> Iterator[tuple[str, Sequence[Value]]]:
    for row in pages.rows():
        table = table_of(row)
        if table is not None:
            yield table, row


def table_of(row: Sequence[Value]) -> str | None:
    """The table that a row is of, by its shape; None where it is of none that is saved: what can be made anew
    (matches, changes, the index of texts) is not. Older rows lack the columns that were added since."""
    shape = "".join(_letter(value) for value in row)
    if len(row) >= 36:
        return "calls" if shape.startswith("tt") else None
    if len(row) >= 19:
        return "runs" if shape.startswith("t") else None
    if len(row) == 4:
        return {"tnnn": "sessions", "bntb": "bodies", "tntt": "notes"}.get(shape)
    if shape in ("tnt", "ttb"):
        return "draws" if shape == "tnt" else "made"
    if len(row) in (6, 7) and shape.startswith("ttnt"):
        return "streams"
    if shape in ("ttttt", "tttttt") and row[3] in ("tracked", "matched"):
        return "edges"
    return "edits" if shape == "tttnntbtt" else None


def _letter(value: Value) -> str:
    return "-" if value is None else "t" if isinstance(value, str) else "b" if isinstance(value, bytes) else "n"


_JSON = {
    "runs": ("argv", "target", "options", "env", "error", "path", "result", "remarks"),
    "calls": ("request_headers", "site", "stack", "lineage", "response_headers", "chunks", "error"),
    "streams": ("seen",),
    "edges": ("path", "through"),
    "edits": ("headers", "chunks"),
    "draws": ("drawn",),
}


def _makes_sense(table: str, row: dict[str, Value]) -> bool:
    """Whether what is in a row can be read: a page may be overwritten in the middle."""
    try:
        for name in _JSON.get(table, ()):
            said = row.get(name)
            if said is not None:
                json.loads(str(said))
        if table == "made":
            json.loads(zlib.decompress(row["said"]) if isinstance(row["said"], bytes) else b"")
        if table == "bodies":
            data = row["data"]
            return isinstance(data, bytes) and digest(unpacked_body(str(row["codec"]), data)) == row["hash"]
    except (ValueError, RecursionError, zlib.error):
        return False
    return True


def _mend(db: sqlite3.Connection) -> int:
    """Have every row that is named be there, and tell how many requests and responses are not."""
    never = int(time.time() * 1000)  # a number that no change has had
    db.execute(
        """INSERT OR IGNORE INTO runs (id, session, name, argv, target, options, cwd, python, python_version, env,
        started, ended, status)
        SELECT run, 'salvaged-' || run, '(salvaged)', '[]', '["script", ""]', '[]', '/', '', '', '{}',
        min(started), min(started), 'lost' FROM calls WHERE run NOT IN (SELECT id FROM runs) AND started IS NOT NULL
        GROUP BY run"""
    )
    db.execute(
        """INSERT OR IGNORE INTO sessions (id, created, last_change)
        SELECT session, coalesce(min(started), 0), ? FROM runs WHERE session IS NOT NULL GROUP BY session""",
        (never,),
    )
    # The changes themselves are gone: whoever reads on from a number reads everything.
    db.execute("UPDATE sessions SET first_change = last_change + 2, last_change = last_change + 1")
    db.execute("UPDATE runs SET subrun_of = NULL, root = NULL WHERE subrun_of NOT IN (SELECT id FROM runs)")
    db.execute("UPDATE runs SET texts_matched = 0")
    for table in ("streams", "calls", "edges", "notes", "edits", "draws", "made"):
        db.execute(f"DELETE FROM {table} WHERE run NOT IN (SELECT id FROM runs)")  # noqa: S608 - a constant
    lost = int(db.execute("DELETE FROM edits WHERE body NOT IN (SELECT hash FROM bodies)").rowcount)
    lost += db.execute(
        "UPDATE calls SET response_body = NULL, complete = 0 WHERE response_body NOT IN (SELECT hash FROM bodies)"
    ).rowcount
    empty = packed_body(b"")
    db.execute("INSERT OR IGNORE INTO bodies (hash, size, codec, data) VALUES (?, ?, ?, ?)", empty)
    lost += db.execute(
        "UPDATE calls SET request_body = ? WHERE request_body NOT IN (SELECT hash FROM bodies)", (empty[0],)
    ).rowcount
    db.execute(
        """DELETE FROM bodies WHERE NOT EXISTS (SELECT 1 FROM calls WHERE calls.request_body = bodies.hash)
        AND NOT EXISTS (SELECT 1 FROM calls WHERE calls.response_body = bodies.hash)
        AND NOT EXISTS (SELECT 1 FROM edits WHERE edits.body = bodies.hash)"""
    )
    db.execute("INSERT OR IGNORE INTO unindexed (run, call, events) SELECT run, id, 1 FROM calls")
    return lost
