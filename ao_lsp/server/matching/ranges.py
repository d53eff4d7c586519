"""Where in a text the words of another one stand. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ao_lsp.server.matching.tokens import ESCAPED_SPACE, KEY, WORD, bits_of

Range = tuple[int, int]
"""From and to, in characters."""

_SURE = 14.0
"""Bits of a passage that stands somewhere else by chance hardly ever."""

_LIKELY = 9.0
"""Bits of a passage that may be the one: a word that is not a common one."""

_SHORT = 64
"""Words of an output that is looked for as a whole. Of longer ones, passages are enough."""

_MOST_PLACES = 24
_MOST_CHARACTERS = 200_000
_MOST_RANGES = 50


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an output stands in an input. Not `sure`: where it may stand, as its words are too few or too
    common to tell."""

    ranges: tuple[Range, ...]
    sure: bool

    def within(self, start: int, end: int) -> bool:
        """Whether any of it stands in that part of the input."""
        return any(first < end and start < last for first, last in self.ranges)


def told_apart(standings: Sequence[Standing]) -> list[Standing]:
    """The same, without what one output says in the middle of what another says there: a passage of several
    sentences comes from the one that has them all."""
    return [_without(one, [other for other in standings if other is not one]) for one in standings]


def _without(one: Standing, others: Sequence[Standing]) -> Standing:
    longer = [span for other in others if other.sure for span in other.ranges]
    kept = tuple(
        (start, end)
        for start, end in one.ranges
        if not any(first <= start and end <= last and last - first >= 2 * (end - start) for first, last in longer)
    )
    return Standing(kept or one.ranges, one.sure)


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    start: int
    end: int


def standing(outputs: Iterable[str], text: str) -> Standing:
    """Where `outputs`, the texts of one call, stand in `text`: whole, or else passages of them."""
    words = _words(text)
    sure: list[Range] = []
    likely: list[Range] = []
    for output in outputs:
        said = _words(output)
        whole = list(_whole(said, words)) if len(said) <= _SHORT else []
        if whole:
            # A reply that is one common word also stands where the prompt has that word.
            (sure if len(said) > 1 or bits_of(said[0].text) >= _LIKELY else likely).extend(whole)
        else:
            keys = {word.text for key in set(KEY.findall(output)) for word in _words(key)}
            for first, last in _passages(said, words):
                bits = sum(bits_of(word.text) for word in words[first:last] if word.text not in keys)
                (sure if bits >= _SURE else likely if bits >= _LIKELY else []).append(
                    (words[first].start, words[last - 1].end)
                )
    return Standing(tuple(_joined(sure or likely)[:_MOST_RANGES]), bool(sure))


def _words(text: str) -> list[_Word]:
    text = ESCAPED_SPACE.sub(lambda found: " " * len(found[0]), text[:_MOST_CHARACTERS])
    return [_Word(found[0].casefold(), found.start(), found.end()) for found in WORD.finditer(text)]


def _whole(said: Sequence[_Word], words: Sequence[_Word]) -> Iterator[Range]:
    """Where all of `said` stands in a row."""
    wanted = [word.text for word in said]
    if not wanted:
        return
    for at, word in enumerate(words):
        if word.text == wanted[0] and [w.text for w in words[at : at + len(wanted)]] == wanted:
            yield word.start, words[at + len(wanted) - 1].end


def _passages(said: Sequence[_Word], words: Sequence[_Word]) -> Iterator[tuple[int, int]]:
    """What `said` and `words` have in common, as long as it can be: from and to, in `words`."""
    places: dict[str, list[int]] = {}
    for place, word in enumerate(said):
        places.setdefault(word.text, []).append(place)
    compared: dict[int, int] = {}
    for at, word in enumerate(words):
        found = places.get(word.text, ())
        for place in found if len(found) <= _MOST_PLACES else ():
            apart = place - at
            if compared.get(apart, 0) > at:
                continue
            first, last = at, at + 1
            while first and first + apart and words[first - 1].text == said[first - 1 + apart].text:
                first -= 1
            while last < len(words) and last + apart < len(said) and words[last].text == said[last + apart].text:
                last += 1
            compared[apart] = last
            yield first, last


def _joined(ranges: list[Range]) -> list[Range]:
    """In order, those that overlap as one."""
    made: list[Range] = []
    for start, end in sorted(ranges):
        if made and start <= made[-1][1]:
            made[-1] = made[-1][0], max(end, made[-1][1])
        else:
            made.append((start, end))
    return made
