"""What recorded calls said, as texts and numbers that can be looked for.

A framework parses a reply and hands parts of it to functions of the user's: by what is found in the
reply, such a part is known to come from it (callbacks.py). Replies are read as they arrive, and no
provider's format is known here: JSON documents, server-sent events, JSON lines and AWS event streams are
gone through for the fields that providers put texts and arguments in; pieces of a stream are joined per field.
"""

from __future__ import annotations

from ao_lsp.taint.kept import keep
from ao_lsp.taint.origins import origin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, TypeAlias

    from ao_lsp.taint.origins import Origins

    Path: TypeAlias = "tuple[Any, ...]"

keep(__name__)

MAX_BYTES = 4 << 20
"""Of one reply. What is longer is not looked at."""

# Fields that hold what a model wrote, and fields all of whose parts are.
_TEXTS = frozenset(
    {"content", "text", "delta", "thinking", "reasoning", "reasoning_content", "refusal", "response", "output_text",
     "partial_json", "arguments", "completion", "generated_text", "output", "transcript", "summary",
     "input"}
)  # fmt: skip
_ARGUMENTS = frozenset({"input", "args", "arguments", "parameters", "kwargs", "structuredContent"})
# Fields in which providers repeat the request.
_REPEATED = frozenset({"tools", "functions", "tool_choice", "instructions", "metadata", "response_format", "prompt"})
_NUMBERS = ("index", "contentBlockIndex")
# An AWS event stream begins with the length of its first frame, which is less than 16 MiB.
_FRAME = b"\0"
_OF_THE_WIRE = (b"data:", b"event:", b"id:", b"retry:", b":")


class Reply:
    """One reply, as far as it has arrived. `pieces` is the list of the body's bytes, which may still
    grow; `encoding` is the response's `Content-Encoding`."""

    def __init__(self, pieces: list[bytes], encoding: str = "") -> None:
        self._pieces = pieces
        self._taken = 0
        self._counted = self._bytes = 0
        self._inflate = _inflating(encoding)
        self._rest = b""
        self._lines: bool | None = None
        self._framed = False
        self._parts: dict[Path, list[str]] = {}
        self._joined: dict[Path, tuple[int, str]] = {}
        self._leaves: set[Any] = set()

    def size(self) -> int:
        """In bytes, as far as it has arrived."""
        while self._counted < len(self._pieces):
            self._bytes += len(self._pieces[self._counted])
            self._counted += 1
        return self._bytes

    def gives(self, value: Any) -> bool:
        """Whether a field of the reply, or a leaf of JSON in one, is this text or number."""
        self._take()
        if value in self._leaves:
            return True
        self._join()
        if value in self._leaves:
            return True
        for _, text in self._joined.values():  # noqa: SIM110  # generators cannot be hidden (frames.py)
            if text == value:
                return True
        return False

    def holds(self, value: str) -> bool:
        """Whether a text of the reply has it as a part. To be asked after `gives`."""
        for _, text in self._joined.values():  # noqa: SIM110  # generators cannot be hidden (frames.py)
            if is_part(value, text):
                return True
        return False

    def _take(self) -> None:
        pieces = self._pieces
        if self._taken == len(pieces):
            return
        new = b"".join(pieces[self._taken :])
        self._taken = len(pieces)
        if self.size() > MAX_BYTES:
            return
        if self._inflate is not None:
            new = self._inflate(new)
        self._rest += new
        if self._lines is None and not self._framed:
            self._framed = self._rest.startswith(_FRAME)
            self._lines = None if self._framed else _is_of_lines(self._rest)
        if self._framed:
            self._frames()
        elif self._lines:
            *lines, self._rest = self._rest.split(b"\n")
            for line in lines:
                self._document(line.partition(b"data:")[2] if line.startswith(b"data:") else line)
            if self._document(self._rest):
                self._rest = b""
        elif self._document(self._rest):
            self._rest = b""
        elif self._lines is False and self._rest.lstrip()[:1] not in (b"{", b"[", b""):
            self._parts.setdefault((), []).append(self._rest.decode("utf-8", "replace"))
            self._rest = b""

    def _frames(self) -> None:
        """Take the whole frames off an AWS event stream: u32 length, u32 length of the headers, u32 checksum, headers,
        payload, u32 checksum (https://smithy.io/2.0/aws/amazon-eventstream.html)."""
        while len(self._rest) >= 12:
            length, headers = int.from_bytes(self._rest[:4], "big"), int.from_bytes(self._rest[4:8], "big")
            if length < headers + 16 or len(self._rest) < length:
                return
            self._document(self._rest[12 + headers : length - 4])
            self._rest = self._rest[length:]

    def _document(self, text: bytes) -> bool:
        """Go through a JSON document; False where it is none yet."""
        text = text.strip()
        if text[:1] not in (b"{", b"[") or text[-1:] not in (b"}", b"]"):
            return False
        from json import loads

        try:
            self._parsed(loads(text), (), None, False)
        except (ValueError, RecursionError):
            return False
        return True

    def _parsed(self, node: Any, path: Path, name: Any, counts: bool) -> None:
        cls = type(node)
        if cls is dict:
            for field in _NUMBERS:
                index = node.get(field)
                if type(index) is int:
                    path = (*path, index)  # of several that stream side by side
            for key, part in node.items():
                if key in _REPEATED and not counts:
                    continue
                self._parsed(part, (*path, key), key, counts or (key in _ARGUMENTS and type(part) is not str))
        elif cls is list:
            for number, part in enumerate(node):
                self._parsed(part, (*path, number), name if type(part) is str else None, counts)
        elif cls is str:
            if node and (counts or name in _TEXTS):
                self._leaves.add(node)
                self._parts.setdefault(path, []).append(node)
        elif counts and cls in (int, float):
            self._leaves.add(node)

    def _join(self) -> None:
        """Put the pieces of each text together, and look into those that are JSON."""
        for path, parts in list(self._parts.items()):
            known = self._joined.get(path)
            if known is not None and known[0] == len(parts):
                continue
            text = "".join(parts)
            self._joined[path] = len(parts), text
            if text.lstrip()[:1] in ("{", "["):
                from json import loads

                try:
                    self._inner(loads(text))
                except (ValueError, RecursionError):
                    continue

    def _inner(self, node: Any) -> None:
        cls = type(node)
        if cls is dict:
            for part in node.values():
                self._inner(part)
        elif cls is list:
            for part in node:
                self._inner(part)
        elif cls is str or cls is int or cls is float:
            self._leaves.add(node)


_known: dict[str, Reply] = {}
_MAX_REPLIES, _MAX_KEPT = 128, 16 << 20


def remember(call: str, reply: Reply) -> None:
    """Keep what a recorded call says, for as long as it is among the last ones."""
    _known[call] = reply
    kept = 0
    for known in list(_known.values()):
        kept += known.size()
    while len(_known) > _MAX_REPLIES or (kept > _MAX_KEPT and len(_known) > 1):
        first = next(iter(_known), None)
        forgotten = _known.pop(first, None) if first is not None else None
        kept -= 0 if forgotten is None else forgotten.size()


def of(origins: Origins) -> list[tuple[str, Reply]]:
    """The replies of these calls, as far as they are known, the last one first."""
    return [(call, reply) for call, reply in reversed(list(_known.items())) if call in origins]


def source_of(value: Any, said: Sequence[tuple[str, Reply]], as_part: bool = True) -> Origins | None:
    """The origins of the first of these replies that says a text or number; None where none does. `as_part`:
    also within a text."""
    if not said or not may_be_said(value):
        return None
    for call, reply in said:
        if reply.gives(value):
            return origin(call)
    if as_part and is_telling(value):
        for call, reply in said:
            if reply.holds(value):
                return origin(call)
    return None


def may_be_said(value: Any) -> bool:
    """Whether a value is of a kind that is looked for at all."""
    return type(value) in _SAID and value != ""


_SAID = (str, int, float)


def is_telling(value: Any) -> bool:
    """Whether it means anything that a text has this as a part: some digit stands in most."""
    return type(value) is str and len(value) >= _TELLING


_TELLING = 3


def is_part(sought: str, text: str) -> bool:
    """Whether `sought` stands in `text`, and not within a word of it."""
    start = text.find(sought)
    while start >= 0:
        end = start + len(sought)
        if len(sought) >= _LONG or not (
            (start and text[start - 1].isalnum() and sought[0].isalnum())
            or (end < len(text) and text[end].isalnum() and sought[-1].isalnum())
        ):
            return True
        start = text.find(sought, start + 1)
    return False


_LONG = 16


def _is_of_lines(text: bytes) -> bool | None:
    """Whether a body is a stream of lines; None where that is not known yet."""
    start = text.lstrip()
    if start.startswith(_OF_THE_WIRE):
        return True
    if start.startswith((b"{", b"[")):
        line, ended, _ = start.partition(b"\n")
        return line.strip().endswith(b"}") if ended else None
    for beginning in _OF_THE_WIRE:
        if beginning.startswith(start):
            return None
    return False


def _inflating(encoding: str) -> Any:
    """What takes a compressed body apart, piece by piece; None where it is not compressed, or in a way
    that the standard library does not know."""
    encoding = encoding.strip().lower()
    if encoding not in ("gzip", "x-gzip", "deflate"):
        return None
    import zlib

    # 32: with the header of either format
    inflating = zlib.decompressobj(32 + zlib.MAX_WBITS)

    def inflate(piece: bytes) -> bytes:
        try:
            return inflating.decompress(piece)
        except zlib.error:
            return b""

    return inflate
