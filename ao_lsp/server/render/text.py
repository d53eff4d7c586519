"""A graph for the terminal: a line a call, in order, with rails that show what feeds what.

    1  ●    plan       agent.py:12  gpt-5        120→45  $0.0006  0.82 s
    2  ├▶●  search     agent.py:20  gpt-5-mini    80→20  $0.0001  0.41 s  ← 1
    3  ╰▶●  search     agent.py:20  gpt-5-mini    80→20  $0.0001  0.44 s  ← 1
    4  ●◀╯  summarise  agent.py:31  gpt-5        300→90  $0.0013   1.2 s  ← 1–3

An arrow is the only thing that says "feeds": it comes from a rail and ends at a call. Edges that
longer ways imply (reduce.py) have none; the list behind `←` has them all, a `~` before those that
were only matched by text.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from ao_lsp.server import subruns
from ao_lsp.server.model import Call, Graph
from ao_lsp.server.render import labels, rails, reduce

_MOST_LANES = 12  # with more, rails are no picture any more, and the lists have to do

_GLYPHS = {
    "live": ("●", "32"),
    "live, input edited": ("◈", "33"),
    "replayed": ("○", "36"),
    "edited": ("◆", "33"),
    "failed": ("✗", "31"),
    "cancelled": ("⊘", "31"),
    "running": ("◌", "34"),
}
"""State → its mark and the colour of it (SGR)."""

_SUBRUN_GLYPH = "▣"

_NUMBER, _RAIL, _SUBRUN, _FUNCTION, _PLACE, _MODEL, _TOKENS, _COST, _SECONDS, _SOURCES = range(10)
_RIGHT = (_NUMBER, _COST, _SECONDS)
_COLORS = {
    _NUMBER: "2", _SUBRUN: "35", _PLACE: "2", _MODEL: "36", _TOKENS: "2", _COST: "2", _SECONDS: "2", _SOURCES: "2",
}  # fmt: skip
# Where the terminal is narrow: which column gives way, and down to what, one after the other.
_GIVE_WAY = (
    (_PLACE, 14), (_FUNCTION, 14), (_MODEL, 12), (_SOURCES, 16),
    (_SUBRUN, 10), (_PLACE, 0), (_TOKENS, 0), (_COST, 0), (_SECONDS, 0), (_SOURCES, 6), (_MODEL, 6), (_FUNCTION, 6),
)  # fmt: skip
_GAP = "  "


@dataclass(frozen=True, slots=True)
class Style:
    """How to draw for a terminal: with colours, and how many columns there are (None: as needed)."""

    color: bool = False
    width: int | None = None


def draw(graph: Graph, style: Style) -> str:
    """The whole drawing: a headline, why the run failed, a line a call, and what the marks mean."""
    head = "\n".join(_painted(line, color, style) for line, color in _head(graph))
    if not graph.calls:
        return f"{head}\n"
    states = [labels.state(call, graph.run) for call in graph.calls]
    marks = [
        (_SUBRUN_GLYPH if call.kind == "subrun" else _GLYPHS[state][0], _GLYPHS[state][1])
        for call, state in zip(graph.calls, states, strict=True)
    ]
    places, names = reduce.indexed(graph), subruns.names(graph)
    lines = rails.drawn(
        [glyph for glyph, _ in marks],
        reduce.needed(len(graph.calls), [(source, target) for source, target, _ in places]),
        _MOST_LANES,
    )
    cells = [
        (
            labels.number(call),
            line,
            "" if call.kind == "subrun" else labels.clean(names.get(call.run, "")),
            labels.function(call),
            labels.place(call),
            labels.model(call),
            tokens,
            labels.cost(call),
            labels.seconds(call.duration),
            sources,
        )
        for call, line, tokens, sources in zip(graph.calls, lines, _tokens(graph), _sources(graph), strict=True)
    ]
    widths = _fitted([max(map(_columns, column)) for column in zip(*cells, strict=True)], style.width)
    rows = [_row(row, widths, mark, style) for row, mark in zip(cells, marks, strict=True)]
    return "\n".join([head, "", *rows, "", _legend(states, graph, style)]) + "\n"


def first_line(graph: Graph) -> int:
    """In which line of the drawing, from 0, the first call is; each of the others has the next one."""
    return len(_head(graph)) + 1


def _head(graph: Graph) -> list[tuple[str, str]]:
    """What stands above the calls, each line with its colour."""
    failed = [(labels.failure(graph.run.error), "31")] if graph.run.error else []
    remarks = [(remark, "2") for remark in labels.remarks(graph.run)]
    return [(labels.headline(graph), "1"), *failed, *remarks]


def _tokens(graph: Graph) -> list[str]:
    """`120→45` for each call, the arrows one under the other."""
    halves = [labels.tokens(call).partition("→") for call in graph.calls]
    left, right = (max(len(half[side]) for half in halves) for side in (0, 2))
    return [f"{asked:>{left}}{arrow}{said:<{right}}" for asked, arrow, said in halves]


def _sources(graph: Graph) -> list[str]:
    """For each call the numbers of those that it took from, tracked ones first."""
    calls = {call.id: call for call in graph.calls}
    tracked: dict[str, list[Call]] = {call.id: [] for call in graph.calls}
    matched: dict[str, list[Call]] = {call.id: [] for call in graph.calls}
    for edge in graph.edges:
        (tracked if edge.evidence == "tracked" else matched)[edge.target].append(calls[edge.source])
    earlier: dict[str, list[str]] = {call.id: [] for call in graph.calls}
    for edge, source in graph.outside:
        earlier[edge.target].append(f"{source.run}:{source.number}")
    listed = []
    for call in graph.calls:
        plain = sorted(source.number for source in tracked[call.id] if source.kind != "subrun")
        words = [labels.numbers(plain)] if plain else []
        words += [labels.number(source) for source in tracked[call.id] if source.kind == "subrun"]
        words += earlier[call.id]
        words += [f"~{labels.number(source)}" for source in sorted(matched[call.id], key=lambda one: one.number)]
        listed.append(f"← {', '.join(words)}" if words else "")
    return listed


def _fitted(widths: list[int], room: int | None) -> list[int]:
    """`widths` made to fit into `room` columns as well as they can; 0 leaves a column out."""
    if room is None:
        return widths
    for column, least in _GIVE_WAY:
        over = sum(width + len(_GAP) for width in widths if width) - len(_GAP) - room
        if over <= 0:
            break
        widths[column] = min(widths[column], max(least, widths[column] - over)) if least else 0
    return widths


def _row(cells: Sequence[str], widths: Sequence[int], mark: tuple[str, str], style: Style) -> str:
    shown: list[str] = []
    for column, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        if not width:
            continue
        # Of a qualified name the end tells more.
        text = _shortened(cell[::-1], width)[::-1] if column == _FUNCTION else _shortened(cell, width)
        padding = " " * (width - _columns(text))
        if column == _RAIL:
            before, glyph, after = text.partition(mark[0])
            text = _painted(before, "2", style) + _painted(glyph, mark[1], style) + _painted(after, "2", style)
        text = _painted(text, _COLORS.get(column, ""), style)
        shown.append(padding + text if column in _RIGHT else text + padding)
    return _GAP.join(shown).rstrip()


def _legend(states: Sequence[str], graph: Graph, style: Style) -> str:
    folded = any(call.kind == "subrun" for call in graph.calls)
    shown = {state for state, call in zip(states, graph.calls, strict=True) if call.kind != "subrun"}
    words = [f"{_painted(glyph, color, style)} {state}" for state, (glyph, color) in _GLYPHS.items() if state in shown]
    if folded:
        words.append(f"{_SUBRUN_GLYPH} subrun, by its first call; all calls: --subruns")
    if any(edge.evidence == "matched" for edge in graph.edges):
        words.append("~ matched by text")
    return "   ".join(words)


def _painted(text: str, color: str, style: Style) -> str:
    return f"\x1b[{color}m{text}\x1b[0m" if style.color and color and text.strip() else text


def _columns(text: str) -> int:
    """The columns that `text` takes in a terminal."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def _shortened(text: str, width: int) -> str:
    if _columns(text) <= width:
        return text
    kept = text
    while kept and _columns(kept) > width - 1:
        kept = kept[:-1]
    return kept + "…"
