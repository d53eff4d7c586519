"""Runs the user's program as python would. The magic of the runner is in this file, in the order in
which it happens.

1. `main` (main.py) has parsed the command line and set up recording. It calls `launch`.
2. Every frame between the interpreter and the program would be seen by it (`inspect.stack()`,
   `sys._getframe`, `warnings` beyond the top). So `launch` leaves them all: it raises an exception
   out of the script that is `ao-record`, with `sys.excepthook` set to `_run`. The interpreter has
   unwound every frame when it calls the hook, and is otherwise as alive as before. `_run` itself is
   unseen (taint/frames.py): the program's module frame is the outermost one, as under python.
3. The exception is a KeyboardInterrupt, because the interpreter has to believe that the main program
   ended by one if the user's did: only then does it die of SIGINT, after all clean-up, as python
   does. In every other case `_run` ends by SystemExit, which the interpreter turns into the exit
   code at that same place, messages of `sys.exit("text")` included.
   From CPython 3.12 on a tracer or debugger (pdb that is still stepping) is told of errors in frames that nobody can
   see, too; where there is none below that can be seen, that fails. So what calls the program's code leaves
   no tracer behind (`_Call`), and functions that run at the exit get it back.
4. `__main__` is a new module. The interpreter's own would do, but the traceback of 2 keeps the frame of
   the `ao-record` script alive to the end, and with it that module's names: what the program left
   there would never be finalised.

On Python 3.10 frames cannot be hidden: one of ours stays below the program's (docs/fidelity.md).
"""

from __future__ import annotations

import builtins
import os
import sys
from _functools import partial
from posix import execv
from sys import getprofile, gettrace, setprofile, settrace

from ao_lsp.taint import hook, scope
from ao_lsp.taint.frames import COUNTS_NO_RETURNS, HIDES, hear_debugger, silence_debugger, unseen, unwatched
from ao_lsp.taint.kinds import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, TracebackType
    from typing import Any, NoReturn

    from ao_lsp.runner.options import Options

_LAST = ("last_type", "last_value", "last_traceback", "last_exc")


def launch(options: Options, ended: Callable[[BaseException | None], None]) -> NoReturn:
    """Run the program that `options` names; `ended` is told what ended it, before its `atexit`
    functions run. Does not return: see above."""

    @unseen
    def run(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        sys.excepthook = before
        for name in _LAST:
            if hasattr(sys, name):
                delattr(sys, name)
        del kind, error, trace
        run_program()

    @unseen
    def run_program() -> None:
        caught: BaseException | None = None
        try:
            _start(options)
        except BaseException as error:
            caught = error
        # Outside the handler: the interpreter reports an error when none is being handled.
        ended(caught)
        _trace_from_exit()
        if caught is None:
            _forget_file()
            raise SystemExit(0)
        if isinstance(caught, SystemExit):
            raise caught
        if not HIDES:
            _strip(caught)
        if type(caught) is KeyboardInterrupt:
            _believe_in_interrupt()
            _report(caught)
            _forget_file()
            return
        _report(caught)
        _forget_file()
        raise SystemExit(1)

    ended = unwatched(ended)
    before = sys.excepthook
    sys.excepthook = run
    raise KeyboardInterrupt


@unseen
def _start(options: Options) -> None:
    arguments = options.arguments
    if options.kind == "module":
        sys.argv[:] = ["-m", *arguments]
        _set_original(options, "-m", options.program)
        _first_on_path(os.getcwd())
        _new_main()
        scope.MODULES.add("__main__")
        from runpy import _run_module_as_main  # type: ignore[attr-defined]  # what `python -m` calls

        _of_program(_run_module_as_main, options.program)
    elif options.kind == "command":
        sys.argv[:] = ["-c", *arguments]
        _set_original(options, "-c", options.program)
        _first_on_path("")
        code = compile(options.program, "<string>", "exec", dont_inherit=True)
        if sys.version_info >= (3, 13):
            _register(code, options.program)
        _of_program(exec, code, _new_main())
    else:
        sys.argv[:] = [options.program, *arguments]
        _set_original(options, options.program)
        if _is_importable(options.program):  # a folder or zip file with a __main__.py
            _first_on_path(_absolute(options.program))
            _new_main()
            from runpy import _run_module_as_main  # type: ignore[attr-defined]  # as above

            _of_program(_run_module_as_main, "__main__", False)
            return
        _first_on_path(os.path.dirname(_real_script(options.program)))
        file = os.path.abspath(options.program)
        code = _code_of_script(options, file)
        names = _new_main()
        names["__file__"] = file
        names["__cached__"] = None
        names["__loader__"] = _external.SourceFileLoader("__main__", file)
        _script.append(names)
        _of_program(exec, code, names)


def _register(code: CodeType, command: str) -> None:
    """Tracebacks show the lines of a command, as the interpreter sees to since 3.13 (`run_mod` in pythonrun.c)."""
    from linecache import _register_code  # type: ignore[attr-defined]  # what C calls

    try:
        _register_code(code if sys.version_info >= (3, 14) else "<string>", command, "<string>")
    except Exception:  # another one's, that we do not know
        pass


def _set_original(options: Options, *named: str) -> None:
    """The command line as it would have been. A child of a recorded program has it as it was."""
    arguments = options.command_line or [*options.flags, *named, *options.arguments]
    sys.orig_argv[:] = [_called(options), *arguments]


def _called(options: Options) -> str:
    """What the interpreter was called by."""
    return sys.orig_argv[0] if options.child else sys.executable


class _Call(partial):  # type: ignore[misc]  # of a module that mypy does not know
    """A call that is made once and kept nowhere. The interpreter drops it as soon as the call is over, before it
    looks whether there was an error."""

    __slots__ = ()

    @unseen
    def __del__(self, _none: None = None) -> None:
        _tracers[:] = gettrace(), getprofile(), 0
        settrace(_none)
        setprofile(_none)
        _tracers[2] = silence_debugger()


_tracers: list[Any] = [None, None, 0]
"""The program's tracer and profiler, and what a debugger that is neither is told of, while none of its code runs."""


@unseen
def _of_program(function: Callable[..., Any], *args: Any) -> Any:
    """Call what is the program's. CPython 3.12 and newer tells a tracer of an error in any frame that it passes,
    and fails where no frame can be seen, as down here: so none is left when the call is over."""
    if not COUNTS_NO_RETURNS:
        return function(*args)
    _trace()
    return _Call(function, *args)()


@unseen
def _trace() -> None:
    settrace(_tracers[0])
    setprofile(_tracers[1])
    hear_debugger(_tracers[2])


@unseen
def _trace_from_exit() -> None:
    """Functions that run at the exit are the program's again."""
    if _tracers != [None, None, 0]:
        import atexit

        atexit.register(_trace)


def _code_of_script(options: Options, file: str) -> CodeType:
    try:
        with open(file, "rb") as handle:
            source = handle.read()
    except OSError as error:
        what = f"{_absolute(options.program)!r}: [Errno {error.errno}] {error.strerror}"
        sys.stderr.write(f"{_called(options)}: can't open file {what}\n")
        raise SystemExit(2) from None
    code = hook.code_of(file, is_script=True) if options.taint else None
    if code is not None:
        scope.FILES.add(file)
        scope.MODULES.add("__main__")
        return code
    try:
        return compile(source, file, "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        # The interpreter reads files with another tokenizer than strings, and words its errors
        # accordingly: let it speak for itself.
        sys.stdout.flush()
        sys.stderr.flush()
        execv(sys.executable, [_called(options), *options.flags, options.program, *options.arguments])


def _real_script(path: str) -> str:
    """The script behind a link: python takes that one's folder as `sys.path[0]`."""
    try:
        target = os.readlink(path)
    except OSError:
        return os.path.abspath(path)
    return os.path.abspath(os.path.join(os.path.dirname(path), target))


def _absolute(path: str) -> str:
    """`path` as the interpreter makes it absolute, which is less than `os.path.abspath` does (`_Py_abspath`)."""
    if path.startswith(os.sep):
        return path
    if path == ".":
        return os.getcwd()
    return os.getcwd() + os.sep + path.removeprefix("./")


def _is_importable(path: str) -> bool:
    return _external.PathFinder._path_importer_cache(path) is not None  # what C asks, too


def _first_on_path(folder: str) -> None:
    """Put `folder` where the interpreter had put the folder of `ao-record`."""
    if getattr(sys.flags, "safe_path", False) or sys.flags.isolated:
        return
    if sys.path and sys.path[0] == _our_folder:
        sys.path[0] = folder
    else:
        sys.path.insert(0, folder)


# `importlib.machinery`, without importing it.
_external: Any = sys.modules["_frozen_importlib_external"]
_our_folder = sys.path[0] if sys.path else ""


def _new_main() -> dict[str, Any]:
    """The namespace of a `__main__` such as the interpreter makes, names in the same order."""
    main = ModuleType("__main__")
    # The interpreter goes on to use the names of its own one without holding them.
    _interpreters_own.append(sys.modules["__main__"])
    sys.modules["__main__"] = main
    names = vars(main)
    if sys.version_info < (3, 14):
        names["__annotations__"] = {}
    names["__builtins__"] = builtins
    return names


_interpreters_own: list[ModuleType] = []
_script: list[dict[str, Any]] = []
"""The namespace of a script."""


@unwatched
def _forget_file() -> None:
    """What the interpreter takes from a script that has run to its end, before `atexit` functions run
    (`_PyRun_SimpleFile` in CPython)."""
    while _script:
        names = _script.pop()
        names.pop("__file__", None)
        names.pop("__cached__", None)


@unwatched
def _believe_in_interrupt() -> None:
    """The interpreter notes that a KeyboardInterrupt ended the program when one leaves code that it
    was given as text; whatever ran as text since (namedtuple does) has wiped out the note of ours."""
    try:
        exec("raise KeyboardInterrupt")  # noqa: S102
    except KeyboardInterrupt:
        pass


@unseen
def _report(error: BaseException) -> None:
    """What the interpreter does with an exception that nobody caught (`PyErr_PrintEx`)."""
    kind, trace = type(error), error.__traceback__
    sys.last_type, sys.last_value, sys.last_traceback = kind, error, trace
    if sys.version_info >= (3, 12):
        sys.last_exc = error
    shown = getattr(sys, "excepthook", None)
    if shown is None:
        sys.stderr.write("sys.excepthook is missing\n")
        shown = sys.__excepthook__
    try:
        _of_program(shown, kind, error, trace)
    except SystemExit:
        raise
    except BaseException as broken:
        if not HIDES:
            _strip(broken)
        sys.stderr.write("Error in sys.excepthook:\n")
        sys.__excepthook__(type(broken), broken, broken.__traceback__)
        sys.stderr.write("\nOriginal exception was:\n")
        sys.__excepthook__(kind, error, trace)


def _strip(error: BaseException) -> None:
    """Take our frames off the outer end of a traceback, where they could not be hidden."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(os.path.dirname(__file__)):
        trace = trace.tb_next
    error.__traceback__ = trace
