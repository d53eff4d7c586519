"""What a value holds: the origins that can be reached from it.

A container is not tagged for what is in it, so before a value leaves for library code its parts are
searched, to a bounded depth and number. Only plain data is entered (built-in containers, data
classes, pydantic and attrs models, instances of the user's classes, exceptions): a client or a
session object has nothing to say about the prompt it is given. Nothing of the user's runs: fields
are read from the instance dictionary, containers through their base class.
"""

from __future__ import annotations

from _collections import deque
from _weakref import ref as _ref

from ao_lsp.taint import scope
from ao_lsp.taint.kept import keep
from ao_lsp.taint.kinds import bases_of, lookup, module_of, name_of, names_of
from ao_lsp.taint.origins import NOTHING, union
from ao_lsp.taint.state import TAINT
from ao_lsp.taint.table import HOLDER, VALUE_TYPES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any

    from ao_lsp.taint.origins import Origins

keep(__name__)

MAX_DEPTH = 12
MAX_PARTS = 20_000

# What marks a class as plain data, by the attribute its maker leaves on it.
_DATA_MARKS = frozenset(
    {"__dataclass_fields__", "__pydantic_fields__", "__pydantic_core_schema__", "__attrs_attrs__", "__struct_fields__"}
)

_data_classes: dict[int, tuple[_ref[type], bool]] = {}


def is_data(cls: type) -> bool:
    """Whether instances of `cls` are plain data whose fields may be looked at."""
    known = _data_classes.get(id(cls))
    if known is not None and known[0]() is cls:
        return known[1]
    found = (module_of(cls), name_of(cls)) == ("types", "SimpleNamespace")
    for base in bases_of(cls):
        if base is not object and (module_of(base) in scope.MODULES or _is_marked(base)):
            found = True
            break
    _data_classes[id(cls)] = (_ref(cls), found)
    return found


def _is_marked(cls: type) -> bool:
    return not _DATA_MARKS.isdisjoint(names_of(cls))


def is_record(cls: type) -> bool:
    """Whether instances are records that library code may have made. Not any object of the user's: what
    that holds, the user's code put there."""
    if not is_data(cls):
        return False
    if module_of(cls) not in scope.MODULES:
        return True
    for base in bases_of(cls):  # noqa: SIM110  # generators cannot be hidden (frames.py)
        if _is_marked(base):
            return True
    return False


_members: dict[int, tuple[_ref[type], Any, Any]] = {}


def _members_of(cls: type) -> tuple[_ref[type], Any, Any]:
    """What gives the instance dictionary, and pydantic's other one; None each where the class has none, or
    computes it."""
    known = _members.get(id(cls))
    if known is None or known[0]() is not cls:
        instance, extra = lookup(cls, "__dict__"), lookup(cls, "__pydantic_extra__")
        known = _members[id(cls)] = (
            _ref(cls),
            instance if type(instance) in _DICT_MEMBERS else None,
            extra if type(extra) is _SlotMember else None,
        )
    return known


def fields_of(value: object) -> dict[str, Any] | None:
    """The instance dictionary of an object (the real one: writing to it changes the object). Asked of
    plain data only: asking makes one where there was none."""
    member = _members_of(type(value))[1]
    if member is None:
        return None
    found = member.__get__(value)
    return found if type(found) is dict else None


class _Slotted:
    __slots__ = ("slot",)


_SlotMember = type(_Slotted.__dict__["slot"])
_DICT_MEMBERS = frozenset({_SlotMember, type(BaseException.__dict__["__dict__"])})


def slots_of(value: object) -> list[Any]:
    """What the `__slots__` of an object hold."""
    found = []
    for base in bases_of(type(value)):
        slots = names_of(base).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            member: Any = names_of(base).get(name)
            if type(member) is _SlotMember:
                try:
                    found.append(member.__get__(value))
                except AttributeError:
                    continue
    return found


def extra_of(value: object) -> dict[str, Any] | None:
    """The fields of a pydantic model that it does not declare (`extra="allow"`)."""
    member = _members_of(type(value))[2]
    if member is None:
        return None
    try:
        found = member.__get__(value)
    except AttributeError:
        return None
    return found if type(found) is dict else None


_ARGS: Callable[[object], tuple[Any, ...]] = BaseException.args.__get__  # type: ignore[attr-defined]  # a descriptor, on the class

# What has no parts, spared the questions below.
_LEAVES = VALUE_TYPES | {bool, type(None), type, type(is_data), type(len)}


_whole_classes: dict[int, _ref[type]] = {}  # those whose instances are no plain data


def parts_of(value: object) -> Collection[Any] | None:
    """What is plainly inside `value`; None where it is no plain data."""
    # By type, not isinstance: a lazy proxy's `__class__` may run code of the user's.
    cls = type(value)
    known = _whole_classes.get(id(cls))
    if known is not None and known() is cls:
        return None
    if issubclass(cls, dict):
        return [*dict.keys(value), *dict.values(value)]  # type: ignore[arg-type]  # mypy does not narrow by cls
    if cls is list or cls is tuple:
        return value  # type: ignore[return-value]  # as above
    for base in (list, tuple, set, frozenset, deque):
        if issubclass(cls, base):
            return [*base.__iter__(value)]  # type: ignore[arg-type]  # as above
    if issubclass(cls, BaseException):
        return [*_ARGS(value), *(fields_of(value) or {}).values()]
    if is_data(cls):
        return [*(fields_of(value) or {}).values(), *slots_of(value)]
    if module_of(cls) == "string.templatelib":
        return _parts_of_template(value)
    _whole_classes[id(cls)] = _ref(cls)
    return None


def _parts_of_template(value: Any) -> Collection[Any] | None:
    """What was written into a template string, which has the values themselves, and how. Its texts are constants."""
    cls = name_of(type(value))
    if cls == "Template":
        return [part for each in value.interpolations for part in (each.value, each.format_spec)]
    return (value.value, value.format_spec) if cls == "Interpolation" else None


def walk(values: Collection[Any]) -> list[Any]:
    """`values` and everything plainly inside them, breadth first, each container once. Of a
    container that is too large, only what is tagged. No generator: those cannot be hidden."""
    found: list[Any] = []
    seen: set[int] = set()
    left = MAX_PARTS
    level = values
    for _ in range(MAX_DEPTH):
        deeper: list[Any] = []
        found.extend(level)
        for value in level:
            if type(value) in _LEAVES or id(value) in seen:
                continue
            try:
                parts = parts_of(value)
            except Exception:  # a class with hostile introspection is no plain data
                continue
            if parts:
                seen.add(id(value))
                if len(parts) > left:
                    hits = TAINT.keys() & set(map(id, parts))
                    parts = [part for part in parts if id(part) in hits] if hits else ()
                left -= len(parts)
                deeper.extend(parts)
        if not deeper:
            break
        level = deeper
    return found


def reach(values: Collection[Any]) -> Origins:
    """The union of the origins of `values` and of everything plainly inside them."""
    if not TAINT:
        return NOTHING
    origins = NOTHING
    wholes = []
    for value in values:
        entry = TAINT.get(id(value))
        # What a holder stores has origins of its own, and may have been replaced since.
        if entry is not None and entry[2] != HOLDER:
            origins = union(origins, entry[1])
        if type(value) not in _LEAVES:
            wholes.append(value)
    if wholes:
        for value in walk(wholes):
            entry = TAINT.get(id(value))
            if entry is not None and entry[2] != HOLDER:
                origins = union(origins, entry[1])
    return origins


def of_equal_text(values: Collection[Any], text: str) -> Origins:
    """The origins of the first tagged text that is equal to `text` and one of `values` or plainly inside one."""
    for value in walk(values):
        if type(value) is str and value == text:
            entry = TAINT.get(id(value))
            if entry is not None:
                return entry[1]
    return NOTHING


def holds(values: Collection[Any], wanted: object) -> bool:
    """Whether `wanted` itself (not an equal) is one of `values` or plainly inside one."""
    for value in walk(values):  # noqa: SIM110  # generators cannot be hidden (frames.py)
        if value is wanted:
            return True
    return False
