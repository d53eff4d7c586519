"""Follows what runs recorded of a file into a buffer of it: calls, and any other expression."""

from __future__ import annotations

from collections.abc import Sequence

from ao_lsp.server.lsp.documents import Document
from ao_lsp.server.lsp.follow import line_map
from ao_lsp.server.lsp.trail import Extent, Trail
from ao_lsp.server.model import Run, Site
from ao_lsp.server.sources import Sources


class Follower:
    """For one state of a buffer. What it looks up is kept for all that is followed into that state."""

    def __init__(self, document: Document, sources: Sources) -> None:
        self.document = document
        self._sources = sources
        # Runs of the same source share one; the source is held, so that no other gets its id.
        self._trails: dict[int, tuple[Sequence[str], Trail]] = {}

    def extent(self, site: Site, run: Run) -> Extent | None:
        """Where an expression is that `run` evaluated at `site`, a place in a file that the buffer is of.

        None where it is gone, where nobody knows the source that the run read, and where the recording has no
        columns (Python 3.10).
        """
        trail = self.trail(site.file, run)
        return trail.extent(site) if trail is not None else None

    def source(self, file: str, run: Run) -> Sequence[str] | None:
        """The lines of the file as the run read it; None where nobody knows them."""
        return self._sources.as_run(file, run)

    def trail(self, file: str, run: Run) -> Trail | None:
        """From the file as the run read it to the buffer; None where nobody knows that."""
        source = self._sources.as_run(file, run)
        if source is None:
            return None
        known = self._trails.get(id(source))
        if known is None:
            lines = self.document.lines
            known = self._trails[id(source)] = source, Trail(source, lines, line_map(source, lines))
        return known[1]
