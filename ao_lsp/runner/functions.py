"""Functions that are nodes of the graph (`ao_lsp.tool`), and functions each call of which is a subrun.

What takes the place of such a function is seen by nobody (taint/frames.py), and looks like it. A coroutine's frame
cannot be hidden: in the place of a coroutine function stands a plain one that says it was one, and gives an object
which steps the user's coroutine.
"""

from __future__ import annotations

from ao_lsp.runner.calls import Call, edges
from ao_lsp.runner.keys import request_hash
from ao_lsp.taint import nodes
from ao_lsp.taint.frames import HIDES, RUNS_IN_PIECES, disguised, unseen, unseen_methods
from ao_lsp.taint.kept import keep
from ao_lsp.taint.kinds import CoroutineType, FunctionType
from ao_lsp.taint.origins import NOTHING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ao_lsp import Launch
    from ao_lsp.runner.groups import Groups
    from ao_lsp.runner.recorder import Recorder
    from ao_lsp.runner.replay import Entry

keep(__name__)

MAX_BODY = 4 << 20
"""Characters of arguments or of a result that are kept whole."""
_MAX_REPR = 100_000
_COROUTINE = 0x80  # inspect.CO_COROUTINE
_JSON, _REPR = [("content-type", "application/json")], [("content-type", "text/plain; charset=utf-8")]


def tool(recorder: Recorder, function: Any, name: str | None, replay: bool) -> Any:
    """`function`, each call of which is recorded. One that yields, or is none of Python's, is left alone."""
    if type(function) in (staticmethod, classmethod):
        return type(function)(tool(recorder, function.__func__, name, replay))
    if not _can_be_stood_in_for(function):
        recorder.note(
            f"{getattr(function, '__name__', function)!r} is no plain or async function: no tool of the graph"
        )
        return function
    recorder.go_live()
    made = _Tool(recorder, function, name or function.__name__, replay)
    return _standing_in(function, made.begin)


def launched(groups: Groups, launch: Launch, function: Any) -> Any:
    """`function`, each call of which is a subrun."""
    if type(function) in (staticmethod, classmethod):
        return type(function)(launched(groups, launch, function.__func__))
    if not _can_be_stood_in_for(function):
        groups.note(
            f"{getattr(function, '__name__', function)!r} is no plain or async function: its calls are no subruns"
        )
        return function

    def begin(args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Launched:
        return _Launched(groups, launch, args, kwargs)

    return _standing_in(function, begin)


def _can_be_stood_in_for(function: Any) -> bool:
    if type(function) is not FunctionType:
        return False
    return function.__code__.co_flags & RUNS_IN_PIECES in (0, _COROUTINE)


# -- what stands in for a function


def _standing_in(function: Any, begin: Callable[..., Any]) -> Any:
    """A function in the place of `function`. `begin` is told of each call, and gives what to ask and to tell."""

    @unseen
    def stand_in(*args: Any, **kwargs: Any) -> Any:
        call = begin(args, kwargs)
        if call.is_served:
            return call.served()
        try:
            result = call.run(function, *call.args, **call.kwargs)
        except BaseException as error:
            call.failed(error)
            raise
        return call.returned(result)

    @unseen
    def async_stand_in(*args: Any, **kwargs: Any) -> Any:
        return Stepped(function(*args, **kwargs), function, args, kwargs, begin)

    async def visible_stand_in(*args: Any, **kwargs: Any) -> Any:
        return await Stepped(function(*args, **kwargs), function, args, kwargs, begin)

    made: Any = stand_in
    if function.__code__.co_flags & _COROUTINE:
        made = async_stand_in if HIDES else visible_stand_in
        if HIDES:
            # Whoever asks what it is goes by the flag; only the instructions make a coroutine.
            made.__code__ = made.__code__.replace(co_flags=made.__code__.co_flags | _COROUTINE)
    disguised(made, function)
    made.__dict__.update({name: value for name, value in function.__dict__.items() if name != "__wrapped__"})
    made.__annotations__ = function.__annotations__
    if hasattr(function, "__type_params__"):
        made.__type_params__ = function.__type_params__
    return made


@unseen_methods
class Stepped:
    """A coroutine of the user's that is told of. It begins when it is first stepped."""

    __slots__ = ("__weakref__", "_args", "_begin", "_call", "_coroutine", "_function", "_kwargs")

    def __init__(self, coroutine: Any, function: Any, args: Any, kwargs: Any, begin: Callable[..., Any]) -> None:
        self._coroutine = coroutine
        self._function = function
        self._args = args
        self._kwargs = kwargs
        self._begin = begin
        self._call: Any = None

    @property  # type: ignore[misc]  # mypy knows a class that can be set, only
    @unseen
    def __class__(self) -> Any:  # `isinstance` takes it for what it stands for
        return CoroutineType

    def __await__(self) -> Any:
        return self

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        return self.send(None)

    def send(self, value: Any) -> Any:
        if self._call is None:
            call = self._call = self._begin(self._args, self._kwargs)
            if call.is_served:
                self._coroutine.close()
                raise StopIteration(call.served())
            if call.args is not self._args:
                self._coroutine.close()
                self._coroutine = self._function(*call.args, **call.kwargs)
        return self._step(self._coroutine.send, value)

    def throw(self, *error: Any) -> Any:
        if self._call is None:
            return self._coroutine.throw(*error)
        return self._step(self._coroutine.throw, *error)

    def close(self) -> None:
        self._coroutine.close()
        if self._call is not None:
            self._call.failed(GeneratorExit())

    def _step(self, step: Callable[..., Any], *args: Any) -> Any:
        try:
            return self._call.run(step, *args)
        except StopIteration as stop:
            result = [stop.value]
        except BaseException as error:
            self._call.failed(error)
            raise
        # Outside the handler, where the StopIteration that held the result is gone.
        raise StopIteration(self._call.returned(result.pop()))

    def __getattr__(self, name: str) -> Any:  # `cr_frame` and the like
        return getattr(self._coroutine, name)

    def __repr__(self) -> str:
        return repr(self._coroutine)

    def __del__(self) -> None:
        call = self._call
        if call is not None:
            call.failed(GeneratorExit())  # nothing, if it has ended


# -- what is told


class _Launched:
    """One call of a function that is a subrun."""

    is_served = False

    def __init__(self, groups: Groups, launch: Launch, args: Any, kwargs: Any) -> None:
        self.args = args
        self.kwargs = kwargs
        self._groups = groups
        self._group = groups.entered(launch)
        self._over = False

    @staticmethod
    @unseen
    def run(function: Any, /, *args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    def returned(self, result: Any) -> Any:
        self._end(None)
        return result

    def failed(self, error: BaseException) -> None:
        self._end(error)

    def _end(self, error: BaseException | None) -> None:
        if not self._over:
            self._over = True
            self._groups.left(self._group, error)


class _Tool:
    """A function that is a node each time that it is called."""

    def __init__(self, recorder: Recorder, function: Any, name: str, replay: bool) -> None:
        self.recorder = recorder
        self.function = function
        self.name = name
        self.replay = replay

    def begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _ToolCall:
        return _ToolCall(self, args, kwargs)


class _ToolCall(Call):
    """One call of such a function. Its methods never raise."""

    def __init__(self, made: _Tool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        super().__init__(made.recorder, "function", "CALL", f"tool:{made.name}", "tool")
        self._made = made
        self._result: Any = None
        self.is_served = False
        self._begun = False
        if made.recorder.tracks:
            self.args, self.kwargs, inputs = nodes.arguments(args, kwargs)
        else:
            self.args, self.kwargs, inputs = args, kwargs, NOTHING
        try:
            body = _arguments(made.function, self.args, self.kwargs)
            function = made.function
            hashed = request_hash("CALL", function.__module__ or "", f"{function.__qualname__}:{made.name}", "", body)
            if len(body) > MAX_BODY:
                body = body[:_MAX_REPR]
            self._inputs = inputs
            self.begin(f"tool:{made.name}", hashed, _JSON, body, inputs)
            self._begun = True
            self.is_served = self.entry is not None and self._read(self.entry)
        except Exception as error:
            made.recorder.note(f"a call of {made.name} was not recorded: {error!r}")

    def serves(self, entry: Entry) -> bool:
        """Whether what was recorded, or what it was edited to, takes the place of running the function."""
        return self._read(entry) and (entry.action == "edited" or (entry.action == "replay" and self._made.replay))

    def refusal(self, *_: Any) -> str:
        """A function is the program's own, and always may run."""
        return ""

    def _read(self, entry: Entry) -> bool:
        if not any(value == "application/json" for name, value in entry.headers if name == "content-type"):
            return False
        from json import loads

        try:
            self._result = loads(entry.response)
        except (ValueError, RecursionError):
            return False
        return True

    @unseen
    def run(self, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call the user's function, or step its coroutine."""
        if self._recorder.tracks:
            return nodes.apart(function, *args, **kwargs)
        return function(*args, **kwargs)

    def served(self) -> Any:
        """The result that was recorded."""
        return self.returned(self._result)

    def returned(self, result: Any) -> Any:
        """The function has returned: `result` as the program gets it."""
        if not self._begun:
            return result
        try:
            body, exact = _result(result)
            self._headers = [list(pair) for pair in (_JSON if exact else _REPR)]
            self._replayable = exact and self._made.replay
            self._pieces.append(body)
            self._status = 200  # as of an answer that was one
            if self._recorder.tracks:
                made_of = edges(nodes.reached(result), None)
                self._made_of = [edge for edge in made_of if edge["call"] not in self._inputs]
            self._end("ok", None, True)
        except Exception as error:
            self._recorder.note(f"what {self._made.name} returned was not recorded: {error!r}")
            self._end("ok", None, False)
        return nodes.result(result, self.id) if self._recorder.tracks else result

    def failed(self, error: BaseException) -> None:
        if self._begun:
            super().failed(error)


def _arguments(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
    """The arguments by the names of the parameters, as JSON; what is no JSON as its repr. Without the object or
    class that a method is called on."""
    from json import dumps

    code = function.__code__
    names, count, named = code.co_varnames, code.co_argcount, code.co_argcount + code.co_kwonlyargcount
    found = dict(zip(names[:count], args, strict=False))
    rest = named
    if code.co_flags & 4:
        if args[count:]:
            found[names[rest]] = args[count:]
        rest += 1
    more: dict[str, Any] = {}
    for name, value in kwargs.items():
        (found if name in names[code.co_posonlyargcount : named] else more)[name] = value
    if more:
        found[names[rest] if code.co_flags & 8 else "**"] = more
    if args and count and names[0] in ("self", "cls") and "." in function.__qualname__:
        del found[names[0]]
    try:
        return dumps(found, default=_described, allow_nan=False).encode("ascii")
    except (TypeError, ValueError, RecursionError):
        pass
    told = {}
    for name, value in found.items():
        try:
            dumps(value, allow_nan=False)
            told[name] = value
        except (TypeError, ValueError, RecursionError):
            told[name] = _described(value)
    return dumps(told).encode("ascii")


def _result(value: Any) -> tuple[bytes, bool]:
    """A result as it is written down, and whether that is JSON from which the same would be read."""
    from json import dumps

    if _is_json(value, 0):
        try:
            body = dumps(value).encode("ascii")
            if len(body) <= MAX_BODY:
                return body, True
        except (ValueError, RecursionError):
            pass
    return _described(value).encode("utf-8", "replace"), False


def _is_json(value: Any, depth: int) -> bool:
    cls = type(value)
    if value is None or cls in (str, bool, int):
        return True
    if cls is float:
        return bool(value - value == 0.0)  # neither NaN nor infinite
    if depth > 100:
        return False
    if cls is list:
        return all(_is_json(part, depth + 1) for part in value)
    if cls is dict:
        return all(type(key) is str and _is_json(part, depth + 1) for key, part in value.items())
    return False


def _described(value: Any) -> str:
    """The repr of a value, without addresses, which are different in every run."""
    try:
        text = repr(value)
    except Exception as error:
        return f"<{type(value).__name__} whose repr fails: {type(error).__name__}>"
    first, *rest = text[:_MAX_REPR].split(" at 0x")
    return first + "".join(part.lstrip("0123456789abcdefABCDEF") for part in rest)
