"""How rewritten code names its helpers, and their installation among the built-ins.

No program can write these names; a module's own namespace never holds them. Until recorded calls
are possible they do nothing but what the language does (resting.py).
"""

from __future__ import annotations

import builtins
import sys

from ao_lsp.taint import resting
from ao_lsp.taint.frames import unseen
from ao_lsp.taint.kept import keep
from ao_lsp.taint.state import INSIDE, LIVE, TAINT

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
INSIDE_LIBRARY = "__@ao.inside"
"""True while library code runs that may call functions of the user's."""


def install() -> None:
    """Make the helpers known to rewritten code, at rest until recorded calls are possible."""
    names = {HELPER + name: helper for name, helper in resting.HELPERS.items()}
    vars(builtins).update(names)
    # The finalisers of global objects run when the interpreter has put back the built-ins of its start.
    for start in _builtins_of_the_start():
        start.update(names)
        start[TAINTED] = start[WATCHED] = start[INSIDE_LIBRARY] = ()
    vars(builtins)[TAINTED] = TAINT
    vars(builtins)[WATCHED] = LIVE
    vars(builtins)[INSIDE_LIBRARY] = INSIDE
    if LIVE:
        load()


_recording: list[Callable[[], Any]] = []
"""Makes what records values that were drawn by chance (chance.py)."""


def record_draws(draws: Callable[[], Any], in_code: bool) -> None:
    """From now on what is drawn by chance is recorded by what `draws` makes, once something is drawn; in rewritten
    code, where there is such."""
    _recording[:] = [draws]
    if in_code and not LIVE:
        vars(builtins)[HELPER + "drawn"] = _drawn


def chance() -> Any:
    """The module of that name, recording."""
    from ao_lsp.taint import chance

    if _recording:
        chance.begin(_recording.pop()())
    return chance


@unseen
def _drawn(function: Any) -> Any:
    found = chance().callee
    vars(builtins)[HELPER + "drawn"] = found
    return found(function)


def _builtins_of_the_start() -> list[dict[str, Any]]:
    """The interpreter's copy of the built-ins (`builtins_copy` in pycore_interp.h), which nothing but the collector
    of garbage can find."""
    import gc

    current = vars(builtins)
    return [
        found
        for found in gc.get_referrers(builtins.__build_class__)
        if type(found) is dict and found is not current and found.get("__import__") is current["__import__"]
    ]


def load() -> None:
    """Put the helpers themselves in the place of those at rest."""
    from ao_lsp.taint import callbacks, calls, environ, flow, ops

    environ.install()
    if _recording or "ao_lsp.taint.chance" in sys.modules:
        calls.record_draws(chance())
    helpers: dict[str, Callable[..., Any]] = {
        "attribute": ops.attribute,
        "awaited": flow.awaited,
        "called_back": callbacks.called_back,
        "callee": calls.callee,
        "drawn": calls.callee,
        "entered": flow.entered,
        "entered_async": flow.entered_async,
        "formatted": ops.formatted,
        "given_back": callbacks.given_back,
        "handed": callbacks.handed,
        "handed_lambda": callbacks.handed_lambda,
        "item": ops.item,
        "iterate": flow.iterate,
        "iterate_async": flow.iterate_async,
        "spread": flow.spread,
        "target": ops.target,
        "text": ops.text,
        **ops.BINARY,
        **ops.UNARY,
        **{"in_place." + name: helper for name, helper in ops.IN_PLACE.items()},
        "in_place.Mod": ops.modulo_in_place,
    }
    vars(builtins).update({HELPER + name: helper for name, helper in helpers.items()})
