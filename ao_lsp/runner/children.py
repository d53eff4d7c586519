"""Children that run Python: their calls belong to the run.

At the one place where a process is started (`_posixsubprocess.fork_exec` for subprocess, asyncio and
multiprocessing; `os.posix_spawn`; `os.exec*`) the command line is turned into one that goes through
bootstrap.py, as `ao-record` does itself when it hands over to the project's interpreter. Everything else stays:
the executable, `argv[0]`, the environment, descriptors. What the child must know (which run, whose child,
where the daemon is) stands in its arguments, before a `--`; what follows is the command line as it was.

What is not certain to be a Python that can run our code is started as it is, and so is `python` without
a program, or with options that show what is imported.
"""

from __future__ import annotations

import os
import sys
from _thread import get_ident

from ao_lsp import connect, paths
from ao_lsp.runner import ancestry, command_line, executables
from ao_lsp.taint.frames import unseen, unwatched
from ao_lsp.taint.kept import keep
from ao_lsp.taint.state import STARTED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import ModuleType
    from typing import Any

    from ao_lsp.runner.recorder import Recorder

keep(__name__)

_BOOTSTRAP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bootstrap.py")

# What decides where the daemon is and how it is started (paths.py, connect.py), besides our own variables.
_PLACES = ("HOME", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "XDG_DATA_HOME")


def patch(module: ModuleType, recorder: Recorder) -> Callable[[], None]:
    """Have what `subprocess` or `multiprocessing.util` starts recorded."""
    native = sys.modules["_posixsubprocess"]
    start = native.fork_exec

    @unwatched
    def changed(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        try:
            argv, candidates, cwd, environment = arguments[0], arguments[1], arguments[4], arguments[5]
            found = redirected(recorder, argv, candidates, cwd, environment and _mapping(environment))
        except Exception:
            return arguments
        return arguments if found is None else (found[0], [os.fsencode(found[1])], *arguments[2:])

    @unseen
    def fork_exec(*arguments: Any) -> Any:
        return start(*changed(arguments))

    if getattr(start, "__module__", None) == fork_exec.__module__:  # the other module's import has done it
        return _nothing
    patched = [(native, "fork_exec")]
    if getattr(module, "_fork_exec", None) is start:
        patched.append((module, "_fork_exec"))
    for place, name in patched:
        setattr(place, name, fork_exec)

    def undo() -> None:
        for place, name in patched:
            if getattr(place, name) is fork_exec:
                setattr(place, name, start)

    return undo


def _nothing() -> None:
    pass


def redirected(
    recorder: Recorder,
    argv: Iterable[Any],
    candidates: Iterable[Any],
    cwd: Any,
    environment: Mapping[str, str] | None,
    replaces: bool = False,
) -> tuple[list[str], str] | None:
    """The command line and the file to execute so that a child is recorded; None where it is to be started as
    it is. `candidates` are the files that would be tried in turn; `replaces`: it takes the place of this process.

    Raises:
        Exception: these are no arguments, or a file cannot be read.
    """
    words = [os.fsdecode(word) for word in argv]
    folder = os.fsdecode(cwd) if cwd is not None else None
    file = executables.first(map(os.fsdecode, candidates), folder)
    if file is None or not words:
        return None
    around: Mapping[str, str] = os.environ if environment is None else environment
    if not executables.is_python(os.path.join(folder, file) if folder else file):
        found = executables.interpreter_of(file, folder, around)
        if found is None:
            return None
        words = [*found[1], file, *words[1:]]
        file = found[0]
    command = command_line.split(words[1:])
    if command is None or command_line.is_alone(command):
        return None
    name = STARTED[get_ident()] = ancestry.child(command_line.name_of(command))
    options = recorder.handed_down(name, replaces)
    options += [f"--set={name}={value}" for name, value in _places(around)]
    server = connect.server_python()
    return [words[0], *command.flags, _BOOTSTRAP, "--server-python", server, *options, "--", *words[1:]], file


def _mapping(environment: Iterable[bytes]) -> dict[str, str]:
    pairs = (os.fsdecode(pair).partition("=") for pair in environment)
    return {name: value for name, _, value in pairs}


def _places(environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """The variables by which a child with another environment finds what this process uses."""
    ours = {name for name in os.environ if name.startswith("AO_")} | set(paths.given())
    theirs = {name for name in environment if name.startswith("AO_")}
    found = []
    for name in sorted({*_PLACES, *ours, *theirs} - {"AO_PLAN", "AO_GATEWAY_ADDRESS"}):
        value = paths.variable(name) or ""
        if name == "AO_HOME" and value:
            value = os.path.abspath(value)
        if value != environment.get(name, ""):
            found.append((name, value))
    return found


def patch_spawn(module: Any) -> Callable[[], None]:
    """`multiprocessing.spawn`: the program's main module, which a child runs again, is rewritten there, too."""
    from ao_lsp.taint import hook, scope

    run_main = module._fixup_main_from_path
    runpy = module.runpy
    read = runpy._get_code_from_file
    # Before 3.13 the file's name is given back with the code.
    of_code_only = "fname" not in runpy.run_path.__code__.co_varnames

    @unwatched
    def code_of(file: str) -> Any:
        code = hook.code_of(file, is_script=True)
        if code is not None:
            scope.FILES.add(file)
            scope.MODULES.update(("__main__", "__mp_main__"))
        return code

    @unseen
    def _fixup_main_from_path(main_path: str) -> None:
        @unseen
        def _get_code_from_file(*arguments: str) -> Any:
            runpy._get_code_from_file = read
            code = code_of(arguments[-1])
            if code is None:
                return read(*arguments)
            return code if of_code_only else (code, arguments[-1])

        runpy._get_code_from_file = _get_code_from_file
        try:
            run_main(main_path)
        finally:
            runpy._get_code_from_file = read

    module._fixup_main_from_path = _fixup_main_from_path

    def undo() -> None:
        module._fixup_main_from_path = run_main

    return undo
