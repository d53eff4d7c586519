"""What outlives a worker of the gateway that dies: a piece of memory that each one gets from its supervisor.

The next worker knows from it which recordings of the plan have been served, which calls the program records itself,
and which calls broke off with the last one. Nothing here is locked: one worker at a time writes, from one thread.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import contextmanager

_BEATS, _ASKS = 0, 1  # offsets of a byte each
_TABLE = 64
_SLOTS = 4096
"""Of each table: so many calls at once."""
_HASH, _CALL = 16, 8  # bytes of a slot; an id takes 6
_ENTRIES = 1 << 20
"""So many entries of a plan are known to have been served; of more, each worker remembers its own."""


class _Table:
    """Values of `size` bytes, none of them zero, in no order; the oldest give way."""

    def __init__(self, memory: mmap.mmap, start: int, size: int) -> None:
        self._memory, self._start, self._size = memory, start, size
        self._end = start + size * _SLOTS
        self._next = start

    def add(self, value: bytes) -> None:
        self._memory[self._next : self._next + len(value)] = value
        self._next += self._size
        if self._next == self._end:
            self._next = self._start

    def remove(self, value: bytes) -> bool:
        """Whether it was there."""
        at = self._memory.find(value, self._start, self._end)
        while at >= 0 and (at - self._start) % self._size:
            at = self._memory.find(value, at + 1, self._end)
        if at < 0:
            return False
        self._memory[at : at + self._size] = bytes(self._size)
        return True

    def all(self) -> list[bytes]:
        slots = (self._memory[at : at + self._size] for at in range(self._start, self._end, self._size))
        return [slot for slot in slots if any(slot)]


class Lasting:
    """The memory. A worker that is forked shares it with its supervisor, and with the worker after it.

    It is what a plan asks for claims (`claims.Claims`): an entry is served once the call that took it is over, so
    that a client that asks again, because a worker died in between, gets it.
    """

    def __init__(self) -> None:
        calls = _TABLE + _HASH * _SLOTS
        self._served = calls + _CALL * _SLOTS
        self._memory = mmap.mmap(-1, self._served + _ENTRIES)
        self._expected = _Table(self._memory, _TABLE, _HASH)
        self._under_way = _Table(self._memory, calls, _CALL)
        self._taken = -1
        self._taken_by: dict[str, int] = {}

    # -- whether the worker is alive

    def beat(self) -> None:
        """The worker goes on."""
        self._memory[_BEATS] = (self._memory[_BEATS] + 1) % 256

    @property
    def beats(self) -> int:
        """Another number after each beat; -1 while the worker waits for the user, and cannot beat."""
        return -1 if self._memory[_ASKS] else self._memory[_BEATS]

    @contextmanager
    def asking(self) -> Iterator[None]:
        """The worker waits for the user."""
        self._memory[_ASKS] = 1
        try:
            yield
        finally:
            self._memory[_ASKS] = 0

    # -- calls that are recorded by who makes them

    def expect(self, request_hash: str) -> None:
        """The next such request is recorded already.

        Raises:
            ValueError: it is no hash.
        """
        value = bytes.fromhex(request_hash)
        if len(value) != _HASH:
            raise ValueError(request_hash)
        self._expected.add(value)

    def is_expected(self, request_hash: str) -> bool:
        return self._expected.remove(bytes.fromhex(request_hash))

    # -- calls that are recorded here

    def take(self, number: int) -> bool:
        """Whether this entry of the plan has not been served."""
        if number < _ENTRIES and self._memory[self._served + number]:
            return False
        self._taken = number
        return True

    def taken(self) -> set[int]:
        """The entries that have been served."""
        found, at = set(), self._served
        while (at := self._memory.find(b"\x01", at)) >= 0:
            found.add(at - self._served)
            at += 1
        return found

    def begun(self, call: str, is_recorded: bool) -> None:
        """A call begins; `is_recorded`: the entry that was taken last is its."""
        self._under_way.add(bytes.fromhex(call))
        if is_recorded:
            self._taken_by[call] = self._taken

    def over(self, call: str) -> None:
        """It has ended."""
        self._under_way.remove(bytes.fromhex(call))
        number = self._taken_by.pop(call, _ENTRIES)
        if number < _ENTRIES:
            self._memory[self._served + number] = 1

    def broken_off(self) -> list[str]:
        """The calls that a worker before this one had begun and not ended; told once."""
        self._memory[_ASKS] = 0
        found = self._under_way.all()
        for call in found:
            self._under_way.remove(call)
        return [call[:6].hex() for call in found]
