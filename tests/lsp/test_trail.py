"""Where the expressions of an earlier text are in a later one."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ao_lsp.server.lsp.buffers.follow import line_map
from ao_lsp.server.lsp.buffers.trail import Extent, Trail
from ao_lsp.server.model import Site

BEFORE = ["def work(topic, notes):", "    reply = client.ask(topic, model=m)", "    return reply.text + notes", ""]
CALL = "client.ask(topic, model=m)"


def followed(old: Sequence[str], new: Sequence[str], expression: str) -> str | None:
    """The text that `expression`, which is in `old` once, has become; its lines are joined. None: it is gone."""
    extent = Trail(old, new, line_map(old, new)).extent(site(old, expression))
    return None if extent is None else text(new, extent)


def site(lines: Sequence[str], expression: str) -> Site:
    whole = "\n".join(lines)
    assert whole.count(expression) == 1
    start = whole.index(expression)
    before, inside = whole[:start], whole[start : start + len(expression)]
    line, column = before.count("\n"), start - (before.rfind("\n") + 1)
    end_line = line + inside.count("\n")
    end_column = len(inside) - (inside.rfind("\n") + 1) + (column if end_line == line else 0)
    return Site("/a.py", line + 1, "work", end_line + 1, column, end_column)


def text(lines: Sequence[str], extent: Extent) -> str:
    shown = [line.strip() for line in lines[extent.line : extent.end_line + 1]]
    if extent.line == extent.end_line:
        return lines[extent.line][extent.column : extent.end_column]
    shown[0] = lines[extent.line][extent.column :].strip()
    shown[-1] = lines[extent.end_line][: extent.end_column].strip()
    return " ".join(shown)


def edited(line: str, *more: str) -> list[str]:
    return [BEFORE[0], line, *more, *BEFORE[2:]]


# -- calls


@pytest.mark.parametrize(
    ("line", "call"),
    [
        ("    reply = client.ask(topic, model=m)", CALL),
        ("    the_reply = client.ask(topic, model=m)", CALL),
        ("    reply = await client.ask(topic, model=m)", CALL),
        ("    return str(client.ask(topic, model=m))", CALL),
        ("    reply = client.ask(topic, model=m, tools=[a(1), b]) or 5", "client.ask(topic, model=m, tools=[a(1), b])"),
        ("    reply = client.ask()", "client.ask()"),
        ("    reply = self.client.ask(topic, model=m)", CALL),
        ("    reply = client.query(topic, model=m)", "client.query(topic, model=m)"),
        ("    reply = other.ask(topic, model=m)", "other.ask(topic, model=m)"),
        ("    reply = client.ask(topic + ')', model=m)", "client.ask(topic + ')', model=m)"),
        # While somebody types.
        ("    reply = client.ask(topic, model=m", "client.ask(topic, model=m"),
        ("    reply = client.ask(topic, ", "client.ask(topic,"),
        ("    reply = client.ask(", "client.ask("),
        ("    reply = client.ask", "client.ask"),
        ("    reply = cl.ask(topic, model=m)", "cl.ask(topic, model=m)"),
        ("    reply = x(client.ask(topic, model=m)", CALL),
        ('    reply = client.ask("topic, model=m)', 'client.ask("topic, model=m)'),
    ],
)
def test_a_call_is_followed_through_edits_of_its_line(line: str, call: str) -> None:
    assert followed(BEFORE, edited(line), CALL) == call


def test_a_call_is_followed_into_the_lines_that_a_formatter_makes_of_it() -> None:
    new = edited("    reply = client.ask(", "        topic,", "        model=m,", "    )")
    assert followed(BEFORE, new, CALL) == "client.ask( topic, model=m, )"
    assert followed(new, BEFORE, "client.ask(\n        topic,\n        model=m,\n    )") == CALL
    new = edited("    reply = (", "        client", "        .ask(topic, model=m)", "    )")
    assert followed(BEFORE, new, CALL) == "client .ask(topic, model=m)"


def test_a_call_is_followed_into_a_block() -> None:
    new = edited("    try:", "        with timing:", "            reply = client.ask(topic, model=m)")
    assert followed(BEFORE, new, CALL) == CALL
    several = edited("    reply = client.ask(", "        topic,", "        model=m,", "    )")
    call = "client.ask(\n        topic,\n        model=m,\n    )"
    new = edited("    if topic:", *(f"    {line}" for line in several[1:5]))
    assert followed(several, new, call) == "client.ask( topic, model=m, )"


def test_the_head_of_a_call_is_where_its_arguments_begin() -> None:
    new = edited("    reply = await self.client.ask(", "        topic)")
    extent = Trail(BEFORE, new, line_map(BEFORE, new)).extent(site(BEFORE, CALL))
    assert extent is not None
    assert extent.head == (1, new[1].index("("))
    assert extent.end == (2, new[2].index(")") + 1)


def test_of_two_calls_in_a_line_each_stays_what_it_is() -> None:
    old = ["x = ask(a), ask(b)"]
    for new in (
        ["x = ask(a), log(), ask(b)"],
        ["xyz = ask(a), await ask(b)"],
        ["x = (", "    ask(a),", "    ask(b),", ")"],
    ):
        assert followed(old, new, "ask(a)") == "ask(a)", new
        assert followed(old, new, "ask(b)") == "ask(b)", new


def test_a_call_that_is_gone_is_nowhere() -> None:
    assert followed(BEFORE, [BEFORE[0], *BEFORE[2:]], CALL) is None
    assert followed(BEFORE, edited("    reply = 5"), CALL) is None
    assert followed(BEFORE, edited("    "), CALL) is None
    assert followed(["x = ask(a), ask(b)"], ["x = ask(a)"], "ask(b)") is None


# -- other expressions


@pytest.mark.parametrize("expression", ["topic, notes", "reply =", "reply.text", "reply.text + notes", "+ notes"])
def test_any_expression_is_followed(expression: str) -> None:
    new = ["import os", *edited("    reply = await client.ask(", "        topic)")]
    new[new.index(BEFORE[2])] = "        return (reply.text + notes).strip()"
    assert followed(BEFORE, new, expression) == expression


def test_a_variable_that_is_gone_is_nowhere_and_another_one_is_not_taken_for_it() -> None:
    for line in ("    return reply.text + other", "    return reply.text"):
        assert followed(BEFORE, [*BEFORE[:2], line, ""], "+ notes") is None
    assert followed(["x = f(a)"], ["x = f(b)"], "a") is None


# -- what cannot be followed


def test_a_recording_that_tells_no_columns_or_another_text_is_followed_to_nowhere() -> None:
    trail = Trail(BEFORE, BEFORE, line_map(BEFORE, BEFORE))
    assert trail.extent(Site("/a.py", 2, "work")) is None
    assert trail.extent(Site("/a.py", 2, "work", 2, 12, None)) is None
    assert trail.extent(Site("/a.py", 0, "work", 0, 0, 3)) is None
    assert trail.extent(Site("/a.py", 90, "work", 90, 0, 3)) is None
    assert trail.extent(Site("/a.py", 2, "work", 90, 0, 3)) is None
    assert trail.line(1) == 1


def test_passages_that_are_very_long_are_compared_by_their_first_line_only() -> None:
    old = ["x = ask(a)", *(f"b{number} = [{number}] * {number}" for number in range(200)), "end"]
    new = ["xyz = ask(a)", *(f"c{number} = ({number}) + {number}" for number in range(200)), "end"]
    assert followed(old, new, "ask(a)") == "ask(a)"
