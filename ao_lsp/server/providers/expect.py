"""What a value has to be, said so that a refusal names the place and what would be right.

A check takes a value and its place in the request (`messages[2].role`), and raises `EditError` where it
is something else. Null is nothing: SDKs send it for what was not given.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from ao_lsp.server.providers.shape import EditError, Json, text_of

Check: TypeAlias = Callable[[Any, str], None]


def refuse(place: str, right: str, found: object = None) -> EditError:
    """The refusal of what stands at `place`: what would be `right`, and what it is where that is short."""
    said = f", not {json.dumps(found)}" if isinstance(found, str | int | float) and len(str(found)) <= 40 else ""
    return EditError(f'"{place}" must be {right}{said}')


def text(value: Any, place: str) -> None:
    if not isinstance(value, str | None):
        raise refuse(place, "a string", value)


def flag(value: Any, place: str) -> None:
    if not isinstance(value, bool | None):
        raise refuse(place, "true or false", value)


def anything_in(value: Any, place: str) -> None:
    """An object, whatever is in it."""
    if not isinstance(value, dict | None):
        raise refuse(place, "an object", value)


def number(least: float | None = None, most: float | None = None) -> Check:
    """A number from `least` to `most`."""

    def check(value: Any, place: str) -> None:
        if value is None:
            return
        if isinstance(value, bool) or not isinstance(value, int | float) or not _within(value, least, most):
            raise refuse(place, f"a number{_range(least, most)}", value)

    return check


def whole(least: int | None = None, most: int | None = None) -> Check:
    """A whole number from `least` to `most`."""

    def check(value: Any, place: str) -> None:
        if value is None:
            return
        if isinstance(value, bool) or not isinstance(value, int) or not _within(value, least, most):
            raise refuse(place, f"a whole number{_range(least, most)}", value)

    return check


def _within(value: float, least: float | None, most: float | None) -> bool:
    return (least is None or value >= least) and (most is None or value <= most)


def _range(least: float | None, most: float | None) -> str:
    if least is None or most is None:
        return "" if least is None else f", {least} or more"
    return f" from {least} to {most}"


def one_of(*words: str) -> Check:
    """One of these words."""

    def check(value: Any, place: str) -> None:
        if value is not None and value not in words:
            *most, last = [json.dumps(word) for word in words]
            raise refuse(place, f"{', '.join(most)} or {last}" if most else last, value)

    return check


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of at least `least` items; `of` says what they are, in the plural. With `or_text`, a string will
    do, too. Items that are among the `known` ones are not looked at."""

    check_item: Check
    of: str
    least: int = 0
    or_text: bool = False

    def __call__(self, value: Any, place: str, known: Sequence[Any] = ()) -> None:
        if value is None or (self.or_text and isinstance(value, str)):
            return
        if not isinstance(value, list):
            raise refuse(place, f"{'a string or ' if self.or_text else ''}a list of {self.of}", value)
        if len(value) < self.least:
            raise EditError(f'"{place}" must not be empty')
        for index, item in enumerate(value):
            if item is None:
                raise refuse(f"{place}[{index}]", f"one of {self.of}")
            if item not in known:
                self.check_item(item, f"{place}[{index}]")


def list_of(check_item: Check, of: str, least: int = 0) -> ListOf:
    return ListOf(check_item, of, least)


def text_or_list_of(check_item: Check, of: str, least: int = 0) -> ListOf:
    return ListOf(check_item, of, least, or_text=True)


def fields(*required: str, **checks: Check) -> Check:
    """An object that has the `required` fields, and whose others, where it has them, are these."""

    def check(value: Any, place: str) -> None:
        if value is None:
            return
        if not isinstance(value, dict):
            raise refuse(place, "an object", value)
        for name in required:
            if value.get(name) is None:
                raise EditError(f'"{place}" must have "{name}"')
        for name, check_field in checks.items():
            if name in value:
                check_field(value[name], f"{place}.{name}")

    return check


def json_object(value: Any, place: str) -> None:
    """A string that holds a JSON object, as tool calls have their arguments in OpenAI's APIs."""
    try:
        found = json.loads(value) if isinstance(value, str) else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise EditError(f'"{place}" must be a string that holds a JSON object')


def each_its_own(things: list[Json], key: str, place: str) -> None:
    """Make sure that no two of `things`, which stand in the list at `place`, have the same id.

    Raises:
        EditError: two have.
    """
    seen: dict[str, int] = {}
    for index, thing in enumerate(things):
        name = text_of(thing.get(key))
        if name is None:
            continue
        if name in seen:
            raise EditError(f'"{place}[{index}].{key}" is that of {place}[{seen[name]}], too: each needs its own')
        seen[name] = index
