"""What well-known functions of the language do with origins, where the general rule for library
calls (calls.py) would be wrong or slow.

A model is called in place of the function, with the function first. Three kinds of function need
one: those whose result is made from one argument only (`str.split` from the receiver, `len` from a
text but not from a list), those that use some of their arguments (`str.format`), and those that hand
elements through (`sorted`, `list`, `zip`), which only have to be given a tagged text as its
characters. Functions that hand through by identity, or whose answer is a bool, are called directly
and stand in no table or in `NATIVE`.
"""

from __future__ import annotations

import _collections
import _io
import builtins
import itertools
from _functools import partial, reduce
from _string import formatter_field_name_split, formatter_parser
from sys import _getframe

from ao_lsp.taint import handles, scope, stream_models, streams
from ao_lsp.taint.adopt import adopt, blame
from ao_lsp.taint.characters import characters
from ao_lsp.taint.flow import dictionary, iterate, iterator_of
from ao_lsp.taint.frames import unseen
from ao_lsp.taint.kept import keep
from ao_lsp.taint.kinds import FunctionType, lookup, module_of
from ao_lsp.taint.origins import NOTHING, step, union
from ao_lsp.taint.reach import reach
from ao_lsp.taint.state import TAINT
from ao_lsp.taint.table import SOURCE, VALUE_TYPES, mark, origins_of, watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, TypeAlias

    Model: TypeAlias = Callable[..., Any]

keep(__name__)

# Results are booleans, identities or side effects; or they ask for the caller's frame in a way that
# even an unseen helper would disturb (see frames.py).
NATIVE = frozenset(
    [
        getattr(builtins, name)
        for name in [
            "__import__",
            "all",
            "any",
            "breakpoint",
            "callable",
            "compile",
            "delattr",
            "dir",
            "eval",
            "exec",
            "globals",
            "hasattr",
            "hash",
            "id",
            "input",
            "isinstance",
            "issubclass",
            "locals",
            "open",
            "setattr",
            "vars",
        ]
    ]
)


# -- the result is made from the receiver, whatever the arguments decide


@unseen
def from_receiver(method: Any, /, *args: Any, **kwargs: Any) -> Any:
    entry = TAINT.get(id(method.__self__))
    if entry is None:
        return method(*args, **kwargs)
    return adopt(method(*args, **kwargs), entry[1], True)


@unseen
def from_receiver_and_arguments(method: Any, /, *args: Any, **kwargs: Any) -> Any:
    receiver = method.__self__
    origins = origins_of(receiver)
    result = method(*args, **kwargs)
    if result is receiver:
        return result
    for value in args:
        if type(value) is type(receiver):  # not a width, nor a count
            origins = union(origins, origins_of(value))
    return mark(result, step(origins, _getframe(1))) if origins else result


@unseen
def join(method: Any, /, *args: Any, **kwargs: Any) -> Any:
    if len(args) != 1 or kwargs or not _is_iterable(args[0]):
        return method(*args, **kwargs)  # which says what is wrong
    pieces = args[0]
    if type(pieces) is not list and type(pieces) is not tuple:
        pieces = list(iterate(pieces))
    origins = origins_of(method.__self__) if len(pieces) > 1 else NOTHING
    if not TAINT.keys().isdisjoint(map(id, pieces)):
        origins = reduce(union, map(origins_of, pieces), origins)
    return adopt(method(pieces), origins, True)


def _is_iterable(value: object) -> bool:
    return lookup(type(value), "__iter__") is not None or lookup(type(value), "__getitem__") is not None


@unseen
def format_text(method: Any, /, *args: Any, **kwargs: Any) -> Any:
    template = method.__self__
    return adopt(method(*args, **kwargs), union(origins_of(template), _formatted(template, args, kwargs)), True)


@unseen
def format_map(method: Any, /, *args: Any, **kwargs: Any) -> Any:
    if len(args) != 1 or kwargs:
        return method(*args, **kwargs)
    template = method.__self__
    return adopt(method(*args), union(origins_of(template), _formatted(template, (), args[0])), True)


def _formatted(template: str, args: tuple[Any, ...], kwargs: Any) -> Any:
    """The origins of the arguments that a format string uses."""
    if not TAINT:
        return NOTHING
    used: list[Any] = []
    try:
        _take(template, args, kwargs, itertools.count(), used)
    except Exception:  # `format` itself says what is wrong, or the mapping is no dictionary
        return reach([*args, kwargs])
    return reach(used)


# No function within `_formatted`: one that calls itself is a cycle, which would hold the arguments.
def _take(text: str, args: tuple[Any, ...], kwargs: Any, automatic: Iterator[int], used: list[Any]) -> None:
    for _, field, spec, _ in formatter_parser(text):
        if field is None:
            continue
        first, rest = formatter_field_name_split(field)
        if first == "":
            first = next(automatic)
        value: Any = args[first] if isinstance(first, int) else dict.get(kwargs, first)
        for is_attribute, key in rest:
            if is_attribute or type(value) not in (dict, list, tuple):
                break
            value = value[key]
        used.append(value)
        if spec:
            _take(spec, args, kwargs, automatic, used)


# -- functions of one text or number


@unseen
def of_value(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """The result is made from the plain values among the arguments (`ord`, `round`, `int`)."""
    origins = NOTHING
    for value in args:
        entry = TAINT.get(id(value))
        if entry is not None:
            origins = union(origins, entry[1])
    if not origins:
        return function(*args, **kwargs)
    return _blamed(function, args, kwargs, origins)


@unseen
def _blamed(function: Any, args: Any, kwargs: Any, origins: Any) -> Any:
    """The call, its result tagged; an error it raises quotes its input, so that is tagged too."""
    try:
        result = [function(*args, **kwargs)]
    except Exception as error:
        blame(error, origins)
        raise
    return adopt(result.pop(), origins, True)


@unseen
def text_of(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`str`, `repr`, `ascii` and `format`: the text of a container holds the texts of its parts."""
    if len(args) == 1 and type(args[0]) is str and function is str and not kwargs:
        return args[0]
    result = [function(*args, **kwargs)]
    if not TAINT or not args:
        return result.pop()
    return written(result.pop(), args[0], union(NOTHING, reach(args[1:])))


def written(text: Any, value: Any, more: Any = NOTHING) -> Any:
    """`text`, made by formatting `value`, with the origins that it does not carry by itself: code of
    the user's returns a text that knows where it came from; other code (a container's, a data
    class's, a number's) writes what the value holds."""
    if type(text) is not str or (id(text) in TAINT and not more):
        return text
    origins = union(origins_of(text), more)
    if id(text) not in TAINT and _writes_what_it_holds(type(value)):
        origins = union(origins, reach((value,)))
    return mark(text, step(origins, _getframe(1)))


def _writes_what_it_holds(cls: type) -> bool:
    for name in ("__format__", "__str__", "__repr__"):
        method = lookup(cls, name)
        if method is lookup(object, name):
            continue  # object's own ask the next one
        return type(method) is not FunctionType or method.__code__.co_filename not in scope.FILES
    return False  # "<X object at 0x…>"


@unseen
def length(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    entry = TAINT.get(id(args[0])) if args else None
    if entry is None:
        return function(*args, **kwargs)
    return mark(function(*args, **kwargs), step(entry[1], _getframe(1)))


@unseen
def total(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`sum`: made from all elements, where they are values."""
    if not TAINT or not args:
        return function(*args, **kwargs)
    origins = reduce(union, map(origins_of, (*args[1:], *kwargs.values())), NOTHING)

    def note(value: Any) -> Any:
        nonlocal origins
        if id(value) in TAINT:
            origins = union(origins, origins_of(value))
        return value

    # One by one: there may be more than fit into memory, and none is asked for after an error.
    result = [function(map(note, iterate(args[0])), *args[1:], **kwargs)]
    if type(result[0]) not in VALUE_TYPES:
        return result.pop()
    return adopt(result.pop(), origins, True)


# -- functions that hand elements through


@unseen
def of_elements(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """Every argument is gone over; its elements keep their identity. A tagged text is given as its
    characters, and library code that makes elements is stepped under its escrow."""
    return function(*map(iterate, args), **kwargs)


@unseen
def of_elements_or_arguments(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`max`, `min`: only a single argument is gone over."""
    return function(*(map(iterate, args) if len(args) == 1 else args), **kwargs)


@unseen
def of_texts(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`islice` and its like: elements keep their identity, a tagged text has to be taken apart."""
    return function(*map(characters, args), **kwargs)


@unseen
def reverse(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    if args and type(args[0]) in (str, bytes) and id(args[0]) in TAINT:
        args = tuple(characters(args[0])), *args[1:]
    return function(*args, **kwargs)


@unseen
def interned(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`sys.intern`: the interpreter would make the tagged object the one that every equal name is."""
    if len(args) == 1 and id(args[0]) in TAINT and type(args[0]) is str:
        return function("".join((args[0], "")), **kwargs)
    return function(*args, **kwargs)


# -- objects that absorb what is written to them


@unseen
def absorb(method: Any, /, *args: Any, **kwargs: Any) -> Any:
    result = method(*args, **kwargs)
    origins = reach(args) if TAINT else NOTHING
    if origins:
        watch(method.__self__, step(origins, _getframe(1)), SOURCE)
    return result


@unseen
def compress(method: Any, /, *args: Any, **kwargs: Any) -> Any:
    """What goes into a compressor comes out at any later call."""
    if not TAINT:
        return method(*args, **kwargs)
    watch(method.__self__, reach(args), SOURCE)
    return adopt(method(*args, **kwargs), origins_of(method.__self__), True)


@unseen
def print_to(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    if type(kwargs.get("file")) not in streams.TYPES:
        return function(*args, **kwargs)
    kwargs["file"] = handles.tapped(kwargs["file"])
    return handles.writing(function, reach(args) if TAINT else NOTHING, *args, **kwargs)


def _methods(names: str, model: Model) -> dict[str, Model]:
    return dict.fromkeys(names.split(), model)


_TEXT = {
    **_methods(
        "capitalize casefold count decode encode expandtabs find hex index lower lstrip partition removeprefix "
        "removesuffix rfind rindex rpartition rsplit rstrip split splitlines strip swapcase title translate "
        "upper zfill",
        from_receiver,
    ),
    **_methods("center ljust replace rjust", from_receiver_and_arguments),
    "join": join,
}
_NUMBER = _methods("as_integer_ratio bit_count bit_length conjugate hex to_bytes", from_receiver)
_ELEMENTS_IN = _methods("extend extendleft update union intersection difference symmetric_difference", of_elements)

METHODS: dict[type, dict[str, Model]] = {
    str: {**_TEXT, "format": format_text, "format_map": format_map},
    bytes: _TEXT,
    int: _NUMBER,
    float: _NUMBER,
    complex: _NUMBER,
    bool: {},
    list: _ELEMENTS_IN,
    tuple: {},
    dict: {},
    set: _ELEMENTS_IN,
    frozenset: _ELEMENTS_IN,
    _collections.deque: _ELEMENTS_IN,
    _collections.OrderedDict: {},
    _collections.defaultdict: {},
    **dict.fromkeys(streams.TYPES, stream_models.METHODS),
}
"""Methods of the built-in types that need a model; the others of these types are called directly."""

_HASHES = ("_blake2", "_hashlib", "_md5", "_sha1", "_sha2", "_sha256", "_sha3", "_sha512")


def absorbs(receiver: object, method: str) -> bool:
    """Whether a compiled method writes to its object what can be read out of it later."""
    cls = type(receiver)
    if cls is bytearray:
        return method in ("append", "extend", "insert")
    return method == "update" and module_of(cls) in _HASHES


FUNCTIONS: dict[Any, Model] = {
    **dict.fromkeys((abs, bin, chr, divmod, hex, oct, ord, pow, round), of_value),
    **dict.fromkeys((ascii, format, repr), text_of),
    **dict.fromkeys((max, min), of_elements_or_arguments),
    iter: iterator_of,
    sorted: of_elements,
    len: length,
    print: print_to,
    sum: total,
}

_HANDING_THROUGH = [
    getattr(itertools, name)
    for name in vars(itertools)
    if isinstance(getattr(itertools, name), type) and name not in ("accumulate", "count", "repeat", "starmap")
]

TYPES: dict[type, Model | None] = {
    **dict.fromkeys(_HANDING_THROUGH, of_texts),
    **dict.fromkeys((int, float, complex, bytes), of_value),
    **dict.fromkeys((list, tuple, set, frozenset, enumerate, zip, _collections.deque), of_elements),
    dict: dictionary,
    str: text_of,
    reversed: reverse,
    **dict.fromkeys((_io.StringIO, _io.BytesIO), stream_models.made_in_memory),
    # called directly: they hand through by identity, or need the caller's frame
    **dict.fromkeys(
        (bool, object, slice, range, type, super, property, staticmethod, classmethod, partial, FunctionType,
         _collections.OrderedDict, _collections.defaultdict)
    ),
}  # fmt: skip
"""Classes of the language; None: called directly."""
