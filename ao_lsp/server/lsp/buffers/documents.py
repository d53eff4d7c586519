"""The buffers of an editor. A state of one knows which of its lines are those of the states before it.

Not pygls' documents: they take a form feed, or what Unicode calls a line separator, for the end of a
line, which LSP does not, and from there on every edit is applied to the wrong line.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count, islice

from lsprotocol import types as lsp

from ao_lsp.server.lsp.buffers.callsites import CallSite, Finder, still_there
from ao_lsp.server.lsp.buffers.lost import Seen
from ao_lsp.server.lsp.buffers.splice import Splice, bare, matched_ids, split
from ao_lsp.server.lsp.buffers.tokens import Position, Span
from ao_lsp.server.lsp.buffers.units import Units
from ao_lsp.server.lsp.buffers.uris import file_of

_STATES = 4

MOST = 1 << 20
"""Characters of a buffer that is looked at. Nobody writes a longer program; to find the calls in it takes seconds, with
everybody waiting."""


@dataclass(slots=True)
class Text:
    """One that a run read. `marks` are the ids of its lines in the buffer, as they were found last; `last` and `heads`
    are as in `trail.Trail`."""

    lines: Sequence[str]
    marks: list[int | None]
    last: dict[int, Seen] = field(default_factory=dict)
    heads: dict[Span, Position | None] = field(default_factory=dict)


class History:
    """What the states of a buffer have in common, from its opening to its closing.

    Each line has an id, which it keeps while it is edited and moved about by other edits: so what is known of a line
    of one state is known of the same line of another.
    """

    def __init__(self) -> None:
        self._ids = count()
        self.matching = threading.RLock()  # what takes long is done in threads
        self.finder = Finder()
        self.saved: deque[Document] = deque(maxlen=_STATES)
        """The last states that have been in the file, and so can be what a run read."""
        self.texts: dict[int, Text] = {}
        """Those that runs read, by the ids of their lists of lines."""

    def fresh(self, number: int) -> list[int]:
        return list(islice(self._ids, number))


class Document:
    """One buffer. It changes by being replaced: `changed` gives the next state of it."""

    def __init__(self, uri: str, version: int, ended: list[str], lines: list[str], history: History) -> None:
        """`ended` are the `lines` with their ends; the last one, which may be empty, has none."""
        self.uri, self.version, self.lines, self.history = uri, version, lines, history
        self._ended = ended
        self._known = True  # else it is too large, and counts as empty until its whole text is sent
        self._ids: list[int] | None = None
        # Where nobody knows the ids yet, the last state of which they are known.
        self._base: Document | None = None
        # Where the calls were when somebody last looked, with the ids of the lines there.
        self._looked: tuple[list[int], tuple[CallSite, ...]] | None = None

    @classmethod
    def opened(cls, uri: str, version: int, text: str) -> Document:
        """The first state of a buffer, as it is in the file."""
        if len(text) > MOST:
            opened = cls.opened(uri, version, "")
            opened._known = False
            return opened
        ended = split(text)
        opened = cls(uri, version, ended, bare(ended), History())
        opened._ids = opened.history.fresh(len(ended))
        opened.was_saved()
        return opened

    def changed(self, version: int, changes: Sequence[lsp.TextDocumentContentChangeEvent], units: Units) -> Document:
        """The document after these changes, one after the other."""
        ended, lines, ids = list(self._ended), list(self.lines), list(self._ids) if self._ids is not None else None
        known = self._known
        for change in changes:
            if isinstance(change, lsp.TextDocumentContentChangePartial):
                known = known and len(change.text) <= MOST
                if not known:
                    continue
                splice = Splice.of(ended, change.range, change.text, units)
                if ids is not None and not splice.keep(ids, self.history.fresh):
                    ids = None
                ended[splice.first : splice.end] = splice.made
                lines[splice.first : splice.end] = bare(splice.made)
            else:
                known = len(change.text) <= MOST
                ended, ids = split(change.text if known else ""), None
                lines = bare(ended)
        if not known or sum(map(len, ended)) > MOST:
            after = Document.opened(self.uri, version, "")
            after._known = False
            return after
        after = Document(self.uri, version, ended, lines, self.history)
        after._ids = ids
        if ids is None:
            after._base = self if self._base is None else self._base
        looked = "sites" in self.__dict__ and self._ids is not None
        after._looked = (self.ids, self.sites) if looked else self._looked
        return after

    def was_saved(self) -> None:
        """This state is in the file now."""
        self.history.saved.append(self)

    @property
    def ids(self) -> list[int]:
        """The ids of the lines. It may take long to find out after a large change."""
        with self.history.matching:
            if self._ids is None:
                assert self._base is not None  # noqa: S101 - see `changed`
                self._ids = matched_ids(self._base.lines, self._base.ids, self.lines, self.history.fresh)
                self._base = None
            return self._ids

    @cached_property
    def numbers(self) -> dict[int, int]:
        """The lines by their ids."""
        return {id_: number for number, id_ in enumerate(self.ids)}

    @cached_property
    def path(self) -> str | None:
        """The file that it is a buffer of; None where it is none."""
        return file_of(self.uri)

    @cached_property
    def sites_by_head(self) -> dict[Position, CallSite]:
        """The `sites` by where their arguments begin."""
        return {(site.head_line, site.head_column): site for site in self.sites}

    def sites_on(self, line: int) -> list[CallSite]:
        """Those that begin on a line, or have their head there, or go over it on the way."""
        return self._by_line.get(line, [])

    @cached_property
    def _by_line(self) -> dict[int, list[CallSite]]:
        found: dict[int, list[CallSite]] = {}
        for site in self.sites:
            for line in range(site.line, site.head_line + 1):
                found.setdefault(line, []).append(site)
        return found

    @cached_property
    def sites(self) -> tuple[CallSite, ...]:
        """The calls of models in it; those that a broken syntax hides are where they were."""
        found = self.history.finder.find(self.lines)
        if self._looked is not None:
            ids, old = self._looked
            where = {site.head_line: self.numbers.get(ids[site.head_line]) for site in old}
            found = still_there(found, self.lines, old, {a: b for a, b in where.items() if b is not None})
            self._looked = None
        return found

    def line(self, number: int) -> str:
        """The line of that number, from 0; empty where there is none."""
        return self.lines[number] if 0 <= number < len(self.lines) else ""

    def range(self, start: tuple[int, int], end: tuple[int, int], units: Units) -> lsp.Range:
        """From one (line, column) to another, for the editor."""
        return lsp.Range(self.position(start, units), self.position(end, units))

    def position(self, at: tuple[int, int], units: Units) -> lsp.Position:
        return lsp.Position(at[0], units.from_column(self.line(at[0]), at[1]))
