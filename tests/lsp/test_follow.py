"""Which line of a text is which line of an earlier one."""

from __future__ import annotations

import difflib
import random
from collections.abc import Sequence

import pytest

from ao_lsp.server.lsp.buffers import follow
from ao_lsp.server.lsp.buffers.follow import line_map

PLAN = ["def plan(topic):", "    reply = ask(topic)", "    return reply.text", ""]
SEARCH = ["def search(question):", "    found = ask(question, tools)", "    check(found)", "    return found.text", ""]
WRITE = ["def write(found):", "    text = ask(found)", "    return text", ""]


def pairs(old: Sequence[str], new: Sequence[str]) -> dict[str, str]:
    """The lines that were followed, as texts: for lines that are there once."""
    return {old[i]: new[j] for i, j in line_map(old, new).items()}


def at(new: Sequence[str], *lines: str) -> list[int]:
    return [new.index(line) for line in lines]


# -- what stays


def test_a_text_that_did_not_change_maps_to_itself() -> None:
    text = [*PLAN, *SEARCH, *PLAN]
    assert line_map(text, text) == {number: number for number in range(len(text))}


def test_empty_texts_map_to_nothing() -> None:
    assert line_map([], []) == {}
    assert line_map([], ["a"]) == {}
    assert line_map(["a"], []) == {}
    assert line_map([""], [""]) == {0: 0}


def test_lines_move_with_what_is_put_in_and_taken_out_before_them() -> None:
    old, new = [*PLAN, *SEARCH], ["import os", "", *PLAN[:1], *PLAN[2:], *SEARCH]
    assert line_map(old, new) == {0: 2, 2: 3, 3: 4, 4: 5, 5: 6, 6: 7, 7: 8, 8: 9}


def test_indentation_does_not_count() -> None:
    old = ["reply = ask()", "return reply"]
    assert line_map(old, ["with timing:", "    reply = ask()", "return reply"]) == {0: 1, 1: 2}


def test_a_line_that_is_edited_in_its_place_is_the_same_line() -> None:
    for line in ("    answer = model.ask(topic, 5)", "nothing like it at all"):
        assert line_map(PLAN, [*PLAN[:1], line, *PLAN[2:]]) == {0: 0, 1: 1, 2: 2, 3: 3}


def test_a_line_that_is_edited_among_new_ones_is_known_by_what_it_looks_like() -> None:
    new = [*PLAN[:1], "    log(topic)", "    reply = ask(topic, model)", "    log(x)", *PLAN[2:]]
    assert line_map(PLAN, new)[1] == 2


def test_similar_lines_are_each_followed_to_a_line_of_their_own() -> None:
    old = ["a = ask(1)", "b = ask(2)", "end"]
    new = ["a = ask(1, x)", "nothing", "b = ask(2, x)", "end"]
    assert line_map(old, new) == {0: 0, 1: 2, 2: 3}


def test_a_line_that_is_gone_is_in_no_place() -> None:
    assert line_map(PLAN, [PLAN[0], PLAN[2], PLAN[3]]) == {0: 0, 2: 1, 3: 2}
    assert line_map(["one", "two"], ["completely", "other", "lines"]) == {}


def test_blank_lines_are_similar_to_nothing() -> None:
    assert line_map(["", "x"], ["# a", "# b", "# c"]) == {}
    assert line_map(["", "x", "y"], ["x", "y", ""]) == {1: 0, 2: 1}


# -- duplicates


def test_of_lines_that_are_the_same_each_keeps_its_order() -> None:
    old = ["ask()", "ask()", "ask()"]
    assert line_map(old, ["import os", *old]) == {0: 1, 1: 2, 2: 3}
    assert line_map(old, ["ask()", "x", "ask()", "y", "ask()"]) == {0: 0, 1: 2, 2: 4}


def test_functions_that_look_alike_are_not_taken_for_each_other() -> None:
    body = ["    reply = ask()", "    return reply", ""]
    one, two = ["def one():", *body], ["def two():", *body]
    new = [*one, "def between():", *body, *two]
    found = line_map([*one, *two], new)
    assert [found[number] for number in range(8)] == [0, 1, 2, 3, 8, 9, 10, 11]


# -- blocks that change places


def test_a_function_that_moves_past_another_takes_its_lines_with_it() -> None:
    old, new = [*PLAN, *SEARCH, *WRITE], [*SEARCH, *WRITE, *PLAN]
    found = line_map(old, new)
    for line in (*PLAN[:3], *SEARCH[:4], *WRITE[:3]):
        assert new[found[old.index(line)]] == line


def test_a_function_that_moves_into_a_class_takes_its_lines_with_it() -> None:
    old = [*PLAN, *WRITE, "class Agent:", "    model = 1", "", *SEARCH]
    inside = [f"    {line}" for line in PLAN]
    new = [*WRITE, "class Agent:", "    model = 1", "", *inside, *SEARCH]
    found = line_map(old, new)
    assert [found[number] for number in range(3)] == at(new, *inside[:3])


def test_a_line_that_was_moved_and_is_there_twice_is_the_first_one() -> None:
    # Of two that are the same it cannot be told which one is the copy.
    old = ["x = ask()", *PLAN, *SEARCH]
    assert line_map(old, [*PLAN, *SEARCH, "x = ask()", "x = ask()"])[0] == len(old) - 1
    old = ["x = ask()", "x = ask()", *PLAN, *SEARCH]
    assert line_map(old, [*PLAN, *SEARCH, "x = ask()"]).get(0) == len(old) - 2


# -- functions


def test_functions_that_change_places_keep_lines_that_are_the_same_in_both() -> None:
    body = ["    reply = ask()", "    return reply", ""]
    one, two = ["def one():", *body], ["def two():", *body]
    found = line_map([*one, *two], [*two, *one])
    assert found == {0: 4, 1: 5, 2: 6, 3: 7, 4: 0, 5: 1, 6: 2, 7: 3}


def test_a_function_is_known_by_what_is_in_it_when_it_gets_another_name() -> None:
    body = ["    reply = ask()", "    return reply", ""]
    old = ["def plan():", "    log()", *body, "def search():", "    look()", *body]
    new = ["def look_up():", "    look()", *body, "def make_plan():", "    log()", *body]
    found = line_map(old, new)
    assert [found[number] for number in (1, 2, 3)] == [6, 7, 8]
    assert [found[number] for number in (6, 7, 8)] == [1, 2, 3]


def test_a_function_that_took_the_name_of_another_is_not_that_one() -> None:
    old = ["def plan():", "    log(1)", "    reply = ask(2)", "    return reply", ""]
    new = ["def plan():", "    raise NotImplementedError", "", "def old_plan():", *old[1:]]
    assert [line_map(old, new)[number] for number in (1, 2, 3)] == [4, 5, 6]


def test_of_a_copy_and_its_original_the_one_with_the_name_is_the_original() -> None:
    old = ["def plan():", "    log(1)", "    reply = ask(2)", "    return reply", ""]
    new = ["def copy():", *old[1:], *old[:2], "    check()", *old[2:]]
    assert [line_map(old, new)[number] for number in (0, 1, 2, 3)] == [5, 6, 8, 9]


def test_methods_of_the_same_name_stay_in_their_classes() -> None:
    body = ["    def ask(self):", "        return model.ask()", ""]
    one, two = ["class One:", *body], ["class Two:", *body]
    found = line_map([*one, *two], [*two, *one])
    assert [found[number] for number in (1, 2, 5, 6)] == [5, 6, 1, 2]


# -- texts that are long


@pytest.fixture
def short_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every text counts as very long."""
    monkeypatch.setattr(follow, "_MOST_PAIRS", 0)
    monkeypatch.setattr(follow, "_MOST_REFLOWED", 0)


@pytest.mark.usefixtures("short_of_time")
def test_of_very_long_texts_lines_that_are_there_once_are_followed() -> None:
    old, new = ["a", *PLAN, "b", *SEARCH, "c"], ["A", *SEARCH, "B", *PLAN, "C"]
    found = line_map(old, new)
    assert {old[i]: new[j] for i, j in found.items() if old[i]} == {line: line for line in (*PLAN, *SEARCH) if line}


@pytest.mark.usefixtures("short_of_time")
def test_of_very_long_texts_lines_that_are_there_twice_are_not() -> None:
    assert pairs(["a", "twice", "twice", "b"], ["x", "twice", "y"]) == {}
    assert pairs(["a", "twice", "b"], ["x", "twice", "twice", "y"]) == {}


@pytest.mark.usefixtures("short_of_time")
def test_of_very_long_texts_what_did_not_change_is_followed_all_the_same() -> None:
    old = ["twice", "twice", "a", "twice", "twice"]
    assert line_map(old, ["twice", "twice", "b", "c", "twice", "twice"]) == {0: 0, 1: 1, 3: 4, 4: 5}


def test_what_counts_as_very_long_is_what_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "_MOST_PAIRS", 4)
    same = [f"line {number}" for number in range(100)]
    assert line_map([*same, "a = 1", *same], [*same, "b = 2", *same])[100] == 100


def test_a_large_block_that_was_replaced_is_not_compared_letter_by_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    # The server answers nobody meanwhile: 300 lines took 4 seconds.
    compared = 0
    ratio = difflib.SequenceMatcher.ratio

    def counted(matcher: difflib.SequenceMatcher[str]) -> float:
        nonlocal compared
        compared += 1
        return ratio(matcher)

    monkeypatch.setattr(difflib.SequenceMatcher, "ratio", counted)
    rng = random.Random(1)
    old = [f"    x{rng.random()} = call({rng.random()})" for _ in range(900)]
    new = [f"    y{rng.random()} = call({rng.random()})" for _ in range(899)]
    small_old, small_new = ["a = ask(1)", "between"], ["log()", "a = ask(1, 2)", "between"]
    found = line_map([*old, "between", *small_old, "end"], [*new, "between", *small_new, "end"])
    assert compared < 1000
    # What is small is compared all the same, also behind it.
    assert found[901] == 901


def test_small_blocks_are_compared_until_they_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "_MOST_CHARACTERS", 200)
    monkeypatch.setattr(follow, "_MOST_REFLOWED", 0)
    old, new = ["a = ask(1)", "between"], ["log()", "a = ask(1, 2)", "between"]
    assert line_map([*old, *old, "end"], [*new, *new, "end"]) == {0: 1, 1: 2, 3: 5, 4: 6}


# -- any texts at all


def test_whatever_the_texts_every_line_goes_to_one_line_and_no_two_to_the_same() -> None:
    rng = random.Random("lines")
    for _ in range(500):
        old = rng.choices(["a", "b", "  a", "", "ask()", "ask(1)", "return"], k=rng.randint(0, 12))
        new = list(old)
        for _ in range(rng.randint(0, 6)):
            start, end = sorted(rng.choices(range(len(new) + 1), k=2))
            new[start:end] = rng.choices(["a", "c", "", "ask(2)", "    return"], k=rng.randint(0, 3))
        found = line_map(old, new)
        assert all(0 <= i < len(old) and 0 <= j < len(new) for i, j in found.items()), (old, new)
        assert len(set(found.values())) == len(found), (old, new)
