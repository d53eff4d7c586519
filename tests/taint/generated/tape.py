"""Decisions read from bytes, as Hypothesis can vary and shorten them: an end of the tape, and zeros, lead to
the simplest program."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


class Tape:
    """As much of `random.Random` as the writers of programs need."""

    def __init__(self, decisions: bytes) -> None:
        self._left = iter(decisions)

    def below(self, limit: int) -> int:
        """A number from 0 to `limit` - 1, of at most 256."""
        return next(self._left, 0) % limit

    def choice(self, choices: list[T] | tuple[T, ...]) -> T:
        return choices[self.below(len(choices))]
