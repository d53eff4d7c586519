"""ACTIVE_TAINT, the escrow around a call into library code.

Library code is not rewritten. Around a call into it, the origins of its inputs stand in a context
variable; after it, what stands there goes onto the result. A recorded call inside reads what went
in (`inputs_of_call`) and puts its own id in their place (`produced`), so that the result carries
that call and nothing else.

An `Escrow` is one object for the whole library call and is changed in place, so that a recorded call
in another thread or under `copy_context().run()` is seen too; the variable itself is reset when the
library call ends, so that nothing leaks into what the user does next.
"""

from __future__ import annotations

from _contextvars import ContextVar

from ao_lsp.taint.kept import keep
from ao_lsp.taint.origins import NOTHING, origin, union

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import TypeAlias

    from ao_lsp.taint.origins import Origins

    Place: TypeAlias = tuple[CodeType, int, int]

keep(globals())


class Escrow:
    """The origins that wait while library code runs. `place` is where the user's code asked for it,
    where that frame will not be on the stack: (code, instruction, line)."""

    __slots__ = ("inputs", "outputs", "place")

    def __init__(self, inputs: Origins, place: Place | None = None) -> None:
        self.inputs = inputs
        self.outputs = NOTHING
        self.place = place

    @property
    def origins(self) -> Origins:
        """What a result has to carry."""
        return self.outputs or self.inputs


ACTIVE_TAINT: ContextVar[Escrow | None] = ContextVar("ao.ACTIVE_TAINT", default=None)


def inputs_of_call() -> Origins:
    """What went into the call that is about to be recorded: the inputs of the library call that it
    happens in, and the recorded calls that this library call has made before (a framework's loop)."""
    escrow = ACTIVE_TAINT.get()
    return NOTHING if escrow is None else union(escrow.inputs, escrow.outputs)


def produced(call: str, escrow: Escrow | None) -> None:
    """What comes out of the library call that `escrow` stands for is the recorded call's."""
    if escrow is not None:
        escrow.outputs = union(escrow.outputs, origin(call))


LOST: list[str] = []
"""What went wrong inside the tracking itself, for the log: the program must not notice."""


def lost(what: str, error: BaseException) -> None:
    """Note that tracking lost something; bounded, because it may happen at every operation."""
    if len(LOST) < 100:
        LOST.append(f"{what}: {type(error).__name__}: {error}")
