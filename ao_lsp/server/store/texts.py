"""Texts that are searched: how they are compared, kept, and counted. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from hashlib import blake2b

from ao_lsp.server.store.rows import packed_body, storable, unpacked_body

GRAM = 3
"""Letters that are indexed together; a shorter text is looked for in every text."""

MOST_LETTERS = 1 << 20
"""Of a text so many are searched."""


def kept(text: str) -> str:
    """`text` as it is kept: composed, so that a letter is the same however it was typed."""
    return unicodedata.normalize("NFC", storable(text[:MOST_LETTERS]))


def folded(text: str) -> str:
    """A kept text without the difference between large and small letters."""
    return text.casefold()


def text_hash(text: str) -> str:
    """The key of a kept text."""
    return blake2b(text.encode(), digest_size=16).hexdigest()


def text_row(text: str) -> tuple[str, str, bytes]:
    """A kept text as hash, codec and data."""
    _, _, codec, data = packed_body(text.encode())
    return text_hash(text), codec, data


def text_of(codec: str, data: bytes) -> str:
    return unpacked_body(codec, data).decode()


def grams(needle: str) -> list[str]:
    """The grams of a folded text, each once."""
    return list(dict.fromkeys(needle[at : at + GRAM] for at in range(len(needle) - GRAM + 1)))


def ranges_text(numbers: Iterable[int]) -> str:
    """Numbers in few letters, `1 7-9`: an agent sends the same messages again with every call."""
    found: list[list[int]] = []
    for number in sorted(set(numbers)):
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return " ".join(str(first) if first == last else f"{first}-{last}" for first, last in found)


def ranges_of(text: str) -> list[range]:
    """The numbers that `ranges_text` wrote."""
    pairs = (part.partition("-") for part in text.split())
    return [range(int(first), int(last or first) + 1) for first, _, last in pairs]


def position(text: str, needle: str) -> tuple[int, int] | None:
    """Where in a kept text the folded `needle` is, from letter to letter; None where it is not."""
    inside = folded(text)
    at = inside.find(needle)
    if at < 0:
        return None
    if len(inside) == len(text):
        return at, at + len(needle)
    # Some letters fold to several, as ß does to ss.
    start = end = None
    passed = 0
    for index, letter in enumerate(text):
        if start is None and passed + len(folded(letter)) > at:
            start = index
        passed += len(folded(letter))
        if passed >= at + len(needle):
            end = index + 1
            break
    return (start or 0, len(text) if end is None else end)
