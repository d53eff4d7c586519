"""`ao.chooseCall`: the calls that were made at the place of a call, in this run and in others."""

from __future__ import annotations

from dataclasses import dataclass

from ao_lsp.server import command, refs
from ao_lsp.server.command import Caller, Command
from ao_lsp.server.core import Core
from ao_lsp.server.model import Call
from ao_lsp.server.params import param
from ao_lsp.server.render import labels
from ao_lsp.server.results.opening import PlaceCallJson, PlaceCallsJson

MOST_RUNS = 100
"""Of the runs that came to a file, so many of the newest can be chosen from."""


@dataclass(frozen=True, slots=True)
class ChooseParams:
    call: str | int = param(command.CALL)
    run: str = param(command.RUN, "last")


async def _choose(core: Core, _: Caller, params: ChooseParams) -> PlaceCallsJson:
    """A command line has no buffer to follow a place through: it goes by the function."""
    graph = await refs.find_graph(core, params.run)
    meant = refs.find_call(graph, params.call)
    site = meant.site
    if site is None:
        return {"calls": [_json(graph.run.id, meant)]}
    found: list[PlaceCallJson] = []
    for run in await core.store.runs_in_files([site.file], MOST_RUNS):
        other = graph if run == graph.run.id else await core.matching.graph(run)
        for call in other.calls if other is not None else ():
            if call.site is not None and (call.site.file, call.site.function) == (site.file, site.function):
                found.append(_json(run, call))
    return {"calls": found}


def _json(run: str, call: Call) -> PlaceCallJson:
    return {"run": run, "call": call.id, "number": call.number, "name": labels.function(call)}


CHOOSE = Command(
    "choose one of the calls that were made at a place, of any run, and what to do with it",
    ChooseParams,
    _choose,
    since=2,
)
