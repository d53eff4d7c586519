"""JSON of any size without standing in anybody's way.

The C code of `json` lets no other thread of Python run until it is done: with the text of a large file, or a long run's
graph, nobody is served for that long, in whichever thread it happens. Here such things are read and written in small
pieces, in a thread beside the event loop.
"""

from __future__ import annotations

import asyncio
import codecs
import json
import re
from collections.abc import Iterator, Sequence
from json import scanner
from typing import Any

_AT_ONCE = 256 << 10
"""Bytes or characters that are read or written at once: a millisecond or two."""

_SLICE = 64 << 10
"""Characters of one string that are looked at at once."""

_VALUES = 1000
"""Values that count as few."""

_BATCH = 64
"""Elements of a list that are written at once."""

_PLAIN = re.compile(rf'[^"\\\x00-\x1f]{{0,{_SLICE}}}')
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_HEX = re.compile("[0-9A-Fa-f]{4}")


def _no_json(text: str) -> Any:
    raise ValueError(text)


_DECODER = json.JSONDecoder(parse_constant=_no_json)
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


async def loads(*body: bytes) -> Any:
    """What a body says, which is given in pieces.

    Raises:
        ValueError: it is no JSON, or no UTF-8.
        RecursionError: it is too deep.
    """
    if sum(map(len, body)) <= _AT_ONCE:
        return _DECODER.decode(b"".join(body).decode())
    return await asyncio.to_thread(_InPieces().loads, body)


class _InPieces(json.JSONDecoder):
    """Reads by the Python code of `json`, which other threads may interrupt."""

    def __init__(self) -> None:
        super().__init__(parse_constant=_no_json)
        self.parse_string = _string
        self.scan_once = scanner.py_make_scanner(self)  # type: ignore[attr-defined]  # typeshed leaves it out

    def loads(self, body: Sequence[bytes]) -> Any:
        decoder = codecs.getincrementaldecoder("utf-8")()
        return self.decode("".join([*map(decoder.decode, body), decoder.decode(b"", True)]))


def _string(text: str, at: int, strict: bool = True) -> tuple[str, int]:
    """The string that begins at `at`, behind its quote, and where it ends."""
    found: list[str] = []
    while True:
        match = _PLAIN.match(text, at)
        assert match is not None  # noqa: S101 - it matches nothing at all, too
        found.append(match[0])
        at = match.end()
        character = text[at : at + 1]
        if character == '"':
            return "".join(found), at + 1
        if character == "\\":
            piece, at = _escaped(text, at + 1)
            found.append(piece)
        elif not character or (character < " " and strict):
            raise json.JSONDecodeError("a string that does not end", "", 0)
        elif character < " ":
            found.append(character)
            at += 1


def _escaped(text: str, at: int) -> tuple[str, int]:
    """What an escape means, and where it ends; `at` is behind its backslash."""
    kind = text[at : at + 1]
    if kind in _ESCAPES:
        return _ESCAPES[kind], at + 1
    first = _HEX.match(text, at + 1) if kind == "u" else None
    if first is None:
        raise json.JSONDecodeError("no such escape", "", 0)
    code, at = int(first[0], 16), first.end()
    if 0xD800 <= code < 0xDC00 and text.startswith("\\u", at):
        second = _HEX.match(text, at + 2)
        if second is not None and 0xDC00 <= int(second[0], 16) < 0xE000:
            return chr(0x10000 + ((code - 0xD800) << 10 | (int(second[0], 16) - 0xDC00))), second.end()
    return chr(code), at


# -- writing


def dumps(value: Any) -> bytes:
    """JSON in UTF-8, at once. Half a surrogate pair, which no strict decoder takes, becomes a question mark: a model
    may have answered with one.

    Raises:
        TypeError, ValueError, RecursionError: it is no JSON.
    """
    return _ENCODER.encode(value).encode("utf-8", "replace")


async def dumped(value: Any) -> bytes:
    """The same as `dumps`, beside the event loop where it is much."""
    if _is_small(value):
        return dumps(value)
    pieces, written, size = _pieces(value), list[bytes](), 0
    for piece in pieces:
        written.append(piece)
        size += len(piece)
        if size > _AT_ONCE:
            return await asyncio.to_thread(lambda: b"".join([*written, *pieces]))
    return b"".join(written)


def _is_small(value: Any) -> bool:
    """Whether there is little in it; to find out takes little, too."""
    values, characters, waiting = 0, 0, [value]
    while waiting:
        some = waiting.pop()
        if isinstance(some, str):
            characters += len(some)
        elif isinstance(some, dict):
            values += len(some)
            if values <= _VALUES:
                waiting.extend(some.values())
        elif isinstance(some, list | tuple):
            values += len(some)
            if values <= _VALUES:
                waiting.extend(some)
        if values > _VALUES or characters > _SLICE:
            return False
    return True


def _pieces(value: Any) -> Iterator[bytes]:
    if isinstance(value, str) and len(value) > _SLICE:
        yield b'"'
        for at in range(0, len(value), _SLICE):
            yield dumps(value[at : at + _SLICE])[1:-1]
        yield b'"'
    elif isinstance(value, dict) and not _is_small(value):
        begin = b"{"
        for key, inner in value.items():
            yield begin + dumps({key: 0})[1:-2]  # with its colon
            yield from _pieces(inner)
            begin = b","
        yield b"}"
    elif isinstance(value, list | tuple) and not _is_small(value):
        begin = b"["
        for at in range(0, len(value), _BATCH):
            some = value[at : at + _BATCH]
            if _is_small(some):
                yield begin + dumps(some)[1:-1]
                begin = b","
                continue
            for inner in some:
                yield begin
                yield from _pieces(inner)
                begin = b","
        yield b"]"
    else:
        yield dumps(value)
