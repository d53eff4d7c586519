"""`ao.export`: a run for other tools and other people."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal

from ao_lsp.server import command, refs
from ao_lsp.server.command import Caller, Command
from ao_lsp.server.core import Core
from ao_lsp.server.exchanges import in_batches
from ao_lsp.server.export import Recorded, exported
from ao_lsp.server.model import Exchange
from ao_lsp.server.params import param
from ao_lsp.server.views import Json


@dataclass(frozen=True, slots=True)
class ExportParams:
    run: str = param(command.RUN, "last")
    format: Literal["json", "html", "otlp"] = param("one JSON document, one page, or an OpenTelemetry trace", "json")


async def _export(core: Core, caller: Caller, params: ExportParams) -> Json:
    graph = await refs.find_graph(core, params.run)
    run, total = graph.run.id, len(graph.calls)
    exchanges: dict[str, Exchange] = {}
    async for batch in in_batches(core.store, graph.calls):
        exchanges |= {call.id: exchange for call, exchange in batch}
        caller.progress(len(exchanges), total, f"{len(exchanges)} of {total} calls are read")
    edits, notes = await core.store.edits(run), await core.store.notes(run)
    recorded = Recorded(graph, exchanges, tuple(edits), tuple(notes))
    return {"run": run, "format": params.format, "text": await asyncio.to_thread(exported, recorded, params.format)}


EXPORT = Command("a whole run as one file, for other tools and people", ExportParams, _export)
