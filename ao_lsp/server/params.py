"""The parameters of commands: dataclasses, filled from JSON that a user may have typed."""

from __future__ import annotations

import difflib
import re
import types
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


class CommandError(Exception):
    """A command cannot do what it was asked; message and hint are for the user.

    `code` is one of bad_params, unknown_command, not_found, ambiguous, refused, conflict, internal,
    or that of a `StoreError`.
    """

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code, self.hint = code, hint


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter as the documentation shows it."""

    name: str
    type: str
    required: bool
    default: Any
    doc: str


def param(doc: str, default: Any = MISSING, content: bool = False) -> Any:
    """A field of a parameter class. Python's keywords get a trailing `_`, which the wire has not. A text that is
    `content`, and not the name of something, may have half surrogate pairs in it, as what models say may."""
    metadata = {"doc": doc, "content": content}
    return field(metadata=metadata) if default is MISSING else field(default=default, metadata=metadata)


def described(kind: type[Any]) -> tuple[Param, ...]:
    """The parameters that the dataclass `kind` takes."""
    hints = get_type_hints(kind)
    return tuple(
        Param(
            name=entry.name.rstrip("_"),
            type=_name(hints[entry.name]),
            required=entry.default is MISSING,
            default=None if entry.default is MISSING else entry.default,
            doc=entry.metadata["doc"],
        )
        for entry in fields(kind)
    )


def read(kind: type[T], given: Any) -> T:
    """`given` as a `kind`.

    Raises:
        CommandError: a parameter is missing, unknown, or of another type.
    """
    given = {} if given is None else given
    if not isinstance(given, dict):
        raise CommandError("bad_params", "the parameters must be one JSON object", '{"run": "last"}, for example')
    known = {entry.name.rstrip("_"): entry for entry in fields(kind)}  # type: ignore[arg-type]  # a dataclass
    for name in given:
        if name not in known:
            close = difflib.get_close_matches(str(name), known, 1)
            hint = f"did you mean {close[0]}?" if close else f"it takes {', '.join(known) or 'none'}"
            raise CommandError("bad_params", f"no such parameter: {name}", hint)
    hints, values = get_type_hints(kind), {}
    for name, entry in known.items():
        if name in given:
            expected = hints[entry.name]
            if not (_fits(given[name], expected) or (entry.metadata["content"] and isinstance(given[name], str))):
                raise CommandError("bad_params", f"{name} must be {_name(expected)}")
            values[entry.name] = given[name]
        elif entry.default is MISSING:
            raise CommandError("bad_params", f"{name} is missing", str(entry.metadata["doc"]))
    return kind(**values)


_TOO_LARGE = 1 << 63
"""A whole number that no database takes."""


def is_text(value: str) -> bool:
    """Whether it can be stored, and be the name of something stored: half a surrogate pair, which JSON can say, has no
    form in UTF-8."""
    return value.isascii() or not _HALF.search(value)


_HALF = re.compile("[\ud800-\udfff]")


def _fits(value: Any, expected: Any) -> bool:
    origin = get_origin(expected)
    if origin in (Union, types.UnionType):
        return any(_fits(value, choice) for choice in get_args(expected))
    if origin is Literal:
        return isinstance(value, str) and value in get_args(expected)
    if origin is list:
        return isinstance(value, list) and all(_fits(item, get_args(expected)[0]) for item in value)
    if expected is int:
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) < _TOO_LARGE
    if expected is str:
        return isinstance(value, str) and is_text(value)
    return isinstance(value, expected)


_NAMES = {str: "text", int: "a whole number", bool: "true or false", type(None): "null"}


def _name(expected: Any) -> str:
    origin = get_origin(expected)
    if origin in (Union, types.UnionType):
        return " or ".join(map(_name, get_args(expected)))
    if origin is Literal:
        return " | ".join(get_args(expected))
    if origin is list:
        return f"a list of {_name(get_args(expected)[0])}"
    return _NAMES[expected]
