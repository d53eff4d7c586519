"""Functions that no frame walker can see.

Rewritten code calls helpers, and helpers call what the user's expression called: a library function
that asks `sys._getframe(1)` who its caller is (logging, warnings, namedtuple, inspect) must find the
user's frame, a traceback must not name our files, and a debugger must not step into them.

CPython 3.11+ counts a frame as incomplete until it has executed its code's first RESUME
instruction: `_PyFrame_IsIncomplete` in pycore_frame.h compares the instruction pointer with
`co_firsttraceable`. `sys._getframe`, `f_back`, tracebacks and tracing all skip incomplete frames. So
a code object whose RESUME is a NOP is skipped for as long as it runs. What still sees it is C code
that asks for the current globals or locals (`locals()`, `eval`, `super()`, `type()` with three
arguments): those are never called through a helper (see `calls.NATIVE`). Generators and coroutines
cannot be hidden, so helpers that drive one are classes with `__next__`, `send` and `throw`.

Helpers call functions of theirs, and are loaded while the program runs: a tracer would be told of each
of those. So this package is loaded hidden altogether, by `hide_modules`. Modules of the runner, and on
Python 3.11 those that import, stay visible (see `is_counted`), but as files that nobody looks for.

Python 3.10 has no RESUME; there the helpers stay visible, and `ao-record` does not rewrite (to be
seen by the program is worse than not to know where a value came from; docs/fidelity.md).
"""

from __future__ import annotations

import os
import sys

from ao_lsp.taint.kept import keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.machinery import FileFinder, SourceFileLoader
    from types import CodeType
    from typing import Any, TypeVar

    Function = TypeVar("Function", bound=Callable[..., Any])
    Class = TypeVar("Class", bound=type)
else:
    # What `importlib.machinery` would re-export, without importing it.
    _external = sys.modules["_frozen_importlib_external"]
    FileFinder, SourceFileLoader = _external.FileFinder, _external.SourceFileLoader

keep(__name__)


# fmt: off
def _specimen() -> None:
    pass  # noqa: PIE790  # two lines, because the NOP stands for the first of them
    pass  # noqa: PIE790
# fmt: on


HIDES = sys.version_info >= (3, 11)
# The compiler itself tells the numbers (RESUME, then NOP for the line of the first `pass`), because
# importing `opcode` would cost a warm start 2 ms. tests/taint/test_frames.py compares the two.
RESUME, NOP = _specimen.__code__.co_code[0], _specimen.__code__.co_code[2]


_RUNS_IN_PIECES = 0x20 | 0x80 | 0x200  # generators, coroutines, asynchronous generators: inspect.CO_*


def _hidden(code: CodeType) -> CodeType:
    """`code` without its RESUME."""
    if code.co_flags & _RUNS_IN_PIECES:
        return code
    found = code.co_code
    # Prologue instructions (COPY_FREE_VARS, MAKE_CELL) may stand before it.
    for index in range(0, len(found), 2):
        if found[index] == RESUME:
            return code.replace(co_code=found[:index] + bytes((NOP, 0)) + found[index + 2 :])
    return code


def _hidden_with_all_in_it(code: CodeType) -> CodeType:
    """A module's code, and that of every function and class body in it."""
    constants = tuple([_hidden_with_all_in_it(part) if type(part) is type(code) else part for part in code.co_consts])
    return _hidden(code.replace(co_consts=constants) if constants != code.co_consts else code)


def unseen(function: Function) -> Function:
    """Make frames of `function` invisible; returns it. Must not be a generator or coroutine."""
    if HIDES:
        function.__code__ = _hidden(function.__code__)
    return function


def unseen_methods(cls: Class) -> Class:
    """`unseen` for every plain function in a class body."""
    for value in list(vars(cls).values()):
        if type(value) is type(unseen):
            unseen(value)
    return cls


def _set_aside(code: CodeType, file: str) -> CodeType:
    constants = tuple([_set_aside(part, file) if type(part) is type(code) else part for part in code.co_consts])
    return code.replace(co_consts=constants, co_filename=file)


class _SettingAsideLoader(SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType | None:
        code = SourceFileLoader.get_code(self, fullname)  # `super()` looks at frames
        return None if code is None else _set_aside(code, f"<{fullname}>")


# What runs while the program imports, also under a tracer.
_IMPORTING = frozenset(["ao_lsp.taint." + name for name in ("hook", "names", "pyc", "rewrite", "scope", "warm")])


class _HidingLoader(SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType | None:
        code = SourceFileLoader.get_code(self, fullname)
        if code is None:
            return None
        if fullname in _IMPORTING and not _COUNTS_NO_RETURNS:
            return _set_aside(code, f"<{fullname}>")
        return _hidden_with_all_in_it(code)


def hide_modules(folder: str) -> None:
    """From now on modules in `folder` are loaded hidden. With `AO_SHOW_FRAMES=1` they are not, and
    tracebacks show what goes on in them."""
    if HIDES and os.environ.get("AO_SHOW_FRAMES") != "1":
        sys.path_importer_cache[folder] = FileFinder(folder, (_HidingLoader, [".py"]))


def set_modules_aside(folder: str) -> None:
    """From now on modules in `folder` are loaded as if from files that do not exist, which tools that
    report on the files of a program (coverage) leave out."""
    if HIDES and os.environ.get("AO_SHOW_FRAMES") != "1":
        sys.path_importer_cache[folder] = FileFinder(folder, (_SettingAsideLoader, [".py"]))


_COUNTS_NO_RETURNS = sys.version_info >= (3, 12)
"""Whether hidden frames may return under a tracer or profiler."""
_PROFILER = 2  # the number of such tools in sys.monitoring


def is_counted() -> bool:
    """Whether somebody counts the calls and returns of all frames, whom hidden ones would confuse:
    CPython 3.11 tells a profiler, and a tracer written in C, of their returns, and 3.12 and newer of
    their ends by an error, without a call before. Such a profile or coverage would be wrong."""
    tracer = sys.gettrace()
    if tracer is not None:
        cls = type(tracer)
        if cls.__name__ not in ("function", "method") and not cls.__module__.startswith("_pydev"):
            return True
    if sys.getprofile() is not None:
        return True
    return sys.version_info >= (3, 12) and sys.monitoring.get_tool(_PROFILER) is not None


if HIDES:
    for _function in (_hidden, _hidden_with_all_in_it, _set_aside, unseen, unseen_methods, is_counted):
        if _COUNTS_NO_RETURNS:
            unseen(_function)
        else:
            _function.__code__ = _set_aside(_function.__code__, f"<{__name__}>")
    if _COUNTS_NO_RETURNS:
        unseen_methods(_HidingLoader)
        unseen_methods(_SettingAsideLoader)
