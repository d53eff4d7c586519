"""Put origins onto what came out of library code.

The rule is that only what the library made is tagged, never what it handed through:

- an object that has origins already keeps them;
- a value that nobody else holds was just made: it is tagged;
- a small int or a one-character string is shared by the interpreter, so it tells nothing; unless it
  is the very object that went in, a private copy is tagged;
- any other value that somebody else holds was selected (a table's entry, a default): no tag;
- a fresh container is entered, and its leaves are treated so;
- a plain data object keeps its fields apart; any other object stands for what it was made from.

`derived` says that the source is known to be made of tagged stuff only (`json.loads`, a match, a
response): then whatever is found is tagged, shared or not.
"""

from __future__ import annotations

from _weakref import ref as _ref
from sys import _getframe

from ao_lsp.taint import escrow, reach, replies, scope
from ao_lsp.taint.kept import keep
from ao_lsp.taint.kinds import (
    AsyncGeneratorType,
    BuiltinFunctionType,
    CoroutineType,
    FunctionType,
    GeneratorType,
    MethodType,
    ModuleType,
    bases_of,
    lookup,
    module_of,
    name_of,
)
from ao_lsp.taint.leaves import Leaves
from ao_lsp.taint.origins import NOTHING, step, tell
from ao_lsp.taint.state import TAINT
from ao_lsp.taint.table import HOLDER, PASSED, SOURCE, VALUE_TYPES, mark, mark_parts, unshared, watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from types import FrameType
    from typing import Any

    from ao_lsp.taint.origins import Origins
    from ao_lsp.taint.replies import Reply

keep(__name__)

_MAX_DEPTH = 12
_MAX_SOUGHT = 500
"""How many values of one result are sought in what was said."""
_RESULTS_TO_BE = frozenset({"Future", "Task"})

# Objects that carry by identity what is handed to them, or that serve many calls at once: tagging
# one of them would put one call's origins on everything that passes through later.
_SERVICES = ("Client", "Session", "Logger", "Executor", "Pool", "Thread", "Process", "Loop", "Lock", "Queue", "Event")
_SERVICE_PACKAGES = frozenset(
    {"asyncio", "_asyncio", "threading", "_thread", "concurrent", "queue", "_queue", "logging", "multiprocessing",
     "contextvars", "_contextvars", "selectors", "socket", "_socket", "ssl", "_ssl", "functools", "weakref", "types",
     "typing", "abc", "anyio", "trio", "sniffio", "_io"}
)  # fmt: skip
_NEVER = frozenset(
    {type, FunctionType, MethodType, BuiltinFunctionType, ModuleType, property, staticmethod, classmethod}
)


_RUNNING = frozenset({GeneratorType, CoroutineType, AsyncGeneratorType})


class _Adoption:
    """One result being tagged."""

    __slots__ = ("_replies", "derived", "frame", "inputs", "left", "origins")

    def __init__(self, origins: Origins, derived: bool, inputs: Collection[Any], frame: FrameType) -> None:
        self.origins = step(origins, frame, False)
        self.derived = derived
        self.inputs = inputs
        self.frame = frame
        self._replies: list[tuple[str, Reply]] | None = None
        self.left = _MAX_SOUGHT

    def replies(self) -> list[tuple[str, Reply]]:
        """Those of the recorded calls that the result is made of, where it is made of nothing else."""
        if self._replies is None:
            self._replies = replies.of(self.origins) if self.derived else []
        return self._replies

    def of(self, value: Any) -> Origins:
        """The origins of a plain value: of several recorded calls, the one that said it; of several
        things that went in, the text that came out as it was."""
        origins = self.origins
        if len(origins) < 2 or not self.left:
            if not origins.told:
                tell(origins)
            return origins
        self.left -= 1
        said = replies.source_of(value, self.replies())
        if said is not None:
            return step(said, self.frame)
        repeated = reach.of_equal_text(self.inputs, value) if type(value) is str else NOTHING
        if repeated:
            return step(repeated, self.frame)
        if not origins.told:
            tell(origins)
        return origins

    def source(self) -> Origins:
        """The origins of something that stands for what it was made of."""
        if not self.origins.told:
            tell(self.origins)
        return self.origins

    def value(self, value: Any, alone: bool, given: bool = False) -> Any:
        """A plain value; `given`: known to be no default."""
        if id(value) in TAINT:
            return value
        if alone or self.derived:
            return mark(value, self.of(value), alone)
        if (given or _is_interpreters(value)) and not reach.holds(self.inputs, value):
            return mark(value, self.of(value))
        return value

    def part(self, part: Any, alone: bool, depth: int, given: bool = False) -> Any:
        """Something that a fresh object holds; `alone`: nobody else does."""
        if type(part) in VALUE_TYPES:
            return self.value(part, alone, given or (not alone and self.quotes(part)))
        if part is None or part is True or part is False or id(part) in TAINT:
            return part
        if alone and depth < _MAX_DEPTH:
            return self.whole(part, depth + 1)
        if self.derived and not reach.holds(self.inputs, part):
            if depth < _MAX_DEPTH and _is_stream(type(part)):
                # It may hold itself: by a generator that is a method of its own (botocore's `EventStream`).
                watch(part, self.source(), SOURCE)
            elif self.replies():
                return _Said(self).whole(part)
        return part

    def gives(self, part: Any) -> bool:
        """Whether one of several results that come out together is no less a result than one alone is,
        though the task that made it holds it too."""
        cls = type(part)
        return self.derived and reach.is_data(cls) and _stands_for_itself(cls) and not reach.holds(self.inputs, part)

    def quotes(self, part: Any) -> bool:
        """Whether a text is a JSON string of a tagged text that went in: parsers keep the texts that they
        have made, to give them again."""
        if type(part) is not str or len(part) < 2:
            return False
        quoted = f'"{part}"'
        return any(type(text) is str and quoted in text and id(text) in TAINT for text in reach.walk(self.inputs))

    # In the loops below, `unshared` is told how many hold the part besides its argument: the
    # container, the loop's variable and, where there is one, the copy that is looped over.

    def whole(self, made: Any, depth: int = 0) -> Any:
        """A fresh object that is no plain value."""
        cls = type(made)
        if cls is list:
            for index in range(len(made)):
                part = made[index]
                alone = unshared(part, 2)
                if alone and type(part) in VALUE_TYPES:  # most of what is split, found or parsed
                    if id(part) not in TAINT:
                        mark(part, self.of(part), True)
                else:
                    made[index] = self.part(part, alone or (not depth and self.gives(part)), depth)
        elif _is_record(cls):  # before the questions that take longer: most of what comes out of an SDK
            self.fields(made, depth)
            watch(made, self.origins, HOLDER)
        elif cls is tuple or _is_named_tuple(cls):
            parts = [*tuple.__iter__(made)]
            changed = False
            for index in range(len(parts)):
                part = parts[index]
                alone = unshared(part, 3)
                parts[index] = self.part(part, alone or (not depth and self.gives(part)), depth)
                changed = changed or parts[index] is not part
            if changed:
                return tuple.__new__(cls, parts)
        elif issubclass(cls, dict):
            self.mapping(made, depth)
        elif issubclass(cls, (set, frozenset, list, tuple)):
            # Taking elements out and in again could change the order of iteration, or call methods
            # of a subclass: what is unshared is tagged where it stands.
            for part in reach.parts_of(made) or ():
                if unshared(part, 3):
                    self.part(part, True, depth)
        elif issubclass(cls, (str, bytes, int, float)):  # a text that has more methods
            watch(made, self.of("".join((made,))) if issubclass(cls, str) else self.source(), SOURCE)
        elif cls not in _NEVER and (not is_service(cls) or (self.derived and cls.__name__ in _RESULTS_TO_BE)):
            # What runs code may come out with constants of that code, too.
            if cls in _RUNNING and not self.derived:
                watch(made, self.origins, HOLDER)
            else:
                watch(made, self.source(), SOURCE)
        return made

    def fields(self, made: Any, depth: int) -> None:
        if self.derived and len(self.origins) < 2:
            for fields in (reach.fields_of(made), reach.extra_of(made)):
                if fields:
                    for name in mark_parts(fields, self.source()):
                        part = fields[name]
                        alone = unshared(part, 2)
                        fields[name] = self.part(part, alone, depth)
            return
        given = _given_fields(made)
        for fields in (reach.fields_of(made) or {}, reach.extra_of(made) or {}):
            for name in list(fields):
                part = fields[name]
                if part is None or part is True or part is False:  # most fields of an API's models
                    continue
                alone = unshared(part, 2)
                if alone or self.derived or name in given or type(part) not in VALUE_TYPES:
                    fields[name] = self.part(part, alone, depth, name in given)

    def mapping(self, made: dict[Any, Any], depth: int) -> None:
        renamed = False
        pairs: list[tuple[Any, Any]] = []
        for key in list(dict.keys(made)):
            part = dict.__getitem__(made, key)
            alone = unshared(part, 2)
            new = self.part(part, alone, depth)
            if new is not part:
                dict.__setitem__(made, key, new)
            alone = unshared(key, 3)
            name = self.value(key, alone) if type(key) in VALUE_TYPES else key
            renamed = renamed or name is not key
            pairs.append((name, new))
        if renamed and type(made) is dict:  # the order stays, only the key objects change
            made.clear()
            made.update(pairs)


class _Said(Leaves):
    """In what library code goes on to hold, only what a recorded call has said is tagged."""

    __slots__ = ("_adoption",)

    def __init__(self, adoption: _Adoption) -> None:
        Leaves.__init__(self)  # not `super()`, which looks at frames
        self._adoption = adoption

    def value(self, value: Any) -> Any:
        adoption = self._adoption
        if id(value) in TAINT or not adoption.left:
            return value
        adoption.left -= 1
        said = replies.source_of(value, adoption.replies(), as_part=False)
        return value if said is None else mark(value, step(said, adoption.frame))


def _is_interpreters(value: Any) -> bool:
    """Whether CPython would share this value however it was made."""
    cls = type(value)
    if cls is int:
        return bool(-5 <= value <= 256)
    return (cls is str or cls is bytes) and len(value) == 1


def _given_fields(made: object) -> Collection[str]:
    """The fields of a model that were given, as opposed to defaults: pydantic remembers them."""
    try:
        given = object.__getattribute__(made, "__pydantic_fields_set__")
    except AttributeError:
        return ()
    return given if type(given) is set else ()


_services: dict[int, tuple[_ref[type], bool]] = {}


def is_service(cls: type) -> bool:
    """Whether instances carry by identity, or serve many calls at once."""
    known = _services.get(id(cls))
    if known is None or known[0]() is not cls:
        known = _services[id(cls)] = _ref(cls), _is_named_as_service(cls)
    return known[1]


def _is_named_as_service(cls: type) -> bool:
    if module_of(cls).partition(".")[0] in _SERVICE_PACKAGES:
        return True
    if (module_of(cls), name_of(cls)) == ("subprocess", "CompletedProcess"):
        return False
    for base in bases_of(cls):  # noqa: SIM110  # generators cannot be hidden (frames.py)
        if name_of(base).endswith(_SERVICES):
            return True
    return False


def _is_named_tuple(cls: type) -> bool:
    """Whether another instance with equal elements would be the same for all that anybody can tell."""
    if not issubclass(cls, tuple) or lookup(cls, "__dict__") is not None:
        return False
    return lookup(cls, "_fields") is not None


def _is_container(cls: type) -> bool:
    return issubclass(cls, (dict, set, frozenset, list, tuple, str, bytes, int, float))


_shapes: dict[int, tuple[_ref[type], bool, bool, bool]] = {}


def _shape(cls: type) -> tuple[_ref[type], bool, bool, bool]:
    """The answers to the three questions below, which are asked about every part of every result."""
    known = _shapes.get(id(cls))
    if known is None or known[0]() is not cls:
        record = reach.is_data(cls) and not _is_container(cls)
        itself = module_of(cls) not in scope.MODULES and not issubclass(cls, (dict, list, set))
        known = _shapes[id(cls)] = _ref(cls), record, itself, _gives_one_by_one(cls)
    return known


def _is_record(cls: type) -> bool:
    """Whether instances are plain data with fields, and nothing else."""
    return _shape(cls)[1]


def _stands_for_itself(cls: type) -> bool:
    """Whether an object that somebody else holds too may be entered: a library's, not the user's; no
    container that can grow, and may hold more than what came out."""
    return _shape(cls)[2]


def _is_stream(cls: type) -> bool:
    """Whether instances are a library's, and give one thing after the other without holding them all."""
    return _shape(cls)[3]


def _gives_one_by_one(cls: type) -> bool:
    if module_of(cls) in scope.MODULES or is_service(cls) or cls in _RUNNING or reach.is_data(cls):
        return False
    return _is_iterable(cls) and lookup(cls, "__len__") is None and lookup(cls, "__getitem__") is None


def _is_iterable(cls: type) -> bool:
    for name in ("__iter__", "__aiter__"):  # noqa: SIM110  # generators cannot be hidden (frames.py)
        if type(lookup(cls, name)) is FunctionType:
            return True
    return False


def adopt(result: Any, origins: Origins, derived: bool = False, inputs: Collection[Any] = ()) -> Any:
    """`result` of a library call, tagged by the rules above; possibly a private copy or, for a
    tuple, an equal one. Call it on the call's expression itself, so that its holders can be counted."""
    if not origins or result is None or result is True or result is False:
        return result
    alone = unshared(result, PASSED)
    if (alone or derived) and type(result) in VALUE_TYPES and len(origins) < 2:
        return result if id(result) in TAINT else mark(result, step(origins, _getframe(1)), alone)
    try:
        adoption = _Adoption(origins, derived, inputs, _getframe(1))
        if type(result) in VALUE_TYPES:
            return adoption.value(result, alone)
        if id(result) in TAINT:
            return result
        if alone or (derived and _stands_for_itself(type(result))):
            return adoption.whole(result)
        if derived and not reach.holds(inputs, result):
            # A future holds on to what it gave. A library's own state is more likely to be a dictionary;
            # one that a generator still holds has texts of the reply in it.
            if type(result) is list:
                return adoption.whole(result)
            if type(result) is dict and adoption.replies():
                return _Said(adoption).whole(result)
    except RecursionError:
        pass
    except Exception as error:
        escrow.lost("a result's origins", error)
    return result


def adopt_fields(made: Any, origins: Origins, inputs: Collection[Any]) -> None:
    """What a constructor of library code has put into an object of the user's."""
    try:
        if reach.is_data(type(made)):
            _Adoption(origins, False, inputs, _getframe(1)).fields(made, 0)
    except RecursionError:
        pass
    except Exception as error:
        escrow.lost("the origins of fields", error)


def tag_fresh(made: Any, origins: Origins) -> Any:
    """`adopt` for an object that is known to be fresh, whoever holds it by now."""
    try:
        return _Adoption(origins, True, (), _getframe(1)).whole(made)
    except Exception as error:
        escrow.lost("a result's origins", error)
        return made


def blame(error: BaseException, origins: Origins) -> None:
    """An error that library code raised over tagged input quotes it (`invalid literal: 'abc'`).
    Errors of built-in types take no weak reference, so what they say is tagged instead."""
    if not origins or not isinstance(error, Exception) or isinstance(error, (StopIteration, StopAsyncIteration)):
        return
    try:
        watch(error, origins, SOURCE)
        if id(error) in TAINT:
            return
        said = BaseException.__dict__["args"].__get__(error)
        for index in range(len(said)):
            part = said[index]
            if unshared(part, 2):
                mark(part, origins, True)
    except Exception as fault:
        escrow.lost("an error's origins", fault)
