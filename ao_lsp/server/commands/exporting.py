"""`ao.export`: a run for other tools and other people."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal

from ao_lsp.server import command, refs
from ao_lsp.server.command import Caller, Command
from ao_lsp.server.core import Core
from ao_lsp.server.exchanges import in_batches
from ao_lsp.server.export import Page, Recorded, exported
from ao_lsp.server.model import Exchange
from ao_lsp.server.params import param
from ao_lsp.server.results.runs import ExportJson


@dataclass(frozen=True, slots=True)
class ExportParams:
    run: str = param(command.RUN, "last")
    format: Literal["json", "html", "otlp"] = param("one JSON document, one page, or an OpenTelemetry trace", "json")


async def _export(core: Core, caller: Caller, params: ExportParams) -> ExportJson:
    graph = await refs.find_graph(core, params.run)
    run, total = graph.run.id, len(graph.calls)
    edits, notes = await core.store.edits(run), await core.store.notes(run)
    page, exchanges = Page(graph, edits, notes), dict[str, Exchange]()
    read = 0
    async for batch in in_batches(core.store, graph.calls):
        if params.format == "html":
            await asyncio.to_thread(page.add, batch)
        else:
            exchanges |= {call.id: exchange for call, exchange in batch}
        read += len(batch)
        caller.progress(read, total, f"{read} of {total} calls are read")
    if params.format == "html":
        text = await asyncio.to_thread(page.whole)
    else:
        recorded = Recorded(graph, exchanges, tuple(edits), tuple(notes))
        text = await asyncio.to_thread(exported, recorded, params.format)
    return {"run": run, "format": params.format, "text": text}


EXPORT = Command("a whole run as one file, for other tools and people", ExportParams, _export)
