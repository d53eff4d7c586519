"""What rewritten code calls: operators, attributes, subscripts and f-strings.

Each helper first asks whether an operand is tagged, and if not lets the language do its work; where
possible (attributes, subscripts, in-place operators) the operation itself stays in the user's code
and the helper only decides what it is applied to. `rewrite.py` says which expression becomes which
call. Nothing here may raise an error of its own, or evaluate anything twice.
"""

from __future__ import annotations

import _operator
from builtins import format as _format
from sys import _getframe

from ao_lsp.taint import databases, escrow, scope
from ao_lsp.taint.adopt import adopt
from ao_lsp.taint.characters import characters
from ao_lsp.taint.frames import unseen, unseen_methods
from ao_lsp.taint.kept import keep
from ao_lsp.taint.kinds import bases_of, module_of, names_of
from ao_lsp.taint.models import written
from ao_lsp.taint.origins import NOTHING, step, union
from ao_lsp.taint.reach import of_equal_text, reach
from ao_lsp.taint.state import LIVE, TAINT
from ao_lsp.taint.table import HOLDER, PASSED, SOURCE, VALUE_TYPES, mark, origins_of, superseded, unshared, watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ao_lsp.taint.origins import Origins
    from ao_lsp.taint.table import Entry

keep(__name__)

# -- binary operators

_TEXTS = (str, bytes, bytearray)


@unseen
def _combine(operator: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
    """A binary operation of which an operand is tagged."""
    first, second = TAINT.get(id(left)), TAINT.get(id(right))
    origins = union(NOTHING if first is None else first[1], NOTHING if second is None else second[1])
    result = [operator(left, right)]
    if type(result[0]) is float and type(left) in _NUMBERS and type(right) in _NUMBERS:
        return mark(result.pop(), step(origins, _getframe(1)))
    if _has_operators(type(left)) or _has_operators(type(right)):
        return result.pop()  # the user's own operator: its values know
    if operator in _REPEATING and origins:
        # How often a text is repeated is no part of it.
        text = left if isinstance(left, _TEXTS) else right if isinstance(right, _TEXTS) else None
        if text is not None:
            origins = origins_of(text)
    if result[0] is left or result[0] is right:
        return _also(result.pop(), origins)
    if type(result[0]) in VALUE_TYPES:
        return mark(result.pop(), step(origins, _getframe(1)))
    return adopt(result.pop(), origins, True)


def _has_operators(cls: type) -> bool:
    """Whether a class of the user's may do an operation itself; a text of the user's with more methods
    leaves that to `str`."""
    if module_of(cls) not in scope.MODULES:
        return False
    if not issubclass(cls, (str, bytes, int, float)):
        return True
    return any(module_of(base) in scope.MODULES and not _OPERATORS.isdisjoint(names_of(base)) for base in bases_of(cls))


_ARITHMETIC = ("add", "floordiv", "matmul", "mod", "mul", "pow", "sub", "truediv")
_OPERATORS = frozenset(
    f"__{side}{name}__"
    for side in ("", "r")
    for name in [
        "add",
        "and",
        "floordiv",
        "lshift",
        "matmul",
        "mod",
        "mul",
        "or",
        "pow",
        "rshift",
        "sub",
        "truediv",
        "xor",
    ]
)
_NUMBERS = frozenset((int, float, complex))
_REPEATING = (_operator.mul, _operator.imul)


@unseen
def _also(operand: Any, origins: Origins) -> Any:
    """An operand that came out unchanged, but of two sources (`"" + text`)."""
    if type(operand) not in VALUE_TYPES or origins_of(operand) == origins:
        return operand
    return mark(operand, step(origins, _getframe(1)))


def _binary(operator: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    @unseen
    def apply(left: Any, right: Any) -> Any:
        if TAINT and (id(left) in TAINT or id(right) in TAINT):
            return _combine(operator, left, right)
        return operator(left, right)

    return apply


# The most frequent ones are written out, which is twice as fast.


@unseen
def add(left: Any, right: Any) -> Any:
    if TAINT and (id(left) in TAINT or id(right) in TAINT):
        return _combine(_operator.add, left, right)
    return left + right


@unseen
def subtract(left: Any, right: Any) -> Any:
    if TAINT and (id(left) in TAINT or id(right) in TAINT):
        return _combine(_operator.sub, left, right)
    return left - right


@unseen
def multiply(left: Any, right: Any) -> Any:
    if TAINT and (id(left) in TAINT or id(right) in TAINT):
        return _combine(_operator.mul, left, right)
    return left * right


@unseen
def divide(left: Any, right: Any) -> Any:
    if TAINT and (id(left) in TAINT or id(right) in TAINT):
        return _combine(_operator.truediv, left, right)
    return left / right


@unseen
def modulo(left: Any, right: Any) -> Any:
    """`left % right`: arithmetic, or the formatting of a text."""
    if type(left) is str or type(left) is bytes:
        return _percent(left, right) if TAINT else left % right
    if TAINT and (id(left) in TAINT or id(right) in TAINT):
        return _combine(_operator.mod, left, right)
    return left % right


@unseen
def _percent(template: Any, values: Any) -> Any:
    names, only_texts = _directives(template)
    written_by_users: list[Any] = []
    if not only_texts or type(template) is bytes:
        given = values  # a `%d` wants the number itself, and its error names the type
    elif type(values) is tuple:
        given = tuple([_as_written(value, written_by_users) for value in values])
    elif type(values) is dict:
        given = {name: _as_written(value, written_by_users) for name, value in values.items()} if names else values
    else:
        given = _as_written(values, written_by_users)
    result = [template % given]
    used = [given[name] for name in names if name in given] if type(given) is dict and names else [given]
    origins = union(origins_of(template), reach([used, written_by_users]))
    if id(result[0]) in TAINT:
        return _also(result.pop(), origins)
    return adopt(result.pop(), origins, True)


def _directives(template: str | bytes) -> tuple[list[Any], bool]:
    """The names in `%(name)s` directives, and whether all directives ask for texts."""
    names: list[Any] = []
    only_texts = True
    text = template if isinstance(template, str) else template.decode("latin-1")
    rest = iter(text.split("%")[1:])
    for piece in rest:
        if piece == "":  # "%%": the next piece is plain text
            next(rest, None)
            continue
        if piece[0] == "(":
            depth = 0
            for index, character in enumerate(piece):
                depth += (character == "(") - (character == ")")
                if depth == 0:
                    name = piece[1:index]
                    names.append(name if isinstance(template, str) else name.encode("latin-1"))
                    piece = piece[index + 1 :]
                    break
        if piece.lstrip("#0- +123456789.*hlL")[:1] not in ("s", "r", "a"):
            only_texts = False
    return names, only_texts


@unseen_methods
class _Written:
    """Stands in for an object of the user's in a `%s` or `%r`, to learn the origins of what its own
    `__str__` or `__repr__` returns."""

    __slots__ = ("_texts", "_value")

    def __init__(self, value: Any, texts: list[Any]) -> None:
        self._value = value
        self._texts = texts

    def _keep(self, text: Any) -> Any:
        self._texts.append(written(text, self._value))
        return text

    def __str__(self) -> Any:
        return self._keep(str(self._value))

    def __repr__(self) -> Any:
        return self._keep(repr(self._value))


def _as_written(value: Any, texts: list[Any]) -> Any:
    cls = type(value)
    # Not what a formatting treats specially: subclasses of built-in types, mappings, operators.
    if module_of(cls) in scope.MODULES and len(bases_of(cls)) == 2 and not _SPECIAL & names_of(cls).keys():
        return _Written(value, texts)
    return value


_SPECIAL = frozenset({"__getitem__", "__rmod__"})


BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "Add": add,
    "Mod": modulo,
    "Sub": subtract,
    "Mult": multiply,
    "Div": divide,
    "FloorDiv": _binary(_operator.floordiv),
    "Pow": _binary(_operator.pow),
    "MatMult": _binary(_operator.matmul),
    "LShift": _binary(_operator.lshift),
    "RShift": _binary(_operator.rshift),
    "BitAnd": _binary(_operator.and_),
    "BitOr": _binary(_operator.or_),
    "BitXor": _binary(_operator.xor),
}
"""Helper by the name of the operator's class in `ast`."""

# -- unary operators


def _unary(operator: Callable[[Any], Any]) -> Callable[[Any], Any]:
    @unseen
    def apply(value: Any) -> Any:
        entry = TAINT.get(id(value))
        if entry is None:
            return operator(value)
        return adopt(operator(value), entry[1], True)

    return apply


UNARY: dict[str, Callable[[Any], Any]] = {
    "USub": _unary(_operator.neg),
    "UAdd": _unary(_operator.pos),
    "Invert": _unary(_operator.invert),
}

# -- in-place operators: `x += y` becomes `x += right_of_x(x, y)`, so that the language does the
# work (and may extend a text in place, without which building one takes quadratic time)


class _Result:
    """A right operand that knows the result already: every reflected operator answers with it."""

    __slots__ = ("_result",)
    __array_ufunc__ = None  # numpy arrays then leave the operation to us

    def __init__(self, result: Any) -> None:
        self._result = result

    @unseen
    def _answer(self, _: Any) -> Any:
        return self._result


for _name in ("add", "sub", "mul", "truediv", "floordiv", "pow", "matmul", "lshift", "rshift", "and", "or", "xor"):
    setattr(_Result, f"__r{_name}__", _Result._answer)


def _in_place(operator: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    @unseen
    def right(left: Any, value: Any) -> Any:
        if TAINT and (id(left) in TAINT or id(value) in TAINT):
            cls = type(left)
            if cls in VALUE_TYPES or module_of(cls) in _ANSWERING:
                superseded(left)
                return _Result(_combine(operator, left, value))
            if cls is bytearray:
                watch(left, step(origins_of(value), _getframe(1)), SOURCE)
            elif cls is list:
                return characters(value)
        return value

    return right


# Where immutable types live that let a stranger's reflected operator answer.
_ANSWERING = ("decimal", "datetime", "fractions")

IN_PLACE: dict[str, Callable[[Any, Any], Any]] = {
    "Add": _in_place(_operator.iadd),
    "Sub": _in_place(_operator.isub),
    "Mult": _in_place(_operator.imul),
    "Div": _in_place(_operator.itruediv),
    "FloorDiv": _in_place(_operator.ifloordiv),
    "Pow": _in_place(_operator.ipow),
    "MatMult": _in_place(_operator.imatmul),
    "LShift": _in_place(_operator.ilshift),
    "RShift": _in_place(_operator.irshift),
    "BitAnd": _in_place(_operator.iand),
    "BitOr": _in_place(_operator.ior),
    "BitXor": _in_place(_operator.ixor),
}
"""Helpers that choose the right operand; `%=` has none, because a text on the left formats any."""


@unseen
def modulo_in_place(left: Any, right: Any) -> Any:
    if type(left) is str or type(left) is bytes:
        return modulo(left, right)
    if id(left) in TAINT or id(right) in TAINT:
        return _combine(_operator.imod, left, right)
    left %= right
    return left


class _Left:
    """The value at an in-place target, which does the operation itself."""

    __slots__ = ("_value",)

    def __init__(self, value: Any) -> None:
        self._value = value


def _in_place_method(operator: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    @unseen
    def method(self: _Left, right: Any) -> Any:
        left = self._value
        if operator is _operator.imod:
            return modulo_in_place(left, right)
        if id(left) in TAINT or id(right) in TAINT:
            return _combine(operator, left, right)
        return operator(left, right)

    return method


for _name in [
    "iadd",
    "isub",
    "imul",
    "itruediv",
    "ifloordiv",
    "imod",
    "ipow",
    "imatmul",
    "ilshift",
    "irshift",
    "iand",
    "ior",
    "ixor",
]:
    setattr(_Left, f"__{_name}__", _in_place_method(getattr(_operator, _name)))


@unseen_methods
class _Target:
    """Stands in for `x` in `x.name += y` and `x[key] += y`: reads and writes where `x` would."""

    __slots__ = ("_target",)

    def __init__(self, target: Any) -> None:
        object.__setattr__(self, "_target", target)

    def __getattribute__(self, name: str) -> Any:
        return _Left(getattr(_target_of(self), name))

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(_target_of(self), name, value)

    def __getitem__(self, key: Any) -> Any:
        return _Left(_target_of(self)[key])

    def __setitem__(self, key: Any, value: Any) -> None:
        _target_of(self)[key] = value


_target_of = _Target.__dict__["_target"].__get__


@unseen
def target(value: Any) -> Any:
    """What an in-place operation on an attribute or item of `value` is written to."""
    return _Target(value) if LIVE else value


# -- reading out of a tagged object


@unseen_methods
class _AttributeReader:
    __slots__ = ("_entry", "_value")

    def __init__(self, value: Any, entry: Entry) -> None:
        object.__setattr__(self, "_value", value)
        object.__setattr__(self, "_entry", entry)

    def __getattribute__(self, name: str) -> Any:
        return _read(getattr(_value_of(self), name), _entry_of(self), _value_of(self))


_value_of = _AttributeReader.__dict__["_value"].__get__
_entry_of = _AttributeReader.__dict__["_entry"].__get__


@unseen
def _read(part: Any, entry: Entry, whole: Any) -> Any:
    """`part`, just read out of the object with this entry."""
    if id(part) in TAINT:
        return part
    if entry[2] != HOLDER:
        alone = unshared(part, PASSED)
        result = [part]
        del part
        return adopt(result.pop(), entry[1], True) if alone else _selected(result.pop(), entry[1])
    if unshared(part, PASSED):  # computed by a property
        if type(part) in VALUE_TYPES:
            return mark(part, step(_of_property(part, entry, whole), _getframe(1)), True)
        if isinstance(part, (str, bytes)):  # one that has more methods
            watch(part, step(_of_property(part, entry, whole), _getframe(1)), SOURCE)
    return part


def _of_property(part: Any, entry: Entry, whole: Any) -> Origins:
    """The origins of what a property computed: those of the field that it gives, if it is one."""
    if len(entry[1]) > 1 and isinstance(part, str):
        try:
            return of_equal_text((whole,), "".join((part,))) or entry[1]
        except Exception as error:
            escrow.lost("what a property gives", error)
    return entry[1]


@unseen
def _selected(part: Any, origins: Origins) -> Any:
    """Something that the tagged object keeps: a value is tagged by a private copy, an object itself."""
    if type(part) in VALUE_TYPES:
        return mark(part, step(origins, _getframe(1)))
    return adopt(part, origins, True)


@unseen
def attribute(value: Any) -> Any:
    """What an attribute is read from in place of `value`."""
    entry = TAINT.get(id(value))
    if entry is None:
        return value
    return _AttributeReader(value, entry)


@unseen_methods
class _ItemReader:
    __slots__ = ("_entry", "_value")

    def __init__(self, value: Any, entry: Entry) -> None:
        self._value = value
        self._entry = entry

    def __getitem__(self, key: Any) -> Any:
        if module_of(type(self._value)) == "sqlite3":
            return databases.recognised(self._value[key])
        return _read(self._value[key], self._entry, self._value)


@unseen
def item(value: Any) -> Any:
    """What an item or slice is read from in place of `value`."""
    entry = TAINT.get(id(value))
    if entry is None:
        return value
    return _ItemReader(value, entry)


# -- f-strings


@unseen
def formatted(value: Any, conversion: int = -1, spec: Any = "") -> Any:
    """One `{value!conversion:spec}` of an f-string: its text, tagged."""
    if conversion == 114:
        value = _converted(repr, value)
    elif conversion == 115:
        value = _converted(str, value)
    elif conversion == 97:
        value = _converted(ascii, value)
    if type(value) is str and not spec:
        return value
    if not TAINT:
        return _format(value, spec)
    return written(_format(value, spec), value, origins_of(spec))


@unseen
def _converted(convert: Callable[[Any], str], value: Any) -> Any:
    return written(convert(value), value) if TAINT else convert(value)


@unseen
def text(*pieces: Any) -> Any:
    """The text of an f-string from its pieces."""
    joined = ["".join(pieces)]
    if not TAINT or TAINT.keys().isdisjoint(map(id, pieces)):
        return joined.pop()
    origins = NOTHING
    for piece in pieces:
        origins = union(origins, origins_of(piece))
    if id(joined[0]) in TAINT:
        return _also(joined.pop(), origins)
    return mark(joined.pop(), step(origins, _getframe(1)))
