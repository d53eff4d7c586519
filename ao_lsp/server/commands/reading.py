"""`ao.runs`, `ao.graph`, `ao.call`, `ao.diff`: what has been recorded."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Literal

from ao_lsp.server import command, diff, pricing, providers, refs, render, views
from ao_lsp.server.command import Caller, Command
from ao_lsp.server.core import Core
from ao_lsp.server.model import Call
from ao_lsp.server.params import CommandError, param
from ao_lsp.server.views import Json

_NOTES = 5  # of the recorder, below a drawing


@dataclass(frozen=True, slots=True)
class RunsParams:
    limit: int = param("at most so many", 20)
    name: str | None = param("only runs whose name matches this regular expression", None)


@dataclass(frozen=True, slots=True)
class GraphParams:
    run: str = param(command.RUN, "last")
    evidence: Literal["tracked", "all"] = param("only edges that were tracked, or also those matched by text", "all")
    format: Literal["json", "text", "mermaid", "dot", "svg"] = param("json: run, nodes, edges; else a drawing", "json")
    color: bool = param("with terminal colours (format text)", False)
    width: int | None = param("columns of the terminal (format text)", None)


@dataclass(frozen=True, slots=True)
class CallParams:
    call: str | int = param(command.CALL)
    run: str = param(command.RUN, "last")
    raw: bool = param("also give both bodies as they were, base64", False)


@dataclass(frozen=True, slots=True)
class DiffParams:
    a: str = param(command.RUN)
    b: str = param(command.RUN, "last")


async def _runs(core: Core, _: Caller, params: RunsParams) -> Json:
    if params.limit < 1:
        raise CommandError("bad_params", "limit must be at least 1")
    try:
        wanted = re.compile(params.name or "")
    except re.error as error:
        raise CommandError("bad_params", f"name is no regular expression: {error}") from None
    found = [run for run, name in await core.store.run_names() if wanted.search(name)]
    shown = await core.store.summaries(found[: params.limit])
    await pricing.loaded()
    runs = await asyncio.to_thread(lambda: [views.summary_json(summary) for summary in shown])
    return {"runs": runs, "total": len(found)}


async def _graph(core: Core, _: Caller, params: GraphParams) -> Json:
    graph = views.with_evidence(await refs.find_graph(core, params.run), params.evidence)
    if params.format == "json":
        return await asyncio.to_thread(views.graph_json, graph)
    style = render.Style(color=params.color, width=params.width)
    text = await asyncio.to_thread(render.drawn, graph, params.format, style)
    if params.format == "text":
        notes = {message for _, _, message in await core.store.notes(graph.run.id)}
        text += "".join(f"! {render.clean(note)}\n" for note in sorted(notes)[:_NOTES])
    return {"run": graph.run.id, "format": params.format, "text": text}


async def _call(core: Core, _: Caller, params: CallParams) -> Json:
    graph = await refs.find_graph(core, params.run)
    call = refs.find_call(graph, params.call)
    exchange = await core.store.exchange(call.run, call.id)
    edits = await core.store.edits(call.run)
    return await asyncio.to_thread(views.call_json, graph, call, exchange, edits, params.raw)


async def _diff(core: Core, _: Caller, params: DiffParams) -> Json:
    a, b = await refs.find_graph(core, params.a), await refs.find_graph(core, params.b)
    pairs = diff.match(a, b)
    verdicts = [pair.verdict for pair in pairs]
    return {
        "a": views.run_json(a.run),
        "b": views.run_json(b.run),
        "counts": {verdict: verdicts.count(verdict) for verdict in diff.VERDICTS},
        "calls": [
            {
                "verdict": pair.verdict,
                "input_changed": pair.input_changed,
                "a": views.node_json(pair.a, a.run) if pair.a else None,
                "b": views.node_json(pair.b, b.run) if pair.b else None,
                # What stayed the same need not be said twice.
                "output": None
                if pair.verdict == "same"
                else {"a": await _output(core, pair.a), "b": await _output(core, pair.b)},
            }
            for pair in pairs
        ],
    }


async def _output(core: Core, call: Call | None) -> str | None:
    """The text that a call gave; its tool calls where it gave none."""
    exchange = await core.store.exchange(call.run, call.id) if call else None
    if call is None or exchange is None or exchange.response is None:
        return None
    said = await asyncio.to_thread(providers.read_response, call.endpoint, exchange.response_headers, exchange.response)
    if said.text is not None or not said.tool_calls:
        return said.text if said.text is not None else said.error
    return "\n".join(f"{wanted.name}({wanted.arguments})" for wanted in said.tool_calls)


RUNS = Command("recorded runs, newest first", RunsParams, _runs)
GRAPH = Command("the calls of a run and which output reached which input", GraphParams, _graph)
CALL = Command("one call, whole: messages, output, request, response, edits", CallParams, _call)
DIFF = Command("what changed from run `a` to run `b`, call by call", DiffParams, _diff)
