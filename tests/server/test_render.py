"""Drawings: the text form is compared as a whole, because how it looks is what it is for."""

from __future__ import annotations

import random
import re
import textwrap
import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import pytest

from ao_lsp.server.model import Failure, Graph, Site
from ao_lsp.server.render import Style, drawn, labels
from ao_lsp.server.render.layout import place
from ao_lsp.server.render.reduce import needed
from tests.server.graphs import call, graph


def text(made: Graph, width: int | None = None, color: bool = False) -> str:
    return drawn(made, "text", Style(color=color, width=width))


def rails(made: Graph) -> str:
    """The rails alone."""
    lines = text(made).splitlines()[2 : 2 + len(made.calls)]
    return "\n".join(re.split(r"  work|  agent", line)[0].rstrip() for line in lines)


def shown(drawing: str) -> str:
    return textwrap.dedent(drawing).strip("\n")


def fan_out() -> Graph:
    return graph(
        [
            call(1, "plan", 12),
            call(2, "search", 20, origin="replayed"),
            call(3, "search", 20, origin="edited"),
            call(4, "search", 20, status="error", output_tokens=None),
            call(5, "summarise", 31, input_tokens=12_345, duration=75.0),
        ],
        (1, 2),
        (1, 3),
        (1, 4),
        (2, 5),
        (3, 5),
        (1, 5, "matched"),
    )


def test_a_graph_in_a_terminal() -> None:
    assert (
        text(fan_out())
        == shown(
            """
        agent.py · finished · 5 calls · 12.7k→80 tokens · $0.02 + 1 unknown · 10.0 s

        1  ●      plan       agent.py:12  gpt-5    100→20  $0.00032    0.50 s
        2  ├▶○    search     agent.py:20  gpt-5    100→20              0.50 s  ← 1
        3  ├▶◆    search     agent.py:20  gpt-5    100→20              0.50 s  ← 1
        4  ╰─│▶✗  search     agent.py:20  gpt-5    100→?               0.50 s  ← 1
        5  ●◀╯    summarise  agent.py:31  gpt-5  12.3k→20     $0.02  1 m 15 s  ← 2, 3, ~1

        ● live   ○ replayed   ◆ edited   ✗ failed   ~ matched by text
        """
        )
        + "\n"
    )


def test_a_chain_goes_to_and_fro_between_two_rails() -> None:
    assert rails(graph([call(n) for n in (1, 2, 3, 4)], (1, 2), (2, 3), (3, 4))) == shown(
        """
        1  ●
        2  ╰▶●
        3  ●◀╯
        4  ╰▶●
        """
    )


def test_a_growing_conversation_is_drawn_as_a_chain_and_listed_in_full() -> None:
    made = graph([call(n) for n in range(1, 6)], *((a, b) for b in range(2, 6) for a in range(1, b)))
    assert rails(made) == rails(graph([call(n) for n in range(1, 6)], (1, 2), (2, 3), (3, 4), (4, 5)))
    assert text(made).splitlines()[6].endswith("← 1–4")


def test_calls_that_feed_the_same_call_share_a_rail() -> None:
    made = graph([call(n) for n in range(1, 7)], *((n, 6) for n in range(1, 6)))
    assert rails(made) == shown(
        """
        1  ●
        2  ●
        3  ●
        4  ●
        5  ●
        6  ╰▶●
        """
    )


def test_a_line_crosses_a_rail_without_touching_it() -> None:
    made = graph([call(n) for n in range(1, 6)], (1, 4), (2, 5), (3, 4), (3, 5))
    assert rails(made) == shown(
        """
        1  ●
        2  │ ●
        3  │ │ ●
        4  ╰─│─┼▶●
        5  ●◀┴─╯
        """
    )


def test_too_many_rails_are_left_out_and_the_lists_stay() -> None:
    made = graph([call(n) for n in range(1, 41)], *((n, n + 20) for n in range(1, 21)))
    assert rails(made).splitlines()[30] == "31  ●"
    assert text(made).splitlines()[32].endswith("← 11")


def test_a_run_without_calls_is_its_headline() -> None:
    assert text(graph([], status="failed", exit_code=1)) == "agent.py · failed (1) · 0 calls · 10.0 s\n"


def test_what_ended_a_failed_run_stands_below_its_headline() -> None:
    error = Failure("ValueError", "no such city\nas \x1b[2JPorto", "/project/agent.py", 12)
    lines = text(graph([call(1)], status="failed", exit_code=1, error=error)).splitlines()
    assert lines[:3] == [
        "agent.py · failed (1) · 1 call · 100→20 tokens · $0.00032 · 10.0 s",
        "ValueError: no such city (agent.py:12)",
        "",
    ]


@pytest.mark.parametrize("width", [40, 60, 72, 80, 100])
def test_a_drawing_fits_into_the_terminal(width: int) -> None:
    calls = [call(n, f"Researcher.read_the_page_{n}", 100 + n, model="claude-sonnet-4-5-20250929") for n in range(1, 9)]
    made = graph(calls, *((a, b) for b in range(2, 9) for a in range(1, b)))
    lines = text(made, width).splitlines()[2:-2]
    assert max(map(len, lines)) <= width
    assert all("●" in line for line in lines)


def test_colours_change_nothing_but_colours() -> None:
    painted = text(fan_out(), color=True)
    assert "\x1b[31m✗\x1b[0m" in painted
    assert re.sub(r"\x1b\[[\d;]*m", "", painted) == text(fan_out())


def test_names_cannot_command_the_terminal_or_break_the_picture() -> None:
    evil = "\x1b[2J]0;x\x07<script>&\"'\u202e\ud800"
    made = graph([call(1, evil, model=evil)], name=evil)
    assert "\x1b" not in text(made)
    assert "\x07" not in text(made)
    picture = drawn(made, "svg", Style())
    picture.encode("utf-8")
    assert "<script>" not in picture
    ElementTree.fromstring(picture)
    assert "\x1b" not in drawn(made, "dot", Style())
    assert '"]:::live' in drawn(made, "mermaid", Style())


def test_wide_characters_keep_the_columns_straight() -> None:
    lines = text(graph([call(1, "計画"), call(2, "plan")])).splitlines()
    assert lines[2].index("agent.py") == lines[3].index("agent.py") - 2


def test_mermaid_and_dot_tell_evidence_apart() -> None:
    made = drawn(fan_out(), "mermaid", Style())
    assert "n1 --> n2" in made
    assert "n1 -.-> n5" in made
    assert 'n3["3 · search<br/>gpt-5<br/>agent.py:20"]:::edited' in made
    assert "n1 -> n5 [style=dashed];" in drawn(fan_out(), "dot", Style())


def test_a_picture_is_one_whole_file_for_light_and_dark_pages() -> None:
    picture = drawn(fan_out(), "svg", Style())
    root = ElementTree.fromstring(picture)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "prefers-color-scheme: dark" in picture
    assert "http" not in picture.replace("http://www.w3.org/2000/svg", "")
    boxes = [rect for rect in root.iter("{http://www.w3.org/2000/svg}rect") if rect.get("class") == "box"]
    edges = [path for path in root.iter("{http://www.w3.org/2000/svg}path") if "edge" in (path.get("class") or "")]
    assert len(boxes) == 5
    # Five drawn, one of them implied and matched; and one that stands in the legend.
    assert sorted(path.get("class") or "" for path in edges) == ["edge"] * 5 + ["edge matched", "edge matched implied"]


@pytest.mark.parametrize("seed", range(20))
def test_boxes_never_overlap_and_edges_lead_on(seed: int) -> None:
    dice = random.Random(seed)
    count = dice.randrange(1, 40)
    edges = {(a, b) for b in range(count) for a in range(b) if dice.random() < 2 / count}
    made = place(count, edges, 100.0, 20.0)
    assert set(made.lines) == edges
    for source, target in edges:
        assert made.nodes[source][1] < made.nodes[target][1]
        layers = [layer for _, layer in made.lines[source, target]]
        assert layers == list(range(made.nodes[source][1], made.nodes[target][1] + 1))
    for row in range(made.layers):
        along = sorted(at for at, layer in made.nodes if layer == row)
        assert all(right - left >= 119.9 for left, right in pairwise(along))
        assert all(49.9 <= at <= made.extent - 49.9 for at in along)


@pytest.mark.parametrize("seed", range(20))
def test_the_edges_that_are_left_out_are_implied_by_those_that_are_drawn(seed: int) -> None:
    dice = random.Random(seed)
    edges = {(a, b) for b in range(20) for a in range(b) if dice.random() < 0.3}

    def reached(by: set[tuple[int, int]]) -> set[tuple[int, int]]:
        found = set(by)
        for _ in range(20):
            found |= {(a, d) for a, b in found for c, d in by if b == c}
        return found

    kept = needed(20, edges)
    assert kept <= edges
    assert reached(kept) == reached(edges)
    assert all((a, b) not in reached(kept - {(a, b)}) for a, b in kept)


def test_a_call_is_named_by_its_function_its_file_or_its_endpoint() -> None:
    named = [
        call(1, "Agent.run.<locals>.step"),
        call(1, "<module>"),
        call(1, site=None),
        call(1, site=Site("/p/a.py", 3, "")),
    ]
    assert [labels.function(each) for each in named] == ["step", "agent.py", "completions", "a.py"]


def test_numbers_are_written_short() -> None:
    assert [labels.amount(n) for n in (None, 0, 999, 1000, 12_345, 123_456, 5_000_000)] == [
        "?", "0", "999", "1.0k", "12.3k", "123k", "5.0M",
    ]  # fmt: skip
    assert [labels.seconds(s) for s in (None, 0.0, 0.123, 9.99, 59.99, 61.0, 3725.0)] == [
        "", "0.00 s", "0.12 s", "10.0 s", "60.0 s", "1 m 01 s", "62 m 05 s",
    ]  # fmt: skip
    assert [labels.numbers(listed) for listed in ([], [1], [1, 2], [1, 2, 3], [1, 3, 4, 5, 9])] == [
        "", "1", "1, 2", "1–3", "1, 3–5, 9",
    ]  # fmt: skip
