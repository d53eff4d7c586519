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

Python 3.10 has no RESUME; there the helpers stay visible, and `ao-record` does not rewrite (to be
seen by the program is worse than not to know where a value came from; docs/fidelity.md).
"""

from __future__ import annotations

import sys

from ao_lsp.taint.kept import keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    Function = TypeVar("Function", bound=Callable[..., Any])
    Class = TypeVar("Class", bound=type)

keep(globals())


# fmt: off
def _specimen() -> None:
    pass  # noqa: PIE790  # two lines, because the NOP stands for the first of them
    pass  # noqa: PIE790
# fmt: on


HIDES = sys.version_info >= (3, 11)
# The compiler itself tells the numbers (RESUME, then NOP for the line of the first `pass`), because
# importing `opcode` would cost a warm start 2 ms. tests/taint/test_frames.py compares the two.
RESUME, NOP = _specimen.__code__.co_code[0], _specimen.__code__.co_code[2]


def unseen(function: Function) -> Function:
    """Make frames of `function` invisible; returns it. Must not be a generator or coroutine."""
    if HIDES:
        code = function.__code__
        found = bytearray(code.co_code)
        # Prologue instructions (COPY_FREE_VARS, MAKE_CELL) may stand before it.
        for index in range(0, len(found), 2):
            if found[index] == RESUME:
                found[index : index + 2] = bytes((NOP, 0))
                break
        function.__code__ = code.replace(co_code=bytes(found))
    return function


def unseen_methods(cls: Class) -> Class:
    """`unseen` for every plain function in a class body."""
    for value in list(vars(cls).values()):
        if type(value) is type(unseen):
            unseen(value)
    return cls
