"""What was recorded, attached to the buffers of an editor."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ao_lsp.server.lsp.buffers.documents import Document
from ao_lsp.server.lsp.buffers.following import Follower
from ao_lsp.server.lsp.recorded.places import Place, Spots, find_places, spots
from ao_lsp.server.lsp.recorded.recordings import Record, Recordings
from ao_lsp.server.lsp.recorded.renames import Renames
from ao_lsp.server.sources import Sources

_AT_ONCE = 500
"""Lines of a buffer that are looked through at once, in a few milliseconds; more of them in a thread."""

_MOST_TIMES = 5
"""That a buffer is looked through again, because it was changed meanwhile; then what is known is shown."""


@dataclass(frozen=True, eq=False, slots=True)
class Attached:
    """A buffer with what was recorded of its file, newest run first. `follower` finds any other expression that
    these runs have recorded; `names` are those that the file has in them, and `spots` where they made calls there."""

    document: Document
    names: Sequence[str]
    records: Sequence[Record]
    spots: Spots
    follower: Follower
    places: tuple[Place, ...]


class Attaching:
    """For the buffers (by URI) of one editor. What was found is kept until the buffer or the recordings change."""

    def __init__(self, documents: Mapping[str, Document], recordings: Recordings, sources: Sources) -> None:
        self._documents, self._sources = documents, sources
        self.renames = Renames(recordings, sources)
        self._known: dict[str, Attached] = {}
        self._working: dict[str, asyncio.Task[None]] = {}

    async def find(self, uri: str) -> Attached | None:
        """None for a buffer that is not open, or no Python.

        Raises:
            StoreError: the database fails.
        """
        known = None
        for _ in range(_MOST_TIMES):
            document = self._documents.get(uri)
            if document is None or document.path is None or not document.path.endswith((".py", ".pyw", ".pyi")):
                return None
            names, records = await self.renames.records(document.path, document.lines)
            known = self._known.get(uri)
            if known is not None and known.document is document and known.records is records:
                return known
            if uri not in self._working:
                # A request that is cancelled must not leave half of it, and the next one is to have it, too.
                task = self._working[uri] = asyncio.create_task(self._attach(uri, document, names, records))
                task.add_done_callback(lambda done: done.cancelled() or done.exception())
            await asyncio.shield(self._working[uri])
            known = self._known.get(uri)
            if known is not None and known.document is document:
                return known
        return known

    async def _attach(self, uri: str, document: Document, names: list[str], records: Sequence[Record]) -> None:
        try:
            unread = self._sources.unread(names, [record.run for record in records])
            if unread:
                await asyncio.to_thread(self._sources.read, unread)
            before = self._known.get(uri)
            if len(document.lines) < _AT_ONCE:
                found = self._attached(document, names, records, before)
            else:
                found = await asyncio.to_thread(self._attached, document, names, records, before)
            if uri in self._documents:
                self._known[uri] = found
        finally:
            del self._working[uri]

    def _attached(
        self, document: Document, names: list[str], records: Sequence[Record], before: Attached | None
    ) -> Attached:
        same = before is not None and before.records is records and before.names == names
        spotted = before.spots if before is not None and same else spots(names, records)
        follower = Follower(document, self._sources)
        return Attached(document, names, records, spotted, follower, find_places(follower, spotted))

    def closed(self, uri: str) -> None:
        """The buffer is gone."""
        self._known.pop(uri, None)

    async def close(self) -> None:
        """The editor is gone."""
        working = list(self._working.values())
        for task in working:
            task.cancel()
        if working:
            await asyncio.wait(working)
