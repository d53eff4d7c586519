"""Which call's output stands in which call's input, told by their texts alone. Pure.

A text that two calls share proves little by itself: the program may have said it to both, the later one
may have it from a third, and short texts are the same by chance. So a shared passage is worth what it
would take to say it without the output that it may come from. Words that nobody had said count in full.
What had been said before that output was complete, to any model, or what another output says too, counts
next to nothing. What is left has to be more than chance finds among so many words: sequences of proteins
are compared like this (Karlin and Altschul, 1990: the expected number of chance hits is the product of
both lengths, divided by 2 to the power of the score).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise, zip_longest
from math import inf, log2

from ao_lsp.server.matching.tokens import BREAK, Vocabulary

ENOUGH = 14.0
"""Bits beyond chance. In a short text that is three unusual words in a row, in a page about eight."""

_REPEATED = 6.0
"""Bits of a passage that had been said before: which one it is."""

_FOLLOWING = 0.6
"""What is left of a word's surprise behind another one: names and phrases belong together."""

_SEED = 20.0
"""Bits of a word that is looked for by itself. Others are looked for in pairs."""

_MOST_PLACES = 24
"""A pair of words that outputs have more often is not looked for. A passage of such pairs says nothing."""

_MOST_CHARACTERS = 200_000
"""Of one text. What comes after is not compared."""

_MOST_WORDS = 2_000_000
"""Of all texts of a run, outputs first. What comes after is not compared: that would take seconds."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A call in words. `asked` are the texts of its input; `beside` is what else is in its request, which
    the model may repeat (schemas, descriptions of tools); `said` are the texts of its output.

    `began` and `ended` are times; `ended` is None where it has not.
    """

    call: str
    began: float
    ended: float | None
    asked: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    said: tuple[str, ...] = ()


def matched(
    calls: Iterable[Spoken], tracked: Collection[tuple[str, str]], asked: Collection[tuple[str, str]] = ()
) -> list[tuple[str, str]]:
    """`(source, target)` of the calls of which part of the one's output stands in the other's input, but
    for the pairs in `tracked`; of these, those in `asked` are told of, too.

    What reached the target by a tracked way through another call is in that call's output, and so is not
    taken for the first one's. Nor is an output that says the same as one that is known to have gone there.
    """
    ordered = sorted(calls, key=lambda call: call.began)
    outputs = _Outputs(ordered)
    said = {call.call: call.said for call in ordered}
    known: dict[str, set[tuple[str, ...]]] = {}
    for source, target in tracked:
        known.setdefault(target, set()).add(said.get(source, ()))
    found: list[tuple[str, str]] = []
    for call in ordered:
        sources = dict.fromkeys(source for text in call.asked for source in outputs.sources(text, call.began))
        explained = known.get(call.call, set())
        found += [
            (source, call.call) for source in sources if said[source] not in explained or (source, call.call) in asked
        ]
        for text in call.beside:
            outputs.ask(text, call.began)
    return found


def _pairs(words: Sequence[int]) -> list[int]:
    """Each word with the one behind it, as one number: no word is as large, and numbers cost least."""
    return [word << 32 | following for word, following in pairwise(words)]


class _Outputs:
    """The outputs of a run as one sequence of words, in the order in which they were complete.

    What is known of a term, that is a word or a pair of words, stands in dictionaries of numbers: as objects, a
    million terms would keep the garbage collector, and everybody with it, for a good part of a second.
    """

    def __init__(self, calls: Sequence[Spoken]) -> None:
        answered = [(call.ended, call) for call in calls if call.ended is not None and call.said]
        answered.sort(key=lambda pair: pair[0])
        self._calls = [call.call for _, call in answered]
        self._ended = [ended for ended, _ in answered]
        self._vocabulary = Vocabulary()
        self._left = _MOST_WORDS
        self._words: list[int] = [BREAK]
        self._starts: list[int] = []
        self._first: dict[int, int] = {}
        """Term → which output was the first to have it, and which the second."""
        self._second: dict[int, int] = {}
        self._said_to: dict[int, float] = {}
        """Term that outputs have → when it was first said to a model."""
        self._place: dict[int, int] = {}
        """Term that is looked for → its first place in the words, and the others."""
        self._more_places: dict[int, list[int]] = {}
        self._sources: dict[str, tuple[str, ...]] = {}
        self._asked: set[str] = set()
        for number, (_, call) in enumerate(answered):
            self._starts.append(len(self._words))
            for text in call.said:
                self._add(number, text)

    def _words_of(self, text: str) -> list[int]:
        if self._left <= 0:
            return []
        words = self._vocabulary.words(text[:_MOST_CHARACTERS])
        self._left -= len(words)
        return words

    def _add(self, number: int, text: str) -> None:
        words = self._words_of(text)
        bits, start = self._vocabulary.bits, len(self._words)
        pairs = _pairs(words)
        first, second = self._first, self._second
        for term in (*words, *pairs):
            if first.setdefault(term, number) != number:
                second.setdefault(term, number)
        seeds = [(place, word) for place, word in enumerate(words, start) if bits[word] >= _SEED]
        for place, term in (*seeds, *enumerate(pairs, start)):
            if self._place.setdefault(term, place) != place:
                more = self._more_places.setdefault(term, [])
                if len(more) < _MOST_PLACES:
                    more.append(place)
        self._words += [*words, BREAK]
        for word in self._vocabulary.keys(text[:_MOST_CHARACTERS]):
            if word in first:
                self._said_to[word] = -inf  # a key is no news: whoever reads the object has to know it

    def ask(self, text: str, began: float) -> None:
        """Remember what was said to a model at that time. Texts come in the order of their times."""
        if text not in self._asked:
            self._asked.add(text)
            self._remember(self._words_of(text), began)

    def sources(self, text: str, began: float) -> tuple[str, ...]:
        """The calls whose outputs stand in `text`, which is said to a model at that time; in order, too.

        Where it is said again (a conversation repeats all of it), it still comes from the same ones.
        """
        if text not in self._sources:
            words = self._words_of(text)
            self._sources[text] = tuple(self._found(words, began))
            self._remember(words, began)
        return self._sources[text]

    def _remember(self, words: list[int], began: float) -> None:
        for term in self._first.keys() & {*words, *_pairs(words)}:
            self._said_to.setdefault(term, began)

    def _found(self, words: list[int], began: float) -> list[str]:
        candidates = bisect_right(self._ended, began)
        if not candidates:
            return []
        end = self._starts[candidates] if candidates < len(self._starts) else len(self._words)
        needed = ENOUGH + log2(max(2, len(words)) * max(2, end))
        found: dict[int, None] = {}
        for at, place, length in self._shared(words, end, needed):
            number = bisect_right(self._starts, place) - 1
            if number not in found and self._worth(words[at : at + length], number, candidates) >= needed:
                found[number] = None
        return [self._calls[number] for number in found]

    def _shared(self, words: list[int], end: int, needed: float) -> Iterator[tuple[int, int, int]]:
        """The passages that `words` and the outputs before `end` share, as long as they can be, and that may be
        worth `needed`: `(at, place, length)`."""
        said, bits, total = self._words, self._vocabulary.bits, len(words)
        # What the words before each one can be worth at most. Nearly all passages are too short for that to be enough.
        most: list[float] = []
        compared: dict[int, int] = {}  # by how far places and words are apart: up to which word
        for at, (word, pair) in enumerate(zip_longest(words, _pairs(words))):
            for term in (pair, word) if bits[word] >= _SEED else (pair,):
                if term not in self._place:
                    continue
                more = self._more_places.get(term, ())
                if len(more) >= _MOST_PLACES:
                    continue
                most = most or list(accumulate((max(bits[one], _REPEATED) for one in words), initial=0.0))
                # Where two words alone are not enough, one beside them has to be the same, too.
                short = term == pair and most[at + 2] - most[at] < needed
                before = words[at - 1] if at else -1
                after = words[at + 2] if at + 2 < total else -1
                for place in (self._place[term], *more):
                    if place >= end:
                        break
                    if short and said[place + 2] != after and said[place - 1] != before:
                        continue
                    apart = place - at
                    if compared.get(apart, 0) > at:
                        continue
                    first, last = at, at + 1
                    while first and words[first - 1] == said[first - 1 + apart]:
                        first -= 1
                    while last < total and words[last] == said[last + apart]:
                        last += 1
                    compared[apart] = last
                    if most[last] - most[first] >= needed:
                        yield first, first + apart, last - first

    def _worth(self, words: list[int], number: int, candidates: int) -> float:
        """Bits that it takes to say `words` for somebody who knows all that had been said when the output
        `number` was complete, and the others of the first `candidates` outputs."""
        bits, total, repeated = self._vocabulary.bits, 0.0, False
        for index, (word, pair) in enumerate(zip_longest(words, _pairs(words))):
            is_known = pair is not None and self._elsewhere(pair, number, candidates)
            if repeated:
                repeated = is_known
                continue
            if is_known:
                total += _REPEATED
                repeated = True
                continue
            alone = bits[word]
            if self._elsewhere(word, number, candidates):
                alone = min(alone / 2, _REPEATED)
            total += alone * _FOLLOWING if index and alone < _SEED else alone
        return total

    def _elsewhere(self, term: int, number: int, candidates: int) -> bool:
        if self._said_to.get(term, inf) < self._ended[number]:
            return True
        other = self._first[term]
        if other == number:
            other = self._second.get(term, candidates)
        return other < candidates
