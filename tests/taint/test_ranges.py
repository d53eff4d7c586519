"""Which part of a stream came from which calls."""

from __future__ import annotations

import pytest

from ao_lsp.taint import ranges
from ao_lsp.taint.origins import NOTHING, Origins, origin
from ao_lsp.taint.ranges import Ranges

A, B = origin("a"), origin("b")


def letters(found: Ranges, length: int) -> str:
    """The origins of each unit, "." where there is none."""
    return "".join("".join(sorted(found.over(at, at + 1))) or "." for at in range(length))


def made(*puts: tuple[int, int, Origins]) -> Ranges:
    found = Ranges()
    for start, end, origins in puts:
        found.put(start, end, origins)
    return found


def test_each_position_has_what_was_written_there_last() -> None:
    assert letters(made((0, 3, A), (5, 7, B)), 8) == "aaa..bb."
    assert letters(made((0, 6, A), (2, 4, B)), 7) == "aabbaa."
    assert letters(made((0, 6, A), (2, 4, NOTHING)), 7) == "aa..aa."
    assert letters(made((4, 6, A), (0, 2, B)), 7) == "bb..aa."
    assert letters(made((0, 2, A), (0, 2, B)), 3) == "bb."


def test_what_is_cut_off_is_gone() -> None:
    found = made((0, 6, A))
    found.cut(2)
    assert letters(found, 6) == "aa...."


def test_content_counts_only_where_it_is_still_found() -> None:
    found = Ranges()
    found.put(0, 4, A, b"abcd")
    assert found.over(0, 4, b"abcd") == A
    assert found.over(2, 6, b"cd__") == A
    assert not found.over(0, 4, b"abXd")
    assert not found.over(4, 8, b"abcd")  # short, and elsewhere


def test_a_long_piece_is_recognised_where_somebody_moved_it() -> None:
    found = Ranges()
    found.put(0, 12, A, b"a long piece")
    assert found.over(100, 120, b"before a long piece.") == A


def test_so_much_content_is_kept_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    before = ranges._kept
    monkeypatch.setattr(ranges, "MAX_KEPT", before + 10)
    found = Ranges()
    found.put(0, 6, A, b"abcdef")
    found.put(6, 12, A, b"ghijkl")
    assert not found.over(0, 6, b"______")
    assert found.over(6, 12, b"______")  # by its position alone
    found.cut(3, 6)
    assert ranges._kept == before + 3
    found.put(20, 27, A, b"mnopqrs")
    assert ranges._kept == before + 10
    found.clear()
    assert ranges._kept == before


def test_very_many_pieces_are_remembered_in_less_detail_and_none_is_lost() -> None:
    found = Ranges()
    for number in range(2 * ranges.MAX_SPANS):
        found.put(2 * number, 2 * number + 1, A if number % 2 else B)
    assert sorted(found.over(0, 4 * ranges.MAX_SPANS)) == ["a", "b"]
    assert found.over(1, 2) or found.over(0, 1)
