"""`ao.export`: a run for other tools and other people."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal

from ao_lsp.server import command, refs
from ao_lsp.server.command import Caller, Command
from ao_lsp.server.core import Core
from ao_lsp.server.export import Recorded, exported
from ao_lsp.server.model import Exchange
from ao_lsp.server.params import param
from ao_lsp.server.views import Json

_AT_ONCE = 50
"""So many calls are read at once; in between others get their turn."""


@dataclass(frozen=True, slots=True)
class ExportParams:
    run: str = param(command.RUN, "last")
    format: Literal["json", "html", "otlp"] = param("one JSON document, one page, or an OpenTelemetry trace", "json")


async def _export(core: Core, caller: Caller, params: ExportParams) -> Json:
    graph = await refs.find_graph(core, params.run)
    run, ids = graph.run.id, [call.id for call in graph.calls]
    exchanges: dict[str, Exchange] = {}
    for start in range(0, len(ids), _AT_ONCE):
        caller.progress(start, len(ids), f"reading call {start + 1} of {len(ids)}")
        exchanges |= await core.store.exchanges(run, ids[start : start + _AT_ONCE])
    edits, notes = await core.store.edits(run), await core.store.notes(run)
    recorded = Recorded(graph, exchanges, tuple(edits), tuple(notes))
    return {"run": run, "format": params.format, "text": await asyncio.to_thread(exported, recorded, params.format)}


EXPORT = Command("a whole run as one file, for other tools and people", ExportParams, _export)
