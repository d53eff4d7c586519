"""What the daemon asks of its database. docs/store.md describes the two there are, SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from ao_lsp.server.graph import CallEnded, CallStarted, Fact, RunEnded, ValuesMade
from ao_lsp.server.model import (
    Call,
    CallStatus,
    Change,
    Edit,
    EditField,
    Exchange,
    Graph,
    Run,
    RunStatus,
    RunSummary,
    Session,
)
from ao_lsp.server.processes import Process


class StoreError(Exception):
    """The database cannot do what it was asked.

    `code` is one of busy, full, corrupt, unavailable, newer, failed; the message is for the user, and
    `hint` says what to do.
    """

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code, self.hint = code, hint


@dataclass(frozen=True, slots=True)
class Arrival:
    """One event of one stream; `fact` is None where it was ignored, and only its number counts."""

    run: str
    stream: str
    seq: int
    process: Process | None
    fact: Fact | None

    @property
    def weight(self) -> int:
        """Bytes of body that it brings."""
        if isinstance(self.fact, CallStarted):
            return len(self.fact.request)
        if isinstance(self.fact, ValuesMade):
            return len(self.fact.made)
        return len(self.fact.response or b"") if isinstance(self.fact, CallEnded) else 0


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a commit did: the changes to publish, and the streams in which numbers are missing
    that were not before, as `(run, stream, how many)`."""

    changes: tuple[Change, ...]
    gaps: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True, slots=True)
class RunOutline:
    """A run and its own calls, `(id, status)` in order, without all that is to be said of them."""

    id: str
    subrun_of: str | None
    root: str | None
    status: RunStatus
    calls: tuple[tuple[str, CallStatus], ...]


@dataclass(frozen=True, slots=True)
class Unindexed:
    """A call whose texts are not in the index, or not all of them: `events` tells how often some came in."""

    run: str
    call: str
    events: int
    endpoint: str
    url: str
    exchange: Exchange


@dataclass(frozen=True, slots=True)
class Indexed:
    """What an unindexed call says, text by text."""

    run: str
    call: str
    events: int
    asked: tuple[str, ...]
    answered: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SaidBy:
    """The texts of a call, by their numbers; `number` is its place in the run that was asked for."""

    run: str
    call: str
    number: int
    asked: tuple[range, ...]
    answered: tuple[range, ...]


class Store(Protocol):
    """Everything here may raise `StoreError`; what returns has been committed."""

    @property
    def name(self) -> str:
        """What the user knows the database by: a path, or an address without its password."""

    @property
    def damage(self) -> str | None:
        """What became of the database when it was damaged, for the user, as long as what it was is kept."""

    @property
    def news(self) -> str | None:
        """The same, where that was when it was opened."""

    async def close(self) -> None: ...

    async def listen(self, heard: Callable[[Sequence[Change]], None]) -> None:
        """From now on, call `heard` with what other daemons commit, where the database has others."""

    async def record(self, arrivals: Sequence[Arrival]) -> Recorded:
        """Commit events, all or none; those already committed are skipped."""

    async def conclude(self, ended: RunEnded) -> tuple[Change, ...]:
        """End a run that did not say so itself; nothing happens if it has ended."""

    async def session(self, session: str) -> Session | None: ...

    async def run(self, run: str) -> Run | None: ...

    async def run_names(self, most: int | None = None) -> list[tuple[str, str]]:
        """Id and name of every run that is no subrun, newest first, or of the `most` newest ones."""

    async def subrun_names(self) -> list[tuple[str, str]]:
        """The same of every subrun."""

    async def summaries(self, runs: Sequence[str]) -> list[RunSummary]:
        """These runs and all their subruns, newest first."""

    async def running(self) -> list[tuple[str, Process | None]]:
        """The runs that have not ended, with the process of their program, where known. No subruns: those end
        with the run around them at the latest."""

    async def running_here(self) -> list[tuple[str, Process | None]]:
        """Those of them whose program runs on this machine: of others nobody here can say whether they live."""

    async def graph(self, run: str) -> Graph | None:
        """A run with its subruns, the calls of all of these, and edges; those by text as `put_matched` got them
        last."""

    async def unmatched(self, run: str) -> int | None:
        """What to give `put_matched` where texts have come in since it was called last; None where not."""

    async def runs_in_files(self, files: Sequence[str], most: int) -> list[str]:
        """The newest runs that made a call from one of `files`, newest first; of the last few runs
        also those that made one in a function that was called from there. A subrun's calls are its root's."""

    async def last_runs(self) -> list[Run]:
        """The newest runs, and those of their subruns that an error has ended; newest first."""

    async def files_of(self, runs: Sequence[str]) -> set[str]:
        """The files from which these runs and their subruns made calls, directly or not."""

    async def endpoint(self, run: str, call: str) -> str | None: ...

    async def exchange(self, run: str, call: str) -> Exchange | None: ...

    async def exchanges(self, calls: Sequence[Call]) -> dict[str, Exchange]:
        """Those of several calls, by the id of the call; one that is not there is left out. All of them are in
        memory at once: ao_lsp/server/exchanges.py reads many."""

    async def body_bytes(self, runs: Sequence[str]) -> dict[str, int]:
        """How long request and response of each call of these runs are together, by the id of the call."""

    async def notes(self, run: str) -> list[tuple[float, str, str]]:
        """What the recorder could not do: time, level, message."""

    async def draws(self, run: str, until: float | None) -> list[str]:
        """What the program drew by chance, in order, `until` that time (Unix seconds): the JSON of each event."""

    async def made(self, run: str, files: Sequence[str]) -> list[tuple[str, bytes]]:
        """In which expressions of these files values of calls were made (values.py): `(file, JSON)`, in order."""

    async def edits(self, run: str) -> list[Edit]:
        """The edits that count, of a run and its subruns: the last one of each call and field."""

    async def put_version(self, run: str, version: str, root: str, note: str) -> tuple[Change, ...]:
        """Say which code a run and its subruns had: a version of the files below `root`; `note` as in `Run`."""

    async def versions(self) -> dict[str, list[str]]:
        """The versions that runs name, each with these runs, newest first. No subruns: they name that of their run."""

    async def put_matched(self, run: str, texts: int, edges: Sequence[tuple[str, str]]) -> tuple[Change, ...]:
        """Store the edges by text, `(source, target)`, in place of the last ones. `texts` is what
        `unmatched` gave before they were worked out."""

    async def put_edit(self, edit: Edit) -> tuple[Change, ...]:
        """Store an edit. It counts in place of an earlier one of the same call and field, which is kept; one that
        says the same as that is not stored again."""

    async def delete_edits(
        self, run: str, call: str, fields: Sequence[EditField], every: bool = False
    ) -> tuple[Change, ...]:
        """Take the last edit of each of `fields` back, or `every` one; empty where there was none."""

    async def unindexed(self, most: int) -> list[Unindexed]:
        """Some calls of which texts have come in since they were indexed."""

    async def put_texts(self, indexed: Sequence[Indexed]) -> None:
        """Index calls. One that was indexed before has these texts now."""

    async def find_texts(self, needle: str) -> list[int]:
        """The numbers of the newest texts, up to some ten thousand, that contain `needle`, in large letters or
        small."""

    async def runs_saying(self, texts: Sequence[int]) -> set[str]:
        """The runs and subruns with a call that has one of these texts."""

    async def with_outer(self, runs: Collection[str]) -> set[str]:
        """These runs, and those around them."""

    async def said(self, run: str) -> list[SaidBy]:
        """The texts of each call of a run and its subruns, in order."""

    async def texts(self, texts: Sequence[int]) -> dict[int, str]:
        """Texts by their numbers."""

    async def delete_runs(self, runs: Sequence[str]) -> tuple[Change, ...]:
        """Delete runs with all that belongs to them, and give the space back."""

    async def sessions_without_runs(self, sessions: Sequence[str]) -> list[str]:
        """Those of `sessions` whose runs have all been deleted."""

    async def changes_since(self, session: str, seq: int) -> list[Change] | None:
        """The changes after `seq`; None where they are not all there any more: read everything."""

    async def outline(self, session: str) -> list[RunOutline]:
        """The runs and subruns of a session, in order of start."""

    async def others_wrote(self) -> bool:
        """Whether another process has committed something, since this was asked last. (No, the first time.)"""

    async def counts(self) -> tuple[int, int]:
        """How many runs there are, and how many of them run."""

    async def size(self) -> int:
        """Bytes on disk."""
