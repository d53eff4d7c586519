"""Columns in the units that an editor counts in."""

from __future__ import annotations

import re

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
