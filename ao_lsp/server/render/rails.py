"""The rails of a terminal drawing: which lines run where, and how a call hangs on to them.

A lane is a column. A call whose output is still wanted puts it on a lane, from its row to that of
the last call that wants it; calls that are wanted by the same calls share one. In its row a call is
joined to the lanes it takes from by a horizontal line that ends in an arrow.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(eq=False, slots=True)
class _Lane:
    """`targets`: the rows that still take from it, ascending."""

    wanted_by: frozenset[int]
    targets: list[int]


def drawn(glyphs: list[str], edges: set[tuple[int, int]], most: int) -> list[str]:
    """One string a row, all of the same width; only the glyphs where there would be more than `most`
    lanes. `glyphs` has one character a row, `edges` are pairs of rows, source before target."""
    targets: list[set[int]] = [set() for _ in glyphs]
    for source, target in edges:
        targets[source].add(target)
    lanes: list[_Lane | None] = []
    rows: list[list[str]] = []
    for row, glyph in enumerate(glyphs):
        taken = [column for column, lane in enumerate(lanes) if lane is not None and row in lane.wanted_by]
        place = _place(lanes, frozenset(targets[row]))
        rows.append(_row(row, glyph, place, taken, lanes))
        for column in taken:
            lane = lanes[column]
            if lane is not None and lane.targets[-1] == row:
                lanes[column] = None
        if targets[row]:
            lanes[place] = lanes[place] or _Lane(frozenset(targets[row]), sorted(targets[row]))
    if len(lanes) > most:
        return glyphs
    lines = ["".join(cells).rstrip() for cells in rows]
    width = max(map(len, lines))
    return [line.ljust(width) for line in lines]


def _place(lanes: list[_Lane | None], wanted_by: frozenset[int]) -> int:
    """The column of a call: the lane that its output joins, else the first that is free. (Lanes that
    end in its own row are not free yet, so an arrow never has to turn.)"""
    for column, lane in enumerate(lanes):
        if lane is not None and wanted_by and lane.wanted_by == wanted_by:
            return column
    if None in lanes:
        return lanes.index(None)
    lanes.append(None)
    return len(lanes) - 1


def _row(row: int, glyph: str, place: int, taken: list[int], lanes: list[_Lane | None]) -> list[str]:
    """The cells of a row: a column for each lane, and one between each two."""
    first, last = min([place, *taken]), max([place, *taken])
    cells = [" "] * (2 * len(lanes))
    for column, lane in enumerate(lanes):
        if column == place:
            cells[2 * column] = glyph
        elif lane is not None and column in taken:
            cells[2 * column] = _joint(column, first, last, place, ends=lane.targets[-1] == row)
        elif lane is not None:
            cells[2 * column] = "│"
        elif first < column < last:
            cells[2 * column] = "─"
    for column in range(first, last):
        cells[2 * column + 1] = "▶" if column + 1 == place else "◀" if column == place else "─"
    return cells


def _joint(column: int, first: int, last: int, place: int, *, ends: bool) -> str:
    """Where a lane meets the line to the call; one that does not meet it is drawn over it."""
    if first < column < last:
        return "┴" if ends else "┼"
    if column < place:
        return "╰" if ends else "├"
    return "╯" if ends else "┤"
