"""`ao.diff`: what changed from one run to another."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

from ao_lsp.server import command, diff, differences, pricing, refs, subruns, views
from ao_lsp.server.command import Caller, Command
from ao_lsp.server.core import Core
from ao_lsp.server.differences import Side
from ao_lsp.server.model import Call, Exchange, Graph
from ao_lsp.server.params import CommandError, param
from ao_lsp.server.results.calls import Changed, NodeJson, PairJson, ValueChangeJson
from ao_lsp.server.results.runs import CountsJson, DiffJson, TotalsJson

_Exchanges: TypeAlias = "Mapping[str, Exchange]"

_AT_ONCE = 50
"""So many pairs are read at once: bodies may be large."""


@dataclass(frozen=True, slots=True)
class DiffParams:
    a: str = param(command.RUN)
    b: str = param(command.RUN, "last")


async def _diff(core: Core, caller: Caller, params: DiffParams) -> DiffJson:
    a, b = await refs.find_graph(core, params.a), await refs.find_graph(core, params.b)
    if a.run.id == b.run.id:
        other = a.run.parent_run
        hint = f"what it is a rerun of: ao diff {other} {b.run.id}" if other else "ao runs lists the others"
        message = f"{params.a!r} and {params.b!r} are both run {b.run.id}: a name means its newest run"
        raise CommandError("bad_params", message, hint)
    pairs = await asyncio.to_thread(diff.match, a, b)
    nodes = (_Nodes(a), _Nodes(b))
    calls: list[PairJson] = []
    for start in range(0, len(pairs), _AT_ONCE):
        some = pairs[start : start + _AT_ONCE]
        wanted = [pair for pair in some if pair.verdict != "same" or pair.input_changed]
        left = await core.store.exchanges([pair.a for pair in wanted if pair.a])
        right = await core.store.exchanges([pair.b for pair in wanted if pair.b])
        calls += await asyncio.to_thread(_all_compared, some, (left, right), nodes)
        caller.progress(len(calls), len(pairs), f"{len(calls)} of {len(pairs)} calls are compared")
    verdicts = [call["verdict"] for call in calls]
    ends = [(graph.run.status, graph.run.exit_code) for graph in (a, b)]
    return {
        "a": views.run_json(a.run),
        "b": views.run_json(b.run),
        "identical": ends[0] == ends[1] and all(call["verdict"] == "same" and not call["changes"] for call in calls),
        "counts": cast("CountsJson", {verdict: verdicts.count(verdict) for verdict in diff.VERDICTS}),
        "totals": {"a": _totals(a), "b": _totals(b)},
        "calls": calls,
    }


class _Nodes:
    """The calls of a run as nodes of its graph."""

    def __init__(self, graph: Graph) -> None:
        self._run, self._names = graph.run, subruns.names(graph)

    def of(self, call: Call | None) -> NodeJson | None:
        return None if call is None else views.node_json(call, self._run, self._names.get(call.run))


def _all_compared(
    pairs: Sequence[diff.Pair], exchanges: tuple[_Exchanges, _Exchanges], nodes: tuple[_Nodes, _Nodes]
) -> list[PairJson]:
    left, right = exchanges
    return [_compared(pair, _side(pair.a, left), _side(pair.b, right), nodes) for pair in pairs]


def _compared(pair: diff.Pair, left: Side | None, right: Side | None, nodes: tuple[_Nodes, _Nodes]) -> PairJson:
    """A pair of calls, or the one that there is; `left` and `right` are given where they are not the same."""
    verdict, input_changed = pair.verdict, pair.input_changed
    changed: list[differences.MessageChange] = []
    parameters: dict[str, ValueChangeJson] = {}
    if left is not None and right is not None:
        if verdict == "changed" and pair.same_end and differences.same_output(left, right):
            verdict = "same"
        input_changed = input_changed and not differences.same_input(left, right)
        if input_changed:
            changed = differences.messages(left, right)
            parameters = {name: {"a": x, "b": y} for name, (x, y) in differences.parameters(left, right).items()}
    return {
        "verdict": verdict,
        "input_changed": input_changed,
        "changes": _changes(pair, verdict, input_changed, parameters),
        "a": nodes[0].of(pair.a),
        "b": nodes[1].of(pair.b),
        "messages": [{"role": one.role, "a": one.a, "b": one.b} for one in changed],
        "parameters": parameters,
        # What stayed the same need not be said twice.
        "output": None
        if verdict == "same"
        else {"a": None if left is None else left.output, "b": None if right is None else right.output},
    }


def _changes(
    pair: diff.Pair, verdict: diff.Verdict, input_changed: bool, parameters: Mapping[str, object]
) -> list[Changed]:
    if pair.a is None or pair.b is None:
        return []
    found: dict[Changed, bool] = {
        "input": input_changed,
        "model": pair.a.model != pair.b.model,
        "parameters": bool(parameters.keys() - {"model"}),
        "output": verdict == "changed",
        "status": (pair.a.status, pair.a.http_status) != (pair.b.status, pair.b.http_status),
    }
    return [name for name, changed in found.items() if changed]


def _side(call: Call | None, exchanges: _Exchanges) -> Side | None:
    exchange = exchanges.get(call.id) if call else None
    return differences.side(call, exchange) if call and exchange else None


def _totals(graph: Graph) -> TotalsJson:
    return {
        "calls": len(graph.calls),
        "live_calls": sum(call.origin == "live" for call in graph.calls),
        "input_tokens": sum(call.input_tokens or 0 for call in graph.calls),
        "output_tokens": sum(call.output_tokens or 0 for call in graph.calls),
        **views.cost_json(pricing.total(call.spent for call in graph.calls)),
        "duration_s": views.run_json(graph.run)["duration_s"],
    }


DIFF = Command("what changed from run `a` to run `b`, call by call", DiffParams, _diff)
