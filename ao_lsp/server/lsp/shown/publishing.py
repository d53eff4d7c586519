"""How an editor gets its diagnostics: it asks for them where it can, else it is sent them, never both."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lsprotocol import types as lsp

from ao_lsp.server.lsp.buffers import syntax
from ao_lsp.server.lsp.buffers.documents import Document
from ao_lsp.server.lsp.buffers.uris import uri_of
from ao_lsp.server.lsp.recorded.attached import Attached
from ao_lsp.server.lsp.shown.diagnostics import CRASH, KINDS, STALE, UNUSED, Crash, Finding, Related, findings

if TYPE_CHECKING:
    from ao_lsp.server.lsp.editor import Editor

SOURCE = "ao"

_AT_ONCE = 500
"""Lines of a buffer whose syntax is read at once, in a few milliseconds; more of them in a thread."""

_TYPING_S = 0.25
"""How long edits are gathered before what they change is worked out: the least time between two sendings."""


class Diagnostics:
    """The diagnostics of one editor's buffers."""

    def __init__(self, editor: Editor) -> None:
        self._editor = editor
        self._sent: dict[str, list[Any]] = {}
        """By buffer: what the client shows, where it has been sent any."""
        self._crashed: set[str] = set()
        self._waiting: set[str] = set()
        self._looking = False

    @property
    def shows_crashes(self) -> bool:
        """Whether a buffer shows how a run ended."""
        return bool(self._crashed)

    async def of(self, uri: str) -> tuple[Document, list[lsp.Diagnostic]] | None:
        """A buffer and what there is to say of it; None for one that is not open, or no Python.

        Raises:
            StoreError: the database fails.
        """
        editor = self._editor
        kinds = editor.caller.settings.get("diagnostics", KINDS)
        last = await editor.recordings.last() if kinds else ()
        attached = await editor.attached(uri)
        if attached is None:
            return None
        crashed = [run for run in last if run.error is not None and run.error.file in attached.names]
        crashes = []
        for run in crashed if CRASH in kinds else ():
            record = await editor.recordings.of_run(run.id)
            if record is not None and run.error is not None and run.error.type != "KeyboardInterrupt":
                crashes.append(Crash(run, record.graph.calls))
        unread = editor.sources.unread(attached.names, crashed)
        if unread:
            await asyncio.to_thread(editor.sources.read, unread)
        if len(attached.document.lines) >= _AT_ONCE and not {UNUSED, STALE}.isdisjoint(kinds):
            await asyncio.to_thread(syntax.read, self._sources(attached))
        found = findings(attached, last, crashes, kinds)
        (self._crashed.add if any(one.kind == CRASH for one in found) else self._crashed.discard)(uri)
        return attached.document, [self._diagnostic(attached.document, one) for one in found]

    def _sources(self, attached: Attached) -> list[Sequence[str]]:
        """The buffer, and what it was where it was something else."""
        read = {
            (place.spot.file, place.record.run.id): attached.follower.source(place.spot.file, place.record.run)
            for place in attached.places
            if place.spot is not None and place.record is not None
        }
        lines = attached.document.lines
        return [lines, *(source for source in read.values() if source is not None and source != lines)]

    async def asked(self, uri: str, known: str | None) -> lsp.DocumentDiagnosticReport:
        """The answer to a client that asks; `known` names what it was answered last.

        Raises:
            StoreError: the database fails.
        """
        found = await self.of(uri)
        items = found[1] if found is not None else []
        plain = self._editor.protocol.plain(items)
        name = hashlib.blake2b(json.dumps(plain).encode("utf-8", "replace"), digest_size=8).hexdigest()
        if name == known:
            return lsp.RelatedUnchangedDocumentDiagnosticReport(name)
        return lsp.RelatedFullDocumentDiagnosticReport(items, result_id=name)

    # -- to clients that do not ask

    def changed(self, uri: str) -> None:
        """A buffer was opened or edited: what is shown of it follows, a moment later."""
        if self._editor.client.pulls_diagnostics:
            return
        self._waiting.add(uri)
        if not self._looking:
            self._looking = True
            self._editor.spawn(self._follow())

    def closed(self, uri: str) -> None:
        """Of a buffer that is gone nothing is shown."""
        self._waiting.discard(uri)
        self._crashed.discard(uri)
        if self._sent.pop(uri, None):
            self._tell(lsp.PublishDiagnosticsParams(uri, []))

    async def publish(self) -> None:
        """Send each open buffer's, where they are not what was sent last.

        Raises:
            StoreError: the database fails.
        """
        self._waiting.clear()
        for uri in list(self._editor.documents):
            await self._publish(uri)

    async def _follow(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(_TYPING_S)
                waiting, self._waiting = self._waiting, set()
                for uri in waiting:
                    await self._publish(uri)
        finally:
            self._looking = False

    async def _publish(self, uri: str) -> None:
        found = await self.of(uri)
        if found is None:
            return
        document, items = found
        plain = self._editor.protocol.plain(items)
        current = self._editor.documents.get(uri)
        # Closed, or edited once more: then it comes again.
        if current is None or current.version != document.version or plain == self._sent.get(uri, []):
            return
        self._sent[uri] = plain
        self._tell(lsp.PublishDiagnosticsParams(uri, items, document.version))

    def _tell(self, params: lsp.PublishDiagnosticsParams) -> None:
        self._editor.protocol.tell(lsp.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS, params)

    # -- as the client wants them

    def _diagnostic(self, document: Document, found: Finding) -> lsp.Diagnostic:
        editor = self._editor
        message, related = found.message, None
        if found.related and editor.client.related_information:
            related = [self._related(document, one) for one in found.related]
        elif found.related:
            message = "\n".join([message, *_listed(found.related)])
        return lsp.Diagnostic(
            range=document.range(found.start, found.end, editor.units),
            message=message,
            severity=found.severity,
            code=found.kind,
            source=SOURCE,
            related_information=related,
        )

    def _related(self, document: Document, one: Related) -> lsp.DiagnosticRelatedInformation:
        at = lsp.Position(one.line, 0)
        here = document.uri if one.file == document.path else uri_of(one.file)
        return lsp.DiagnosticRelatedInformation(lsp.Location(here, lsp.Range(at, at)), one.text)


def _listed(related: Sequence[Related]) -> list[str]:
    return [f"{one.text} ({one.file}:{one.line + 1})" for one in related]
