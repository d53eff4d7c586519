"""What an export is made of: everything that is known of a run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
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
        whole = Whole(self.graph, self.edits)
        for call in self.graph.calls:
            yield call, whole.of(call, self.exchanges.get(call.id))


class Whole:
    """The calls of a run, whole. Of a graph of a thousand calls, each looks at its neighbours only."""

    def __init__(self, graph: Graph, edits: Iterable[Edit]) -> None:
        self._graph = graph
        self._by_id = {call.id: call for call in graph.calls}
        self._edges: dict[str, list[Edge]] = defaultdict(list)
        self.edits: dict[str, list[Edit]] = defaultdict(list)
        for edge in graph.edges:
            self._edges[edge.target].append(edge)
            self._edges[edge.source].append(edge)
        for edit in edits:
            self.edits[edit.call].append(edit)

    def of(self, call: Call, exchange: Exchange | None) -> Json:
        """What `ao.call` gives of it."""
        return {**views.call_json(self.around(call), call, exchange, self.edits[call.id], raw=False)}

    def around(self, call: Call) -> Graph:
        """The graph with this call, its neighbours, and the edges between it and these."""
        near = {call.id, *(end for edge in self._edges[call.id] for end in (edge.source, edge.target))}
        calls = tuple(self._by_id[one] for one in near)
        return replace(self._graph, calls=calls, edges=tuple(self._edges[call.id]))
