"""Edges through child processes. Whatever a child says counts as made of what it was started with (docs/tracking.md):
the program cannot see what happened in there. The child's own calls tell more: where what it was given went to a
model, and what that said into what the child said, there is no need for an edge past these calls. Calls that the run's
gateway recorded may be any child's. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ao_lsp.server.model import Call, Edge

_GATEWAY = "MainThread/gateway"  # docs/wire.md


def without_detours(edges: Iterable[Edge], calls: Sequence[Call]) -> list[Edge]:
    """`edges`, of which several may be of the same two calls, once each: but for those through a child process whose
    calls lead from the one to the other, unless the text itself got there, too."""
    told: dict[tuple[str, str], Edge] = {}
    matched = set()
    after: dict[str, list[str]] = {}
    for edge in edges:
        pair = (edge.source, edge.target)
        if edge.evidence == "matched":
            matched.add(pair)
        if pair not in told or told[pair].evidence == "matched":
            told[pair] = edge
            after.setdefault(edge.source, []).append(edge.target)
    lineages = {call.id: str(call.lineage) for call in calls}
    return [
        edge for pair, edge in told.items() if not edge.through or pair in matched or not _leads(edge, after, lineages)
    ]


def _leads(edge: Edge, after: Mapping[str, list[str]], lineages: Mapping[str, str]) -> bool:
    """Whether calls of the child processes lead from the edge's source to its target."""
    children = tuple("@" + name for name in edge.through if name)
    seen: set[str] = set()
    waiting = [edge.source]
    while waiting:
        source = waiting.pop()
        for target in after.get(source, ()):
            if target == edge.target and source != edge.source:
                return True
            lineage = lineages.get(target, "")
            if target not in seen and (lineage == _GATEWAY or lineage.startswith(children)):
                seen.add(target)
                waiting.append(target)
    return False
