"""Follows what runs recorded of a file into a buffer of it: calls, and any other expression."""

from __future__ import annotations

from collections.abc import Sequence

from ao_lsp.server.lsp.buffers.documents import Document, Text
from ao_lsp.server.lsp.buffers.follow import line_map
from ao_lsp.server.lsp.buffers.trail import Extent, Trail
from ao_lsp.server.model import Run, Site
from ao_lsp.server.sources import Sources, keep


class Follower:
    """For one state of a buffer. What it looks up is kept for all that is followed into that state.

    The lines of a text that a run read are looked for once; from then on the buffer's own history tells where they
    are. Only lines that were taken out are looked for again: they may come back, by an undo, or in another place.
    """

    def __init__(self, document: Document, sources: Sources) -> None:
        self.document = document
        self._sources = sources
        # Runs of the same text share one; the text is held, so that no other gets its id.
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
            known = self._trails[id(source)] = source, self._trail(source)
        return known[1]

    def _trail(self, source: Sequence[str]) -> Trail:
        text, document = self._text(source), self.document
        numbers, ids, marks = document.numbers, document.ids, text.marks
        where = {line: numbers[mark] for line, mark in enumerate(marks) if mark is not None and mark in numbers}

        def returned(line: int, there: int) -> None:
            marks[line] = ids[there]

        return Trail(source, document.lines, where, returned, text.heads, text.last)

    def _text(self, source: Sequence[str]) -> Text:
        """What the buffer remembers of a text that a run read."""
        known = self.document.history.texts
        if id(source) not in known:
            keep(known, id(source), Text(source, self._marks(source)))
        return known[id(source)]

    def _marks(self, source: Sequence[str]) -> list[int | None]:
        read = list(source)
        for saved in reversed(self.document.history.saved):
            if saved.lines == read:
                return list(saved.ids)
        ids, where = self.document.ids, line_map(source, self.document.lines)
        return [ids[where[line]] if line in where else None for line in range(len(source))]
