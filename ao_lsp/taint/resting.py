"""What rewritten code calls while nothing can be tagged: the operations of the language, and nothing else.

These stand in the place of the helpers until recorded calls become possible (`state.go_live`), and again
at the end of the process: the interpreter then puts back the built-ins of its start, and clears module
after module, while finalisers of the user's still run. So they need no name of any module. Where they
can, they are compiled functions, which take no frame, within `partial`, so that a profiler sees no call.
"""

from __future__ import annotations

import _operator
from _functools import partial

from ao_lsp.taint.frames import unseen
from ao_lsp.taint.kept import keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

keep(__name__)


_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "Add": _operator.add,
    "Sub": _operator.sub,
    "Mult": _operator.mul,
    "Div": _operator.truediv,
    "FloorDiv": _operator.floordiv,
    "Mod": _operator.mod,
    "Pow": _operator.pow,
    "MatMult": _operator.matmul,
    "LShift": _operator.lshift,
    "RShift": _operator.rshift,
    "BitAnd": _operator.and_,
    "BitOr": _operator.or_,
    "BitXor": _operator.xor,
}


@unseen
def _right(_: Any, value: Any) -> Any:
    return value


@unseen
def _formatted(
    value: Any, conversion: int = -1, spec: Any = "",
    *, _ascii: Any = ascii, _format: Any = format, _repr: Any = repr, _str: Any = str,
) -> Any:  # fmt: skip
    if conversion == 114:
        value = _repr(value)
    elif conversion == 115:
        value = _str(value)
    elif conversion == 97:
        value = _ascii(value)
    return _format(value, spec)


@unseen
def _text(*pieces: Any, _join: Any = "".join) -> Any:
    return _join(pieces)


_itself = partial({}.get, None)

HELPERS: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(
        (
            "attribute",
            "awaited",
            "called_back",
            "callee",
            "drawn",
            "entered",
            "entered_async",
            "given_back",
            "handed",
            "handed_lambda",
            "item",
            "iterate",
            "iterate_async",
            "spread",
            "target",
        ),
        _itself,
    ),
    "formatted": _formatted,
    "text": _text,
    "USub": partial(_operator.neg),
    "UAdd": partial(_operator.pos),
    "Invert": partial(_operator.invert),
    **{name: partial(operator) for name, operator in _BINARY.items()},
    **dict.fromkeys(["in_place." + name for name in _BINARY], _right),
    # The one that does the work itself (rewrite.py).
    "in_place.Mod": partial(_operator.imod),
}
"""By the names of names.py."""
