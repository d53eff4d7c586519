"""Functions of the user's that library code calls: a tool of an agent, a node of a graph, a filter.

What library code hands to such a function it has made of what went into the library call, or of what
the recorded calls in there said; so what an argument has in common with those tells its origins. What
the function gives back is known to the recorded calls that the library makes from then on. Rewritten
functions ask for all this only while library code runs that knows of any origins (`INSIDE`).
"""

from __future__ import annotations

from sys import _getframe

from ao_lsp.taint import escrow as escrows
from ao_lsp.taint import reach, replies, scope
from ao_lsp.taint.escrow import ACTIVE_TAINT, STRANDS
from ao_lsp.taint.frames import unseen, unseen_methods
from ao_lsp.taint.kept import keep
from ao_lsp.taint.leaves import Leaves
from ao_lsp.taint.origins import NOTHING, step
from ao_lsp.taint.state import TAINT
from ao_lsp.taint.table import VALUE_TYPES, mark, unshared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

    from ao_lsp.taint.escrow import Escrow
    from ao_lsp.taint.origins import Origins

keep(__name__)

_MAX_ASKED = 100_000
"""How much one library call is searched for what it may have handed on, in texts and thousands of characters."""


@unseen
def called_back() -> bool:
    """Whether library code that knows of origins calls the function whose code asks."""
    if ACTIVE_TAINT.get() is None and not STRANDS:
        return False
    escrow = escrows.current()
    return escrow is not None and bool(escrow.known) and _by_library(_getframe(1))


def _by_library(frame: FrameType) -> bool:
    caller = frame.f_back
    return caller is None or caller.f_code.co_filename not in scope.FILES


@unseen
def handed(value: Any) -> Any:
    """An argument that library code hands to the user's function, with its origins; a text or number
    possibly as a private copy of it. Parts of containers and data objects are replaced where they stand."""
    if value is None or value is True or value is False or id(value) in TAINT:
        return value
    escrow = escrows.current()
    if escrow is None or escrow.asked > _MAX_ASKED:
        return value
    try:
        value = [value].pop()  # from 3.14 on what the user's code passes on does not count as held here, but this does
        arrival = Arrival(escrow, _getframe(1))
        if type(value) in VALUE_TYPES:
            alone = unshared(value, _IN_VARIABLE)
            return arrival.value(value, alone)
        return arrival.whole(value)
    except RecursionError:
        pass
    except Exception as error:
        escrows.lost("an argument's origins", error)
    return value


@unseen
def handed_lambda(*_: Any) -> bool:
    """False. Its arguments have put what `handed` gave into the variables of a lambda."""
    return False


@unseen
def given_back(value: Any) -> Any:
    """What the user's function returns."""
    if ACTIVE_TAINT.get() is None and not STRANDS:
        return value
    if value is None or (type(value) in VALUE_TYPES and id(value) not in TAINT):
        return value
    escrow = escrows.current()
    if escrow is None or not _by_library(_getframe(1)):
        return value
    try:
        origins = reach.reach((value,))
        if origins:
            escrows.show(escrow, origins)
    except RecursionError:
        pass
    except Exception as error:
        escrows.lost("what a function gives back", error)
    return value


_IN_VARIABLE = 2
"""The holders of an argument that nobody but a variable of the user's function has: that one, and `handed`'s."""


@unseen_methods
class Arrival(Leaves):
    """One call of a function of the user's by library code."""

    __slots__ = ("_escrow", "_frame", "_replies")

    def __init__(self, escrow: Escrow, frame: FrameType) -> None:
        Leaves.__init__(self)  # not `super()`, which looks at frames
        self._escrow = escrow
        self._frame = frame
        self._replies = replies.of(escrow.answers) if escrow.answers else []

    def value(self, value: Any, alone: bool = False) -> Any:
        """A plain value; `alone`: nobody but the function's variable holds it, so that it was just made."""
        if id(value) in TAINT:
            return value
        origins = self._source(value)
        if not origins and alone and not self._escrow.answers:
            origins = self._escrow.inputs  # library code made it, of nothing else
        if not origins or reach.holds(self._escrow.given, value):
            return value
        return mark(value, step(origins, self._frame))

    def _source(self, value: Any) -> Origins:
        """What library code has this from."""
        escrow = self._escrow
        if not replies.may_be_said(value) or escrow.asked > _MAX_ASKED:
            return NOTHING
        escrow.asked += 1 + 4 * len(self._replies)
        said = replies.source_of(value, self._replies)
        if said is not None:
            return said
        if escrow.texts is None:
            escrow.texts = [
                (part, TAINT[id(part)][1])
                for part in reach.walk(escrow.given)
                if type(part) is str and id(part) in TAINT
            ]
        if replies.is_telling(value):
            for text, origins in escrow.texts:
                escrow.asked += 1 + len(text) // 1000
                if escrow.asked > _MAX_ASKED:
                    break
                if replies.is_part(value, text):
                    return origins
        return NOTHING
