"""Fields of JSON that anybody may have sent: each as the type that it has to be, or as absent."""

from __future__ import annotations

from typing import Any, TypeVar

T = TypeVar("T", bound=str)


class EventError(ValueError):
    """An event lacks what it cannot be understood without; the message says what."""


def text(event: dict[str, Any], key: str) -> str:
    """A text.

    Raises:
        EventError: there is none.
    """
    value = event.get(key)
    if not isinstance(value, str):
        raise EventError(f"{event.get('type') or 'an event'} has no {key}")
    return value


def optional(event: dict[str, Any], key: str) -> str | None:
    """A text; None where it is something else."""
    value = event.get(key)
    return value if isinstance(value, str) else None


def whole(event: dict[str, Any], key: str) -> int | None:
    """A whole number that a database can hold; None where it is something else."""
    value = event.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63 else None


def number(value: object) -> float | None:
    """A finite number; None where it is something else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if found - found == 0.0 else None  # neither NaN nor infinite


def entries(event: dict[str, Any], key: str) -> list[Any]:
    """A list; an empty one where it is something else."""
    value = event.get(key)
    return value if isinstance(value, list) else []


def texts(event: dict[str, Any], key: str) -> list[str]:
    """The texts in a list."""
    return [item for item in entries(event, key) if isinstance(item, str)]


def one_of(event: dict[str, Any], key: str, allowed: tuple[T, ...]) -> T:
    """One of `allowed`; the first of them where there is none.

    Raises:
        EventError: it is something else.
    """
    value = event.get(key, allowed[0])
    for word in allowed:
        if value == word:
            return word
    # What it is instead may be anything, and this is going to be logged.
    raise EventError(f"{event.get('type')} has a {key} that is not one of {', '.join(allowed)}")
