"""What was drawn by chance (taint/chance.py), recorded, and served again in a rerun."""

from __future__ import annotations

import _thread
import os
import sys
import time
from _collections import deque

from ao_lsp import paths
from ao_lsp.taint.kept import keep
from ao_lsp.taint.state import FORKS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ao_lsp.runner.replay import Plan
    from ao_lsp.taint.chance import Key, Value

keep(__name__)

_BATCH = 200
"""So many values make an event, if no call does so before."""
_MOST = 20_000
"""What a process records at all."""


class Draws:
    """The values of this process. Raises nothing."""

    def __init__(self, post: Callable[[dict[str, Any]], None], plan: Plan | None, began: float, run: str) -> None:
        self._post = post
        self._run = run
        self._lock = _thread.RLock()
        self._values: dict[Key, list[Value]] = {}
        self._count = 0
        self._all = 0
        self._seed: bytes | None = None
        self._unsaid: list[tuple[str, str | None]] = []
        self._recorded: dict[Key, deque[Value]] = {}
        self._seeds: dict[str | None, bytes] = {}
        self._fork: str | None = None
        self.behind = 0.0
        self._clock: float | None = began
        if plan is not None:
            self._replay(plan, began)
            self._clock = began - self.behind

    def _replay(self, plan: Plan, began: float) -> None:
        self._fork = plan.header.get("fork_call")
        for event in plan.draws:
            if event.get("seed"):
                self._seeds.setdefault(event.get("call"), bytes.fromhex(event["seed"]))
            for *key, values in event.get("values") or ():
                self._recorded.setdefault(tuple(key), deque()).extend(values)
            if event.get("clock") and self.behind == 0.0:
                self.behind = max(0.0, began - event["clock"])

    @property
    def seed(self) -> bytes:
        """The run's own random number."""
        if self._seed is None:
            # Of a child that is the first to want one, under the name of the child.
            process = "".join(FORKS) or None
            self._begin(self._seeds.get(process) or (self._of_children() if process else os.urandom(16)), process)
        return self._seed or b""

    def _of_children(self) -> bytes:
        """The number of children: the same for all, who are told apart by their names and by what they do. A piece
        of work that another worker does in a rerun has to draw the same."""
        for name, seed in self._seeds.items():
            if name and name.endswith("/"):
                return seed
        from _blake2 import blake2b

        return blake2b(self._run.encode(), digest_size=16).digest()

    def _begin(self, seed: bytes, call: str | None) -> None:
        with self._lock:
            self._seed = seed
            self._unsaid.append((seed.hex(), call))

    def recorded(self, key: Key) -> deque[Value] | None:
        """The values of a place that are still to be served."""
        what, file, function, lineage, place = key
        return self._recorded.get((what, paths.as_recorded(file), function, lineage, place))

    def note(self, key: Key, value: Value) -> bool:
        """Record a value; False where no more are recorded."""
        if self._all >= _MOST:
            return False
        with self._lock:
            self._values.setdefault(key, []).append(value)
            self._count += 1
            self._all += 1
        if self._count >= _BATCH:
            self.flush()
        return True

    def call(self, recorded: str | None, call: str, at: float) -> None:
        """A call begins, at `at`; its recording was called `recorded`. What was drawn before is on its way then."""
        self.flush(at)
        seed = None
        if recorded is not None:
            # From the fork on chance has its way; and again so where the recording was itself a rerun.
            seed = os.urandom(16) if recorded == self._fork else self._seeds.get(recorded)
        if seed is not None:
            self._begin(seed, call)
            chance = sys.modules.get("ao_lsp.taint.chance")
            if chance is not None:
                chance.reseeded()

    def flush(self, at: float | None = None) -> None:
        """Send what has been drawn."""
        if not self._count and not self._unsaid:
            return
        with self._lock:
            values, self._values, self._count = self._values, {}, 0
            unsaid, self._unsaid = self._unsaid, []
        if not values and not unsaid:
            return
        moment = time.time() if at is None else at
        for number, (seed, call) in enumerate(unsaid or [(None, None)]):
            said = [] if number else [[*key, found] for key, found in values.items()]
            event = {"type": "draws", "at": moment, "clock": self._clock, "seed": seed, "call": call, "values": said}
            self._post(event)
            self._clock = None

    def forked(self) -> None:
        """In a forked child: what the parent has not sent is the parent's to send."""
        self._lock = _thread.RLock()
        self._values, self._count, self._unsaid = {}, 0, []
