"""What changed between two runs: calls matched by where they were made, and compared. Pure."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ao_lsp.server.model import Call, Graph, PathStep

Verdict: TypeAlias = Literal["same", "changed", "added", "removed"]
VERDICTS: tuple[Verdict, ...] = ("same", "changed", "added", "removed")


@dataclass(frozen=True, slots=True)
class Pair:
    """A call of each run; one of the two is None where the other run has no counterpart."""

    a: Call | None
    b: Call | None

    @property
    def verdict(self) -> Verdict:
        """`changed` says that what the program received is not the same."""
        if self.a is None:
            return "added"
        if self.b is None:
            return "removed"
        same = (self.a.response_hash, self.a.status) == (self.b.response_hash, self.b.status)
        return "same" if same else "changed"

    @property
    def same_end(self) -> bool:
        """Whether both were answered in the same way, or failed."""
        return (
            self.a is not None
            and self.b is not None
            and (self.a.status, self.a.http_status) == (self.b.status, self.b.http_status)
        )

    @property
    def input_changed(self) -> bool:
        """Whether the two were asked something else."""
        return self.a is not None and self.b is not None and self.a.request_hash != self.b.request_hash


def match(a: Graph, b: Graph) -> tuple[Pair, ...]:
    """The calls of both runs in pairs: in the order of `b`, each removed call after its neighbour.

    Best evidence first: the recorded call that was served; then the same place, lineage and request;
    then the same place, lineage and occurrence; then the same place; then the same function. Each in the same
    subrun first, and then anywhere. Where code has been edited since, the places of a function that moved are
    the same ones in order.
    """
    left, right = ({call.id: call for call in graph.calls} for graph in (a, b))
    partner: dict[str, Call] = {}
    for call in b.calls:
        source = left.pop(call.source_call or "", None)
        if source is not None:
            partner[call.id] = source
            del right[call.id]
    moved, earlier = _moved(a.calls, b.calls), {id(call) for call in a.calls}

    def place(call: Call) -> Hashable:
        function, line = _function(call), call.site.line if call.site else None
        return function, moved.get((function, line), line) if id(call) in earlier else line

    def lineage(call: Call) -> Hashable:
        return place(call), json.dumps(call.lineage, sort_keys=True)

    def asked(call: Call) -> Hashable:
        return lineage(call), call.request_hash

    inside = _ways(a) | _ways(b)

    def within(key: Callable[[Call], Hashable]) -> Callable[[Call], Hashable]:
        return lambda call: (inside.get(call.run, ()), key(call))

    for key in (asked, lineage, place, _function):
        if any(inside.values()):
            _pair(left, right, within(key), partner)
        _pair(left, right, key, partner)
    return _ordered(a, b, partner)


def _pair(
    left: dict[str, Call], right: dict[str, Call], key: Callable[[Call], Hashable], partner: dict[str, Call]
) -> None:
    """Pair the calls that have the same key, occurrence by occurrence, and take them out."""
    waiting: dict[Hashable, list[Call]] = defaultdict(list)
    for call in left.values():
        waiting[key(call)].append(call)
    for call in list(right.values()):
        if waiting[key(call)]:
            partner[call.id] = waiting[key(call)].pop(0)
            del left[partner[call.id].id], right[call.id]


def _ways(graph: Graph) -> dict[str, Sequence[PathStep]]:
    """The way from the run of `graph` to each of its subruns. The run may be a subrun itself, or a rerun of one."""
    return {run.id: run.path[len(graph.run.path) :] for run in graph.subruns}


def _moved(a: Iterable[Call], b: Iterable[Call]) -> dict[tuple[Hashable, int | None], int]:
    """Function and line of `a` → the line of that place in `b`, where all of a function's are elsewhere."""
    lines: tuple[dict[Hashable, set[int]], dict[Hashable, set[int]]] = (defaultdict(set), defaultdict(set))
    for side, calls in enumerate((a, b)):
        for call in calls:
            if call.site is not None:
                lines[side][_function(call)].add(call.site.line)
    found: dict[tuple[Hashable, int | None], int] = {}
    for function, old in lines[0].items():
        new = lines[1].get(function, set())
        if len(old) == len(new) and old != new:
            found |= {(function, line): there for line, there in zip(sorted(old), sorted(new), strict=True)}
    return found


def _function(call: Call) -> Hashable:
    site = call.site
    return (site.file, site.function) if site else None, call.kind, call.endpoint


def _ordered(a: Graph, b: Graph, partner: dict[str, Call]) -> tuple[Pair, ...]:
    taken = {call.id for call in partner.values()}
    removed = [call for call in a.calls if call.id not in taken]
    pairs: list[Pair] = []
    for call in b.calls:
        other = partner.get(call.id)
        while other is not None and removed and removed[0].number < other.number:
            pairs.append(Pair(removed.pop(0), None))
        pairs.append(Pair(other, call))
    return (*pairs, *(Pair(call, None) for call in removed))
