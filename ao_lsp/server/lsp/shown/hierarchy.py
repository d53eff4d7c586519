"""The call hierarchy: incoming are the calls whose outputs a call used, outgoing those that used its output.

Calls of one place are one item. An item names its run and calls, so what is asked of it later is about the run that
was shown, however the buffer and the recordings have changed since.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from lsprotocol import types as lsp

from ao_lsp.server.lsp.buffers.documents import Document
from ao_lsp.server.lsp.buffers.following import Follower
from ao_lsp.server.lsp.buffers.syntax import syntax_of
from ao_lsp.server.lsp.buffers.uris import uri_of
from ao_lsp.server.lsp.recorded import words
from ao_lsp.server.lsp.recorded.attached import Attached
from ao_lsp.server.lsp.recorded.locate import on_disk, open_buffer
from ao_lsp.server.lsp.recorded.places import called_at
from ao_lsp.server.lsp.recorded.recordings import Record
from ao_lsp.server.lsp.shown.symbols import CALL_KIND
from ao_lsp.server.model import Call, Site
from ao_lsp.server.params import CommandError
from ao_lsp.server.render import labels

if TYPE_CHECKING:
    from ao_lsp.server.lsp.editor import Editor


async def prepare(editor: Editor, uri: str, position: lsp.Position) -> list[lsp.CallHierarchyItem] | None:
    """The calls at a position: of the call that stands there, or of the function whose name does.

    Raises:
        StoreError: the database fails.
    """
    attached = await editor.attached(uri)
    if attached is None:
        return None
    text = attached.document.line(position.line)
    meant = _meant(attached, position.line, editor.units.to_column(text, position.character))
    return None if meant is None else [await _item(editor, *meant)]


def _meant(attached: Attached, line: int, column: int) -> tuple[Record, Sequence[Call]] | None:
    place = called_at(attached.places, line, column)
    if place is not None:
        return (place.record, place.calls) if place.record is not None else None
    for function in syntax_of(attached.document.lines).functions:
        if function.name_start[0] == line and function.name_start[1] <= column <= function.name_end[1]:
            inside = [one for one in attached.places if function.start[0] <= one.extent.line <= function.end[0]]
            record = next((one.record for one in inside if one.record is not None), None)
            calls = [call for one in inside if one.record is record for call in one.calls]
            return (record, sorted(calls, key=lambda call: call.number)) if record is not None else None
    return None


async def incoming(editor: Editor, item: lsp.CallHierarchyItem) -> list[lsp.CallHierarchyIncomingCall]:
    """The calls whose outputs went into those of an item.

    Raises:
        CommandError: their run has been deleted.
        StoreError: the database fails.
    """
    record, ours = await _of(editor, item)
    used = {edge.source for edge in record.graph.edges if edge.target in ours}
    found = [await _item(editor, record, calls) for calls in _by_place(record.by_id[call] for call in used)]
    others = {call.id: call for edge, call in record.graph.outside if edge.target in ours}
    for call in others.values():
        other = await editor.recordings.of_run(call.run)
        found.append(await _item(editor, other or record, [call], f" of run {call.run}"))
    return [lsp.CallHierarchyIncomingCall(from_=one, from_ranges=[one.selection_range]) for one in found]


async def outgoing(editor: Editor, item: lsp.CallHierarchyItem) -> list[lsp.CallHierarchyOutgoingCall]:
    """The calls that the outputs of an item's went into.

    Raises:
        CommandError: their run has been deleted.
        StoreError: the database fails.
    """
    record, ours = await _of(editor, item)
    using = {edge.target for edge in record.graph.edges if edge.source in ours}
    here = await _item(editor, record, sorted((record.by_id[call] for call in ours), key=lambda call: call.number))
    found = [await _item(editor, record, calls) for calls in _by_place(record.by_id[call] for call in using)]
    return [lsp.CallHierarchyOutgoingCall(to=one, from_ranges=[here.selection_range]) for one in found]


async def _of(editor: Editor, item: lsp.CallHierarchyItem) -> tuple[Record, set[str]]:
    said: Any = item.data
    run, calls = (said.get("run"), said.get("calls")) if isinstance(said, dict) else (None, None)
    if not isinstance(run, str) or not isinstance(calls, list):
        raise CommandError("bad_params", "the item is none of ours", "prepare the call hierarchy again")
    record = await editor.recordings.of_run(run)
    known = {call.id for call in record.graph.calls} if record is not None else set()
    if record is None or known.isdisjoint(map(str, calls)):
        raise CommandError("not_found", f"run {run} has been deleted", "prepare the call hierarchy again")
    return record, known.intersection(map(str, calls))


def _by_place(calls: Iterable[Call]) -> list[list[Call]]:
    """Those of one place together, in the order of the run."""
    places: dict[Site | str, list[Call]] = {}
    for call in sorted(calls, key=lambda one: one.number):
        places.setdefault(call.site or call.id, []).append(call)
    return list(places.values())


async def _item(editor: Editor, record: Record, calls: Sequence[Call], more: str = "") -> lsp.CallHierarchyItem:
    last = calls[-1]
    number = f"call {last.number}" if len(calls) == 1 else words.counted(len(calls), "call")
    uri, extent = await _where(editor, record, last)
    return lsp.CallHierarchyItem(
        name=words.joined([labels.function(last), number + more, labels.model(last)]),
        kind=CALL_KIND,
        uri=uri,
        range=extent,
        selection_range=extent,
        detail=words.output(last, record.run, None, record.edits.get((last.id, "output"))) or None,
        data={"run": last.run if more else record.run.id, "calls": [call.id for call in calls]},
    )


async def _where(editor: Editor, record: Record, call: Call) -> tuple[str, lsp.Range]:
    """Where a call stands now; where that cannot be told, where it was made. Of one that was made by no line of the
    user's, the beginning of the program."""
    site = call.site
    if site is None:
        kind, value = record.run.target
        start = lsp.Position(0, 0)
        return uri_of(value) if kind == "script" else uri_of(record.run.cwd), lsp.Range(start, start)
    document = open_buffer(editor, site) or await asyncio.to_thread(on_disk, site)
    if document is None:
        start = lsp.Position(site.line - 1, 0)
        return uri_of(site.file), lsp.Range(start, start)
    unread = editor.sources.unread([site.file], [record.run])
    if unread:
        await asyncio.to_thread(editor.sources.read, unread)
    extent = await asyncio.to_thread(Follower(document, editor.sources).extent, site, record.run)
    if extent is not None:
        return document.uri, document.range(extent.start, extent.end, editor.units)
    return document.uri, _recorded(document, site, editor)


def _recorded(document: Document, site: Site, editor: Editor) -> lsp.Range:
    start = (site.line - 1, site.column or 0)
    end = (site.end_line - 1, site.end_column) if site.end_line and site.end_column is not None else start
    return document.range(start, max(start, end), editor.units)
