"""Which way a value took: the lines between the call that it came from and where it is."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import Any

import pytest

from ao_lsp.taint.origins import NOTHING, Origins, origin, union, way
from ao_lsp.taint.reach import reach

Run = Callable[..., dict[str, Any]]

pytestmark = pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 does not track")


def lines(value: Any, call: str = "a") -> list[int]:
    """The lines that `value` came through, each run of steps on one line once."""
    found: list[int] = []
    for code, instruction in way(reach((value,)), call):
        line = next(line for start, end, line in code.co_lines() if start <= instruction < end)
        if line is not None and found[-1:] != [line]:
            found.append(line)
    return found


def test_each_line_that_makes_a_new_value_is_a_step_and_handing_on_is_none(run: Run) -> None:
    x = run(
        """
        def shout(text):
            return text.upper()
        reply = tag("a", "some words")
        kept = {"reply": [reply]}
        words = kept["reply"][0].split()
        loud = shout(words[0])
        other = loud
        x = f"<{other}>"
        """
    )["x"]
    assert lines(x) == [6, 3, 9]


def test_each_source_of_a_value_has_its_own_way(run: Run) -> None:
    x = run(
        """
        first = tag("a", "one") + "!"
        second = tag("b", "two")
        second = second.title()
        x = first + second
        """
    )["x"]
    assert lines(x, "a") == [2, 5]
    assert lines(x, "b") == [4, 5]
    assert lines(x, "c") == [5]


def test_a_loop_is_gone_through_once_however_often_it_ran(run: Run) -> None:
    x = run(
        """
        x = tag("a", "word")
        for number in range(1000):
            x = x + "-"
            x = x.swapcase()
            x = f"{x}{number}"
        """
    )["x"]
    found = lines(x)
    assert set(found) == {4, 5, 6}
    assert len(found) < 12


def test_a_long_loop_makes_no_new_origins_each_time_it_is_gone_through(run: Run) -> None:
    before = sum(type(found) is Origins for found in gc.get_objects())
    source = ["x = tag('a', 1.0)", "kept = []", "for number in range(500):"]
    for _ in range(20):
        source += ["    y = x * 2.0", "    x = x - y", "    kept.append(x)"]
    run("\n".join(source))
    assert sum(type(found) is Origins for found in gc.get_objects()) - before < 150  # there are 40 places


def test_many_values_made_in_one_place_share_their_origins(run: Run) -> None:
    words = run("words = [word.upper() for word in tag('a', 'some more words').split() * 100]")["words"]
    assert len({id(reach((word,))) for word in words}) <= 3


def test_origins_are_kept_no_longer_than_their_values(run: Run) -> None:
    def count() -> int:
        gc.collect()
        return sum(type(found) is Origins for found in gc.get_objects())

    source = """
        for number in range(20000):
            x = tag(str(number), "reply") + str(number)
        del x
        """
    run(source)
    assert count() < 15000


def test_origins_equal_the_set_of_their_calls() -> None:
    both = union(origin("a"), origin("b"))
    assert sorted(both) == ["a", "b"]
    assert union(both, origin("a")) is both
    assert union(origin("a"), both) is both
    assert union(NOTHING, both) is both
    assert not NOTHING
