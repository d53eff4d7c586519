"""Runs with their subruns, as people look at them: listed below each other, or folded into one node each. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from ao_lsp.server.model import Call, CallStatus, Edge, Graph, Origin, Run, RunStatus, RunSummary

_STATUS: Mapping[RunStatus, CallStatus] = {"finished": "ok", "failed": "error", "running": "running"}


def names(graph: Graph) -> dict[str, str]:
    """What each subrun is called within the run that is looked at: `outer / inner`."""
    found: dict[str, str] = {}
    for run in graph.subruns:  # in order of start, so that the one around it comes first
        outer = found.get(run.subrun_of or "")
        found[run.id] = f"{outer} / {run.name}" if outer else run.name
    return found


def listed(runs: Sequence[str], summaries: Iterable[RunSummary]) -> Iterator[RunSummary]:
    """`runs` in their order, each followed by its subruns in order of start, and these by theirs."""
    by_id: dict[str, RunSummary] = {}
    below: dict[str | None, list[RunSummary]] = {}
    for summary in sorted(summaries, key=lambda one: one.run.started):
        by_id[summary.run.id] = summary
        below.setdefault(summary.run.subrun_of, []).append(summary)
    waiting = [by_id[run] for run in reversed(runs) if run in by_id]
    while waiting:
        summary = waiting.pop()
        yield summary
        waiting += reversed(below.get(summary.run.id, []))


def of(graph: Graph, run: str) -> set[str]:
    """The ids of `run` and of all subruns in it."""
    found = {run}
    for subrun in graph.subruns:
        if subrun.subrun_of in found:
            found.add(subrun.id)
    return found


def folded(graph: Graph, unfolded: Collection[str] = ()) -> Graph:
    """`graph` with one node for each subrun right below its run, in place of all calls in there. Such a node has
    the kind `subrun`, the subrun's id, its name as preview, and the number of its first call (0: it has none).
    Of the `unfolded` subruns (ids) the calls stay, and what is right below them is folded in their place."""
    outermost: dict[str, str] = {}
    for run in graph.subruns:  # in order of start, so that the one around it comes first
        if run.subrun_of in outermost:
            outermost[run.id] = outermost[run.subrun_of]
        elif run.id not in unfolded:
            outermost[run.id] = run.id
    inside: dict[str, list[Call]] = {}
    for call in graph.calls:
        if call.run in outermost:
            inside.setdefault(outermost[call.run], []).append(call)
    made = [_node(run, inside.get(run.id, [])) for run in graph.subruns if outermost.get(run.id) == run.id]
    own = [call for call in graph.calls if call.run not in outermost]
    calls = tuple(sorted([*own, *made], key=lambda call: call.started))
    node = {call.id: outermost.get(call.run, call.id) for call in graph.calls}
    place = {call.id: index for index, call in enumerate(calls)}
    edges: dict[tuple[str, str], Edge] = {}
    for edge in graph.edges:
        between = (node[edge.source], node[edge.target])
        if between[0] != between[1] and (between not in edges or edges[between].evidence == "matched"):
            edges[between] = replace(edge, source=between[0], target=between[1])
    return replace(
        graph,
        calls=calls,
        edges=tuple(sorted(edges.values(), key=lambda edge: (place[edge.target], place[edge.source]))),
        outside=tuple((replace(edge, target=node[edge.target]), call) for edge, call in graph.outside),
        whole=graph,
    )


def _node(run: Run, calls: Sequence[Call]) -> Call:
    origins = {call.origin for call in calls}
    origin: Origin = "live" if "live" in origins or not calls else "edited" if "edited" in origins else "replayed"
    asked, said = ([getattr(call, name) for call in calls] for name in ("input_tokens", "output_tokens"))
    return Call(
        run=run.subrun_of or run.id,
        id=run.id,
        number=calls[0].number if calls else 0,
        kind="subrun",
        transport="",
        method="",
        url="",
        endpoint="",
        request_hash="",
        site=None,
        stack=(),
        lineage=None,
        thread=None,
        task=None,
        origin=origin,
        source_call=None,
        input_edited=False,
        started=run.started,
        model=f"{len(calls)} call{'' if len(calls) == 1 else 's'}",
        status=_STATUS.get(run.status, "cancelled"),
        duration=run.duration,
        input_tokens=_total(asked),
        output_tokens=_total(said),
        preview=run.name,
    )


def _total(counts: list[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
