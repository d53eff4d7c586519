"""ACTIVE_TAINT, the escrow around a call into library code.

Library code is not rewritten. Around a call into it, the origins of its inputs stand in a context
variable; after it, what stands there goes onto the result. A recorded call inside reads what went
in (`inputs_of_call`) and puts its own id in their place (`produced`), so that the result carries
that call and nothing else.

An `Escrow` is one object for the whole library call and is changed in place, so that a recorded call
under `copy_context().run()` is seen too; tasks and threads that the call starts have forks of it
(strands.py). The variable itself is reset when the library call ends, so that nothing leaks into
what the user does next.
"""

from __future__ import annotations

import os
from _contextvars import ContextVar
from _functools import reduce
from _thread import get_ident
from _weakref import ref as _ref

from ao_lsp.taint import scope
from ao_lsp.taint.kept import keep
from ao_lsp.taint.origins import NOTHING, origin, union
from ao_lsp.taint.state import INSIDE
from ao_lsp.taint.table import SOURCE, restate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from types import FrameType
    from typing import Any

    from ao_lsp.taint.origins import Origins, Place

keep(__name__)


class Escrow:
    """The origins that wait while library code runs. `place` is where the user's code asked for it:
    in a task or thread that the library starts, that frame is not on the stack."""

    __slots__ = (
        "_known", "_made", "_produced", "_seen", "answers",
        "asked", "ends", "given", "inputs", "joined", "over", "parent", "place", "texts",
    )  # fmt: skip

    def __init__(self, inputs: Origins, place: Place | None = None, parent: Escrow | None = None) -> None:
        self.inputs = inputs
        self.place = place
        self.parent = parent
        self.over = False
        """The library call has returned."""
        self.ends = False
        """Counts only until the parent is over: for a thread that may serve others afterwards."""
        self.joined = True
        """The parent has had the chance to learn what was produced in here."""
        # Appending is atomic; other threads do it too.
        self._produced: list[Origins] = []
        self._seen: list[Origins] = []
        self._known = 0, NOTHING
        self._made: list[_Made] = []
        self.given: Collection[Any] = ()
        """What went into the library call, for as long as that lasts."""
        self.texts: list[tuple[str, Origins]] | None = None
        """The tagged texts in that, once somebody has asked."""
        self.answers = NOTHING
        """The recorded calls that the library call has made so far; of a fork, also those before it."""
        self.asked = 0
        """How much it was searched for what library code may have handed on (callbacks.py)."""

    @property
    def outputs(self) -> Origins:
        """What the recorded calls inside have put in place of the inputs."""
        return reduce(union, self._produced, NOTHING) if self._produced else NOTHING

    @property
    def origins(self) -> Origins:
        """What a result has to carry."""
        return self.outputs or self.inputs

    @property
    def known(self) -> Origins:
        """What a recorded call that is made now can be made of."""
        seen = self._seen
        if not seen:
            return self.inputs
        count, known = self._known
        if count != len(seen):
            known = reduce(union, seen[:], self.inputs)
            self._known = len(seen), known
        return known

    def fork(self) -> Escrow:
        """The escrow of a task or thread that starts now: it does not see what others produce
        meanwhile; what it produces, this one has, too."""
        if not _STARTED:
            _STARTED.append(True)
            INSIDE.append(self.place)
        forked = Escrow(self.known, self.place, self)
        forked.given = self.given
        forked.answers = self.answers
        return forked

    def join(self) -> None:
        """The parent is given what this fork has made."""
        if not self.joined:
            self.joined = True
            for origins in self._seen:
                show(self.parent, origins)

    def add(self, origins: Origins) -> None:
        """Something was produced in here."""
        show(self, origins)
        forked: Escrow | None = self
        while forked is not None:
            forked._produced.append(origins)
            forked.answers = union(forked.answers, origins)
            for made in forked._made:
                result = made()
                if result is not None:
                    restate(result, forked.outputs, SOURCE)
            forked = forked.parent

    def fills(self, result: object) -> None:
        """`result` came out of the library call, whose tasks or threads go on and will fill it: what
        they produce is put in place of its origins."""
        if id(result) in FILLED:
            return
        try:
            made = _Made(result, _forget)
        except TypeError:
            return
        made.key = id(result)
        self._made.append(made)
        FILLED[made.key] = made, self


_STARTED: list[bool] = []


def show(escrow: Escrow | None, origins: Origins) -> None:
    """From now on recorded calls under `escrow`, and under those that have joined it, know of `origins`."""
    while escrow is not None:
        if not origins <= escrow.known:
            escrow._seen.append(origins)
        escrow = escrow.parent if escrow.joined else None


class _Made(_ref):  # type: ignore[type-arg]  # the C type takes no parameter at run time on 3.10
    __slots__ = ("key",)
    key: int


FILLED: dict[int, tuple[_Made, Escrow]] = {}
"""By `id`: objects that are filled after the library call that made them, and that call's escrow."""


def _forget(made: _Made, filled: dict[int, tuple[_Made, Escrow]] = FILLED) -> None:
    known = filled.get(made.key)
    if known is not None and known[0] is made:
        del filled[made.key]


ACTIVE_TAINT: ContextVar[Escrow | None] = ContextVar("ao.ACTIVE_TAINT", default=None)

STRANDS: dict[int, Escrow] = {}
"""By thread: the escrow of what runs in it, where library code started that (strands.py)."""


def current() -> Escrow | None:
    """The escrow that the code which is running now stands under."""
    active = ACTIVE_TAINT.get()
    if not STRANDS:
        return active
    strand = STRANDS.get(get_ident())
    if strand is None:
        return active
    parent = strand.parent
    # A context that was copied before the thread began still has what this thread's is a fork of.
    if active is not None and active is not parent:
        return active
    return None if strand.ends and parent is not None and parent.over else strand


def place(frame: FrameType | None) -> Place | None:
    """Where the user's code is that called a helper; `frame` is the helper's first visible one. A
    helper that library code calls (as the work of a thread) stands where that code was asked for."""
    while frame is not None and frame.f_code.co_filename.startswith(_HELPERS):
        frame = frame.f_back
    if frame is not None and frame.f_code.co_filename in scope.FOLLOWED:
        frame = _asker(frame)
    if frame is not None and frame.f_code.co_filename in scope.FILES:
        return frame.f_code, frame.f_lasti
    asking = current()
    return None if asking is None else asking.place


def _asker(frame: FrameType | None) -> FrameType | None:
    """Whose own code called the library that is followed (`--rewrite`) like the user's code."""
    while frame is not None:
        code = frame.f_code
        if code.co_filename in scope.FILES and code.co_filename not in scope.FOLLOWED:
            return frame
        if code.co_name == "_run" and code.co_filename.endswith(_EVENTS):
            return None  # below is whoever started the event loop
        frame = frame.f_back
    return None


_HELPERS = __file__.rpartition("escrow.py")[0]
_EVENTS = os.path.join("asyncio", "events.py")


def inputs_of_call() -> Origins:
    """What went into the call that is about to be recorded: the inputs of the library call that it
    happens in, and the recorded calls that this library call has made before (a framework's loop)."""
    escrow = current()
    return NOTHING if escrow is None else escrow.known


def produced(call: str, escrow: Escrow | None) -> None:
    """What comes out of the library call that `escrow` stands for is the recorded call's."""
    if escrow is not None:
        escrow.add(origin(call))


LOST: list[str] = []
"""What went wrong inside the tracking itself, for the log: the program must not notice."""


def lost(what: str, error: BaseException) -> None:
    """Note that tracking lost something; bounded, because it may happen at every operation."""
    if len(LOST) < 100:
        LOST.append(f"{what}: {type(error).__name__}: {error}")
