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
of those. So this package is loaded hidden altogether (hiding.py). What may run while calls are counted
(`is_counted`) stays visible, but as files that nobody looks for.

Python 3.10 has no RESUME; there the helpers stay visible, and `ao-record` does not rewrite (to be
seen by the program is worse than not to know where a value came from; docs/fidelity.md). Nor does it where
it was never tried: in a Python newer than those that we know, and in one without the GIL.
"""

from __future__ import annotations

import sys
from sys import getprofile, gettrace, settrace

from ao_lsp.taint.kept import keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType
    from typing import Any, TypeVar

    Function = TypeVar("Function", bound=Callable[..., Any])
    Class = TypeVar("Class", bound=type)

keep(__name__)


# fmt: off
def _specimen() -> None:
    pass  # noqa: PIE790  # two lines, because the NOP stands for the first of them
    pass  # noqa: PIE790
# fmt: on


NEWEST = (3, 14)
"""The newest Python whose frames are known to be hidden by this, and whose references to be counted as below."""

HAS_GIL = "t" not in getattr(sys, "abiflags", "")
HIDES = (3, 11) <= sys.version_info[:2] <= NEWEST and HAS_GIL
"""Whether the user's modules are rewritten: what they would call is seen by nobody."""

WHY_NOT = "Python {}.{} {}".format(
    *sys.version_info[:2],
    "without the GIL is not known well enough to track values"
    if not HAS_GIL
    else "is newer than this ao-record, which does not know how to track values there"
    if sys.version_info[:2] > NEWEST
    else "cannot hide the helpers that tracking needs",
)
"""Where it is not so."""

BORROWS = sys.version_info >= (3, 14)
"""Whether a variable that is passed on is not counted as held once more (`owned`)."""

# The compiler itself tells the numbers (RESUME, then NOP for the line of the first `pass`), because
# importing `opcode` would cost a warm start 2 ms. tests/taint/test_frames.py compares the two.
RESUME, NOP = _specimen.__code__.co_code[0], _specimen.__code__.co_code[2]


COUNTS_NO_RETURNS = HIDES and sys.version_info >= (3, 12)
"""Whether hidden frames may return under a tracer or profiler."""
RUNS_IN_PIECES = 0x20 | 0x80 | 0x200  # generators, coroutines, asynchronous generators: inspect.CO_*


def hidden(code: CodeType) -> CodeType:
    """`code` without its RESUME."""
    return code if code.co_flags & RUNS_IN_PIECES else code.replace(co_code=without_resume(code.co_code))


def without_resume(instructions: bytes) -> bytes:
    """Bytecode without its RESUME."""
    # Prologue instructions (COPY_FREE_VARS, MAKE_CELL) may stand before it.
    for index in range(0, len(instructions), 2):
        if instructions[index] == RESUME:
            return b"%b%c\0%b" % (instructions[:index], NOP, instructions[index + 2 :])
    return instructions


def owned(instructions: bytes) -> bytes:
    """Bytecode whose variables hold a reference of their own to what they are passed on to, as all do before CPython
    3.14 (LOAD_FAST_BORROW). Our own modules count who holds a value (table.py), and one that a variable of ours
    borrows from another's would look like one that nobody else has."""
    if not BORROWS:
        return instructions
    changed = bytearray(instructions)
    changed[::2] = changed[::2].translate(_owning())
    return bytes(changed)


def _owning() -> bytes:
    if not _owning_table:
        from opcode import opmap  # takes 2 ms, once: what is changed is kept (hiding.py)

        table = bytearray(range(256))
        for name, number in opmap.items():
            if number < 256 and "BORROW" in name:
                table[number] = opmap[name.replace("_BORROW", "")]
        _owning_table.append(bytes(table))
    return _owning_table[0]


_owning_table: list[bytes] = []


def shown(code: CodeType, file: str) -> CodeType:
    """`hidden` code with its RESUME again, as if from `file`."""
    instructions = code.co_code
    for index in range(0, len(instructions), 2):
        if instructions[index] == NOP:
            instructions = b"%b%c\0%b" % (instructions[:index], RESUME, instructions[index + 2 :])
            break
    return code.replace(co_code=instructions, co_filename=file)


def unseen(function: Function) -> Function:
    """Make frames of `function` invisible; returns it. Must not be a generator or coroutine."""
    if HIDES:
        function.__code__ = hidden(function.__code__)
        if not COUNTS_NO_RETURNS and function.__closure__ is not None:
            _patches.append(function)
    return function


def disguised(function: Any, original: Any) -> Any:
    """`function`, looked at like the one whose place it takes; `inspect` goes by what it wraps."""
    for attribute in ("__module__", "__name__", "__qualname__", "__doc__", "__defaults__", "__kwdefaults__"):
        setattr(function, attribute, getattr(original, attribute))
    function.__wrapped__ = original
    return function


_patches: list[Any] = []
"""Functions made to take the place of others, which library code calls, on Python 3.11."""


def show_patches() -> None:
    """From now on what took the place of functions of libraries can be seen: somebody counts returns."""
    while _patches:
        patch = _patches.pop()
        patch.__code__ = shown(patch.__code__, f"<{patch.__module__}>")


def unseen_methods(cls: Class) -> Class:
    """`unseen` for every plain function in a class body."""
    for value in list(vars(cls).values()):
        if type(value) is type(unseen):
            unseen(value)
    return cls


def unwatched(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, with no tracer being told of what goes on in it: a debugger that steps off the end of the
    program must not go on in our code, nor end it where somebody quits."""

    @unseen
    def quiet(*args: Any) -> Any:
        tracer = gettrace()
        traced = tracer is not None and callable(tracer)
        if traced:
            settrace(None)  # not as `sys` has it: a debugger puts a warning there
        events = silence_debugger() if sys.version_info >= (3, 12) else 0
        if not traced and not events:
            return function(*args)
        try:
            return function(*args)
        finally:
            if events:
                hear_debugger(events)
            if traced:
                settrace(tracer)

    return quiet


_DEBUGGER = 0  # the number of debuggers in sys.monitoring


def silence_debugger() -> int:
    """From now on a debugger that is no tracer (pdb from 3.14 on, debugpy) is told of nothing, but of what it has asked
    for in single functions. Returns what it was told of, for `hear_debugger`. It looks for the frame of each error,
    and fails where none can be seen."""
    if sys.version_info >= (3, 12) and sys.monitoring.get_tool(_DEBUGGER) is not None:
        events = sys.monitoring.get_events(_DEBUGGER)
        if events:
            sys.monitoring.set_events(_DEBUGGER, 0)
        return events
    return 0


def hear_debugger(events: int) -> None:
    """A debugger is told of `events` again."""
    if sys.version_info >= (3, 12) and events and sys.monitoring.get_tool(_DEBUGGER) is not None:
        sys.monitoring.set_events(_DEBUGGER, events)


_COUNTING = (1, 2)  # the numbers of coverage tools and profilers in sys.monitoring


def is_counted() -> bool:
    """Whether somebody counts the calls and returns of all frames, whom hidden ones would confuse:
    CPython 3.11 tells a profiler, and a tracer written in C, of their returns, and 3.12 and newer of
    their ends by an error, without a call before. Such a profile or coverage would be wrong."""
    tracer = gettrace()
    if tracer is not None:
        cls = type(tracer)
        if cls.__name__ not in ("function", "method") and not cls.__module__.startswith("_pydev"):
            return True
    if getprofile() is not None:
        return True
    if sys.version_info >= (3, 12):
        for tool in _COUNTING:
            if sys.monitoring.get_tool(tool) is not None:
                return True
    return False
