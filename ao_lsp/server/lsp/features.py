"""What an editor may ask for, and by which function each is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcMethodNotFound

from ao_lsp.server.lsp import configured, panel
from ao_lsp.server.lsp.recorded.places import Place, called_at
from ao_lsp.server.lsp.recorded.recordings import Record, Said
from ao_lsp.server.lsp.shown import hierarchy, hovers, variable_hints, variable_hovers
from ao_lsp.server.lsp.shown.hints import hint
from ao_lsp.server.lsp.shown.lenses import actions, lenses
from ao_lsp.server.lsp.shown.offers import ACTION_KIND, SOURCE_KIND
from ao_lsp.server.lsp.shown.publishing import SOURCE
from ao_lsp.server.lsp.shown.symbols import flat_symbols, symbols
from ao_lsp.server.sources import keep
from ao_lsp.server.views import Json

if TYPE_CHECKING:
    from ao_lsp.server.lsp.buffers.documents import Document
    from ao_lsp.server.lsp.editor import Editor
    from ao_lsp.server.lsp.recorded.variables import Shown


# Folders, too: what is in them is renamed with them.
_RENAMED = lsp.FileOperationRegistrationOptions(
    [
        lsp.FileOperationFilter(lsp.FileOperationPattern(glob, matches), "file")
        for glob, matches in (
            ("**/*.{py,pyw,pyi}", lsp.FileOperationPatternKind.File),
            ("**", lsp.FileOperationPatternKind.Folder),
        )
    ]
)


def register(editor: Editor) -> None:
    """Have everything answered that we answer. Nothing else is offered on Python files: definitions,
    references and completions are the business of a type checker's server."""
    feature = editor.feature
    feature(lsp.INITIALIZED)(_initialized)
    feature(lsp.WORKSPACE_DID_CHANGE_CONFIGURATION)(_did_change_configuration)
    feature(lsp.TEXT_DOCUMENT_CODE_LENS, lsp.CodeLensOptions())(_code_lens)
    feature(lsp.TEXT_DOCUMENT_CODE_ACTION, lsp.CodeActionOptions(code_action_kinds=[ACTION_KIND, SOURCE_KIND]))(
        _code_action
    )
    feature(lsp.TEXT_DOCUMENT_INLAY_HINT, lsp.InlayHintOptions())(_inlay_hint)
    feature(lsp.TEXT_DOCUMENT_HOVER)(_hover)
    feature(lsp.TEXT_DOCUMENT_DIAGNOSTIC, lsp.DiagnosticOptions(False, False, identifier=SOURCE))(_diagnostic)
    feature(lsp.TEXT_DOCUMENT_DOCUMENT_SYMBOL, lsp.DocumentSymbolOptions(label="LLM calls"))(_symbols)
    feature(lsp.TEXT_DOCUMENT_PREPARE_CALL_HIERARCHY)(_prepare_hierarchy)
    feature(lsp.CALL_HIERARCHY_INCOMING_CALLS)(_incoming)
    feature(lsp.CALL_HIERARCHY_OUTGOING_CALLS)(_outgoing)
    feature(lsp.TEXT_DOCUMENT_DID_SAVE, lsp.SaveOptions(include_text=False))(_did_save)
    feature(lsp.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)(_folders_changed)
    feature(lsp.WORKSPACE_DID_RENAME_FILES, _RENAMED)(_did_rename)
    feature(lsp.WORKSPACE_TEXT_DOCUMENT_CONTENT)(_content)
    feature(panel.DID_SHOW)(_did_show)
    for method in panel.METHODS:
        feature(method)(_panel(method))
    for name in editor.command_names:
        # pygls advertises what is registered; it is `Dispatch` that executes.
        editor.command(name)(_executed_elsewhere)


def _executed_elsewhere() -> None:
    """The handler that pygls wants of each command."""


async def _initialized(ls: Editor, _: lsp.InitializedParams) -> None:
    ls.ready()
    await configured.begin(ls)


async def _did_change_configuration(ls: Editor, params: lsp.DidChangeConfigurationParams) -> None:
    await configured.changed(ls, params.settings)


async def _code_lens(ls: Editor, params: lsp.CodeLensParams) -> list[lsp.CodeLens]:
    if not ls.caller.settings.get("lenses", True):
        return []
    found = await ls.places(params.text_document.uri)
    return lenses(*found, ls.units, ls.client.records) if found is not None else []


async def _code_action(ls: Editor, params: lsp.CodeActionParams) -> list[lsp.CodeAction | lsp.Command]:
    found = await ls.places(params.text_document.uri)
    if found is None:
        return []
    lines = params.range.start.line, params.range.end.line
    client, only = ls.client, params.context.only
    automatic = params.context.trigger_kind == lsp.CodeActionTriggerKind.Automatic
    return actions(*found, lines, only, ls.has_log, client.action_literals, client.records, automatic, ls.asks)


async def _inlay_hint(ls: Editor, params: lsp.InlayHintParams) -> list[lsp.InlayHint]:
    settings = ls.caller.settings
    if not settings.get("hints", True):
        return []
    found = await ls.attached(params.text_document.uri)
    if found is None:
        return []
    document = found.document
    first, last = params.range.start.line, params.range.end.line
    shown = [place for place in found.places if first <= place.extent.line <= last]
    outputs = [await hint(document, place, ls.units, ls.recordings) for place in shown]
    hints = [one for one in outputs if one is not None]
    if settings.get("variable_hints", True):
        hints += variable_hints.hints(document, await ls.variables(found), (first, last), ls.units)
    return hints


async def _hover(ls: Editor, params: lsp.HoverParams) -> lsp.Hover | None:
    """On a variable whose values came from calls, and on what is called; all else belongs to others."""
    found = await ls.attached(params.text_document.uri)
    if found is None:
        return None
    document, line = found.document, params.position.line
    column = ls.units.to_column(document.line(line), params.position.character)
    variable = (await ls.variables(found)).at(line, column)
    place = called_at(found.places, line, column)
    if variable is not None and not (variable.variable.repeats and place is not None):
        return await _variable_hover(ls, document, variable)
    if place is None:
        return None
    assert place.record is not None  # noqa: S101 - it has calls
    said = await ls.recordings.said(place.calls[-1])
    text = _hover_text(ls, place, place.record, said)
    return _written(ls, text, document.range(place.extent.start, place.extent.end, ls.units))


def _hover_text(ls: Editor, place: Place, record: Record, said: Said) -> str:
    """As it was written last, where neither the place nor what was said there has changed: editors ask often."""
    known = ls.hover_texts.get(id(place))
    if known is None or known[0] is not place or known[1] is not said:
        known = place, said, hovers.hover(place.calls, record, said, ls.client.markdown)
        keep(ls.hover_texts, id(place), known)
    return known[2]


async def _variable_hover(ls: Editor, document: Document, variable: Shown) -> lsp.Hover:
    files = {file for way in variable.variable.ways.values() for file, _ in way}
    unread = ls.sources.unread(files, [variable.record.run])
    if unread:
        await asyncio.to_thread(ls.sources.read, unread)
    text = variable_hovers.hover(variable, ls.sources, ls.client.markdown)
    return _written(ls, text, document.range(variable.start, variable.end, ls.units))


def _written(ls: Editor, text: str, extent: lsp.Range) -> lsp.Hover:
    kind = lsp.MarkupKind.Markdown if ls.client.markdown else lsp.MarkupKind.PlainText
    return lsp.Hover(lsp.MarkupContent(kind, text), extent)


async def _diagnostic(ls: Editor, params: lsp.DocumentDiagnosticParams) -> lsp.DocumentDiagnosticReport:
    return await ls.diagnostics.asked(params.text_document.uri, params.previous_result_id)


async def _symbols(
    ls: Editor, params: lsp.DocumentSymbolParams
) -> list[lsp.DocumentSymbol] | list[lsp.SymbolInformation] | None:
    attached = await ls.attached(params.text_document.uri)
    if attached is None:
        return None
    return (symbols if ls.client.hierarchical_symbols else flat_symbols)(attached, ls.units)


async def _prepare_hierarchy(ls: Editor, params: lsp.CallHierarchyPrepareParams) -> list[lsp.CallHierarchyItem] | None:
    return await hierarchy.prepare(ls, params.text_document.uri, params.position)


async def _incoming(ls: Editor, params: lsp.CallHierarchyIncomingCallsParams) -> list[lsp.CallHierarchyIncomingCall]:
    return await hierarchy.incoming(ls, params.item)


async def _outgoing(ls: Editor, params: lsp.CallHierarchyOutgoingCallsParams) -> list[lsp.CallHierarchyOutgoingCall]:
    return await hierarchy.outgoing(ls, params.item)


async def _did_save(ls: Editor, params: lsp.DidSaveTextDocumentParams) -> None:
    ls.saved(params.text_document.uri)
    await ls.editing.saved(params.text_document.uri)


def _did_rename(ls: Editor, params: lsp.RenameFilesParams) -> None:
    ls.renamed([(one.old_uri, one.new_uri) for one in params.files])


def _folders_changed(ls: Editor, params: lsp.DidChangeWorkspaceFoldersParams) -> None:
    ls.folders_changed([one.uri for one in params.event.added], [one.uri for one in params.event.removed])


async def _content(ls: Editor, params: lsp.TextDocumentContentParams) -> lsp.TextDocumentContentResult:
    return lsp.TextDocumentContentResult((await ls.contents.get(params.uri)).text)


def _did_show(ls: Editor, params: Any) -> None:
    panel.shown(ls, params)


def _panel(method: str) -> Callable[[Editor, Any], Awaitable[Json]]:
    async def answered(ls: Editor, params: Any) -> Json:
        if ls.client.asked is not None and not ls.client.ao:
            raise JsonRpcMethodNotFound(f"{method} is not there in a version that the client knows")
        return await panel.answer(ls, method, params)

    return answered
