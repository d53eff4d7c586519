"""Private copies of the ints that the interpreter shares, which CPython 3.14 has no other way to (3.12 and 3.13 have
the same ints, and another way)."""

from __future__ import annotations

import pickle
import sys

import pytest

from ao_lsp.taint import small_ints

SHARED = range(-5, 257)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="before Python 3.12 an int lies in memory in another way")
def test_a_copy_is_the_same_int_in_every_way_but_one() -> None:
    for value in SHARED:
        copy = small_ints.copied(value)
        assert copy is not value
        assert type(copy) is int
        assert (copy, hash(copy), bool(copy), repr(copy)) == (value, hash(value), bool(value), repr(value))
        assert (-copy, copy + 300, 300 - copy, copy * 3, copy << 80, ~copy, copy.bit_length()) == (
            (-value, value + 300, 300 - value, value * 3, value << 80, ~value, value.bit_length())
        )
        assert (copy < 0, copy == 0.0, copy == value + 1) == (value < 0, value == 0.0, False)
        assert pickle.loads(pickle.dumps(copy)) == value
        assert copy + 0 is value  # what is made of it is shared again
        assert [*range(300)][copy] == [*range(300)][value]
        assert {value: "x"}[copy] == "x"


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="since Python 3.12 an int lies in memory as it is looked for")
def test_an_int_that_lies_in_memory_in_another_way_is_left_alone() -> None:
    for value in SHARED:
        assert small_ints.copied(value) is value


def test_where_memory_cannot_be_written_to_a_shared_int_has_no_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small_ints, "_memory", None)
    assert small_ints.copied(7) is 7  # noqa: F632  # its identity is what this is about
