"""Texts as words that can be compared, and how much each word says.

Two texts that differ in white space, case, punctuation, or in how JSON, HTML or a URL escapes them, have
the same words: so a value is still known after a database, a template or a shell.
"""

from __future__ import annotations

import html
import re
import unicodedata
from urllib.parse import unquote

BREAK = 0
"""The word between two texts that do not belong together. No text has it."""

# Scripts without spaces between words: each character is compared by itself.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
KEY = re.compile(r'\\?"([^"\\]{1,80})\\?"\s*:')
ESCAPED_SPACE = re.compile(r"\\+[nrtbf]")
_ESCAPE = re.compile(r"\\+(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|[nrtbf])")
_SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")
_ENTITY = re.compile(r"&#?\w{2,8};")

# What every prompt and every reply may have: English function words, words of instructions, of URLs and of JSON.
_COMMON = frozenset(
    """
    a about after all also am an and any are as at back be because been before being but by can could day did do does
    done don down each even every first for from get give go good had has have he her here him his how i if in into is
    it its just know last let like ll m make many may me more most much must my need new no not now of off ok on one
    only or other our out over own please re s same see set should show so some such sure t take than that the their
    them then there these they this those three time to too two under up us use used using ve very want was way we
    well were what when where which while who why will with without work would yes yet you your

    answer assistant following input list name output question result text user value word words write
    badge com github href html http https image img io net org pip py src svg www
    data false id json key none null true type
    """.split()  # noqa: SIM905 - a list of three hundred literals is no easier to read
)


class Vocabulary:
    """The words of the texts of one run as numbers from 1. `bits[word]` is what a word says."""

    def __init__(self) -> None:
        self.bits: list[float] = [0.0]
        self._numbers = _Numbers(self.bits)

    def words(self, text: str) -> list[int]:
        """The words of `text`, in order."""
        return list(map(self._numbers.__getitem__, WORD.findall(_plain(text))))

    def keys(self, text: str) -> set[int]:
        """The words in the keys of JSON objects in `text`."""
        return {word for key in set(KEY.findall(text)) for word in self.words(key)}


class _Numbers(dict[str, int]):
    """The number of each word; a new one gets the next. As a mapping, because looking words up is most of the work."""

    def __init__(self, bits: list[float]) -> None:
        super().__init__()
        self._bits = bits

    def __missing__(self, word: str) -> int:
        number = self[word] = len(self._bits)
        self._bits.append(bits_of(word))
        return number


def _plain(text: str) -> str:
    """`text` without escapes, and without distinctions that get lost on the way."""
    if "\\" in text:
        text = _SURROGATES.sub(_joined, _ESCAPE.sub(_unescaped, text))
    if "&" in text and _ENTITY.search(text):
        text = html.unescape(text)
    if "%" in text and _PERCENT.search(text):
        text = unquote(text, errors="replace")
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return text.casefold()


def _unescaped(found: re.Match[str]) -> str:
    code = found[1] or found[2]
    return chr(int(code, 16)) if code else " "


def _joined(found: re.Match[str]) -> str:
    return found[0].encode("utf-16", "surrogatepass").decode("utf-16")


def bits_of(word: str) -> float:
    """How surprising a word is, in bits: about log2 of how many others could stand in its place.

    Rough, and on the low side: there are tables of frequencies, but for one language each.
    """
    if word in _COMMON:
        return 4.0
    if word.isdecimal():
        is_year = len(word) == 4 and word[:2] in ("19", "20")
        return 6.0 if is_year else min(40.0, 3.3 * len(word))
    if len(word) > 3 and any(character.isdigit() for character in word):
        return min(60.0, 3.5 * len(word))  # an identifier
    if len(word) == 1 and word >= "\u0e00":
        return 6.0
    return min(13.0, 7.0 + 0.6 * len(word))
