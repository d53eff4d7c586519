"""Library code that runs in pieces: iterators, awaitables, context managers.

A generator, a stream or a coroutine made by library code runs after the call that made it has
returned, whenever the user's code iterates, awaits or enters it. Then the escrow has to stand, and
what comes out has to be tagged. What the user's own code made needs nothing: its values know.

The wrappers here are classes, because the frame of a generator cannot be hidden (frames.py).
"""

from __future__ import annotations

import sys
from _weakref import ref as _ref
from sys import _getframe

from ao_lsp.taint import csv_models, databases, scope, stream_models, streams
from ao_lsp.taint.adopt import adopt, blame
from ao_lsp.taint.characters import characters
from ao_lsp.taint.escrow import ACTIVE_TAINT, FILLED, Escrow, lost, place
from ao_lsp.taint.frames import unseen, unseen_methods
from ao_lsp.taint.kept import keep
from ao_lsp.taint.kinds import AsyncGeneratorType, CoroutineType, GeneratorType, flags_of, lookup, module_of, name_of
from ao_lsp.taint.origins import NOTHING
from ao_lsp.taint.state import INSIDE, LIVE, TAINT
from ao_lsp.taint.table import SOURCE, VALUE_TYPES, coroutine_in, pin, watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ao_lsp.taint.origins import Place

keep(__name__)

_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE


def _is_librarys(value: object) -> bool:
    """Whether `value` is made by code that may make recorded calls while it is iterated, awaited or
    entered: neither the user's own nor the language's."""
    cls = type(value)
    if cls is GeneratorType:
        return value.gi_code.co_filename not in scope.FILES  # type: ignore[attr-defined]  # narrowed by identity
    if cls is CoroutineType:
        return value.cr_code.co_filename not in scope.FILES  # type: ignore[attr-defined]  # likewise
    if cls is AsyncGeneratorType:
        return value.ag_code.co_filename not in scope.FILES  # type: ignore[attr-defined]  # likewise
    module = module_of(cls)
    if module in scope.MODULES:
        return False
    if module == "contextlib":
        generator = getattr(value, "gen", None)
        return type(generator) in (GeneratorType, AsyncGeneratorType) and _is_librarys(generator)
    return _is_of_library(cls)


def _is_of_library(cls: type) -> bool:
    """Whether a class is neither the language's nor the standard library's."""
    return bool(flags_of(cls) & _HEAP_TYPE) and module_of(cls).partition(".")[0] not in sys.stdlib_module_names


def may_run(cls: type) -> bool:
    """Whether an object of this class, made by library code, may go on with what made it."""
    if cls in (GeneratorType, CoroutineType, AsyncGeneratorType) or name_of(cls) in ("Future", "Task"):
        return True
    return _is_of_library(cls) and module_of(cls) not in scope.MODULES


def _has(value: object, method: str) -> bool:
    return lookup(type(value), method) is not None


def _escrow_for(value: object) -> Escrow | None:
    """The escrow under which `value` has to run; None where it runs as it is."""
    try:
        filled = FILLED.get(id(value))
        if filled is not None:
            return filled[1]
        entry = TAINT.get(id(value))
        if entry is None:
            if not (LIVE and _is_librarys(value)):
                return None
            entry = TAINT.get(id(coroutine_in(value)))
            if entry is None:
                return Escrow(NOTHING, place(_getframe(1)))
        return Escrow(entry[1], place(_getframe(1)))
    except RecursionError:
        return None  # the program will meet the same
    except Exception as error:
        lost("what is iterated, awaited or entered", error)
        return None


def _is_made_of_one(value: object) -> bool:
    """Whether everything that comes out of an object is made of what it was made from."""
    entry = TAINT.get(id(value))
    return entry is not None and entry[2] == SOURCE


# -- iteration


@unseen_methods
class CarriedIterator:
    """Steps library code under its escrow and tags what it yields."""

    __slots__ = ("_derived", "_escrow", "_inner", "_source", "_spread")

    def __init__(self, source: Any, escrow: Escrow) -> None:
        self._source = source
        self._spread = False
        self._escrow = escrow
        self._derived = _is_made_of_one(source)
        self._inner: Any = None

    def __iter__(self) -> CarriedIterator:
        if self._inner is None:  # `a, *b = x` asks again for what it has begun to take from
            token = ACTIVE_TAINT.set(self._escrow)
            INSIDE.append(None)
            try:
                self._inner = iter(self._source)
                if not self._spread:
                    self._source = None  # a loop holds its iterator only
            finally:
                INSIDE.pop()
                ACTIVE_TAINT.reset(token)
        return self

    def _step(self, step: Callable[..., Any], *args: Any) -> Any:
        escrow = self._escrow
        token = ACTIVE_TAINT.set(escrow)
        INSIDE.append(None)
        try:
            return adopt(step(*args), escrow.origins, self._derived or bool(escrow.outputs))
        finally:
            INSIDE.pop()
            ACTIVE_TAINT.reset(token)

    def __next__(self) -> Any:
        inner = self._inner
        if inner is None:
            inner = self._inner = self._source  # `next(x)` on something that is an iterator already
        return self._step(type(inner).__next__, inner)

    # `yield from` talks to a generator through these
    def send(self, value: Any) -> Any:
        return self._step(self._inner.send, value)

    def throw(self, *error: Any) -> Any:
        throw = getattr(self._inner, "throw", None)
        if throw is None:
            raise error[0] if len(error) == 1 else error[1]
        return self._step(throw, *error)

    def close(self) -> None:
        close = getattr(self._inner, "close", None)
        if close is not None:
            self._step(close)


@unseen
def iterate(value: Any) -> Any:
    """What a `for` or a `yield from` goes over in place of `value`."""
    cls = type(value)
    if cls in VALUE_TYPES:
        return characters(value)
    if cls is list or cls is tuple or cls is dict:
        return value
    if cls in streams.TYPES:
        return stream_models.lines_of(value)
    if id(value) in csv_models.FEEDS:
        return csv_models.rows_of(value)
    if module_of(cls) == "sqlite3":
        return databases.rows_of(value)
    escrow = _escrow_for(value)
    if escrow is None:
        return value
    if cls is GeneratorType:
        escrow.fills(value)  # whoever goes on with it later goes on under the same escrow
    return CarriedIterator(value, escrow)


@unseen
def spread(value: Any) -> Any:
    """What an unpacking goes over, all at once, in place of `value`: which it holds until it is done."""
    carried = iterate(value)
    if type(carried) is CarriedIterator:
        carried._spread = True
    return carried


@unseen
def next_of(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`next`."""
    iterator = args[0] if args else None
    carried = iterate(iterator)
    if carried is iterator or not _has(iterator, "__next__"):
        return function(*args, **kwargs)  # or it says what is wrong
    result = [function(carried, *args[1:], **kwargs)]
    if type(carried) is CarriedIterator and carried._escrow.outputs:
        # What it gives next was made by the same recorded call.
        watch(iterator, carried._escrow.outputs, SOURCE)
    return result.pop()


@unseen
def iterator_of(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`iter`: the program gets the iterator itself, which stands for what the argument was made from."""
    if len(args) != 1 or kwargs:
        return function(*args, **kwargs)
    value = args[0]
    cls = type(value)
    if cls in VALUE_TYPES:
        entry = TAINT.get(id(value))
        found = function(value)
        if entry is not None:
            pin(found, entry[1], SOURCE)
        return found
    if cls is list or cls is tuple or cls is dict:
        return function(value)
    return _made_of(value, function, (value,), {})


@unseen
def dictionary(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`dict`, of pairs or of an object that looks like a mapping."""
    if len(args) != 1 or type(args[0]) in (dict, list, tuple):
        return function(*args, **kwargs)
    if _has(args[0], "__next__"):
        return function(iterate(args[0]), **kwargs)
    return _made_of(args[0], function, args, kwargs)


@unseen
def _made_of(value: Any, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A call that goes over `value` as it is, all at once."""
    escrow = _escrow_for(value)
    if escrow is None:
        return function(*args, **kwargs)
    token = ACTIVE_TAINT.set(escrow)
    INSIDE.append(None)
    try:
        result = [function(*args, **kwargs)]
    finally:
        INSIDE.pop()
        ACTIVE_TAINT.reset(token)
    if result[0] is value:
        return value
    return adopt(result.pop(), escrow.origins, _is_made_of_one(value) or bool(escrow.outputs))


# -- await


@unseen_methods
class Carried:
    """Awaits library code under its escrow and tags its result. The escrow stands only while that
    code runs, never while the task waits."""

    __slots__ = ("_derived", "_escrow", "_inner")

    def __init__(self, awaitable: Any, escrow: Escrow, derived: bool = False) -> None:
        self._escrow = escrow
        self._derived = derived
        self._inner: Any = awaitable if type(awaitable) is CoroutineType else awaitable.__await__()

    def __await__(self) -> Carried:
        return self

    def __iter__(self) -> Carried:
        return self

    def __next__(self) -> Any:
        inner = self._inner
        # A coroutine has no __next__; the iterator of another awaitable need not have `send`.
        if type(inner) is CoroutineType:
            return self._step(inner.send, None)
        return self._step(type(inner).__next__, inner)

    def send(self, value: Any) -> Any:
        if value is None:
            return self.__next__()
        return self._step(self._inner.send, value)

    def throw(self, *error: Any) -> Any:
        throw = getattr(self._inner, "throw", None)
        if throw is None:
            raise error[0] if len(error) == 1 else error[1]
        return self._step(throw, *error)

    def close(self) -> None:
        close = getattr(self._inner, "close", None)
        if close is not None:
            close()

    def _step(self, step: Callable[..., Any], *args: Any) -> Any:
        escrow = self._escrow
        token = ACTIVE_TAINT.set(escrow)
        INSIDE.append(None)
        try:
            return step(*args)
        except StopIteration as stop:
            result = [stop.value]
        except BaseException as error:
            blame(error, escrow.origins)
            raise
        finally:
            INSIDE.pop()
            ACTIVE_TAINT.reset(token)
        # Outside the handler, where the StopIteration that held the result is gone.
        raise StopIteration(adopt(result.pop(), escrow.origins, self._derived or bool(escrow.outputs)))


@unseen
def awaited(value: Any) -> Any:
    """What an `await` waits for in place of `value`."""
    escrow = _escrow_for(value)
    if escrow is None or not _has(value, "__await__"):
        return value  # of the user, of asyncio, or not awaitable: the language says so itself
    return Carried(value, escrow, _is_made_of_one(value))


@unseen_methods
class CarriedCoroutine(Carried):
    """A coroutine of library code that a task will run. It says that it is that coroutine: asyncio asks, and whoever
    looks at the task."""

    __slots__ = ("__weakref__",)

    @property  # type: ignore[misc]  # mypy knows a class that can be set, only
    @unseen
    def __class__(self) -> Any:
        return CoroutineType

    def __getattr__(self, name: str) -> Any:  # `cr_frame`, `__qualname__` and the like
        return getattr(self._inner, name)

    def __repr__(self) -> str:
        return repr(self._inner)


class _Made(_ref):  # type: ignore[type-arg]  # the C type takes no parameter at run time on 3.10
    """A weak reference to a coroutine, and where it was made."""

    __slots__ = ("key", "place")
    key: int
    place: Place


_made: dict[int, _Made] = {}


def made_at(coroutine: object, place: Place | None) -> None:
    """Note that the user's code, at `place`, made this coroutine of library code: when a task runs it,
    that frame is gone."""
    if place is not None:
        made = _Made(coroutine, _unmade)
        made.key = id(coroutine)
        made.place = place
        _made[made.key] = made


def _unmade(made: _Made, known: dict[int, _Made] = _made) -> None:
    known.pop(made.key, None)


def as_task(value: Any) -> Any:
    """A coroutine of library code, made to carry its own escrow into the task that it becomes."""
    if type(value) is list or type(value) is tuple:
        return [*map(as_task, value)] if any(type(each) is CoroutineType for each in value) else value
    if type(value) is not CoroutineType or not _is_librarys(value):
        return value
    if value.cr_code.co_filename.startswith(scope.STANDARD_LIBRARY):
        return value  # asyncio's own: what it waits for carries itself
    entry = TAINT.get(id(value))
    made = _made.get(id(value))
    return CarriedCoroutine(value, Escrow(NOTHING if entry is None else entry[1], made.place if made else None))


@unseen_methods
class CarriedAsyncIterator:
    """`async for` over library code."""

    __slots__ = ("_derived", "_escrow", "_inner", "_source")

    def __init__(self, source: Any, escrow: Escrow) -> None:
        self._source = source
        self._escrow = escrow
        self._derived = _is_made_of_one(source)
        self._inner: Any = None

    def __aiter__(self) -> CarriedAsyncIterator:
        if self._inner is None:
            self._inner = type(self._source).__aiter__(self._source)
            self._source = None
        return self

    def __anext__(self) -> Any:
        inner = self._source if self._inner is None else self._inner  # `anext(x)`: x is an iterator already
        return Carried(type(inner).__anext__(inner), self._escrow, self._derived)


@unseen
def iterate_async(value: Any) -> Any:
    """What an `async for` goes over in place of `value`."""
    escrow = _escrow_for(value)
    if escrow is None or not _has(value, "__aiter__"):
        return value
    if type(value) is AsyncGeneratorType:
        escrow.fills(value)
    return CarriedAsyncIterator(value, escrow)


# -- with


@unseen_methods
class CarriedContext:
    """Enters a context manager of library code under its escrow."""

    __slots__ = ("_escrow", "_inner")

    def __init__(self, inner: Any, escrow: Escrow) -> None:
        self._inner = inner
        self._escrow = escrow

    def __enter__(self) -> Any:
        escrow = self._escrow
        token = ACTIVE_TAINT.set(escrow)
        INSIDE.append(None)
        try:
            return adopt(type(self._inner).__enter__(self._inner), escrow.origins, bool(escrow.outputs))
        finally:
            INSIDE.pop()
            ACTIVE_TAINT.reset(token)

    def __exit__(self, *error: Any) -> Any:
        return type(self._inner).__exit__(self._inner, *error)


@unseen_methods
class CarriedAsyncContext:
    """The same for `async with`."""

    __slots__ = ("_escrow", "_inner")

    def __init__(self, inner: Any, escrow: Escrow) -> None:
        self._inner = inner
        self._escrow = escrow

    def __aenter__(self) -> Any:
        return Carried(type(self._inner).__aenter__(self._inner), self._escrow)

    def __aexit__(self, *error: Any) -> Any:
        return type(self._inner).__aexit__(self._inner, *error)


@unseen
def entered(value: Any) -> Any:
    """What a `with` enters in place of `value`."""
    escrow = _escrow_for(value)
    if escrow is None or not (_has(value, "__enter__") and _has(value, "__exit__")):
        return value
    return CarriedContext(value, escrow)


@unseen
def entered_async(value: Any) -> Any:
    """What an `async with` enters in place of `value`."""
    escrow = _escrow_for(value)
    if escrow is None or not (_has(value, "__aenter__") and _has(value, "__aexit__")):
        return value
    return CarriedAsyncContext(value, escrow)
