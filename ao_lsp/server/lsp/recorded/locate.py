"""`ao/locate`: where a recorded call stands now, in a buffer that was edited since, or in the file."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ao_lsp.server import command, refs
from ao_lsp.server.lsp.buffers.documents import Document
from ao_lsp.server.lsp.buffers.following import Follower
from ao_lsp.server.lsp.buffers.uris import uri_of
from ao_lsp.server.lsp.recorded.places import find_places, spots
from ao_lsp.server.lsp.recorded.recordings import names_of
from ao_lsp.server.lsp.recorded.words import call_name
from ao_lsp.server.model import Site
from ao_lsp.server.params import CommandError, param
from ao_lsp.server.results.editors import LinesJson, LocationJson

if TYPE_CHECKING:
    from ao_lsp.server.lsp.editor import Editor


@dataclass(frozen=True, slots=True)
class LocateParams:
    call: str | int = param(command.CALL)
    run: str = param(command.RUN, "last")


async def locate(editor: Editor, params: LocateParams) -> LocationJson:
    """Where a call was made.

    Raises:
        CommandError: there is no such call, or nobody knows where it was made.
        StoreError: the database fails.
    """
    graph = await refs.find_graph(editor.core, params.run)
    call = refs.find_call(graph, params.call)
    site = call.site
    if site is None:
        raise CommandError("not_found", f"it is not known where {call_name(call)} was made")
    recorded: LinesJson = {"uri": uri_of(site.file), "line": site.line, "end_line": site.end_line or site.line}
    document = open_buffer(editor, site) or await asyncio.to_thread(on_disk, site)
    record = await editor.recordings.of_run(graph.run.id)
    if document is None or record is None:
        return {**recorded, "moved": False, "found": False}
    places = await asyncio.to_thread(
        find_places, Follower(document, editor.sources), spots(names_of(site.file), [record])
    )
    here = [place.extent for place in places if any(one.id == call.id for one in place.calls)]
    if not here:
        return {**recorded, "uri": document.uri, "moved": False, "found": False}
    # Where helpers are shared, a call is at their callers' lines, too: the nearest one is its own.
    extent = min(here, key=lambda one: abs(one.line + 1 - site.line))
    line, end_line = extent.line + 1, extent.end_line + 1
    return {"uri": document.uri, "line": line, "end_line": end_line, "moved": line != site.line, "found": True}


def open_buffer(editor: Editor, site: Site) -> Document | None:
    """The buffer of the file, where the editor has it open under one of its names."""
    names = {site.file, *names_of(site.file)}
    for document in editor.documents.values():
        if document.path is not None and not names.isdisjoint(names_of(document.path)):
            return document
    return None


def on_disk(site: Site) -> Document | None:
    """The file as it is on disk; None where it cannot be read."""
    try:
        with open(site.file, encoding="utf-8", errors="replace", newline="") as file:
            return Document.opened(uri_of(site.file), 0, file.read())
    except OSError:
        return None
