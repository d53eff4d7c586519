"""Which edges a drawing needs.

A conversation that grows hands every earlier reply to every later call: all of these edges are
true, and drawn they are a thicket. An edge is *implied* where a longer way leads from its source to
its target; drawings show the others, and name or fade the implied ones.
"""

from __future__ import annotations

from collections.abc import Iterable

from ao_lsp.server.model import Edge, Graph


def indexed(graph: Graph) -> list[tuple[int, int, Edge]]:
    """The edges as places in `graph.calls`, those left out that lead back in time (the clocks of two
    processes may differ)."""
    at = {call.id: index for index, call in enumerate(graph.calls)}
    found = [(at[edge.source], at[edge.target], edge) for edge in graph.edges]
    return [entry for entry in found if entry[0] < entry[1]]


def needed(count: int, edges: Iterable[tuple[int, int]]) -> set[tuple[int, int]]:
    """The edges, as pairs of places, that no longer way implies."""
    sources: list[list[int]] = [[] for _ in range(count)]
    for source, target in edges:
        sources[target].append(source)
    # Sets of ancestors as bits: a thousand calls fit into one small integer each.
    ancestors = [0] * count
    kept: set[tuple[int, int]] = set()
    for target in range(count):
        beyond = 0
        for source in sources[target]:
            beyond |= ancestors[source]
        kept.update((source, target) for source in sources[target] if not beyond >> source & 1)
        ancestors[target] = beyond
        for source in sources[target]:
            ancestors[target] |= 1 << source
    return kept
