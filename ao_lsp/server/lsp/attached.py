"""What was recorded, attached to the buffers of an editor."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ao_lsp.server.lsp.documents import Document
from ao_lsp.server.lsp.following import Follower
from ao_lsp.server.lsp.places import Place, find_places
from ao_lsp.server.lsp.recordings import Record, Recordings, names_of
from ao_lsp.server.sources import Sources


@dataclass(frozen=True, eq=False, slots=True)
class Attached:
    """A buffer with what was recorded of its file, newest run first. `follower` finds any other expression that
    these runs have recorded; `names` are those that the file has in them."""

    document: Document
    names: Sequence[str]
    records: Sequence[Record]
    follower: Follower
    places: tuple[Place, ...]


class Attaching:
    """For the buffers (by URI) of one editor. What was found is kept until the buffer or the recordings change."""

    def __init__(self, documents: Mapping[str, Document], recordings: Recordings, sources: Sources) -> None:
        self._documents, self._recordings, self._sources = documents, recordings, sources
        self._known: dict[str, Attached] = {}

    async def find(self, uri: str) -> Attached | None:
        """None for a buffer that is not open, or no Python.

        Raises:
            StoreError: the database fails.
        """
        document = self._documents.get(uri)
        if document is None or document.path is None or not document.path.endswith((".py", ".pyw", ".pyi")):
            return None
        names = names_of(document.path)
        records = await self._recordings.of_file(document.path)
        unread = self._sources.unread(names, [record.run for record in records])
        if unread:
            await asyncio.to_thread(self._sources.read, unread)
        document = self._documents.get(uri)
        if document is None:  # closed meanwhile
            return None
        known = self._known.get(uri)
        if known is None or known.document is not document or known.records is not records:
            follower = Follower(document, self._sources)
            known = Attached(document, names, records, follower, find_places(follower, names, records))
            self._known[uri] = known
        return known

    def closed(self, uri: str) -> None:
        """The buffer is gone."""
        self._known.pop(uri, None)
