"""The order in which several processes are answered in a rerun: that in which they were (order.py, for one process).

Each says in the claims file which answers it has given to the program. What a call receives waits for what calls of
other processes had received before: those that are under way, and those that were when this one began, or shortly
before, as processes take their time to start. Nobody waits as long as things took: only for others to get as far, and
not for long for one that does not come. Then whoever got an answer has a moment to hand its result on, less if it
takes the next recording.
"""

from __future__ import annotations

import os
import time

from ao_lsp.runner.ancestry import OF_CHILD
from ao_lsp.runner.order import GAP_S
from ao_lsp.taint.kept import keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ao_lsp.runner.claims import Claims
    from ao_lsp.runner.replay import Entry

keep(__name__)

_PATIENCE_S = 3.0
"""How long nothing may happen before a call that is waited for is given up: a process takes its time to start."""
_SETTLE_S = 0.5
"""How long a process is given to hand on what it makes of an answer."""
_ON_ITS_WAY_S = 0.1
"""The same of one that has gone on: it has sent its result, which takes its time to be received."""
_STARTING_S = 1.0
"""A call that ended so long before another one began may come after it in a rerun, where all is faster."""
_LOOK_S = 0.002
"""How often the file is looked at while a call waits."""


class Across:
    """Those entries of a plan that are served. Nothing here raises."""

    def __init__(self, entries: Iterable[Entry], claims: Claims) -> None:
        self._claims = claims
        self._left = sorted(entries, key=lambda entry: (entry.ended, entry.index))
        """Those that somebody may have to wait for."""
        self._known = {entry.index for entry in self._left}
        self._mine: set[int] = set()
        self._began: dict[int, int] = {}
        """By how many records each was begun."""
        self._process = os.getpid()
        self._records = 0
        self._changed = 0.0
        self._given_up = 0
        self._seen: dict[int, float] = {}
        """When this process saw that an answer had been given."""

    def begins(self, entry: Entry) -> bool:
        """This process has taken an entry; whether it is one of these."""
        if self._process != os.getpid():  # forked
            self._process = os.getpid()
            self._mine = set()
        if entry.index not in self._known:
            return False
        self._mine.add(entry.index)
        self._changed = time.monotonic()
        self._claims.look()
        self._began[entry.index] = self._claims.known
        return True

    def ends(self, entry: Entry) -> None:
        """Its answer has been given to the program."""
        self._claims.give(entry.index)

    def wait_s(self, entry: Entry) -> float:
        """How long to wait before this is asked again; 0 where it is the call's turn."""
        self._claims.look()
        now = time.monotonic()
        if self._claims.known != self._records:
            self._records, self._changed = self._claims.known, now
        done, wait = set(), 0.0
        reached = entry.started
        for other in self._left:
            if other.ended >= entry.ended:
                break
            if other.index in self._claims.given:
                reached = other.ended
                settle = _ON_ITS_WAY_S if self._claims.has_gone_on(other.index) else _SETTLE_S
                left = self._seen.setdefault(other.index, now) + settle - now
                if left <= 0 or other.index in self._mine:
                    done.add(other.index)
                elif self._came_meanwhile(other, entry):
                    wait = left
                    break
            elif other.index in self._mine:
                pass  # of one process they have an order of their own
            elif self._claims.is_taken(other.index) or other.ended > entry.started - _STARTING_S:
                patience = _PATIENCE_S + min(max(0.0, other.ended - reached), GAP_S)
                wait = self._changed + patience / 2 ** min(self._given_up, 5) - now
                if wait > 0:
                    break
                self._given_up += 1
                done.add(other.index)
        if done:
            self._left = [other for other in self._left if other.index not in done]
        return min(max(wait, 0.0), _LOOK_S)

    def _came_meanwhile(self, other: Entry, entry: Entry) -> bool:
        """Whether an answer was given while `entry` was under way, now or in the recording. What was there before it
        was asked for is more likely to be what it was asked for with."""
        return other.ended > entry.started or self._claims.given[other.index] > self._began.get(entry.index, 0)


def of(entries: Iterable[Entry], claims: Claims) -> Across | None:
    """The order among the processes of those entries that are served; None where no two are under way at once."""
    served = [entry for entry in entries if entry.action in ("replay", "edited") and entry.ended > entry.started > 0]
    served.sort(key=lambda entry: entry.started)
    # Of the first process, and of children, of whom several may have one name: the one that lasts longest.
    lasting: dict[bool, Entry] = {}
    for entry in served:
        of_child = entry.lineage.startswith(OF_CHILD)
        for other_is_child, other in lasting.items():
            if (of_child or other_is_child) and other.ended > entry.started - _STARTING_S:
                return Across(served, claims)
        last = lasting.get(of_child)
        if last is None or last.ended < entry.ended:
            lasting[of_child] = entry
    return None
