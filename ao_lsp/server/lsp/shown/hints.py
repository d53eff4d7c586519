"""Inlay hints: the latest output, behind the line of the call."""

from __future__ import annotations

from lsprotocol import types as lsp

from ao_lsp.server.lsp.buffers.documents import Document
from ao_lsp.server.lsp.buffers.units import Units
from ao_lsp.server.lsp.recorded import words
from ao_lsp.server.lsp.recorded.places import Place
from ao_lsp.server.lsp.recorded.recordings import Recordings


async def hint(document: Document, place: Place, units: Units, recordings: Recordings) -> lsp.InlayHint | None:
    """The hint of a place; None where there is nothing to tell.

    Raises:
        StoreError: the database fails.
    """
    if place.record is None:
        return None
    for call in reversed(place.calls):
        # A list of runs keeps the beginning of every text; of what is none, the body has to be read.
        read = call.status == "ok" and call.kind == "llm" and not call.preview
        said = (await recordings.said(call)).output if read else None
        label = words.output(call, place.record.run, said, place.record.edits.get((call.id, "output")))
        if label:
            break
    else:
        return None
    line = place.extent.line
    return lsp.InlayHint(
        position=document.position((line, len(document.line(line))), units),
        label=label,
        padding_left=True,
        tooltip=f"{words.call_name(call)}: {words.summary([call], place.record.run)}",
    )
