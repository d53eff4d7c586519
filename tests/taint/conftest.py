"""Programs that run rewritten in this process, with a pretend model: `tag("a", value)` is a value that
came from call `a`, `origins(value)` says which calls can be reached from a value."""

from __future__ import annotations

import itertools
import sys
import textwrap
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ao_lsp.taint import escrow, names, rewrite, scope, state, strands
from ao_lsp.taint.origins import call_and_children, origin
from ao_lsp.taint.reach import reach
from ao_lsp.taint.state import TAINT
from ao_lsp.taint.table import mark

_numbers = itertools.count()

Run = Callable[..., dict[str, Any]]


def tag(call: str, value: Any) -> Any:
    return mark(value, origin(call))


def origins(value: Any) -> str:
    return "".join(sorted({call_and_children(source)[0] for source in reach((value,))}))


@pytest.fixture
def inputs() -> dict[str, str]:
    """What went into each recorded call of the library, once it was made."""
    return {}


@contextmanager
def imported(source: str, ask: Callable[..., Any]) -> Iterator[types.ModuleType]:
    """A library that nothing here knows, as `import lib` in a program; `ask` is what it calls a model with."""
    strands.install()
    module = types.ModuleType("lib")
    module.__file__ = "/users/site-packages/lib.py"
    vars(module)["ask"] = ask
    exec(compile(textwrap.dedent(source), module.__file__, "exec", dont_inherit=True), vars(module))
    sys.modules["lib"] = module
    yield module
    del sys.modules["lib"]
    strands.uninstall()
    assert escrow.current() is None, "an escrow leaked"
    assert not escrow.STRANDS


@pytest.fixture
def run() -> Iterator[Run]:
    """Runs a source text, rewritten, as a module of the user's; returns its namespace."""
    names.install()
    names.load()
    files: list[str] = []

    def run(source: str, **given: Any) -> dict[str, Any]:
        file = f"/users/program_{next(_numbers)}.py"
        files.append(file)
        scope.FILES.add(file)
        scope.MODULES.add("users_program")
        state.go_live()
        tree = rewrite.rewrite(textwrap.dedent(source).encode(), file)
        namespace: dict[str, Any] = {"__name__": "users_program", "tag": tag, "origins": origins, **given}
        exec(compile(tree, file, "exec", dont_inherit=True), namespace)
        return namespace

    yield run
    lost, escrow.LOST[:] = escrow.LOST[:], []
    assert not lost, "the tracking itself failed, and hid it from the program"
    state.LIVE.clear()
    scope.FILES.difference_update(files)
    scope.MODULES.discard("users_program")
    TAINT.clear()
