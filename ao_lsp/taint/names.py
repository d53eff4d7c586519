"""How rewritten code names its helpers, and their installation among the built-ins.

No program can write these names; a module's own namespace never holds them. The helpers are loaded
when the first of them is called: most code of a program that has not called a model yet only looks
at `TAINTED` and `WATCHED`.
"""

from __future__ import annotations

import builtins

from ao_lsp.taint.frames import unseen
from ao_lsp.taint.kept import keep
from ao_lsp.taint.state import LIVE, TAINT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

keep(__name__)

# As private names: a program that goes through `dir(builtins)` leaves those out. In the body of a class
# the compiler would mangle them, were there no dot in them.
HELPER = "__@ao."
TAINTED = "__@ao.tainted"
"""The table: true while anything is tagged."""
WATCHED = "__@ao.watched"
"""True once recorded calls are possible."""

BINARY = [
    "Add",
    "Sub",
    "Mult",
    "Div",
    "FloorDiv",
    "Mod",
    "Pow",
    "MatMult",
    "LShift",
    "RShift",
    "BitAnd",
    "BitOr",
    "BitXor",
]
"""Operators, by the names that `ast` gives them; each is a helper, and with `in_place.` before it
another one."""

HELPERS = [
    "attribute",
    "awaited",
    "callee",
    "entered",
    "entered_async",
    "formatted",
    "item",
    "iterate",
    "iterate_async",
    "target",
    "text",
    "USub",
    "UAdd",
    "Invert",
] + [prefix + name for prefix in ("", "in_place.") for name in BINARY]


def install() -> None:
    """Make the helpers known to rewritten code."""
    names = vars(builtins)
    names[TAINTED] = TAINT
    names[WATCHED] = LIVE
    for name in HELPERS:
        names[HELPER + name] = _loading(HELPER + name)


def _loading(name: str) -> Callable[..., Any]:
    @unseen
    def load_and_call(*args: Any) -> Any:
        load()
        return vars(builtins)[name](*args)

    return load_and_call


def load() -> None:
    """Put the helpers themselves in the place of what loads them."""
    from ao_lsp.taint import calls, environ, flow, ops

    environ.install()
    helpers: dict[str, Callable[..., Any]] = {
        "attribute": ops.attribute,
        "awaited": flow.awaited,
        "callee": calls.callee,
        "entered": flow.entered,
        "entered_async": flow.entered_async,
        "formatted": ops.formatted,
        "item": ops.item,
        "iterate": flow.iterate,
        "iterate_async": flow.iterate_async,
        "target": ops.target,
        "text": ops.text,
        **ops.BINARY,
        **ops.UNARY,
        **{"in_place." + name: helper for name, helper in ops.IN_PLACE.items()},
        "in_place.Mod": ops.modulo_in_place,
    }
    vars(builtins).update({HELPER + name: helper for name, helper in helpers.items()})
