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
from dataclasses import dataclass, field
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


def matched(calls: Iterable[Spoken], tracked: Collection[tuple[str, str]]) -> list[tuple[str, str]]:
    """`(source, target)` of the calls of which part of the one's output stands in the other's input, but
    for the pairs in `tracked`.

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
        found += [(source, call.call) for source in sources if said[source] not in explained]
        for text in call.beside:
            outputs.ask(text, call.began)
    return found


@dataclass(slots=True)
class _Term:
    """A word, or a pair of words, that outputs have."""

    places: list[int] = field(default_factory=list)
    first: int = -1
    """Which output was the first to have it, and which the second (-1: none)."""
    second: int = -1
    asked: float = inf
    """When it was first said to a model."""


class _Outputs:
    """The outputs of a run as one sequence of words, in the order in which they were complete."""

    def __init__(self, calls: Sequence[Spoken]) -> None:
        answered = [(call.ended, call) for call in calls if call.ended is not None and call.said]
        answered.sort(key=lambda pair: pair[0])
        self._calls = [call.call for _, call in answered]
        self._ended = [ended for ended, _ in answered]
        self._vocabulary = Vocabulary()
        self._left = _MOST_WORDS
        self._words: list[int] = [BREAK]
        self._starts: list[int] = []
        self._terms: dict[tuple[int, int], _Term] = {}
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
        for place, word in enumerate(words, start):
            self._note((word, BREAK), number, place if bits[word] >= _SEED else None)
            if place > start:
                self._note((words[place - start - 1], word), number, place - 1)
        self._words += [*words, BREAK]
        for word in self._vocabulary.keys(text[:_MOST_CHARACTERS]):
            term = self._terms.get((word, BREAK))
            if term is not None:
                term.asked = -inf  # a key is no news: whoever reads the object has to know it

    def _note(self, key: tuple[int, int], number: int, place: int | None) -> None:
        term = self._terms.get(key)
        if term is None:
            term = self._terms[key] = _Term(first=number)
        elif term.first != number and term.second < 0:
            term.second = number
        if place is not None and len(term.places) <= _MOST_PLACES:
            term.places.append(place)

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
        terms, previous = self._terms, BREAK
        for word in words:
            for key in ((word, BREAK), (previous, word)):
                term = terms.get(key)
                if term is not None and began < term.asked:
                    term.asked = began
            previous = word

    def _found(self, words: list[int], began: float) -> list[str]:
        candidates = bisect_right(self._ended, began)
        if not candidates:
            return []
        end = self._starts[candidates] if candidates < len(self._starts) else len(self._words)
        needed = ENOUGH + log2(max(2, len(words)) * max(2, end))
        found: dict[int, None] = {}
        for at, place, length in self._shared(words, end):
            number = bisect_right(self._starts, place) - 1
            if number not in found and self._worth(words[at : at + length], number, candidates) >= needed:
                found[number] = None
        return [self._calls[number] for number in found]

    def _shared(self, words: list[int], end: int) -> Iterator[tuple[int, int, int]]:
        """The passages that `words` and the outputs before `end` share, as long as they can be:
        `(at, place, length)`."""
        said, terms, bits, total = self._words, self._terms, self._vocabulary.bits, len(words)
        compared: dict[int, int] = {}  # by how far places and words are apart: up to which word
        for at, word in enumerate(words):
            seeds = [(word, words[at + 1])] if at + 1 < total else []
            if bits[word] >= _SEED:
                seeds.append((word, BREAK))
            for seed in seeds:
                term = terms.get(seed)
                if term is None or len(term.places) > _MOST_PLACES:
                    continue
                for place in term.places:
                    apart = place - at
                    if place >= end:
                        break
                    if compared.get(apart, 0) > at:
                        continue
                    first, last = at, at + 1
                    while first and words[first - 1] == said[first - 1 + apart]:
                        first -= 1
                    while last < total and words[last] == said[last + apart]:
                        last += 1
                    compared[apart] = last
                    yield first, first + apart, last - first

    def _worth(self, words: list[int], number: int, candidates: int) -> float:
        """Bits that it takes to say `words` for somebody who knows all that had been said when the output
        `number` was complete, and the others of the first `candidates` outputs."""
        bits, total, repeated = self._vocabulary.bits, 0.0, False
        for index, word in enumerate(words):
            if repeated:
                repeated = index + 1 < len(words) and self._elsewhere((word, words[index + 1]), number, candidates)
                continue
            if index + 1 < len(words) and self._elsewhere((word, words[index + 1]), number, candidates):
                total += _REPEATED
                repeated = True
                continue
            alone = bits[word]
            if self._elsewhere((word, BREAK), number, candidates):
                alone = min(alone / 2, _REPEATED)
            total += alone * _FOLLOWING if index and alone < _SEED else alone
        return total

    def _elsewhere(self, key: tuple[int, int], number: int, candidates: int) -> bool:
        term = self._terms[key]
        other = term.second if term.first == number else term.first
        return term.asked < self._ended[number] or 0 <= other < candidates
