"""How long the table remembers: no longer than a value lives."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from ao_lsp.taint.state import TAINT
from ao_lsp.taint.table import sweep

Run = Callable[..., dict[str, Any]]

pytestmark = pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 does not track")


def test_a_text_that_is_built_piece_by_piece_keeps_none_of_its_earlier_lengths(run: Run) -> None:
    run("x = tag('a', 'some words')\nfor number in range(100):\n    x += str(number)")
    assert len(TAINT) < 10


def test_an_earlier_length_that_somebody_holds_keeps_its_origins(run: Run) -> None:
    names = run("x = tag('a', 'words')\nkept = []\nfor number in range(9):\n    kept.append(x)\n    x += str(number)")
    assert [id(text) in TAINT for text in (*names["kept"], names["x"])] == [True] * 10


def test_a_sweep_leaves_what_is_alive_and_nothing_else(run: Run) -> None:
    kept = run('kept = [f\'{number} {tag("a", "x")}\' for number in range(10000)][::1000]')["kept"]
    sweep()
    assert len(TAINT) == 10
    assert all(id(text) in TAINT for text in kept)
    del kept
