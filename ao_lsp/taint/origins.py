"""Which calls a value came from, and which way: sets of call ids that remember where they were made.

An `Origins` is what it equals, a frozenset of call ids. Besides, it knows the expression of the
user's code that made a value with it (`place`), and the origins that went in there (`before`): going
back from the input of a call, that is the way its sources took. Values made in one place of the same
origins share one object, and a loop is gone through once, so that the ways stay short however long a
program runs.
"""

from __future__ import annotations

from ao_lsp.taint import scope
from ao_lsp.taint.kept import keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import CodeType, FrameType
    from typing import TypeAlias

    Place: TypeAlias = tuple[CodeType, int]
    """A code object and the offset of an instruction in it (`f_lasti`)."""

keep(__name__)

_LOOP = 12
"""How far back a place is looked for before it is gone through again."""
_STEPS = 200
"""The most steps of a way that are looked at."""
_KNOWN = 4096


class Origins(frozenset):  # type: ignore[type-arg]  # of str; a subscripted base costs an import
    """The ids of the calls that a value came from."""

    __slots__ = ("before", "place", "told")
    before: tuple[Origins, ...]
    place: Place | None
    told: bool
    """Whether it is, or has been, among `MADE`."""


MADE: list[Origins] = []
"""What values had that were made at a place, for the first time since somebody took this: in that expression there was
a value of these calls."""
_MOST_MADE = 1000


def _made(calls: Iterable[str], before: tuple[Origins, ...], place: Place | None) -> Origins:
    made = Origins(calls)
    made.before = before
    made.place = place
    made.told = place is None
    return made


NOTHING = _made((), (), None)

# By the ids of what they were made from, which the values keep alive.
_unions: dict[tuple[int, int], tuple[Origins, Origins, Origins]] = {}
_steps: dict[tuple[int, int, int], tuple[Origins, Origins, CodeType]] = {}
# By the calls and the last two places, which the values keep alive, too.
_turns: dict[tuple[Origins, int, int, int, int], tuple[Origins, CodeType, Place | None]] = {}


def origin(call: str) -> Origins:
    """The origins of a value that came out of one call."""
    return _made((call,), (), None)


def union(first: Origins, second: Origins) -> Origins:
    """The origins of a value that was made of both. Where one has nothing new, the other itself."""
    if first is second or not second:
        return first
    if not first:
        return second
    if second <= first:
        return first
    if first <= second:
        return second
    key = (id(first), id(second))
    known = _unions.get(key)
    if known is None:
        if len(_unions) >= _KNOWN:
            _unions.clear()
        known = _unions[key] = (_made(first | second, (first, second), None), first, second)
    return known[0]


def step(origins: Origins, frame: FrameType | None, tells: bool = True) -> Origins:
    """`origins` of a value that is made where the user's code is now. `frame` is that of the user's,
    or the first visible one of a helper (frames.py) that it called. Who does not say so at once (`tells`) may yet find
    that there is no such value, and calls `tell` where there is."""
    if frame is None or not origins:
        return origins
    code = frame.f_code
    known = _steps.get((id(origins), id(code), frame.f_lasti))
    if known is not None:
        return known[0]
    if code.co_filename not in scope.FILES:
        while code.co_filename.startswith(_HELPERS):
            frame = frame.f_back
            if frame is None:
                return origins
            code = frame.f_code
        known = _steps.get((id(origins), id(code), frame.f_lasti))
        if known is not None:
            return known[0]
        if code.co_filename not in scope.FILES:
            return origins
    instruction = frame.f_lasti
    if len(_steps) >= _KNOWN:
        _steps.clear()
    stepped = _stepped(origins, code, instruction)
    _steps[id(origins), id(code), instruction] = stepped, origins, code
    if tells and not stepped.told:
        tell(stepped)
    return stepped


def tell(origins: Origins) -> None:
    """There is a value with these origins, made at their place."""
    origins.told = True
    if len(MADE) < _MOST_MADE:
        MADE.append(origins)


_HELPERS = __file__.rpartition("origins.py")[0]


def _stepped(origins: Origins, code: CodeType, instruction: int) -> Origins:
    earlier = origins
    for _ in range(_LOOP):
        place = earlier.place
        if place is not None and place[0] is code and place[1] == instruction:
            return origins
        if len(earlier.before) != 1:
            break
        earlier = earlier.before[0]
    else:
        if _length(earlier) > _STEPS:
            return origins
    return _turned(origins, code, instruction)


def _turned(origins: Origins, code: CodeType, instruction: int) -> Origins:
    """The one object for values of these calls that were made here and, before, there: programs that
    go through the same few places again and again make no new ones. Of several ways that lead to both
    places, it knows the first that was taken."""
    place = origins.place
    key = (origins, *((0, 0) if place is None else (id(place[0]), place[1])), id(code), instruction)
    known = _turns.get(key)
    if known is None:
        if len(_turns) >= _KNOWN:
            _turns.clear()
        known = _turns[key] = _made(origins, (origins,), (code, instruction)), code, place
    return known[0]


def _length(origins: Origins) -> int:
    length = 0
    while len(origins.before) == 1 and length <= _STEPS:
        origins = origins.before[0]
        length += 1
    return length


_THROUGH = "\n"


def through(origins: Origins, child: str) -> Origins:
    """The origins of what a child process of this name says, which may be made of a value with `origins`, and may be
    made of what the child asked a model: that is told later, by its calls. "" is anybody else outside, of whom only the
    run's gateway may know calls."""
    if not origins:
        return origins
    return _made((call + _THROUGH + child for call in origins), (origins,), None)


def call_and_children(source: str) -> tuple[str, list[str]]:
    """The id of the call that one of some origins is, and the child processes that the value came through."""
    call, *children = source.split(_THROUGH)
    return call, children


def way(origins: Origins, call: str) -> list[Place]:
    """The places that a value of `call` went through, the first one first."""
    found: list[Place] = []
    at: Origins | None = origins
    for _ in range(_STEPS * 2):
        if at is None:
            break
        if at.place is not None:
            found.append(at.place)
        earlier = next(iter([before for before in at.before if call in before]), None)
        if earlier is None and _THROUGH in call:  # it came out of a child there
            call = call.rpartition(_THROUGH)[0]
            earlier = next(iter([before for before in at.before if call in before]), None)
        at = earlier
    found.reverse()
    return found
