"""Which recordings of a plan have been used, by whichever process of the run.

Beside the plan is a file to which every process appends what it takes: the number of the entry, and a token
that nobody else has, its process id first. The first of an entry's records is the one that counts. A second one may
say that the answer has been given (across.py). Appending is one step, so nobody ever holds a lock: not a thread that
a fork leaves behind, nor one that a signal handler interrupts. The file is opened for each claim, so that the program
meets no descriptor of ours.
"""

from __future__ import annotations

import os
from _struct import Struct

from ao_lsp.taint.kept import keep

keep(__name__)

_RECORD = Struct(">I8s")
_PROCESS = Struct(">I")
_GIVEN = bytes(8)
"""In place of a token: the answer was given."""
_END = ".claims"


class Claims:
    """The claims on the entries of the plan at `plan`; entries are numbered from 0."""

    def __init__(self, plan: str) -> None:
        self._path = plan + _END
        self._read = 0
        self._owners: dict[int, bytes] = {}
        self.given: dict[int, int] = {}
        """The entries whose answers have been given, and by how many records they are known for."""
        self._last: dict[bytes, int] = {}
        """Of each process, after how many records it took something last."""

    def take(self, number: int) -> bool:
        """Whether this entry is ours: nobody had taken it. Where there is no such file, it always is."""
        if number in self._owners:
            return False
        token = _PROCESS.pack(os.getpid() & 0xFFFFFFFF) + os.urandom(4)
        try:
            file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.write(file, _RECORD.pack(number, token))
                self._take_in(file)
            finally:
                os.close(file)
        except OSError:
            self._owners[number] = token
            return True
        return self._owners.setdefault(number, token) == token

    def give(self, number: int) -> None:
        """The answer of this entry, which is ours, was given to the program."""
        try:
            file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
            try:
                os.write(file, _RECORD.pack(number, _GIVEN))
            finally:
                os.close(file)
        except OSError:
            pass  # who waits for it gives it up

    def has_gone_on(self, number: int) -> bool:
        """Whether the process that was given this entry has taken another one since."""
        return self._last.get(self._owners.get(number, b"")[:4], 0) > self.given[number]

    @property
    def known(self) -> int:
        """How many records have been read."""
        return self._read // _RECORD.size

    def look(self) -> None:
        """Read what is new."""
        try:
            file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                self._take_in(file)
            finally:
                os.close(file)
        except OSError:
            pass

    def is_taken(self, number: int) -> bool:
        """Whether anybody has taken this entry, as far as is known."""
        return number in self._owners

    def taken(self) -> set[int]:
        """The entries that have been taken, by whomever."""
        self.look()
        return set(self._owners)

    def _take_in(self, file: int) -> None:
        start = self._read
        said = os.pread(file, os.fstat(file).st_size - start, start)
        whole = len(said) - len(said) % _RECORD.size
        for record, (number, token) in enumerate(_RECORD.iter_unpack(said[:whole]), start // _RECORD.size + 1):
            if token == _GIVEN:
                self.given.setdefault(number, record)
            elif self._owners.setdefault(number, token) == token:
                self._last[token[:4]] = record
        self._read = start + whole


def remove(plan: str) -> None:
    """Remove a plan that is not needed any more, and the claims on it."""
    for path in (plan, plan + _END):
        try:
            os.unlink(path)
        except OSError:
            pass
