"""What an export is made of: everything that is known of a run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from ao_lsp.server import views
from ao_lsp.server.model import Call, Edge, Edit, Exchange, Graph
from ao_lsp.server.views import Json


@dataclass(frozen=True, eq=False, slots=True)
class Recorded:
    """A run: its graph, what its calls sent and received by their ids, edits, and notes of the recorder
    (time, level, message)."""

    graph: Graph
    exchanges: Mapping[str, Exchange]
    edits: tuple[Edit, ...]
    notes: tuple[tuple[float, str, str], ...]

    def calls(self) -> Iterator[tuple[Call, Json]]:
        """Each call with what `ao.call` gives of it."""
        edges: dict[str, list[Edge]] = defaultdict(list)
        by_id = {call.id: call for call in self.graph.calls}
        for edge in self.graph.edges:
            edges[edge.target].append(edge)
            edges[edge.source].append(edge)
        edits: dict[str, list[Edit]] = defaultdict(list)
        for edit in self.edits:
            edits[edit.call].append(edit)
        for call in self.graph.calls:
            # Of a graph of a thousand calls, each looks at its neighbours only.
            near = {call.id, *(end for edge in edges[call.id] for end in (edge.source, edge.target))}
            around = replace(self.graph, calls=tuple(by_id[one] for one in near), edges=tuple(edges[call.id]))
            yield call, views.call_json(around, call, self.exchanges.get(call.id), edits[call.id], raw=False)
