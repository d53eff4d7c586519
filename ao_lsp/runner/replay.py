"""What a rerun does with a call: decided from the plan alone, by a pure function of call and plan.

A plan is what the daemon made of a recorded run (docs/wire.md): one entry a recorded call, in the
order in which they were made. The transports only obey.
"""

from __future__ import annotations

import _thread
from _collections import deque

from ao_lsp import protocol
from ao_lsp.runner import across, order
from ao_lsp.runner.claims import Claims
from ao_lsp.taint.kept import keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Protocol

    from ao_lsp.runner.order import Turn
    from ao_lsp.runner.places import Place

    class Taken(Protocol):
        """Which entries of a plan have been used, by whomever (claims.py)."""

        def take(self, number: int, /) -> bool: ...
        def taken(self) -> set[int]: ...


keep(__name__)


GATEWAY = "MainThread/gateway"
"""The lineage of every call that the gateway records: they have no place in the user's code to be told apart by."""


class Entry:
    """One recorded call of a plan."""

    __slots__ = ("action", "after", "call", "chunks", "ended", "headers", "index", "lineage", "number", "path",
                 "request", "request_hash", "response", "site", "stack", "started", "status", "streamed", "turn",
                 "used")  # fmt: skip

    def __init__(self, header: dict[str, Any], parts: dict[str, bytes]) -> None:
        self.call: str = header["call"]
        self.action: str = header["action"]
        self.request_hash: str = header["request_hash"]
        self.site = site_key(header.get("site"))
        self.stack: tuple[tuple[str, int], ...] = tuple((file, line) for file, line in header.get("stack") or ())
        self.lineage: str = header.get("lineage") or ""
        self.number: int = header.get("number") or 0
        self.path: tuple[Any, ...] = tuple(
            (name, lineage, number) for name, lineage, number in header.get("path") or ()
        )
        self.status: int = header.get("http_status") or 0
        self.headers: list[tuple[str, str]] = [(name, value) for name, value in header.get("headers") or ()]
        self.chunks: list[int] = [length for length, _ in header.get("chunks") or ()]
        self.after: list[float] = [seconds or 0.0 for _, seconds in header.get("chunks") or ()]
        self.started: float = header.get("started") or 0.0
        self.ended: float = self.started + (header.get("duration") or 0.0)
        self.streamed = bool(header.get("streamed"))
        self.turn: Turn | None = None
        self.response = parts.get("response", b"")
        self.request = parts.get("request", b"")
        self.used = False
        self.index = 0
        """In the plan, from 0."""

    def pieces(self) -> list[bytes]:
        """The response cut up as it had arrived; as one piece where that is not known to fit."""
        if sum(self.chunks) != len(self.response):
            return [self.response] if self.response else []
        found, start = [], 0
        for length in self.chunks:
            found.append(self.response[start : start + length])
            start += length
        return found


def site_key(site: Place | dict[str, Any] | None) -> tuple[str, str]:
    """What of a call site lasts: its file and function. Lines move with every edit above them."""
    return (site["file"], site["function"]) if site else ("", "")


class Plan:
    """The entries of a plan, and which of them have been used: by this process, and, as `claims` know, by any
    other one of the run. `header` is the plan's first frame, `draws` are the events of that name."""

    def __init__(
        self,
        header: dict[str, Any],
        entries: list[Entry],
        draws: Iterable[dict[str, Any]] = (),
        claims: Taken | None = None,
    ) -> None:
        self.header = header
        self._claims = claims
        self.draws = draws
        self.policy: str = header.get("policy") or "live"
        self._matching = _thread.allocate_lock()
        # What the gateway answers it answers in another process: nobody here waits for that.
        own = [entry for entry in entries if entry.lineage != GATEWAY]
        self.order = order.of(own)
        # Entries in recorded order by what is asked for, so that a call finds its own among ten thousand at once.
        self._by: dict[tuple[Any, ...], deque[Entry]] = {}
        self._wanted: tuple[Any, ...] = tuple(
            (name, lineage, number) for name, lineage, number in header.get("path") or ()
        )
        # How many entries there are of the same lines.
        self._asked: dict[tuple[Any, ...], int] = {}
        for number, entry in enumerate(entries):
            entry.index = number
            # First among those of the same subrun; then among all, but for a rerun of one, which is kept apart.
            for within in dict.fromkeys((entry.path, self._side(entry.path))):
                self._index("request", within, entry.request_hash, entry)
                self._index("here", within, entry.request_hash, *entry.site, entry)
                self._index("strand", within, entry.request_hash, *entry.site, entry.lineage, entry)
                if entry.action in ("live", "input", "edited"):
                    self._index("place", within, *entry.site, entry.lineage, entry)
            if entry.stack:
                key = entry.path, entry.stack, entry.lineage
                self._index("lines", *key, entry)
                self._asked[key] = self._asked.get(key, 0) + 1
        self._edits = [entry for entry in entries if entry.action in ("input", "edited")]
        self.across = across.of(own, claims) if isinstance(claims, Claims) else None
        """The order among processes; None where there is none to keep."""

    def _side(self, path: tuple[Any, ...]) -> tuple[Any, ...] | str:
        if not self._wanted:
            return ()
        return "inside" if path[: len(self._wanted)] == self._wanted else "outside"

    def unused_edits(self, but: str = "") -> list[str]:
        """The edits that no call came for, each as a sentence. Those of the lineage `but` are for others to tell."""
        taken = self._claims.taken() if self._claims is not None else set()
        return [
            f"the edited {'input' if entry.action == 'input' else 'output'} of call {entry.number} was not used: "
            "no call of this run was like it"
            for entry in self._edits
            if not entry.used and entry.index not in taken and entry.lineage != but
        ]

    def _index(self, *key_and_entry: Any) -> None:
        *key, entry = key_and_entry
        self._by.setdefault(tuple(key), deque()).append(entry)

    def _first(self, *key: Any) -> Entry | None:
        """The first entry under `key` that is not used up; those that are go for good."""
        found = self._by.get(key)
        while found and found[0].used:
            found.popleft()
        return found[0] if found else None

    def match(
        self,
        request_hash: str,
        site: tuple[str, str],
        lineage: str,
        stack: list[Place] | None = None,
        path: tuple[Any, ...] = (),
    ) -> Entry | None:
        """The recording of this call, used up by being returned; None where there is none.

        The same request at the same place in the same task comes first, then at the same place, then
        anywhere; each in the same subrun (`path`) before others. A call that has to go live may have another
        request than it had: it is known by its place then, so that it does not take the recording of another
        call. So may one that is edited, behind another edit: it is known by the lines that asked for it, in the
        recorded order of these.
        """
        with self._matching:
            while True:
                entry = self._found(request_hash, site, lineage, stack, path)
                if entry is None:
                    return None
                entry.used = True
                if self._claims is None or self._claims.take(entry.index):
                    break
            # The answer to another request is no answer to this one.
            return None if entry.action == "replay" and entry.request_hash != request_hash else entry

    def _found(
        self, request_hash: str, site: tuple[str, str], lineage: str, stack: list[Place] | None, path: tuple[Any, ...]
    ) -> Entry | None:
        entry = None
        within = dict.fromkeys((path, self._side(path)))
        for of in within:
            entry = entry or (
                self._first("strand", of, request_hash, *site, lineage)
                or self._first("here", of, request_hash, *site)
                or self._first("request", of, request_hash)
            )
        entry = entry or self._edited_at(stack, lineage, path)
        if entry is None:
            for of in within:
                entry = entry or self._first("place", of, *site, lineage)
            if entry is None or entry.action != "live":
                return None
        return entry

    def forked(self) -> None:
        """In a forked child: a thread that is not there any more may have been in the middle of a match. The order is
        that of the parent's calls."""
        self._matching = _thread.allocate_lock()
        self.order = None

    def _edited_at(self, stack: list[Place] | None, lineage: str, path: tuple[Any, ...]) -> Entry | None:
        """The next entry of the lines that ask for this call, where one of theirs is edited.

        Workers of a pool are one strand, and come in any order: there a line has to have asked only once.
        """
        if not stack or not self._edits:
            return None
        lines = tuple((place["file"], place["line"]) for place in stack)
        if self._asked.get((path, lines, lineage), 0) > 1 and not lineage.startswith("MainThread/"):
            return None
        return self._first("lines", path, lines, lineage)


class ChildsPlan(Plan):
    """The plan that a child process is told of. It is read when it is first asked; most children make no call.
    One that cannot be read has no entries."""

    def __init__(self, path: str, policy: str) -> None:
        self._path = path
        self.policy = policy

    def __getattr__(self, name: str) -> Any:
        if name == "_path" or not name.isidentifier() or name.startswith("__"):
            raise AttributeError(name)
        try:
            whole = load(self._path)
        except (OSError, ValueError):
            whole = Plan({}, [])
        vars(self).update({**vars(whole), "policy": self.policy, "order": None})
        return vars(self)[name]


def load(path: str, lineage: str | None = None, taken: Taken | None = None) -> Plan:
    """The plan in the file `path`; with `lineage`, of the calls of that one only, of which `taken` knows which have
    been used.

    Raises:
        OSError: it cannot be read.
        protocol.ProtocolError: it is no plan.
    """
    frames = protocol.Frames()
    with open(path, "rb") as handle:
        frames.feed(handle.read())
    header: dict[str, Any] | None = None
    drawn = None
    entries = []
    for head, payload in frames:
        message = protocol.loads(head)
        if header is None:
            header = message
            drawn = protocol.parts_of(message, payload).get("draws")
        else:
            entry = Entry(message, protocol.parts_of(message, payload))
            if lineage in (None, entry.lineage):
                entries.append(entry)
    if header is None or header.get("plan") != 1:
        raise protocol.ProtocolError(f"{path} is no replay plan")
    return Plan(header, entries, protocol.loads(drawn) if drawn else (), taken or Claims(path))
