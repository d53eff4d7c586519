"""Random programs behave alike, plain and rewritten.

Everything that a program evaluates is compared, in order: values, types, the identity of what is mutable,
errors with their tracebacks. In two states: before any call, and with calls possible and some of the program's values
tagged from the start.

A fixed choice of programs is tried. `AO_GENERATED=5000` tries as many new ones; what fails is printed
with the bytes that decided it.
"""

from __future__ import annotations

import linecache
import os
import sys
import types
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ao_lsp.taint import escrow, frames, names, rewrite, scope, state
from ao_lsp.taint.origins import origin
from ao_lsp.taint.state import TAINT
from ao_lsp.taint.table import mark

from .generated import library
from .generated.statements import program
from .generated.tape import Tape

pytestmark = pytest.mark.skipif(not frames.HIDES, reason="on Python 3.10 nothing is rewritten")

MORE = int(os.environ.get("AO_GENERATED", "0"))
FILE = "/users/generated.py"
MODULE = "generated_program"
STATES = ("plain", "live")


def _tag(value: Any) -> Any:
    return mark(value, origin("call"))


def _tag_whole(values: list[Any]) -> list[Any]:
    for index, value in enumerate(values):
        values[index] = _tag(value)
    return values


def behaviour(source: str, state_: str, rewritten: bool, keeps: bool) -> list[str]:
    """What a program does, line by line."""
    log = library.Log(keeps)
    tagging = rewritten and state_ == "live"
    (names.load if tagging else names.install)()
    namespace: dict[str, Any] = {
        "__name__": MODULE,
        "e": log.e,
        "err": log.err,
        "lib": library,
        "tag": _tag if tagging else library.same,
        "tag_whole": _tag_whole if tagging else library.same,
    }
    if rewritten:
        code = compile(rewrite.rewrite(source.encode(), FILE), FILE, "exec", dont_inherit=True)
    else:
        code = compile(source, FILE, "exec", dont_inherit=True)
    module = types.ModuleType(MODULE)
    vars(module).update(namespace)
    sys.modules[MODULE] = module
    if rewritten:
        scope.FILES.add(FILE)
        scope.MODULES.add(MODULE)
    if tagging:
        state.go_live()
    try:
        exec(code, vars(module))
    except BaseException as error:
        log.err("the end", error)
    finally:
        scope.FILES.discard(FILE)
        scope.MODULES.discard(MODULE)
        state.LIVE.clear()
        TAINT.clear()
        del sys.modules[MODULE]
    return log.said


@pytest.mark.filterwarnings("ignore::SyntaxWarning")
@pytest.mark.parametrize("state_", STATES)
@settings(
    max_examples=MORE or 150,
    derandomize=not MORE,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(decisions=st.binary(min_size=500, max_size=3000), keeps=st.booleans())
def test_a_random_program_behaves_alike_plain_and_rewritten(state_: str, decisions: bytes, keeps: bool) -> None:
    source = program(Tape(decisions))
    try:
        compile(source, FILE, "exec")
    except SyntaxError:  # the writer does not know every rule of the grammar
        assume(False)
    linecache.cache[FILE] = (len(source), None, source.splitlines(True), FILE)
    plain = behaviour(source, state_, False, keeps)
    # Operators that call themselves reach less deep where values are tracked (docs/fidelity.md).
    assume(state_ == "plain" or not any("RecursionError" in line for line in plain))
    rewritten = behaviour(source, state_, True, keeps)
    lost, escrow.LOST[:] = escrow.LOST[:], []
    assert rewritten == plain, source
    assert not lost
