"""Texts to read in one editor: opened under their addresses, or as files; kept fresh while they may change.

A text that the client has asked for is told of once when it has changed, and again only after it was asked
for again: one that nobody looks at costs nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lsprotocol import types as lsp

from ao_lsp.server import editor_files
from ao_lsp.server.commands import opening
from ao_lsp.server.content.address import Address
from ao_lsp.server.lsp.connection.dispatch import AnswerError
from ao_lsp.server.lsp.doing.progress import LONG_S, cancelled, progress
from ao_lsp.server.model import Change
from ao_lsp.server.params import CommandError
from ao_lsp.server.results.opening import OpenedJson
from ao_lsp.server.sources import keep
from ao_lsp.server.store import StoreError

if TYPE_CHECKING:
    from ao_lsp.server.lsp.editor import Editor

CONTENT_DID_CHANGE = "$/ao/contentDidChange"

_LOOK_S = 0.5
"""How often is looked whether a program has printed something."""

_REWRITE_S = 1.0
"""The least time between two writings of a file."""


@dataclass(eq=False, slots=True)
class _Read:
    """A text that somebody reads. `path` is its file, where it is read in one; `printed` the bytes of a log that goes
    on, None of what is no such log; `live`: it may change by itself."""

    address: Address
    path: str | None = None
    printed: int | None = None
    live: bool = True


class Contents:
    """The texts that one editor reads."""

    def __init__(self, editor: Editor) -> None:
        self._editor = editor
        self._read: dict[str, _Read] = {}
        self._changed: dict[str, _Read] = {}
        self._rewriting = self._looking = False

    async def open(self, address: Address, what: str, line: int | None = None) -> OpenedJson:
        """Show a text, at a line (from 1); `what` says what it is. Gives `uri`, `language`, and `path` where it is in
        a file.

        Raises:
            CommandError: it cannot be read, or not be written.
            StoreError: the database fails.
        """
        editor = self._editor
        answer: OpenedJson = {"uri": address.uri, "language": address.language}
        if editor.client.opens_addresses and await editor.opened_by_client(address.uri, line):
            return answer
        found = await self._text(address)
        path = await opening.file_with(found)
        if not found.gone:
            self._watch(_Read(address, path), found)
        await editor.show(path, what, line)
        return {**answer, "path": path}

    async def get(self, uri: str) -> opening.Content:
        """The text under an address that the client has open.

        Raises:
            CommandError: it is no address, or cannot be read.
            StoreError: the database fails.
        """
        read = _Read(opening.address_of(uri))
        self._changed.pop(uri, None)
        keep(self._read, uri, read)  # before it is read: what changes meanwhile is told of
        found = await self._text(read.address)
        if self._read.get(uri) is read:
            self._watch(read, found)
        return found

    async def _text(self, address: Address) -> opening.Content:
        """The text; what may take long is shown."""
        editor, task = self._editor, asyncio.current_task()
        if address.part != "diff" or task is None:
            return await opening.content(editor.core, editor.caller, address)
        async with progress(editor, "Compare runs", lambda: cancelled(task), after_s=LONG_S) as shown:
            return await opening.content(editor.core, replace(editor.caller, progress=shown.report), address)

    def closed(self, uri: str) -> None:
        """The client has closed it."""
        self._read.pop(uri, None)

    async def changed(self, changes: Iterable[Change], everything: bool) -> None:
        """What was committed; `everything` where there was more than that."""
        runs = {run for change in changes for run in change.graphs}
        gone = {run for change in changes if change.kind == "run.deleted" for run in change.gone}
        for uri, read in list(self._read.items()):
            if not gone.isdisjoint(read.address.runs) and read.path is not None:
                del self._read[uri]  # with the run, its files have gone
            elif not (runs | gone).isdisjoint(read.address.runs) or (everything and (read.live or read.path is None)):
                # Where others write to the database all the time, files that no longer change are left alone.
                self._out_of_date(uri, read)

    # -- telling, or writing anew

    def _out_of_date(self, uri: str, read: _Read) -> None:
        if read.path is not None:
            self._changed[uri] = read
            if not self._rewriting:
                self._rewriting = True
                self._editor.spawn(self._rewrite())
            return
        del self._read[uri]
        if self._editor.client.text_document_content:
            self._editor.spawn(self._ask_to_refresh(uri))
        elif self._editor.client.ao:  # others ask for what they have not been offered
            self._editor.protocol.tell(CONTENT_DID_CHANGE, {"uri": uri})

    async def _ask_to_refresh(self, uri: str) -> None:
        with suppress(AnswerError):
            await self._editor.protocol.ask(
                lsp.WORKSPACE_TEXT_DOCUMENT_CONTENT_REFRESH, lsp.TextDocumentContentRefreshParams(uri)
            )

    async def _rewrite(self) -> None:
        try:
            while self._changed:
                changed, self._changed = self._changed, {}
                for uri, read in changed.items():
                    if self._read.get(uri) is not read:
                        continue
                    # What cannot be read or written now stays as it is; asked for again, it says why.
                    with suppress(CommandError, StoreError):
                        found = await opening.content(self._editor.core, self._editor.caller, read.address)
                        read.live = found.live
                        if found.gone:
                            self._read.pop(uri, None)
                        else:
                            await opening.file_with(found)
                await asyncio.sleep(_REWRITE_S)
        finally:
            self._rewriting = False

    # -- logs, of which no change tells

    def _watch(self, read: _Read, found: opening.Content) -> None:
        read.live = found.live
        keep(self._read, read.address.uri, read)
        if read.address.part == "log" and found.live:
            read.printed = self._size(read)
            if not self._looking:
                self._looking = True
                self._editor.spawn(self._look())

    async def _look(self) -> None:
        """Tell of what programs print, until none goes on."""
        try:
            while True:
                await asyncio.sleep(_LOOK_S)
                logs = [(uri, read) for uri, read in self._read.items() if read.printed is not None]
                if not logs:
                    return
                for uri, read in logs:
                    size = self._size(read)
                    ended = self._editor.core.reruns.running(read.address.run) is None
                    if size != read.printed or ended:
                        read.printed = None if ended else size
                        self._out_of_date(uri, read)
        finally:
            self._looking = False

    def _size(self, read: _Read) -> int:
        path = self._editor.core.reruns.log_of(read.address.run)
        return editor_files.size(path) if path is not None else 0
