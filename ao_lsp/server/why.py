"""Where the input of a call came from: its sources, the lines on the way, and where in it they stand. Pure,
but for the user's files, which it reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ao_lsp.server import providers, subruns
from ao_lsp.server.matching.ranges import Range, Standing, standing, told_apart
from ao_lsp.server.matching.reading import said
from ao_lsp.server.model import Call, Edge, Exchange, Graph, Run
from ao_lsp.server.results.calls import HopJson, NodeJson, WhyJson, WhySourceJson
from ao_lsp.server.sources import Sources, function_at
from ao_lsp.server.views import node_json, outside_json


class PartError(ValueError):
    """An input has no such part; the message is for the user."""


@dataclass(frozen=True, slots=True)
class Input:
    """The input of a call as one text: its messages one below the other, with the calls of tools in them.
    `messages` says of each its role, and from where to where it goes."""

    text: str
    messages: tuple[tuple[str, Range], ...]


@dataclass(frozen=True, slots=True)
class Hop:
    """A line that a value went through. `function` and `text` are None where the file is gone or has
    changed; `function` also outside of functions."""

    file: str
    line: int
    function: str | None
    text: str | None


@dataclass(frozen=True, slots=True)
class Source:
    """A call whose output is in the input, and how it got there."""

    edge: Edge
    standing: Standing
    hops: tuple[Hop, ...]

    def may_be_within(self, start: int, end: int) -> bool:
        """Whether it is in that part of the input, as far as texts can tell."""
        return not self.standing.sure or self.standing.within(start, end)


def input_of(messages: Sequence[providers.Message]) -> Input:
    """The messages of a call as one text."""
    texts: list[str] = []
    found: list[tuple[str, Range]] = []
    at = 0
    for message in messages:
        called = [f"{wanted.name}({wanted.arguments})" for wanted in message.tool_calls]
        text = "\n".join([*([message.text] if message.text or not called else []), *called])
        texts.append(text)
        found.append((message.role, (at, at + len(text))))
        at += len(text) + 1
    return Input("\n".join(texts), tuple(found))


def answer(
    graph: Graph, call: Call, exchanges: Mapping[str, Exchange | None], wanted: tuple[int | None, int | None]
) -> WhyJson:
    """Where the input of `call` came from, or the part of it from and to the characters `wanted`.

    `exchanges` has those of the call and of its sources.

    Raises:
        PartError: the input has no such part.
    """
    asked, files = input_of(_messages(call, exchanges.get(call.id))), Sources()
    start, end = _part(wanted, len(asked.text))
    calls, names = {one.id: one for one in graph.calls}, subruns.names(graph)

    def node(one: Call) -> NodeJson:
        return node_json(one, graph.run, names.get(one.run))

    reached = [
        _source(edge, calls[edge.source], exchanges, asked, graph.run, files)
        for edge in graph.edges
        if edge.target == call.id
    ]
    places = told_apart([source.standing for source in reached])
    found = [replace(source, standing=place) for source, place in zip(reached, places, strict=True)]
    return {
        "run": graph.run.id,
        "call": node(call),
        "messages": [{"role": role, "start": first, "end": last} for role, (first, last) in asked.messages],
        "part": None if wanted == (None, None) else {"start": start, "end": end, "text": asked.text[start:end]},
        "sources": [
            _source_json(source, node(calls[source.edge.source]), asked)
            for source in found
            if source.may_be_within(start, end)
        ],
        "outside": [outside_json(edge, other) for edge, other in graph.outside if edge.target == call.id],
    }


def _messages(call: Call, exchange: Exchange | None) -> tuple[providers.Message, ...]:
    if exchange is None:
        return ()
    return providers.read_request(call.endpoint, call.url, exchange.request_headers, exchange.request).messages


def _part(wanted: tuple[int | None, int | None], length: int) -> tuple[int, int]:
    start = wanted[0] or 0
    end = length if wanted[1] is None else wanted[1]
    if not 0 <= start <= end <= length:
        raise PartError(f"there is no part {start}:{end} in an input of {length} characters")
    return start, end


def _source(
    edge: Edge, call: Call, exchanges: Mapping[str, Exchange | None], asked: Input, run: Run, files: Sources
) -> Source:
    exchange = exchanges.get(call.id)
    outputs = said(call, exchange) if exchange is not None else ()
    hops = tuple(hop_at(file, line, run, files) for file, line in edge.path)
    return Source(edge, standing(outputs, asked.text), hops)


def hop_at(file: str, line: int, run: Run, files: Sources) -> Hop:
    """A line, as far as it is known what the run read there."""
    lines = files.as_run(file, run)
    if lines is None or not 0 < line <= len(lines):
        return Hop(file, line, None, None)
    return Hop(file, line, function_at(lines, line), lines[line - 1].strip())


def hop_json(hop: Hop) -> HopJson:
    return {"file": hop.file, "line": hop.line, "function": hop.function, "text": hop.text}


def _source_json(source: Source, node: NodeJson, asked: Input) -> WhySourceJson:
    edge = source.edge
    return {
        "number": node["number"],
        "source": edge.source,
        "target": edge.target,
        "evidence": edge.evidence,
        "path": [hop_json(hop) for hop in source.hops],
        "call": node,
        "certain": source.standing.sure,
        "ranges": [
            {"start": start, "end": end, "text": asked.text[start:end]} for start, end in source.standing.ranges
        ],
    }
