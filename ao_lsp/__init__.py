"""ao-lsp: record LLM agents, see the data flow between their calls, edit one and rerun from it.

What a program may say about itself: `launch` groups its calls, `tool` makes a function of its own a node of the
graph, `log` marks a run (docs/groups.md). Outside of `ao-record` none of them does anything, and importing this
imports nothing else.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType
    from typing import Any, TypeVar, overload

    F = TypeVar("F", bound=Callable[..., Any])

__version__ = "0.1.0"
__all__ = ["Launch", "__version__", "launch", "log", "tool"]

_recording: Any = None
"""What records this process (ao_lsp/runner/groups.py); None outside of `ao-record`."""


class Launch:
    """A part of a run: what `launch` gives. To be entered with `with` or `async with`, any number of times, or to
    decorate a function, each call of which is a subrun then."""

    __slots__ = ("__weakref__", "name")

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> Launch:
        if _recording is not None:
            _recording.enter(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if _recording is not None:
            _recording.leave(self, error)

    def __aenter__(self) -> Awaitable[Launch]:
        self.__enter__()
        return _Ready(self)

    def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Awaitable[None]:
        self.__exit__(kind, error, trace)
        return _Ready(None)

    def __call__(self, function: F) -> F:
        return function if _recording is None else _recording.launched(self, function)

    def __repr__(self) -> str:
        return f"ao_lsp.launch({self.name!r})"


class _Ready:
    """An awaitable that has its result. No coroutine: under `ao-record` nothing of ours may be seen."""

    __slots__ = ("_result",)

    def __init__(self, result: Any) -> None:
        self._result = result

    def __await__(self) -> Any:
        return self

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        raise StopIteration(self._result)


def launch(name: str) -> Launch:
    """Group the calls that are made inside: `with launch("sample 3"):`, `async with launch(...)`, or
    `@launch("evaluate")` above a function. They are a run of their own within the one around them, in the threads,
    tasks and pools that are started inside, too."""
    return Launch(name)


if TYPE_CHECKING:

    @overload
    def tool(function: F, /) -> F: ...
    @overload
    def tool(function: None = None, /, *, name: str | None = None, replay: bool = False) -> Callable[[F], F]: ...
    def tool(function: Any = None, /, *, name: str | None = None, replay: bool = False) -> Any:
        """See below."""

else:

    def tool(function=None, /, *, name=None, replay=False):
        """Make each call of a function a node of the graph: `@tool`, or `@tool(name="search", replay=True)`.

        `name` is what it is called there (else as the function is). A rerun calls the function again; with `replay`
        it is given the recorded result where its arguments are the same and the result is plain JSON.
        """
        if function is None:
            return lambda decorated: tool(decorated, name=name, replay=replay)
        return function if _recording is None else _recording.tool(function, name, replay)


def log(*, result: object = ..., note: str | None = None) -> None:
    """Mark the innermost run that is going on, a subrun or the whole: with its `result` (the last one counts), a
    `note` (each is kept), or both. What is no JSON is recorded as its repr."""
    if _recording is not None:
        _recording.log(result, note)
