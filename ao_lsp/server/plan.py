"""What a rerun does with each recorded call: pure decisions, which the runner obeys.

Without a fork the program is told its whole past, changed by the edits: what an edit changes
downstream has another request, finds no recording, and goes live by itself. With a fork at call N,
N and everything that its output reached go live even where the request stays the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ao_lsp.server.model import Call, Edge, Edit, EditField, Graph

Action: TypeAlias = Literal["replay", "edited", "input", "live", "run"]
Policy: TypeAlias = Literal["live", "strict", "ask"]


@dataclass(frozen=True, slots=True)
class PlanEntry:
    """What happens to one call. `affected`: it replays, but its input may change with an edit
    upstream, and then it goes live."""

    call: Call
    action: Action
    affected: bool = False


@dataclass(frozen=True, slots=True)
class Counts:
    """How many calls take which way; `affected` ones are among the replayed, `run` are tools that run again."""

    calls: int
    replayed: int
    edited: int
    live: int
    affected: int
    run: int


def plan(graph: Graph, edits: Iterable[Edit], fork: str | None) -> tuple[PlanEntry, ...]:
    """One entry a call, in order. `fork` is the id of the call from which to go live, or None."""
    edited = {(edit.call, edit.field) for edit in edits}
    live = {fork, *descendants(graph.edges, {fork})} if fork is not None else set()
    changed = {call for call, _ in edited} | ({fork} if fork is not None else set())
    reached = descendants(graph.edges, changed)
    return tuple(_entry(call, edited, live, reached) for call in graph.calls)


def outside(graph: Graph, inside: set[str], edits: Iterable[Edit]) -> tuple[PlanEntry, ...]:
    """What happens to the calls of `graph` that are not in the runs `inside`, where only these are rerun: they are
    served as they were recorded, or as their outputs were edited."""
    edited = {edit.call for edit in edits if edit.field == "output"}
    return tuple(
        PlanEntry(call, "edited" if call.id in edited else _served(call))
        for call in graph.calls
        if call.run not in inside
    )


def _served(call: Call) -> Action:
    if call.kind == "tool":
        return "replay" if call.replayable else "run"
    return "replay" if answered(call) else "live"


def _entry(call: Call, edited: set[tuple[str, EditField]], live: set[str], reached: set[str]) -> PlanEntry:
    if (call.id, "output") in edited:
        return PlanEntry(call, "edited")
    if call.kind == "tool":
        again = call.id in live or not call.replayable
        return PlanEntry(call, "run") if again else PlanEntry(call, "replay", affected=call.id in reached)
    if (call.id, "input") in edited:
        return PlanEntry(call, "input")
    if call.id in live or not answered(call):
        return PlanEntry(call, "live")
    return PlanEntry(call, "replay", affected=call.id in reached)


def answered(call: Call) -> bool:
    """Whether there is a response to replay: any that arrived whole, HTTP errors included, or of
    which the program itself read only a part."""
    return call.http_status is not None and call.status != "cancelled" and not broke_off(call)


def broke_off(call: Call) -> bool:
    """Whether the connection failed. An HTTP error is an answer."""
    return call.status == "error" and call.http_status is not None and call.http_status < 400


def descendants(edges: Iterable[Edge], sources: set[str]) -> set[str]:
    """Every call that something of `sources` reached, over any number of edges."""
    targets: dict[str, list[str]] = {}
    for edge in edges:
        targets.setdefault(edge.source, []).append(edge.target)
    found: set[str] = set()
    waiting = list(sources)
    while waiting:
        for target in targets.get(waiting.pop(), ()):
            if target not in found:
                found.add(target)
                waiting.append(target)
    return found


def counts(entries: Iterable[PlanEntry]) -> Counts:
    """Totals of a plan; an edited input goes live, and counts as such."""
    listed = list(entries)
    by: Mapping[str, int] = {
        action: sum(entry.action == action for entry in listed)
        for action in ("replay", "edited", "input", "live", "run")
    }
    return Counts(
        calls=len(listed),
        replayed=by["replay"],
        edited=by["edited"],
        live=by["live"] + by["input"],
        affected=sum(entry.affected for entry in listed),
        run=by["run"],
    )
