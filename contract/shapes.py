"""Types of Python as shapes of JSON: parameters (dataclasses) and results (TypedDicts), with a word on each field."""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints, is_typeddict


@dataclass(frozen=True, slots=True)
class Plain:
    """`text`, `integer`, `number`, `boolean`, `null` or `any`."""

    name: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One of these texts."""

    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    of: Shape


@dataclass(frozen=True, slots=True)
class Table:
    """An object with any names."""

    of: Shape


@dataclass(frozen=True, slots=True)
class Either:
    """One of several shapes."""

    shapes: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class Named:
    """An object of a declared type."""

    name: str


Shape: TypeAlias = Plain | Choice | Items | Table | Either | Named

_PLAIN = {str: "text", int: "integer", float: "number", bool: "boolean", type(None): "null", Any: "any"}


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an object. `default` only where it `has_default`."""

    name: str
    shape: Shape
    doc: str
    required: bool
    default: Any = None
    has_default: bool = False


@dataclass(frozen=True, slots=True)
class Definition:
    """A type of objects. A `closed` one is refused with a field that it does not know. `fields` has those of `bases`,
    too, the types that it adds to; not each of them is one that was met."""

    name: str
    doc: str
    fields: tuple[Field, ...]
    closed: bool
    bases: tuple[str, ...] = ()


class Types:
    """The types that have been met, by their names."""

    def __init__(self) -> None:
        self.found: dict[str, Definition] = {}

    def shape(self, kind: Any) -> Shape:
        """The shape of a type hint.

        Raises:
            TypeError: it is none of those that are JSON.
        """
        origin, inside = get_origin(kind), get_args(kind)
        if origin is Annotated:
            return self.shape(inside[0])
        if kind in _PLAIN:
            return Plain(_PLAIN[kind])
        if origin is Literal:
            return Choice(inside)
        if origin is list:
            return Items(self.shape(inside[0]))
        if origin is dict:
            return Table(self.shape(inside[1]))
        if origin in (Union, types.UnionType):
            return Either(tuple(self.shape(one) for one in inside))
        if is_typeddict(kind):
            return self._object(kind)
        raise TypeError(f"{kind} is no type of JSON that is known here")

    def params(self, kind: type[Any], name: str, doc: str) -> Named:
        """A class of parameters (ao_lsp/server/params.py), as the object `name`."""
        hints = get_type_hints(kind)
        listed = []
        for entry in dataclasses.fields(kind):
            has_default = entry.default is not dataclasses.MISSING
            listed.append(
                Field(
                    entry.name.rstrip("_"),
                    self.shape(hints[entry.name]),
                    str(entry.metadata["doc"]),
                    not has_default,
                    entry.default if has_default else None,
                    has_default,
                )
            )
        return self._add(Definition(name, doc, tuple(listed), closed=True), kind)

    def _object(self, kind: type[Any]) -> Named:
        # As `get_type_hints`, this knows the fields of the types that one is made of; that keeps their order.
        hints = get_type_hints(kind, include_extras=True)
        listed = [
            Field(name, self.shape(hints[name]), _doc_of(hints[name]), name in kind.__required_keys__)
            for name in kind.__annotations__
        ]
        name = kind.__name__.removesuffix("Json")
        made = Definition(name, inspect.getdoc(kind) or "", tuple(listed), closed=False, bases=tuple(_bases(kind)))
        return self._add(made, kind)

    def split(self, one: Definition) -> tuple[list[str], list[Field]]:
        """The types here that one adds to, and the fields that it adds."""
        bases = [name for name in one.bases if name in self.found and name != one.name]
        known = {field for name in bases for field in self.found[name].fields}
        return bases, [field for field in one.fields if field not in known]

    def _add(self, definition: Definition, kind: type[Any]) -> Named:
        known = self.found.get(definition.name)
        if known is not None and known != definition:
            raise TypeError(f"there are two types {definition.name}: {kind.__module__} has another one")
        self.found[definition.name] = definition
        return Named(definition.name)


def returned(handler: Callable[..., Any]) -> Any:
    """The type that a coroutine function is declared to return. Its other annotations need not be there at run time."""
    holder = type("Holder", (), {"__annotations__": {"it": handler.__annotations__["return"]}})
    names = inspect.unwrap(handler).__globals__
    return get_type_hints(holder, names, include_extras=True)["it"]


def options(shape: Shape) -> tuple[Shape, ...]:
    """The shapes that it may have."""
    return shape.shapes if isinstance(shape, Either) else (shape,)


def used(shape: Shape) -> Iterator[str]:
    """The names of the types that a shape is made of."""
    if isinstance(shape, Named):
        yield shape.name
    elif isinstance(shape, Items | Table):
        yield from used(shape.of)
    elif isinstance(shape, Either):
        for one in shape.shapes:
            yield from used(one)


def closure(names: Iterable[str], found: Mapping[str, Definition]) -> list[str]:
    """These types and all that they are made of, each once."""
    seen: dict[str, None] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop(0)
        if name not in seen:
            seen[name] = None
            waiting += [one for field in found[name].fields for one in used(field.shape)]
    return list(seen)


def _bases(kind: Any) -> Iterator[str]:
    """The names of the types that one adds to. At run time a TypedDict is a `dict` and nothing else: its source says
    more. Private ones are passed over."""
    try:
        said = re.match(r"class \w+\((.*?)\)", inspect.getsource(kind), re.DOTALL)
    except OSError:  # one that no class statement makes
        return
    for name in re.split(r"[\s,]+", said[1]) if said else ():
        base = vars(sys.modules[kind.__module__]).get(name)
        if is_typeddict(base):
            yield from _bases(base) if name.startswith("_") else [name.removesuffix("Json")]


def _doc_of(hint: Any) -> str:
    return str(get_args(hint)[1]) if get_origin(hint) is Annotated else ""
