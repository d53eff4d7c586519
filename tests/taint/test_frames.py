"""Helpers that no frame walker can see."""

from __future__ import annotations

import builtins
import inspect
import logging
import opcode
import sys
import traceback
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from ao_lsp.taint import frames, table

pytestmark = pytest.mark.skipif(not frames.HIDES, reason="Python 3.10 has no instruction to do without")


@frames.unseen
def helper(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    try:
        return function(*args, **kwargs)
    finally:
        del args


def test_the_numbers_of_the_instructions_are_the_interpreters() -> None:
    assert opcode.opname[frames.RESUME] == "RESUME"
    assert opcode.opname[frames.NOP] == "NOP"


@pytest.mark.skipif(not frames.BORROWS, reason="before Python 3.14 every variable holds what it has")
def test_our_code_counts_what_its_variables_hold() -> None:
    instructions = {opcode.opname[number] for number in table.mark.__code__.co_code[::2]}
    assert "LOAD_FAST" in instructions
    assert not [name for name in instructions if "BORROW" in name]


def test_what_a_helper_calls_sees_the_helpers_caller() -> None:
    def caller() -> str:
        return sys._getframe(1).f_code.co_name

    def names() -> list[str]:
        return [info.function for info in inspect.stack()]

    here = "test_what_a_helper_calls_sees_the_helpers_caller"
    assert helper(caller) == here
    assert helper(names)[:2] == ["names", here]


def test_a_traceback_does_not_show_a_helper() -> None:
    def fails() -> None:
        raise ValueError("x")

    with pytest.raises(ValueError, match="x") as raised:
        helper(fails)
    assert "helper" not in [frame.name for frame in traceback.extract_tb(raised.value.__traceback__)]


def test_warnings_and_logging_name_the_line_that_called_the_helper(caplog: pytest.LogCaptureFixture) -> None:
    def old() -> None:
        warnings.warn("old", DeprecationWarning, stacklevel=2)

    with pytest.warns(DeprecationWarning, match="old") as caught:
        helper(old)
    helper(logging.getLogger("x").warning, "y")
    assert caught[0].filename == __file__
    assert caplog.records[0].funcName == "test_warnings_and_logging_name_the_line_that_called_the_helper"


def test_a_debugger_does_not_step_into_a_helper() -> None:
    seen: list[str] = []

    def trace(frame: Any, event: str, _: Any) -> Any:
        if event == "call":
            seen.append(frame.f_code.co_name)
        return trace

    def inner() -> None:
        """Nothing."""

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        helper(inner)
    finally:
        sys.settrace(before)
    assert seen == ["inner"]


def test_modules_that_are_loaded_hidden_keep_their_own_built_ins() -> None:
    # In hidden code `globals()` is that of somebody else, whose built-ins these must not become.
    for name, module in sys.modules.items():
        if name.startswith("ao_lsp.taint.") and hasattr(module, "keep") and name != "ao_lsp.taint.kept":
            assert module.__dict__["__builtins__"] is not vars(builtins), name
    assert inspect.currentframe().f_builtins is vars(builtins)  # type: ignore[union-attr]  # there is one


def test_a_helper_with_a_closure_is_hidden_too() -> None:
    name = "x"

    @frames.unseen
    def closure() -> tuple[str, str]:
        return name, sys._getframe(1).f_code.co_name if name else ""

    # The prologue of a closure comes before the instruction that is taken out.
    assert closure()[0] == "x"
    with pytest.raises(ZeroDivisionError) as raised:
        helper(frames.unseen(lambda: 1 / len(name[1:])))
    assert len(traceback.extract_tb(raised.value.__traceback__)) == 1
