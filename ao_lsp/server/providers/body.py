"""Bodies as they travelled: content encodings, JSON, and headers that have to fit the body."""

from __future__ import annotations

import json
import zlib
from typing import Any

from ao_lsp.server.model import Headers

_LIMIT = 256 << 20
"""A body that unpacks to more bytes than this is taken for an attack and left as it is."""


def header(headers: Headers, name: str) -> str:
    """The value of the first such header, "" where there is none. `name` in lower case."""
    return next((value for key, value in headers if key.lower() == name), "")


def decoded(headers: Headers, body: bytes) -> bytes | None:
    """`body` without its content encoding; None where that is one that we cannot undo.

    A body that breaks off gives what can be read of it.
    """
    encodings = [word.strip().lower() for word in header(headers, "content-encoding").split(",")]
    for encoding in reversed([word for word in encodings if word and word != "identity"]):
        if encoding in ("gzip", "x-gzip"):
            unpacked = _inflate(body, 16 + zlib.MAX_WBITS)
        elif encoding == "deflate":
            # By its specification zlib-wrapped; some servers send it raw.
            unpacked = _inflate(body, zlib.MAX_WBITS)
            if unpacked is None:
                unpacked = _inflate(body, -zlib.MAX_WBITS)
        else:
            return None
        if unpacked is None:
            return None
        body = unpacked
    return body


def _inflate(body: bytes, window: int) -> bytes | None:
    unpacked, rest = bytearray(), body
    while rest:  # gzip allows several members in a row
        if len(unpacked) >= _LIMIT:
            return None
        unpacker = zlib.decompressobj(window)
        try:
            unpacked += unpacker.decompress(rest, _LIMIT - len(unpacked))
        except zlib.error:
            return bytes(unpacked) if unpacked else None
        if unpacker.unconsumed_tail:
            return None
        rest = unpacker.unused_data if unpacker.eof else b""
    return bytes(unpacked)


def parsed(body: bytes | None) -> Any:
    """`body` as JSON; None where it is none."""
    if not body:
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def packed(value: Any) -> bytes:
    """`value` as the JSON that SDKs write: compact, UTF-8."""
    return json_text(value).encode()


def json_text(value: Any) -> str:
    """`value` as compact JSON. Half of a surrogate pair, which models cut off now and then, has no UTF-8: it is
    escaped, and everything else with it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text if encodable(text) else json.dumps(value, separators=(",", ":"))


def encodable(text: str) -> bool:
    """Whether `text` can be written as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def refitted(headers: Headers, length: int) -> Headers:
    """Response headers for another, unencoded body of `length` bytes."""
    kept = []
    for name, value in headers:
        lower = name.lower()
        if lower == "content-length":
            kept.append((name, str(length)))
        elif lower not in ("content-encoding", "content-md5", "digest", "content-digest"):
            kept.append((name, value))
    return tuple(kept)


def parsed_strictly(text: str) -> Any:
    """`text` as JSON, such as every parser takes: numbers are finite.

    Raises:
        ValueError: it is none; the message says where.
    """
    try:
        return json.loads(text, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no number in JSON")
