"""What SQLite says, in words for users."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from ao_lsp.server.store import StoreError

log = logging.getLogger(__name__)

# Part of SQLite's message → code, our message, what to do. Python 3.10 has no error codes to ask for.
_KNOWN = (
    ("locked", "busy", "the database {path} is locked by another program", "close what has it open, and try again"),
    ("busy", "busy", "the database {path} is busy", "try again"),
    ("full", "full", "no room left for the database {path}", "free some disk space, or delete runs: ao-server clear"),
    ("malformed", "corrupt", "the database {path} is damaged", "what can be read of it is being saved; try again"),
    ("not a database", "corrupt", "{path} is no database", "what can be read of it is being saved; try again"),
    ("readonly", "unavailable", "the database {path} cannot be written to", "check its permissions"),
    ("unable to open", "unavailable", "the database {path} cannot be opened", "check that its folder is yours"),
    ("disk i/o", "unavailable", "the disk fails under the database {path}", "check the disk"),
)


def is_damage(error: sqlite3.Error) -> bool:
    """Whether SQLite says that a file is no database, or no whole one."""
    said = str(error).lower()
    return "malformed" in said or "not a database" in said


@contextmanager
def translated(path: str) -> Iterator[None]:
    """Raise `StoreError` where SQLite cannot do its work; faults of ours (a bad value) pass."""
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.DataError):
        raise
    except sqlite3.Error as error:
        said = str(error).lower()
        for part, code, message, hint in _KNOWN:
            if part in said:
                log.error("%s (%s)", message.format(path=path), error)  # noqa: TRY400 - nothing of ours to trace
                raise StoreError(code, message.format(path=path), hint) from error
        log.exception("the database %s failed", path)
        raise StoreError("failed", f"the database {path} failed: {error}", "see ao-server logs") from error
