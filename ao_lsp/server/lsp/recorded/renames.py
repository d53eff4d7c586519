"""Under which name a run read the file of a buffer, where that has been renamed or moved since."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Sequence

from ao_lsp.server.lsp.recorded.recordings import Record, Recordings, names_of
from ao_lsp.server.model import Run
from ao_lsp.server.sources import Sources, keep

# So much of two texts is the same, of 1, where one file is the other: what git asks for; and more where not even the
# last part of the name is the same.
_MOVED, _RENAMED = 0.5, 0.7

_MOST_FILES = 50
"""That are gone, and are compared with one that nothing is known of."""


class Renames:
    """Of the files of one editor. Some clients tell of them; the others' are found by what is in the files."""

    def __init__(self, recordings: Recordings, sources: Sources) -> None:
        self._recordings, self._sources = recordings, sources
        self._told: list[tuple[str, str]] = []
        self._found: dict[str, tuple[Sequence[Run], str | None]] = {}

    def told(self, old: str, new: str) -> None:
        """The client has renamed a file or a folder."""
        if old != new:
            self._told.append((old, new))
            self._found.clear()

    async def records(self, path: str, lines: Sequence[str]) -> tuple[list[str], Sequence[Record]]:
        """The names under which runs read a file, which has these lines, and these runs, newest first.

        A name that another file has now is none of them: that one has been copied.

        Raises:
            StoreError: the database fails.
        """
        records = await self._recordings.of_file(path)
        if records:
            return names_of(path), records
        for before in self._before(path):
            if records := await self._of_gone(before):
                return names_of(before), records
        like = await self._like(path, lines)
        if like is not None and (records := await self._of_gone(like)):
            return names_of(like), records
        return names_of(path), ()

    def _before(self, path: str) -> list[str]:
        """Its earlier names, as the client told of them, the last one first."""
        found: list[str] = []
        for old, new in reversed(self._told):
            if path == new or path.startswith(new.rstrip(os.sep) + os.sep):
                path = old + path[len(new) :]
                found.append(path)
        return found

    async def _of_gone(self, path: str) -> tuple[Record, ...]:
        is_there = await asyncio.to_thread(os.path.lexists, path)
        return () if is_there else await self._recordings.of_file(path)

    async def _like(self, path: str, lines: Sequence[str]) -> str | None:
        """The file that the last run of a program read, that is gone, and that had nearly these lines."""
        runs = await self._recordings.last()
        known = self._found.get(path)
        if known is None or known[0] is not runs:
            read = [(run, sorted(await self._recordings.files(run.id))) for run in runs]
            known = runs, await asyncio.to_thread(self._likest, path, lines, read)
            keep(self._found, path, known)
        return known[1]

    def _likest(self, path: str, lines: Sequence[str], read: Sequence[tuple[Run, list[str]]]) -> str | None:
        own = _counted(lines)
        best: tuple[float, str] | None = None
        gone = [(run, file) for run, files in read for file in files if not os.path.lexists(file)]
        for run, file in gone[:_MOST_FILES]:
            source = self._sources.as_run(file, run)
            if source is None:
                continue
            likeness = _likeness(own, _counted(source))
            least = _MOVED if os.path.basename(file) == os.path.basename(path) else _RENAMED
            if likeness >= least and (best is None or likeness > best[0]):
                best = likeness, file
        return best[1] if best is not None else None


def _counted(lines: Sequence[str]) -> Counter[str]:
    return Counter(text for line in lines if (text := line.strip()))


def _likeness(one: Counter[str], other: Counter[str]) -> float:
    """From 0 to 1: how many of the lines are in both."""
    count = one.total() + other.total()
    return 2 * (one & other).total() / count if count else 0.0
