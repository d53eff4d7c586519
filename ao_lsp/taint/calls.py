"""What a call in rewritten code calls.

`f(x)` becomes `callee(f)(x)`. Code of the user's is called directly: its arguments carry their
origins by themselves. So is what needs no help (models.NATIVE). Any other function comes back bound
into a helper that collects the origins of the arguments, calls it under the escrow and tags what it
returns. The helpers are unseen (frames.py), so the function finds the user's frame as its caller.
"""

from __future__ import annotations

import itertools
import sys
from _functools import _lru_cache_wrapper as _LruCache  # noqa: N812  # it is a class
from _functools import partial, reduce
from sys import _getframe, getrefcount

from ao_lsp.taint import (
    csv_models,
    databases,
    escrow,
    flow,
    handles,
    json_models,
    log_models,
    models,
    ops,
    processes,
    scope,
    stream_models,
    streams,
)
from ao_lsp.taint.adopt import adopt, adopt_fields, blame, is_service
from ao_lsp.taint.escrow import ACTIVE_TAINT, FILLED, Escrow
from ao_lsp.taint.frames import unseen
from ao_lsp.taint.kept import keep
from ao_lsp.taint.kinds import (
    AsyncGeneratorType,
    BuiltinFunctionType,
    CoroutineType,
    FunctionType,
    GeneratorType,
    MethodType,
    ModuleType,
    base_of,
    lookup,
    module_of,
    name_of,
)
from ao_lsp.taint.origins import NOTHING, union
from ao_lsp.taint.reach import reach
from ao_lsp.taint.state import INSIDE, TAINT
from ao_lsp.taint.table import SOURCE, origins_of, pin, watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

    from ao_lsp.taint.origins import Origins

keep(__name__)

_MethodWrapper, _SlotWrapper = type("".__str__), type(str.__str__)
_BOUND = frozenset({BuiltinFunctionType, MethodType, _MethodWrapper})


def is_users(function: object) -> bool:
    """Whether calling `function` runs the user's code first, with the arguments as they are: a
    function of the user's, however it is bound or wrapped."""
    for _ in range(20):
        cls = type(function)
        if cls is FunctionType:
            if function.__code__.co_filename in scope.FILES:  # type: ignore[attr-defined]  # narrowed by identity
                return True
            # a library's decorator around it, made with functools.wraps
            function = getattr(function, "__wrapped__", None)
        elif cls is MethodType:
            function = function.__func__  # type: ignore[attr-defined]  # likewise
        elif cls is partial:
            function = function.func  # type: ignore[attr-defined]  # likewise
        elif cls is _LruCache or name_of(cls) == _LruCache.__name__:  # of a copy of the module, too
            function = function.__wrapped__  # type: ignore[attr-defined]  # likewise
        else:
            return _calls_users(function)
    return False


def _calls_users(value: object) -> bool:
    """Whether an object or class of the user's is called."""
    # By type, not isinstance: a lazy proxy's `__class__` may run code of the user's.
    if issubclass(type(value), type):
        return module_of(value) in scope.MODULES and _constructed_by_user(value)  # type: ignore[arg-type]  # mypy does not narrow so
    if module_of(type(value)) not in scope.MODULES:
        return False
    method = lookup(type(value), "__call__")
    return type(method) is FunctionType and is_users(method)


def _is_plain(cls: Any) -> bool:
    """What `_calls_users` says of most classes of a program, asked faster; False where it may be so."""
    maker = cls.__init__
    if type(maker) is not FunctionType or cls.__new__ is not object.__new__ or module_of(cls) not in scope.MODULES:
        return False
    return maker.__code__.co_filename in scope.FILES or maker.__module__ in scope.MODULES


def _constructed_by_user(cls: type) -> bool:
    """Whether making an instance of this class of the user's runs no library code that would change
    what it is given: plain classes, data classes, named tuples, exceptions."""
    if type(cls).__call__ is not type.__call__:
        return False  # Enum and others look something up
    for name in ("__new__", "__init__"):
        maker = lookup(cls, name)
        if type(maker) is staticmethod:
            maker = maker.__func__
        if type(maker) is not FunctionType:
            continue  # object's, an exception's, a built-in type's
        if maker.__code__.co_filename not in scope.FILES and maker.__module__ not in scope.MODULES:
            return name == "__new__" and issubclass(cls, tuple)
    return not issubclass(cls, (str, bytes, int, float, complex))


# -- calling library code


@unseen
def library(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """A call into library code, which may make recorded calls."""
    name = _name(function)
    if name in _SPAWNING:
        return _spawn(function, _getframe(1), *map(flow.as_task, args), **kwargs)
    origins, derived, passed = _inputs(function, args, kwargs)
    held = Escrow(origins, escrow.place(_getframe(1)))
    held.given = given = [args, kwargs]
    token = ACTIVE_TAINT.set(held)
    INSIDE.append(None)
    try:
        result = [function(*args, **kwargs)]
    except BaseException as error:
        blame(error, held.origins)
        raise
    finally:
        INSIDE.pop()
        ACTIVE_TAINT.reset(token)
        held.over = True
        given.clear()
        if passed is not None:
            passed.settle(held.origins)
    if type(result[0]) is CoroutineType:
        flow.made_at(result[0], held.place)
    outputs = held.outputs
    goes_on = getrefcount(held) != _HELD_HERE
    if (goes_on or FILLED) and not outputs:
        _fill_later(function, result[0], held, goes_on)
    if outputs:
        return adopt(result.pop(), outputs, True, (args, kwargs))
    if not origins or _gives_callback(args, kwargs):
        return result.pop()
    if type(function) is MethodType and name.endswith(".__init__"):
        adopt_fields(function.__self__, origins, (args, kwargs))
        return result.pop()
    if type(result[0]) in (GeneratorType, AsyncGeneratorType):
        streamed = origins_of(getattr(function, "__self__", None))
        if streamed:  # more of something that came out of a recorded call
            origins, derived = streamed, True
    return adopt(result.pop(), origins, derived or name in _DERIVING, (args, kwargs))


def _held_here() -> int:
    held = Escrow(NOTHING)
    return getrefcount(held)


_HELD_HERE = _held_here()
"""How many hold the escrow of a library call that left no task, thread or context behind."""


def _fill_later(function: Any, result: object, held: Escrow, goes_on: bool) -> None:
    """What came out may be filled by tasks or threads that the library call started (a handle of a run,
    a future), or be read from something that is (the stream of its events)."""
    if not flow.may_run(type(result)):
        return
    filled = FILLED.get(id(getattr(function, "__self__", None)))
    if filled is not None:
        filled[1].fills(result)
    elif goes_on:
        held.fills(result)


@unseen
def native(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """A call of a compiled function, which makes no recorded call of its own."""
    if not TAINT:
        return function(*args, **kwargs)
    origins, derived, passed = _inputs(function, args, kwargs)
    if not origins:
        return function(*args, **kwargs)
    try:
        result = [function(*args, **kwargs)]
    except BaseException as error:
        blame(error, origins)
        raise
    finally:
        if passed is not None:
            passed.settle(origins)
    if _gives_callback(args, kwargs):
        return result.pop()
    return adopt(result.pop(), origins, derived, (args, kwargs))


@unseen
def _spawn(function: Any, frame: FrameType | None, /, *args: Any, **kwargs: Any) -> Any:
    """A call that makes a task. What runs in there has escrows of its own, and must not inherit the one
    around a callback that spawns it; who asked for the task is still to be known."""
    place = escrow.place(frame)
    del frame
    if ACTIVE_TAINT.get() is None and not scope.FOLLOWED:
        return function(*args, **kwargs)  # the task's context stays as it would be
    token = ACTIVE_TAINT.set(Escrow(NOTHING, place))
    try:
        return function(*args, **kwargs)
    finally:
        ACTIVE_TAINT.reset(token)


def _inputs(
    function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Origins, bool, handles.Passed | None]:
    """The origins of what goes in, whether the receiver stands for what it was made from, and the
    handles among the arguments."""
    if not TAINT and not streams.remembers():
        return NOTHING, False, None
    try:
        values: list[Any] = [*args, *kwargs.values()]
        if type(function) is partial:
            values += [*function.args, *function.keywords.values()]
        # A task's coroutine brings its own origins along, they are no input of what runs it.
        values = [value for value in values if type(value) is not CoroutineType]
        origins = reach(values)
        passed = None
        if not streams.TYPES.isdisjoint(map(type, values)):
            passed = handles.Passed(values)
            origins = union(origins, passed.readable())
        receiver = _receiver(function)
        if receiver is None or type(receiver) is ModuleType:
            return origins, False, passed
        entry = TAINT.get(id(receiver))
        held = reach((receiver,))
        if entry is not None and not held:
            held = entry[1]  # a data object of a library whose fields are made later, as a stream's are
        return union(origins, held), entry is not None and entry[2] == SOURCE, passed
    except RecursionError:
        return NOTHING, False, None
    except Exception as error:
        escrow.lost("the inputs of a call", error)
        return NOTHING, False, None


def _receiver(function: Any) -> Any:
    # Not asked of anything else, which may run code (a proxy makes attributes as it is asked for them).
    cls = type(function)
    return function.__self__ if cls in _BOUND or base_of(cls) is BuiltinFunctionType else None


def _gives_callback(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether the user's code is handed to the library: then what comes back may be what that code
    returned, and that knows its own origins."""
    for value in (*args, *kwargs.values()):  # noqa: SIM110  # generators cannot be hidden (frames.py)
        if type(value) in _FUNCTIONS_OF_PYTHON and is_users(value):
            return True
    return False


_FUNCTIONS_OF_PYTHON = frozenset({FunctionType, MethodType, partial, _LruCache})


def _name(function: Any) -> str:
    if type(function) is MethodType:
        function = function.__func__
    return f"{function.__module__}.{function.__qualname__}" if type(function) is FunctionType else ""


# Python functions of the standard library that run what they are given in a task of its own.
_SPAWNING = frozenset(
    {
        "asyncio.base_events.BaseEventLoop.create_task",
        "asyncio.runners.run",
        "asyncio.runners.Runner.run",
        "asyncio.taskgroups.TaskGroup.create_task",
        "asyncio.tasks.as_completed",
        "asyncio.tasks.create_task",
        "asyncio.tasks.ensure_future",
        "asyncio.tasks.gather",
        "asyncio.tasks.run_coroutine_threadsafe",
        "asyncio.tasks.shield",
        "asyncio.tasks.wait",
        "asyncio.tasks.wait_for",
    }
)

# Functions whose result is made of nothing but their input, shared leaves and all.
_DERIVING = frozenset(
    {
        "ast.literal_eval",
        "json.load",
        "json.decoder.JSONDecoder.decode",
        "re.findall",
        "re.split",
        "yaml.load",
        "yaml.safe_load",
        "tomllib.loads",
        "urllib.parse.parse_qs",
        "urllib.parse.parse_qsl",
        "urllib.parse.urlparse",
        "urllib.parse.urlsplit",
    }
)


# -- functions whose models need what stands above


@unseen
def run_function(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """Something that runs a function elsewhere: the user's code called that function, so it is called
    as rewritten code would call it."""
    place = _RUNNING.get(_name(function), 0)
    if len(args) > place and _runs_here(function, args):
        args = (*args[:place], callee(args[place]), *args[place + 1 :])
    return library(function, *args, **kwargs)


@unseen
def run_in_context(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    return function(*map(callee, args[:1]), *args[1:], **kwargs)


def _runs_here(function: Any, args: tuple[Any, ...]) -> bool:
    """Not in another process, to which only a module's own function can go."""
    pool = args[0] if _name(function).endswith("run_in_executor") else _receiver(function)
    return "ProcessPool" not in name_of(type(pool))


# By name, the place of the function among the arguments.
_RUNNING = {
    "asyncio.base_events.BaseEventLoop.run_in_executor": 1,
    "asyncio.threads.to_thread": 0,
    "concurrent.futures._base.Executor.map": 0,
    "concurrent.futures.thread.ThreadPoolExecutor.submit": 0,
}


@unseen
def apply_to_elements(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`map`, `starmap`: the callback is called as rewritten code would call it."""
    if not args or args[0] is None:  # a wrong call; `filter(None, …)`
        return function(*args[:1], *map(flow.iterate, args[1:]), **kwargs)
    return function(callee(args[0]), *map(flow.iterate, args[1:]), **kwargs)


@unseen
def next_async(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`anext`: what is awaited then is stepped under its escrow."""
    carried = flow.iterate_async(args[0]) if args else None
    if type(carried) is not flow.CarriedAsyncIterator:
        return function(*args, **kwargs)
    return function(carried, *args[1:], **kwargs)


@unseen
def iterator_of(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`aiter`: whatever gives the elements stands for what they are made of."""
    result = function(*args, **kwargs)
    streamed = origins_of(args[0]) if args else NOTHING
    if streamed and not is_service(type(result)):
        watch(result, streamed, SOURCE)
    return result


@unseen
def attribute_of(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    if len(args) < 2 or type(args[1]) is not str:
        return function(*args, **kwargs)  # which says what is wrong
    return function(ops.attribute(args[0]), *args[1:], **kwargs)


@unseen
def reduce_elements(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    if len(args) < 2:
        return function(*args, **kwargs)
    return function(callee(args[0]), flow.iterate(args[1]), *args[2:], **kwargs)


@unseen
def substitute(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`re.sub` and `Pattern.sub`: what a callback returned is in the result."""
    texts: list[Any] = []

    def replacement(match: Any) -> Any:
        made = callback(match)
        texts.append(made)
        return made

    named = function.__name__ in ("sub", "subn") and type(function) is FunctionType
    position = 1 if named else 0
    given = kwargs.get("repl", args[position] if len(args) > position else None)
    if not callable(given):
        return library(function, *args, **kwargs)
    callback = callee(given)
    if "repl" in kwargs:
        kwargs = {**kwargs, "repl": replacement}
    else:
        args = (*args[:position], replacement, *args[position + 1 :])
    result = [function(*args, **kwargs)]
    subject = kwargs.get("string", args[position + 1] if len(args) > position + 1 else None)
    origins = union(origins_of(subject), reach(texts))
    return adopt(result.pop(), origins, True) if origins else result.pop()


@unseen
def substitute_template(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`string.Template.substitute`: only what the template names is in the result."""
    result = [function(*args, **kwargs)]
    if not TAINT:
        return result.pop()
    template = function.__self__
    given = {**(args[0] if args and type(args[0]) is dict else {}), **kwargs}
    names = {match.group("named") or match.group("braced") for match in template.pattern.finditer(template.template)}
    used = [value for name, value in given.items() if name in names]
    return adopt(result.pop(), union(origins_of(template.template), reach(used)), True)


@unseen
def find_all(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`re.finditer` and `Pattern.finditer`: an iterator that takes no weak reference, but holds
    nothing except the text."""
    found = function(*args, **kwargs)
    pin(found, reach((*args, *kwargs.values())), SOURCE)
    return found


@unseen
def accumulate(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    if not args or len(args) > 2:
        return function(*args, **kwargs)  # by keyword, which is as good, or wrong
    operator = args[1] if len(args) == 2 else kwargs.pop("func", None)
    return function(flow.iterate(args[0]), ops.add if operator is None else callee(operator), **kwargs)


@unseen
def directly(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """The result is not made of the arguments (a file, of its path)."""
    return function(*args, **kwargs)


@unseen
def write_json(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`json.dump`."""
    if len(args) > 1:
        args = (args[0], handles.tapped(args[1]), *args[2:])
    elif "fp" in kwargs:
        kwargs["fp"] = handles.tapped(kwargs["fp"])
    return library(function, *args, **kwargs)


_COMPRESSING = dict.fromkeys(("compress", "decompress", "flush"), models.compress)
_METHODS_BY_MODULE: dict[str, dict[str, models.Model]] = {
    "_contextvars": {"run": run_in_context},
    "re": {"finditer": find_all, "sub": substitute, "subn": substitute},
    "sqlite3": databases.METHODS,
    "socket": processes.SOCKET_METHODS,
    "_csv": dict.fromkeys(("writerow", "writerows"), csv_models.write_rows),
    **dict.fromkeys(("zlib", "_bz2", "_lzma", "compression.zstd"), _COMPRESSING),
}
"""Of compiled types that are not loaded before a program loads them."""

_PATHS = ("pathlib", "pathlib._local", "pathlib._abc")
_FUNCTIONS: dict[Any, models.Model | None] = {
    **models.FUNCTIONS,
    **dict.fromkeys(models.NATIVE),
    getattr: attribute_of,
    aiter: iterator_of,
    anext: next_async,
    next: flow.next_of,
    reduce: reduce_elements,
}
_TYPES: dict[type, models.Model | None] = {
    **models.TYPES,
    **dict.fromkeys((map, filter, itertools.starmap), apply_to_elements),
    itertools.accumulate: accumulate,
}
_WRITE_PATH = ("write_text", "write_bytes")
_NAMED: dict[str, models.Model] = {
    **{f"{module}.Path.{name}": stream_models.read_path for module in _PATHS for name in ("read_text", "read_bytes")},
    **{f"{module}.Path.{name}": stream_models.write_path for module in _PATHS for name in _WRITE_PATH},
    **{f"{module}.Path.open": directly for module in _PATHS},
    # in 3.13 alone
    "pathlib._abc.PathBase.read_bytes": stream_models.read_path,
    "pathlib._abc.PathBase.write_bytes": stream_models.write_path,
    **dict.fromkeys(log_models.NAMES, log_models.write_record),
    "json.dump": write_json,
    "subprocess.Popen.communicate": processes.communicate,
    **dict.fromkeys(("subprocess.run", "subprocess.check_output"), processes.run),
    **dict.fromkeys(_RUNNING, run_function),
    **{f"configparser.RawConfigParser.{name}": models.absorb for name in ("read_dict", "read_string", "set")},
    "json.dumps": json_models.dumps,
    "json.loads": json_models.loads,
    "re.finditer": find_all,
    "re.sub": substitute,
    "re.subn": substitute,
    "string.Template.substitute": substitute_template,
    "string.Template.safe_substitute": substitute_template,
}


_NAMED_TYPES: dict[str, models.Model] = {
    "csv.DictReader": csv_models.reader,
    "csv.DictWriter": csv_models.writer,
    "subprocess.Popen": processes.popen,
}
_NAMED_COMPILED: dict[tuple[str, str], models.Model] = {
    ("_csv", "reader"): csv_models.reader,
    ("_csv", "writer"): csv_models.writer,
}

# `iterator.__anext__()`, of what is no class of Python code.
_STEPS = {"__anext__": partial(next_async, anext), "__next__": partial(flow.next_of, next)}

# Modules whose classes hand through by identity, or look at their caller's frame (TypeVar does).
_DIRECT = frozenset({"collections", "itertools", "string.templatelib", "typing"})


def record_draws(chance: ModuleType) -> None:
    """From now on what the user's code draws by chance is recorded, or served from a recording."""
    _NAMED.update(chance.NAMED)
    _NAMED_TYPES.update(chance.TYPES)
    _FUNCTIONS.update(chance.COMPILED)
    _METHODS_BY_MODULE.update(chance.METHODS)
    chance.call_through(library, native)
    _chance[:] = [chance]


_chance: list[Any] = []


def _of_cython(function: Any) -> models.Model:
    if _chance and _chance[0].is_numpy_generator(function):
        numpy_generator: models.Model = _chance[0].numpy_generator
        return numpy_generator
    return library


def callee(function: Any) -> Any:
    """What rewritten code calls in place of `function`; never raises."""
    cls = type(function)
    try:
        if cls is FunctionType:
            if function.__code__.co_filename in scope.FILES or is_users(function):
                return function
            return partial(_NAMED.get(_name(function)) or _of_wrapped_stream(function) or library, function)
        if cls is MethodType:
            inner = function.__func__
            if (type(inner) is FunctionType and inner.__code__.co_filename in scope.FILES) or is_users(inner):
                return function
            return partial(_NAMED.get(_name(function), library), function)
        # Methods of heap types are of a subtype of their own (PyCMethod_Type).
        if cls is BuiltinFunctionType or base_of(cls) is BuiltinFunctionType:
            return _compiled(function)
        if cls is type and _is_plain(function):
            return function
        if cls is _MethodWrapper:
            step = _STEPS.get(function.__name__)
            # Not `super().__next__` in a class that has one of its own.
            if step is not None and type(lookup(type(function.__self__), function.__name__)) is _SlotWrapper:
                return partial(step, function.__self__)
            return function  # `super().__init__`: what it stores is stored by identity
        if issubclass(cls, type):
            if function in _TYPES:
                model = _TYPES[function]
                return function if model is None else partial(model, function)
            if module_of(function) in _DIRECT or is_users(function):
                return function
            return partial(_NAMED_TYPES.get(f"{module_of(function)}.{name_of(function)}", library), function)
        if is_users(function):
            return function
        return partial(_of_cython(function) if name_of(cls) == "cython_function_or_method" else library, function)
    except RecursionError:
        return function  # nothing can be noted here; the call itself will meet the same
    except Exception as error:
        escrow.lost("a call", error)
        return function


def _compiled(function: Any) -> Any:
    receiver = function.__self__
    if receiver is None or type(receiver) is ModuleType:
        if receiver is sys:  # most of it looks at frames
            return partial(models.interned, function) if function is sys.intern else function
        if receiver is not None and receiver.__name__ == "gc":  # counts what there is
            return function
        model = _FUNCTIONS.get(function, native)
        if model is None:
            return function
        if model is not native:
            return partial(model, function)
        return partial(_NAMED_COMPILED.get((function.__module__, function.__name__), native), function)
    methods = models.METHODS.get(type(receiver))
    if methods is not None:
        model = methods.get(function.__name__)
        if model is None or (model is models.from_receiver and id(receiver) not in TAINT):
            return function
        return partial(model, function)
    name = function.__name__
    if models.absorbs(receiver, name):
        return partial(models.absorb, function)
    of_module = _METHODS_BY_MODULE.get(module_of(type(receiver)))
    return partial(of_module.get(name, native) if of_module is not None else native, function)


def _of_wrapped_stream(function: Any) -> models.Model | None:
    """The model of a file's method that `tempfile` has wrapped."""
    inner = getattr(function, "__wrapped__", None)
    if isinstance(inner, BuiltinFunctionType) and type(inner.__self__) in streams.TYPES:
        return stream_models.METHODS.get(inner.__name__)
    return None
