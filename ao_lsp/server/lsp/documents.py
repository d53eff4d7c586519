"""The buffers of an editor, with positions in the units that it counts in.

Not pygls' documents: they take a form feed, or what Unicode calls a line separator, for the end of a
line, which LSP does not, and from there on every edit is applied to the wrong line.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import cached_property
from urllib.parse import unquote_to_bytes, urlsplit

from lsprotocol import types as lsp

from ao_lsp.server.lsp.callsites import CallSite, find, still_there

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_UNIT_BYTES = {"utf-8": 1, "utf-16": 2, "utf-32": 4}
_CODEC = {"utf-8": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}

# Half surrogate pairs, which JSON can say; and a character that is as wide, and that codecs take.
_HALF, _AS_WIDE = re.compile("[\ud800-\udfff]"), "\ufffd"


class Units:
    """Converts between an editor's columns and ours, which count code points."""

    def __init__(self, encoding: str) -> None:
        self._codec, self._bytes = _CODEC[encoding], _UNIT_BYTES[encoding]

    def to_column(self, line: str, character: int) -> int:
        """Our column; past the end means the end, and the middle of a character its beginning."""
        if line.isascii() or self._bytes == 4:
            return min(character, len(line))
        head = self._encoded(line)[: character * self._bytes]
        return len(head.decode(self._codec, "ignore"))

    def from_column(self, line: str, column: int) -> int:
        """The editor's column."""
        if line.isascii() or self._bytes == 4:
            return min(column, len(line))
        return len(self._encoded(line[:column])) // self._bytes

    def _encoded(self, text: str) -> bytes:
        return _HALF.sub(_AS_WIDE, text).encode(self._codec)


class Document:
    """One buffer. It changes by being replaced: `changed` gives the next state of it."""

    def __init__(self, uri: str, version: int, ended: list[str], before: Document | None = None) -> None:
        """`ended` are the lines with their ends; the last one, which may be empty, has none."""
        self.uri, self.version = uri, version
        self._ended = ended
        # Where the calls were when somebody last looked.
        self._before: tuple[Sequence[str], tuple[CallSite, ...]] | None = None
        if before is not None:
            looked = "sites" in before.__dict__
            self._before = (before.lines, before.sites) if looked else before._before

    @classmethod
    def opened(cls, uri: str, version: int, text: str) -> Document:
        return cls(uri, version, _split(text))

    def changed(self, version: int, changes: Sequence[lsp.TextDocumentContentChangeEvent], units: Units) -> Document:
        """The document after these changes, one after the other."""
        ended = list(self._ended)
        for change in changes:
            if isinstance(change, lsp.TextDocumentContentChangePartial):
                _splice(ended, change.range, change.text, units)
            else:
                ended = _split(change.text)
        return Document(self.uri, version, ended, before=self)

    @cached_property
    def path(self) -> str | None:
        """The file that it is a buffer of; None where it is none."""
        return file_of(self.uri)

    @cached_property
    def lines(self) -> list[str]:
        """The lines without their ends."""
        return [line.rstrip("\r\n") for line in self._ended]

    @cached_property
    def sites(self) -> tuple[CallSite, ...]:
        """The calls of models in it; those that a broken syntax hides are where they were."""
        found = find(self.lines)
        if self._before is not None:
            found = still_there(found, self.lines, *self._before)
            self._before = None
        return found

    def line(self, number: int) -> str:
        """The line of that number, from 0; empty where there is none."""
        return self.lines[number] if 0 <= number < len(self.lines) else ""

    def range(self, start: tuple[int, int], end: tuple[int, int], units: Units) -> lsp.Range:
        """From one (line, column) to another, for the editor."""
        return lsp.Range(self.position(start, units), self.position(end, units))

    def position(self, at: tuple[int, int], units: Units) -> lsp.Position:
        return lsp.Position(at[0], units.from_column(self.line(at[0]), at[1]))


def file_of(uri: str) -> str | None:
    """The path that a `file:` URI names; None where it names none."""
    try:
        parts = urlsplit(uri)
        path = unquote_to_bytes(parts.path)
    except ValueError:  # half a surrogate pair, too
        return None
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or not path or b"\0" in path:
        return None
    # The bytes of a file name need not be UTF-8.
    return os.path.normpath(os.fsdecode(path))


def _split(text: str) -> list[str]:
    """The lines of a text with their ends; the last one has none."""
    ended = _LINE.findall(text)
    if not ended or ended[-1].endswith(("\r", "\n")):
        ended.append("")
    return ended


def _splice(ended: list[str], where: lsp.Range, text: str, units: Units) -> None:
    """Put `text` into the place of a range."""
    (first, start), (last, end) = (_inside(ended, position, units) for position in (where.start, where.end))
    if (last, end) < (first, start):
        (first, start), (last, end) = (last, end), (first, start)
    if first > 0 and ended[first - 1].endswith("\r") and start == 0:
        # What is put in may complete a line end that has begun.
        first, start = first - 1, len(ended[first - 1])
    made = _split(ended[first][:start] + text + ended[last][end:])
    if made[-1] == "" and last + 1 < len(ended):
        made.pop()  # the line after it is there already
    ended[first : last + 1] = made


def _inside(ended: list[str], position: lsp.Position, units: Units) -> tuple[int, int]:
    """Line and column of a position; what is past the end is at the end."""
    if position.line >= len(ended):
        return len(ended) - 1, len(ended[-1])
    return position.line, units.to_column(ended[position.line].rstrip("\r\n"), position.character)
