"""The order in which replayed calls are answered: that in which they were in the recording.

A program that asks for many things at once (`as_completed`, a queue of results) works on what comes first. So what
a replayed call receives, its response or each piece of its stream, waits for what others had received before: of
those that are under way, and of those that were when the recording had come to that point. Nobody waits as
long as things took: only for others to get as far, and not for long for one that does not come, because the program
may be another one by now. What does not overlap with another call never waits.

After something was received, what waits lets whoever got it work on it first: a task until its loop has nothing
to do, a thread until it asks for more, or its piece of work is over, or for `SETTLE_S`.
"""

from __future__ import annotations

import _thread
import sys
import time
from _heapq import heappop, heappush

from ao_lsp.runner.ancestry import OF_CHILD
from ao_lsp.taint import lineage
from ao_lsp.taint.frames import unseen_methods
from ao_lsp.taint.kept import keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from ao_lsp.runner.replay import Entry

keep(__name__)

SETTLE_S = 0.1
"""How long a thread is given to work on what it has got."""
PATIENCE_S = 0.25
"""How long nothing may happen before a call that is waited for is given up ..."""
GAP_S = 1.0
"""... and for how much of the time that nothing happened in the recording it may be longer."""
_ROUNDS = 100
"""After so many rounds a loop counts as busy with something of its own."""
_NEVER = float("inf")


class Turn:
    """What one recorded call received, and when: `times` in Unix seconds, the last one that of its end."""

    __slots__ = ("begun", "number", "over", "received", "started", "times")

    def __init__(self, number: int, started: float, times: list[float]) -> None:
        self.number = number
        self.started = started
        self.times = times
        self.received = 0
        self.begun = False
        self.over = False

    @property
    def next(self) -> float:
        """When the next piece came."""
        return _NEVER if self.over or self.received >= len(self.times) else self.times[self.received]

    @property
    def is_ending(self) -> bool:
        """Whether a stream has given all of its pieces, and nothing but its end is left."""
        return 0 < self.received == len(self.times) - 1


class Waiting:
    """Somebody who waits for `turn`; `wake` is called once."""

    __slots__ = ("blocker", "turn", "wake")

    def __init__(self, turn: Turn, blocker: Turn | None, wake: Callable[[], object]) -> None:
        self.turn = turn
        self.blocker = blocker
        self.wake: Callable[[], object] | None = wake


@unseen_methods
class Order:
    """The calls of a plan that overlap with others. All methods may be called by any thread, and raise nothing."""

    def __init__(self, turns: Iterable[Turn]) -> None:
        self._lock = _thread.RLock()
        self._coming: list[tuple[float, int, Turn]] = []
        self._waiting: list[tuple[float, int, int, Waiting]] = []
        self._count = 0
        self._happened = 0
        self._reached = 0.0
        self._missed = 0  # calls that were given up: the more, the sooner the next
        # Who works on what was received last: its turn, thread, whether in a loop, and until when it may.
        self._settling: tuple[Turn, int, bool, float] | None = None
        for turn in turns:
            heappush(self._coming, (turn.next, turn.number, turn))
        lineage.on_leave(self._left)

    # -- what happens

    def began(self, turn: Turn) -> None:
        """The call is made again."""
        with self._lock:
            turn.begun = True
            self._settle(turn, _thread.get_ident())
            self._went_on(turn.started)

    def advance(self, turn: Turn) -> None:
        """It has received the next piece."""
        with self._lock:
            if turn.next is _NEVER:
                return
            at = turn.next
            turn.received += 1
            if turn.next is not _NEVER:
                heappush(self._coming, (turn.next, turn.number, turn))
            self._given(turn)
            self._went_on(at)

    def end(self, turn: Turn) -> None:
        """It is over, however."""
        with self._lock:
            if turn.over:
                return
            at = turn.times[-1]
            if turn.next is not _NEVER:
                self._given(turn)
            turn.over = True
            self._went_on(at)

    def _went_on(self, at: float) -> None:
        self._happened += 1
        self._reached = max(self._reached, at)
        self._wake_first()

    def _given(self, turn: Turn) -> None:
        loop = _loop()
        self._settling = settling = (turn, _thread.get_ident(), loop is not None, time.monotonic() + SETTLE_S)
        if loop is not None:
            _Idle(loop, lambda: self._settled(settling))

    def _settled(self, settling: Any) -> None:
        with self._lock:
            if self._settling is settling:
                self._settling = None
                self._wake_first()

    def _settle(self, turn: Turn, thread: int) -> None:
        settling = self._settling
        if settling is not None and (settling[0] is turn or (settling[1] == thread and not settling[2])):
            self._settling = None
            self._wake_first()

    def _left(self, thread: int) -> None:
        if self._settling is not None:
            with self._lock:
                if self._settling is not None and self._settling[1] == thread and not self._settling[2]:
                    self._settling = None
                    self._wake_first()

    def _wake_first(self) -> None:
        """Only the earliest can have come to its turn."""
        while self._waiting:
            waiting = self._waiting[0][3]
            if waiting.wake is not None:
                wake, waiting.wake = waiting.wake, None
                heappop(self._waiting)
                if _is_woken(wake):
                    return
                continue
            heappop(self._waiting)

    # -- whose turn it is

    def _blocked(self, turn: Turn) -> tuple[Turn | None, float] | None:
        """Whom `turn` waits for, and how long at most; None where it is its turn. Nobody is one who works on
        what he has got."""
        settling = self._settling
        if settling is not None:
            left = settling[3] - time.monotonic()
            if left > 0:
                return None, left
            self._settling = None
        mine = turn.next
        while self._coming:
            at, _, other = self._coming[0]
            if at != other.next or (not other.begun and other.times[-1] <= turn.started):
                heappop(self._coming)
            elif other is turn or at >= mine:
                return None
            else:
                due = at if other.begun else other.started
                patience = PATIENCE_S + min(max(0.0, due - self._reached), GAP_S)
                return other, patience / 2 ** min(self._missed, 5)
        return None

    def ask(self, turn: Turn, wake: Callable[[], object]) -> tuple[Waiting, float] | None:
        """None where it is the call's turn; else `wake` is called when that may be so, and `expired` has to be
        after so many seconds without."""
        with self._lock:
            self._settle(turn, _thread.get_ident())
            blocked = None if turn.next is _NEVER else self._blocked(turn)
            if blocked is None:
                return None
            blocker, seconds = blocked
            waiting = Waiting(turn, blocker, wake)
            self._count += 1
            heappush(self._waiting, (turn.next, self._count, self._happened, waiting))
            return waiting, seconds

    def expired(self, waiting: Waiting, happened: int) -> None:
        """Nobody has woken it. If nothing has `happened` since, the one that it waits for is given up."""
        with self._lock:
            waiting.wake = None
            blocker = waiting.blocker
            if blocker is not None and happened == self._happened and not blocker.over:
                blocker.over = True
                self._missed += 1
                self._went_on(self._reached)

    @property
    def happened(self) -> int:
        """How often something has happened."""
        return self._happened

    def wait(self, turn: Turn) -> None:
        """Until it is the call's turn, in a thread."""
        while True:
            woken = _thread.allocate_lock()
            woken.acquire()
            happened = self._happened
            asked = self.ask(turn, woken.release)
            if asked is None:
                return
            waiting, seconds = asked
            try:
                if not woken.acquire(timeout=seconds):
                    self.expired(waiting, happened)
            except BaseException:  # an interrupt
                waiting.wake = None
                raise


def _is_woken(wake: Callable[[], object]) -> bool:
    try:
        wake()
    except RuntimeError:  # in a loop that is closed
        return False
    return True


def _loop() -> Any:
    asyncio = sys.modules.get("asyncio")
    return asyncio._get_running_loop() if asyncio is not None else None


@unseen_methods
class _Idle:
    """Calls `then` when a loop has nothing to do but wait."""

    def __init__(self, loop: Any, then: Callable[[], object]) -> None:
        self._loop = loop
        self._then = then
        self._rounds = 0
        loop.call_soon(self._look)

    def _look(self) -> None:
        self._rounds += 1
        ready = getattr(self._loop, "_ready", None)
        # Another kind of loop does not say: it is given a few rounds.
        busy = self._rounds < 5 if ready is None else bool(ready) and self._rounds < _ROUNDS
        if busy:
            self._loop.call_soon(self._look)
        else:
            self._then()


def of(entries: Iterable[Entry]) -> Order | None:
    """The order of those entries that are served and overlap with another one; None where none do."""
    timed = sorted(
        ((entry.started, entry.ended, number, entry) for number, entry in enumerate(entries) if _is_served(entry)),
        key=lambda found: found[:3],
    )
    crowded: dict[int, Entry] = {}
    last = -_NEVER
    latest: tuple[int, Entry] | None = None
    for started, ended, number, entry in timed:
        if latest is not None and started < last:
            crowded[latest[0]] = latest[1]
            crowded[number] = entry
        if ended > last:
            last, latest = ended, (number, entry)
    if not crowded:
        return None
    for number, entry in crowded.items():
        pieces = [entry.started + after for after in entry.after] if entry.streamed else []
        times: list[float] = []
        for at in (*pieces, entry.ended):  # an edit may have times of its own
            times.append(max(at, times[-1]) if times else at)
        entry.turn = Turn(number, entry.started, times)
    return Order(entry.turn for entry in crowded.values() if entry.turn is not None)


def _is_served(entry: Entry) -> bool:
    # Calls of other processes (children, a gateway, whose calls have no place in the code) are not made in this one.
    if entry.lineage.startswith(OF_CHILD) or not entry.site[0]:
        return False
    return entry.action in ("replay", "edited") and entry.ended > entry.started > 0
