"""Finding what a user means by RUN and CALL."""

from __future__ import annotations

from ao_lsp.server import pricing
from ao_lsp.server.core import Core
from ao_lsp.server.model import Call, Graph
from ao_lsp.server.params import CommandError
from ao_lsp.server.store import Store

_SHOWN = 4  # candidates that an error names


async def find_run(store: Store, wanted: str) -> str:
    """The id of the run that `wanted` names: an id, `last` (the newest that is no subrun), a name (its newest
    run, or else subrun), or the beginning of one id.

    Raises:
        CommandError: there is none, or more than one.
    """
    runs = await store.run_names(1 if wanted == "last" else None)
    if not runs:
        raise CommandError("not_found", "nothing has been recorded yet", "record a program: ao-record script.py")
    if wanted == "last":
        return runs[0][0]
    newest = runs[0][0]
    runs += await store.subrun_names()
    ids = [run for run, _ in runs]
    if wanted in ids:
        return wanted
    for run, name in runs:
        if name == wanted:
            return run
    found = [run for run in ids if wanted and run.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    if found:
        raise CommandError("ambiguous", f"{len(found)} runs begin with {wanted}", f"one of {_some(found)}")
    raise CommandError("not_found", f"there is no run {wanted}", f"ao runs lists them; the newest is {newest}")


async def find_graph(core: Core, wanted: str) -> Graph:
    """The graph of the run that `wanted` names.

    Raises:
        CommandError: there is none, or more than one.
    """
    run = await find_run(core.store, wanted)
    await pricing.loaded()
    graph = await core.matching.graph(run)
    if graph is None:
        raise CommandError("not_found", f"run {run} has just been deleted")
    return graph


def find_call(graph: Graph, wanted: str | int) -> Call:
    """The call that `wanted` names: its id, its number in the run, or the beginning of one id.

    Raises:
        CommandError: there is none, or more than one.
    """
    text = str(wanted)
    for call in graph.calls:
        if call.id == text:
            return call
    if text.isdecimal() and 1 <= int(text) <= len(graph.calls):
        return graph.calls[int(text) - 1]
    found = [call for call in graph.calls if text and call.id.startswith(text)]
    if len(found) == 1:
        return found[0]
    if found:
        raise CommandError(
            "ambiguous", f"{len(found)} calls begin with {text}", f"one of {_some([c.id for c in found])}"
        )
    count = len(graph.calls)
    hint = f"it has calls 1 to {count}: ao graph {graph.run.id}" if count else "it has no calls"
    raise CommandError("not_found", f"run {graph.run.id} has no call {text}", hint)


def _some(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
