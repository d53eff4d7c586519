"""Keeps the bytecode cache small: what was not used for a month goes, what was used last stays (docs/watching.md)."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from ao_lsp.server.watch.threads import in_thread

log = logging.getLogger(__name__)

MOST_BYTES = 512 << 20
UNUSED_S = 30 * 86400.0

_UNFINISHED_S = 3600.0
"""What is being written under a private name is finished after less."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in the cache; `used`: when it was read or written last (Unix seconds; a file system may tell this only
    to the day)."""

    path: str
    used: float
    bytes: int


def superfluous(entries: Iterable[Entry], now: float, most_bytes: int = MOST_BYTES) -> list[Entry]:
    """What is to be deleted."""
    gone: list[Entry] = []
    kept = 0
    for entry in sorted(entries, key=lambda entry: entry.used, reverse=True):
        unused = UNUSED_S if entry.path.endswith(".pyc") else _UNFINISHED_S
        if now - entry.used > unused or kept + entry.bytes > most_bytes:
            gone.append(entry)
        else:
            kept += entry.bytes
    return gone


async def keep_small(folder: str) -> None:
    """Delete what is superfluous, once."""
    files, freed = await in_thread(lambda: clean(folder))
    if files:
        log.info("%d files of bytecode deleted that nobody used: %d bytes", files, freed)


def clean(folder: str, most_bytes: int = MOST_BYTES) -> tuple[int, int]:
    """Delete what is superfluous in the cache `folder`: how many files, how many bytes."""
    files = freed = 0
    for entry in superfluous(_entries(folder), time.time(), most_bytes):
        with suppress(OSError):
            os.unlink(entry.path)
            files, freed = files + 1, freed + entry.bytes
    return files, freed


def _entries(folder: str) -> Iterator[Entry]:
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            with suppress(OSError):
                found = os.lstat(path)
                yield Entry(path, max(found.st_atime, found.st_mtime), found.st_size)
