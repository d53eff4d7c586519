"""Functions of the user's that are nodes themselves: what goes in, and whose it is that comes out.

The function's own code is the user's and is followed as ever. Around it stands what a call of a model has: the
origins of the arguments are inputs of the node, and whatever the function returns has come from the node alone.
"""

from __future__ import annotations

from sys import _getframe

from ao_lsp.taint import callbacks, escrow, reach, scope
from ao_lsp.taint.adopt import is_service
from ao_lsp.taint.escrow import ACTIVE_TAINT, Escrow
from ao_lsp.taint.frames import unseen
from ao_lsp.taint.kept import keep
from ao_lsp.taint.kinds import AsyncGeneratorType, CoroutineType, GeneratorType
from ao_lsp.taint.leaves import Leaves
from ao_lsp.taint.origins import NOTHING, origin, step
from ao_lsp.taint.table import SOURCE, VALUE_TYPES, mark, restate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

    from ao_lsp.taint.origins import Origins

keep(__name__)

_RUNNING = frozenset({GeneratorType, CoroutineType, AsyncGeneratorType})


@unseen
def arguments(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any], Origins]:
    """What a function is called with, and the origins of that. Where library code calls it, they are those of what
    a recorded call has said (callbacks.py): then texts and numbers may be private copies."""
    try:
        waiting = escrow.current()
        frame = _asking(_getframe(1))
        if waiting is not None and waiting.known and frame.f_code.co_filename not in scope.FILES:
            arrival = callbacks.Arrival(waiting, frame)
            args = tuple([arrival.whole(value) for value in args])
            kwargs = {name: arrival.whole(kwargs[name]) for name in kwargs}
        return args, kwargs, reach.reach([*args, *kwargs.values()])
    except RecursionError:
        pass
    except Exception as error:
        escrow.lost("the arguments of a function", error)
    return args, kwargs, NOTHING


@unseen
def apart(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """Call the user's code, or step it, as if no library code stood around it: what it makes and gives back is
    no business of whoever called, who gets the node's result."""
    if escrow.current() is None:
        return function(*args, **kwargs)
    token = ACTIVE_TAINT.set(Escrow(NOTHING, escrow.place(_asking(_getframe(1)))))
    try:
        return function(*args, **kwargs)
    finally:
        ACTIVE_TAINT.reset(token)


@unseen
def result(value: Any, node: str) -> Any:
    """What a function has returned, as coming from `node` and nothing else; possibly a private copy of it. Parts of
    containers and data objects are replaced where they stand."""
    made = origin(node)
    try:
        waiting = escrow.current()
        if waiting is not None:
            escrow.show(waiting, made)
        return _Result(step(made, _asking(_getframe(1)))).whole(value)
    except RecursionError:
        pass
    except Exception as error:
        escrow.lost("what a function returned", error)
    return value


@unseen
def reached(value: Any) -> Origins:
    """The calls that what a function returned came from."""
    try:
        return reach.reach((value,))
    except RecursionError:
        pass
    except Exception as error:
        escrow.lost("what a function returned", error)
    return NOTHING


class _Result(Leaves):
    """What one call of a function returned."""

    __slots__ = ("_origins",)

    def __init__(self, origins: Origins) -> None:
        Leaves.__init__(self)  # not `super()`, which looks at frames
        self._origins = origins

    def value(self, value: Any) -> Any:
        return mark(value, self._origins)

    def whole(self, value: Any, depth: int = 0) -> Any:
        cls = type(value)
        if value is None or value is True or value is False or cls in VALUE_TYPES:
            return value if cls not in VALUE_TYPES else self.value(value)
        if cls in (list, tuple, dict) or reach.is_record(cls):
            return Leaves.whole(self, value, depth)
        if reach.is_data(cls) and id(value) not in self._seen and depth < _MAX_DEPTH:
            self._seen.add(id(value))
            fields = reach.fields_of(value) or {}
            for name in list(fields):
                part = fields[name]
                new = self.whole(part, depth + 1)
                if new is not part:
                    fields[name] = new
        elif cls not in _RUNNING and not issubclass(cls, (type, dict, list, set, frozenset)) and not is_service(cls):
            restate(value, self._origins, SOURCE)
        return value


_MAX_DEPTH = 8


def _asking(frame: FrameType) -> FrameType:
    """The frame of whoever called the function: below what records it, which is set aside (hiding.py)."""
    while frame.f_code.co_filename.startswith(_OURS) and frame.f_back is not None:
        frame = frame.f_back
    return frame


_OURS = ("<ao_lsp.", __file__.rpartition("taint")[0])
