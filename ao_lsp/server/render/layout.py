"""Where the boxes and lines of a picture go: a layered layout, after Sugiyama.

1. Each node gets a layer, one below its lowest source.
2. A line over several layers gets a bend in each, so that it can run between the boxes.
3. Each layer is ordered by the middle of its neighbours, back and forth, keeping the order that
   crosses least.
4. Each node is placed as near to the middle of its neighbours as its layer leaves room for.

Everything is in one direction (layers downwards); a picture from left to right swaps the axes.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

_ORDER_SWEEPS = 12
_PLACE_SWEEPS = 60


@dataclass(frozen=True, slots=True)
class Placed:
    """`nodes`: `(along, layer)` of each node, `along` the middle of it on the axis of the layer;
    `lines`: the points of each line from source to target, in the same coordinates; `extent`:
    length of the longest layer; `layers`: how many there are."""

    nodes: tuple[tuple[float, int], ...]
    lines: dict[tuple[int, int], tuple[tuple[float, int], ...]]
    extent: float
    layers: int


def place(count: int, edges: Iterable[tuple[int, int]], size: float, gap: float) -> Placed:
    """A layout of nodes `0..count-1`; `edges` lead from lower to higher numbers. `size` is what a box
    takes along its layer, `gap` what has to be free beside it."""
    listed = sorted(set(edges))
    layer = _layers(count, listed)
    # Bends are nodes too, numbered from `count` on.
    links: list[tuple[int, int]] = []
    chains: dict[tuple[int, int], list[int]] = {}
    for source, target in listed:
        bends = list(range(len(layer), len(layer) + layer[target] - layer[source] - 1))
        layer += range(layer[source] + 1, layer[target])
        chains[source, target] = [source, *bends, target]
        links += pairwise(chains[source, target])
    rows: list[list[int]] = [[] for _ in range(max(layer, default=-1) + 1)]
    for node, row in enumerate(layer):
        rows[row].append(node)
    above, below = _neighbours(len(layer), links)
    rows = _ordered(rows, above, below)
    widths = [size if node < count else 0.0 for node in range(len(layer))]
    along = _placed(rows, above, below, widths, gap)
    edge = min((along[node] - widths[node] / 2 for node in range(len(layer))), default=0.0)
    extent = max((along[node] + widths[node] / 2 - edge for node in range(len(layer))), default=0.0)
    at = [(along[node] - edge, layer[node]) for node in range(len(layer))]
    return Placed(
        nodes=tuple(at[:count]),
        lines={edge: tuple(at[node] for node in chain) for edge, chain in chains.items()},
        extent=extent,
        layers=len(rows),
    )


def _layers(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    layer = [0] * count
    for source, target in sorted(edges, key=lambda edge: edge[1]):
        layer[target] = max(layer[target], layer[source] + 1)
    return layer


def _neighbours(count: int, links: Iterable[tuple[int, int]]) -> tuple[list[list[int]], list[list[int]]]:
    above: list[list[int]] = [[] for _ in range(count)]
    below: list[list[int]] = [[] for _ in range(count)]
    for source, target in links:
        above[target].append(source)
        below[source].append(target)
    return above, below


def _ordered(rows: list[list[int]], above: list[list[int]], below: list[list[int]]) -> list[list[int]]:
    best, least = [list(row) for row in rows], _crossings(rows, below)
    rows = [list(row) for row in rows]
    for sweep in range(_ORDER_SWEEPS):
        if not least:
            break
        down = sweep % 2 == 0
        for index in range(1, len(rows)) if down else range(len(rows) - 2, -1, -1):
            fixed = rows[index - 1] if down else rows[index + 1]
            at = {node: place for place, node in enumerate(fixed)}
            near = above if down else below
            order = {
                node: _middle([at[other] for other in near[node]], place) for place, node in enumerate(rows[index])
            }
            rows[index].sort(key=order.__getitem__)
        crossings = _crossings(rows, below)
        if crossings < least:
            best, least = [list(row) for row in rows], crossings
    return best


def _middle(places: list[int], alone: int) -> float:
    """The median of `places`; `alone` where there are none: then it stays where it is."""
    if not places:
        return float(alone)
    ordered, half = sorted(places), len(places) // 2
    return float(ordered[half]) if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _crossings(rows: list[list[int]], below: list[list[int]]) -> int:
    total = 0
    for row, next_row in pairwise(rows):
        at = {node: place for place, node in enumerate(next_row)}
        ends = [place for node in row for place in sorted(at[other] for other in below[node])]
        passed: list[int] = []
        for end in ends:
            total += len(passed) - bisect_right(passed, end)
            insort(passed, end)
    return total


def _placed(
    rows: list[list[int]], above: list[list[int]], below: list[list[int]], widths: list[float], gap: float
) -> list[float]:
    along = [0.0] * len(widths)
    for row in rows:
        at = 0.0
        for node in row:
            along[node] = at + widths[node] / 2
            at += widths[node] + gap
    # A neighbour pulls the less, the more others hang on it: else a hub would gather everything.
    pulls = [
        [(other, 1 / len(below[other])) for other in above[node]]
        + [(other, 1 / len(above[other])) for other in below[node]]
        for node in range(len(widths))
    ]
    for sweep in range(_PLACE_SWEEPS):
        for row in rows if sweep % 2 == 0 else reversed(rows):
            wanted = [_pulled(along, pulls[node], along[node]) for node in row]
            offsets = [0.0]
            for left, right in pairwise(row):
                offsets.append(offsets[-1] + (widths[left] + widths[right]) / 2 + gap)
            for node, found in zip(row, _nearest(wanted, offsets), strict=True):
                along[node] = found
    return along


def _pulled(along: list[float], pulls: list[tuple[int, float]], alone: float) -> float:
    """The weighted mean of the positions that pull; `alone` where none does."""
    if not pulls:
        return alone
    return sum(along[node] * weight for node, weight in pulls) / sum(weight for _, weight in pulls)


def _nearest(wanted: list[float], offsets: list[float]) -> list[float]:
    """The positions nearest to `wanted` (least squares) that keep their order and distances:
    isotonic regression by pooling adjacent violators."""
    pools: list[tuple[float, int]] = []  # mean, how many
    for value in (at - offset for at, offset in zip(wanted, offsets, strict=True)):
        mean, weight = value, 1
        while pools and pools[-1][0] > mean:
            other, number = pools.pop()
            mean, weight = (mean * weight + other * number) / (weight + number), weight + number
        pools.append((mean, weight))
    flat = [mean for mean, weight in pools for _ in range(weight)]
    return [at + offset for at, offset in zip(flat, offsets, strict=True)]
