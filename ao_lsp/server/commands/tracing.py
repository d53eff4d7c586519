"""`ao.why` and `ao.origins`: where the input of a call came from, and the values of a variable."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass

from ao_lsp.server import command, refs, values, variables, why
from ao_lsp.server.command import Caller, Command
from ao_lsp.server.core import Core
from ao_lsp.server.model import Graph
from ao_lsp.server.params import CommandError, param
from ao_lsp.server.results.calls import OriginsJson, VariableJson, WhyJson
from ao_lsp.server.sources import Sources
from ao_lsp.server.views import node_json


@dataclass(frozen=True, slots=True)
class WhyParams:
    call: str | int = param(command.CALL)
    run: str = param(command.RUN, "last")
    start: int | None = param("only what is in this part of the input: its first character, from 0", None)
    end: int | None = param("the character behind the last one of the part", None)


async def _why(core: Core, _: Caller, params: WhyParams) -> WhyJson:
    graph = await refs.find_graph(core, params.run)
    call = refs.find_call(graph, params.call)
    wanted = {call.id, *(edge.source for edge in graph.edges if edge.target == call.id)}
    exchanges = {one.id: await core.store.exchange(one.run, one.id) for one in graph.calls if one.id in wanted}
    try:
        return await asyncio.to_thread(why.answer, graph, call, exchanges, (params.start, params.end))
    except why.PartError as error:
        raise CommandError("bad_params", str(error)) from None


WHY = Command("where the input of a call came from, line by line", WhyParams, _why)


@dataclass(frozen=True, slots=True)
class OriginsParams:
    file: str = param("a source file: its path, or the one from the folder in which the program was started")
    run: str = param(command.RUN, "last")
    line: int | None = param("only what is on this line, from 1; null: all that is given a value", None)
    name: str | None = param("only variables of this name", None)


async def _origins(core: Core, _: Caller, params: OriginsParams) -> OriginsJson:
    graph = await refs.find_graph(core, params.run)
    names = _names_of(graph.run.cwd, params.file)
    seen = variables.seen_files(graph.calls, graph.edges)
    said = await core.store.made(graph.run.root or graph.run.id, sorted(seen.union(names)))
    found = await asyncio.to_thread(_traced, graph, names, said, params)
    return {"run": graph.run.id, "file": params.file, "variables": found}


def _names_of(cwd: str, file: str) -> list[str]:
    """The names under which a program may have run a file."""
    path = os.path.normpath(os.path.join(cwd, file))
    return list(dict.fromkeys((path, os.path.realpath(path))))


def _traced(graph: Graph, names: list[str], said: list[tuple[str, bytes]], params: OriginsParams) -> list[VariableJson]:
    run, files = graph.run, Sources()
    read = ((name, files.as_run(name, run)) for name in names)
    file, lines = next(((name, lines) for name, lines in read if lines is not None), (params.file, None))
    if lines is None:
        raise CommandError(
            "conflict",
            f"nobody knows what was in {params.file} when the run read it",
            "it is gone, or was changed since then; with versions of code switched on (AO_VERSIONS) that is kept",
        )
    made = values.Recordings(said)
    recorded = variables.Recorded(frozenset(names), made.of(names), graph.calls, run.status == "finished")
    seen = variables.seen_files(graph.calls, graph.edges)
    others = variables.Others(seen, lambda name: made.of([name]), lambda name: files.as_run(name, run))
    traced = variables.trace(lines, file, recorded, others)
    uses = [] if params.line is None else [(one, False) for one in traced.used]
    every = sorted([*((one, True) for one in traced.defined), *uses], key=lambda pair: pair[0].span)
    known = {call.id: call for call in (*graph.calls, *(other for _, other in graph.outside))}
    subruns = {subrun.id: subrun.name for subrun in graph.subruns}
    found: list[VariableJson] = []
    for one, defined in every:
        if params.line not in (None, one.span.line + 1) or params.name not in (None, one.name):
            continue
        calls = sorted((known[call] for call in one.calls if call in known), key=lambda call: call.number)
        found.append(
            {
                "name": one.name,
                "line": one.span.line + 1,
                "column": one.span.column,
                "defined": defined,
                "sources": [
                    {
                        "number": call.number,
                        "call": node_json(call, run, subruns.get(call.run)),
                        "path": [why.hop_json(why.hop_at(*hop, run, files)) for hop in one.ways.get(call.id, ())],
                    }
                    for call in calls
                ],
            }
        )
    return found


ORIGINS = Command(
    "which calls the values of variables came from, line by line",
    OriginsParams,
    _origins,
    since=2,
    errors=("conflict",),
)
