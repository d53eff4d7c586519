"""`ao.runs`, `ao.graph`, `ao.call`: what has been recorded."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Literal

from ao_lsp.server import command, pricing, refs, render, subruns, views
from ao_lsp.server.command import Caller, Command
from ao_lsp.server.core import Core
from ao_lsp.server.model import RunSummary
from ao_lsp.server.params import CommandError, param
from ao_lsp.server.results.calls import RawCallJson, WholeCallJson
from ao_lsp.server.results.runs import DrawingJson, FoundRunsJson, GraphJson, RunsJson

_NOTES = 5  # of the recorder, below a drawing


@dataclass(frozen=True, slots=True)
class RunsParams:
    limit: int = param("at most so many, subruns not counted", 20)
    name: str | None = param("only runs and subruns whose name matches this regular expression", None)
    within: str | None = param("only the subruns of this run, in order of start", None)
    grep: str | None = param("only runs whose prompts or outputs contain this text, in large letters or small", None)


@dataclass(frozen=True, slots=True)
class GraphParams:
    run: str = param(command.RUN, "last")
    evidence: Literal["tracked", "all"] = param("only edges that were tracked, or also those matched by text", "all")
    format: Literal["json", "text", "mermaid", "dot", "svg"] = param("json: run, nodes, edges; else a drawing", "json")
    subruns: bool = param("draw each call of subruns, not one node for each subrun (json has each call)", False)
    unfolded: list[str] | None = param("draw each call of these subruns (ids; format text)", None)  # noqa: RUF009 - a field
    color: bool = param("with terminal colours (format text)", False)
    width: int | None = param("columns of the terminal (format text)", None)


@dataclass(frozen=True, slots=True)
class CallParams:
    call: str | int = param(command.CALL)
    run: str = param(command.RUN, "last")
    raw: bool = param("also give both bodies as they were, base64", False)


async def _runs(core: Core, _: Caller, params: RunsParams) -> RunsJson | FoundRunsJson:
    if params.limit < 1:
        raise CommandError("bad_params", "limit must be at least 1")
    try:
        wanted = re.compile(params.name or "")
    except re.error as error:
        raise CommandError("bad_params", f"name is no regular expression: {error}") from None
    if params.grep is not None:
        return await _saying(core, params, wanted, params.grep)
    summaries, total = await _listed(core, params, wanted)
    await pricing.loaded()
    runs = await asyncio.to_thread(lambda: [views.summary_json(summary) for summary in summaries])
    return {"runs": runs, "total": total}


async def _saying(core: Core, params: RunsParams, wanted: re.Pattern[str], needle: str) -> FoundRunsJson:
    """The runs that say `needle`, each with the calls that do."""
    if not needle.strip():
        raise CommandError("bad_params", "grep is an empty text")
    texts, whole = await core.search.find(needle)
    saying = await core.store.with_outer(await core.search.runs(texts))
    summaries, total = await _listed(core, params, wanted, saying)
    found = set(texts)
    matches = [await core.search.matches(one.run.id, found, needle) for one in summaries]
    await pricing.loaded()
    runs = await asyncio.to_thread(
        lambda: [views.found_json(summary, match) for summary, match in zip(summaries, matches, strict=True)]
    )
    return {"runs": runs, "total": total, "complete": whole}


async def _listed(
    core: Core, params: RunsParams, wanted: re.Pattern[str], among: set[str] | None = None
) -> tuple[list[RunSummary], int]:
    """The runs to show, and of how many; with `among` only of these, without subruns below them."""
    if params.within is not None:
        run = await refs.find_run(core.store, params.within)
        inside = list(subruns.listed([run], await core.store.summaries([run])))[1:]
        chosen = [one for one in inside if wanted.search(one.run.name) and (among is None or one.run.id in among)]
        return chosen[: params.limit], len(chosen)
    if params.name is None and among is None:
        newest = [run for run, _ in await core.store.run_names(params.limit)]
        total, _ = await core.store.counts()
        return list(subruns.listed(newest, await core.store.summaries(newest))), total
    names = await core.store.run_names()
    if params.name is None and among is not None:
        found = [run for run, _ in names if run in among]
        shown = found[: params.limit]
        summaries = list(subruns.listed(shown, await core.store.summaries(shown)))
        return [one for one in summaries if one.run.id in shown], len(found)
    names += await core.store.subrun_names()
    matching = {run for run, name in names if wanted.search(name) and (among is None or run in among)}
    summaries = [one for one in await core.store.summaries(list(matching)) if one.run.id in matching]
    return summaries[: params.limit], len(summaries)


async def _graph(core: Core, _: Caller, params: GraphParams) -> GraphJson | DrawingJson:
    graph = views.with_evidence(await refs.find_graph(core, params.run), params.evidence)
    if params.format == "json":
        return await asyncio.to_thread(views.graph_json, graph)
    if not params.subruns:
        graph = subruns.folded(graph, params.unfolded or ())
    style = render.Style(color=params.color, width=params.width)
    text = await asyncio.to_thread(render.drawn, graph, params.format, style)
    if params.format == "text":
        notes = {message for _, _, message in await core.store.notes(graph.run.id)}
        text += "".join(f"! {render.clean(note)}\n" for note in sorted(notes)[:_NOTES])
        of_rows = await asyncio.to_thread(views.drawn_json, graph, render.first_line(graph))
        return {"run": graph.run.id, "format": "text", "text": text, **of_rows}
    return {"run": graph.run.id, "format": params.format, "text": text}


async def _call(core: Core, _: Caller, params: CallParams) -> WholeCallJson | RawCallJson:
    graph = await refs.find_graph(core, params.run)
    call = refs.find_call(graph, params.call)
    exchange = await core.store.exchange(call.run, call.id)
    edits = await core.store.edits(call.run)
    return await asyncio.to_thread(views.call_json, graph, call, exchange, edits, params.raw)


RUNS = Command("recorded runs, newest first", RunsParams, _runs)
GRAPH = Command("the calls of a run and which output reached which input", GraphParams, _graph)
CALL = Command("one call, whole: messages, output, request, response, edits", CallParams, _call)
