"""What random programs call and what is not rewritten: made for each run, with a log of its own."""

from __future__ import annotations

import traceback
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Iterator
    from types import TracebackType

MOST = 3000
"""Evaluations after which a program has to end."""


class Enough(BaseException):
    """Ends a program that goes on for too long."""


class Log:
    """Everything a program does, in words that are equal for equal behaviour.

    Mutable objects are numbered in the order in which they are met, which is how a copy where there was none,
    or one object where there were two, shows; `keeps` holds on to them, so that an address is not used twice. Without,
    nothing is numbered, and objects die as they would.
    """

    def __init__(self, keeps: bool) -> None:
        self.said: list[str] = []
        self._keeps = keeps
        self._numbers: dict[int, tuple[int, Any]] = {}

    def e(self, number: object, value: Any) -> Any:
        """Note that the evaluation `number` gave `value`; returns it."""
        self.said.append(f"{number}: {self._described(value)}")
        if len(self.said) > MOST:
            raise Enough
        return value

    def err(self, number: object, error: BaseException) -> None:
        """Note a caught error, and where it came from."""
        self.said.append(f"{number}: " + "".join(formatted(error)))

    def _described(self, value: Any, depth: int = 0) -> str:
        cls = type(value)
        name = cls.__name__
        if cls in (int, float, bool, type(None), bytes, str) or cls.__name__ == "Text":
            return f"{name} {str.__repr__(value) if isinstance(value, str) else repr(value)}"[:200]
        if depth > 4:
            return "..."
        if cls is not tuple:
            name += self._number(value)
        if cls in (list, tuple, set):
            return f"{name} [{', '.join(self._described(part, depth + 1) for part in list(value)[:20])}]"
        if cls is dict:
            pairs = [
                (self._described(k, depth + 1), self._described(v, depth + 1)) for k, v in list(value.items())[:20]
            ]
            return f"{name} {pairs}"
        if isinstance(getattr(cls, "kind", None), str):
            return f"{name} {self._described(vars(value), depth + 1)}"
        return name

    def _number(self, value: Any) -> str:
        if not self._keeps:
            return ""
        return f"#{self._numbers.setdefault(id(value), (len(self._numbers), value))[0]}"


def formatted(error: BaseException) -> list[str]:
    """The traceback of an error. Python 3.13 looks for what may have been meant in objects of the program, whose
    code may fail."""
    try:
        return traceback.format_exception(error)
    except Exception as other:
        return [f"{type(error).__name__}, {type(other).__name__}"]


class Box:
    """Holds one value, in two ways."""

    def __init__(self, value: Any) -> None:
        self._value = value

    @property
    def value(self) -> Any:
        return self._value


class Many:
    """An iterable that is no iterator, with a length."""

    def __init__(self, values: list[Any]) -> None:
        self._values = [*values]  # or a loop could go on for as long as its body adds to them

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class Headers(Many):
    """Looks like a mapping."""

    def keys(self) -> list[Any]:
        return [repr(value) for value in self._values]

    def __getitem__(self, key: Any) -> Any:
        return key


class Pause:
    """An awaitable that waits once."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __await__(self) -> Generator[Any, Any, Any]:
        yield "pause"
        return self._value


class Async:
    """An asynchronous context manager."""

    def __init__(self, value: Any) -> None:
        self._value = value

    async def __aenter__(self) -> Any:
        return await Pause(self._value)

    async def __aexit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        await Pause(None)
        return kind is KeyError


def same(value: Any) -> Any:
    return value


def call(function: Callable[..., Any], *args: Any) -> Any:
    return function(*args)


def words(text: str) -> list[str]:
    return text.split()


def numbers(count: int) -> Iterator[int]:
    for number in range(300, 300 + min(count, 9)):
        yield number * 1


def plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator without `functools.wraps`."""
    return lambda *args, **kwargs: function(*args, **kwargs)


@contextmanager
def context(value: Any) -> Iterator[Any]:
    with suppress(ZeroDivisionError):
        yield value


async def later(value: Any) -> Any:
    await Pause(1)
    return value


async def ticks(count: Any) -> Any:
    for number in range(2):
        yield await Pause((count, number))


async def collect(source: Any) -> list[Any]:
    return [value async for value in source]


def drive(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end, without an event loop."""
    try:
        while True:
            coroutine.send(None)
    except StopIteration as stop:
        return stop.value


def exhaust(generator: Any) -> Any:
    """Send numbers into a generator; what it returns."""
    try:
        next(generator)
        for number in range(20):
            generator.send(number)
    except StopIteration as stop:
        return stop.value
    generator.close()
    return None


def throw(generator: Any) -> Any:
    """Throw an error into a generator."""
    next(generator)
    try:
        return generator.throw(ValueError("thrown"))
    except StopIteration as stop:
        return stop.value
    finally:
        generator.close()
