"""One connected editor: what it can do, what it has open, what it is shown."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from typing import Any

from lsprotocol import types as lsp
from pygls.lsp.server import LanguageServer
from pygls.protocol import default_converter

from ao_lsp import __version__
from ao_lsp.server.command import Caller
from ao_lsp.server.core import Core
from ao_lsp.server.lsp import features, panel, standing
from ao_lsp.server.lsp.buffers.documents import Document
from ao_lsp.server.lsp.buffers.units import Units
from ao_lsp.server.lsp.buffers.uris import file_of, uri_of
from ao_lsp.server.lsp.connection.client import Client
from ao_lsp.server.lsp.connection.dispatch import AnswerError, Dispatch
from ao_lsp.server.lsp.connection.negotiation import offer
from ao_lsp.server.lsp.doing.commands import EDITOR_COMMANDS, execute
from ao_lsp.server.lsp.doing.contents import Contents
from ao_lsp.server.lsp.doing.editing import Editing
from ao_lsp.server.lsp.doing.progress import Progress
from ao_lsp.server.lsp.recorded.attached import Attached, Attaching
from ao_lsp.server.lsp.recorded.places import Place
from ao_lsp.server.lsp.recorded.recordings import Said, recordings_of
from ao_lsp.server.lsp.recorded.variables import InBuffer, Tracing
from ao_lsp.server.lsp.refresh import keep_fresh, refresh_all
from ao_lsp.server.lsp.shown.publishing import Diagnostics
from ao_lsp.server.results.editors import ServerJson
from ao_lsp.server.sources import Sources

log = logging.getLogger(__name__)

# One for the process: a converter takes 74 ms to make, and a client of its own each would keep 180 KB.
_CONVERTER = default_converter()  # type: ignore[no-untyped-call]


_WIDE = 76
"""Columns that a question may have."""


class Editor(LanguageServer):
    """A client over the shared core. `env` is the environment in which its reruns start."""

    protocol: Dispatch

    def __init__(self, core: Core, env: Mapping[str, str] | None) -> None:
        super().__init__(
            "ao-lsp",
            __version__,
            text_document_sync_kind=lsp.TextDocumentSyncKind.Incremental,
            protocol_cls=Dispatch,
            converter_factory=lambda: _CONVERTER,
        )
        self.core, self.caller = core, Caller(env)
        self.client = Client()
        self.units = Units(self.client.encoding)
        self.documents: dict[str, Document] = {}
        self.recordings, self.sources = recordings_of(core), Sources()
        self.recordings.join()
        self._attaching = Attaching(self.documents, self.recordings, self.sources)
        self._tracing = Tracing(core, self.sources)
        self.editing, self.contents = Editing(self), Contents(self)
        self.diagnostics = Diagnostics(self)
        self.hover_texts: dict[int, tuple[Place, Said, str]] = {}
        """By the id of the place, which is kept with it."""
        self.complained: set[str] = set()
        self.asks = True
        """Whether the client can ask its user something: until it has refused to. Few of those that can say so."""
        self.graphs: dict[str, str] = {}
        """The runs whose graphs the client has asked for by `ao/graph`, with their sessions."""
        self.visible: frozenset[str] | None = None
        """The runs whose graphs the client shows; None where it has not said so: any."""
        self.in_progress: dict[int | str, Progress] = {}
        self._ready = False
        self._folders: list[str] = []
        self._tasks: set[asyncio.Task[None]] = set()
        features.register(self)

    # -- the life cycle

    @property
    def offered(self) -> ServerJson:
        """What the client may know of our own part of the protocol."""
        return offer(self.client, [*panel.METHODS, *panel.HEARD], panel.NOTIFICATIONS)

    def begin(self) -> None:
        """The client has introduced itself."""
        self.units = Units(self.client.encoding)
        self.folders_changed(self.client.folders, ())
        self.spawn(keep_fresh(self))

    def ready(self) -> None:
        """The client has got the answer to its introduction: from now on it may be told things."""
        if not self._ready:
            self._ready = True
            self.spawn(standing.keep_told(self))
            self.spawn(standing.keep_shown(self))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something for this client, for as long as it is there. What goes wrong is logged."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._spawned)

    def _spawned(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        fault = task.exception()
        if fault is not None and not isinstance(fault, AnswerError):
            log.error("%s failed", task.get_coro().__qualname__, exc_info=fault)  # type: ignore[union-attr]

    async def close(self) -> None:
        """The client has left."""
        self.core.watcher.editor_left(self)
        for shown in list(self.in_progress.values()):  # we leave, perhaps, and not the client
            shown.end()
        self.protocol.close()
        await self._attaching.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self.recordings.leave()

    # -- files

    def folders_changed(self, added: Iterable[str], removed: Iterable[str]) -> None:
        """The client has other folders (URIs) open than before."""
        gone = set(removed)
        self._folders = list(dict.fromkeys([*(uri for uri in self._folders if uri not in gone), *added]))
        paths = [path for path in map(file_of, self._folders) if path is not None and os.path.isabs(path)]
        self.core.watcher.editor_has(self, paths, self.caller.env)

    def saved(self, uri: str) -> None:
        """The client has saved a file. Of some nothing else tells: not each file system has events."""
        if uri in self.documents:
            self.documents[uri].was_saved()
        path = file_of(uri)
        if path is not None:
            self.core.watcher.saved(self, path)

    def renamed(self, files: Iterable[tuple[str, str]]) -> None:
        """The client has renamed files or folders (URIs): what was recorded of them is shown under the new names."""
        for old, new in files:
            before, after = file_of(old), file_of(new)
            if before is not None and after is not None:
                self._attaching.renames.told(before, after)
        self.spawn(refresh_all(self))

    # -- buffers

    def opened(self, params: lsp.DidOpenTextDocumentParams) -> None:
        item = params.text_document
        self.documents[item.uri] = Document.opened(item.uri, item.version, item.text)
        self.diagnostics.changed(item.uri)

    def changed(self, params: lsp.DidChangeTextDocumentParams) -> None:
        item = params.text_document
        before = self.documents.get(item.uri)
        if before is None:
            log.warning("a change of a buffer that is not open")
            return
        self.documents[item.uri] = before.changed(item.version, params.content_changes, self.units)
        self.diagnostics.changed(item.uri)

    def closed(self, params: lsp.DidCloseTextDocumentParams) -> None:
        self.contents.closed(params.text_document.uri)
        self.documents.pop(params.text_document.uri, None)
        self._attaching.closed(params.text_document.uri)
        self._tracing.closed(params.text_document.uri)
        self.diagnostics.closed(params.text_document.uri)

    async def places(self, uri: str) -> tuple[Document, tuple[Place, ...]] | None:
        """A buffer with its places; None for one that is not open, or no Python.

        Raises:
            StoreError: the database fails.
        """
        found = await self.attached(uri)
        return None if found is None else (found.document, found.places)

    async def attached(self, uri: str) -> Attached | None:
        """As `places`, with what it takes to find more than calls."""
        return await self._attaching.find(uri)

    async def variables(self, attached: Attached) -> InBuffer:
        """The variables of a buffer whose values came from calls.

        Raises:
            StoreError: the database fails.
        """
        return await self._tracing.find(attached)

    # -- commands

    async def execute(self, params: lsp.ExecuteCommandParams) -> Any:
        """Run a command.

        Raises:
            CommandError: it cannot be done.
        """
        token = params.work_done_token
        # lsprotocol takes anything for a token; and by one that is in use, nobody could tell two pieces of work apart.
        usable = isinstance(token, int | str) and token not in self.in_progress
        return await execute(self, params.command, params.arguments, token if usable else None)

    @property
    def command_names(self) -> list[str]:
        return list(EDITOR_COMMANDS)

    def has_log(self, run: str) -> bool:
        """Whether what a run printed was kept."""
        return self.core.reruns.log_of(run) is not None

    def progress_cancelled(self, token: int | str) -> None:
        """The user wants something to stop."""
        if isinstance(token, int | str) and token in self.in_progress:  # lsprotocol takes anything for a token
            self.in_progress[token].cancel()

    # -- what the user is told

    def say(self, text: str, kind: lsp.MessageType = lsp.MessageType.Info) -> None:
        """Show a message. Only what the user has asked for, or has to know, is worth one."""
        self.protocol.tell(lsp.WINDOW_SHOW_MESSAGE, lsp.ShowMessageParams(kind, text))

    async def choose(
        self, text: str, choices: Sequence[str], kind: lsp.MessageType = lsp.MessageType.Info
    ) -> str | None:
        """What the user chooses; None where they choose nothing.

        Raises:
            AnswerError: the client cannot ask.
        """
        actions = [lsp.MessageActionItem(choice) for choice in choices]
        if self.client.name == "helix":  # its menu is as wide as the question, and cuts off the rest
            text = text.ljust(min(_WIDE, max(map(len, choices), default=0) + 1), "\u00a0")
        params = lsp.ShowMessageRequestParams(kind, text, actions)
        try:
            answer = await self.protocol.ask(lsp.WINDOW_SHOW_MESSAGE_REQUEST, params)
        except AnswerError:
            self.asks = False
            raise
        title = answer.get("title") if isinstance(answer, dict) else None
        return title if title in choices else None

    async def show(self, path: str, what: str, line: int | None = None) -> None:
        """Open a file, at a line (from 1). `what` says what is in it.

        A client that cannot is told where the file is, and has it among its open buffers, where an edit without
        changes can put it: nobody likes to type such a path.
        """
        if await self.opened_by_client(uri_of(path), line):
            return
        if not self.client.show_document and self.client.edits_documents:
            document = lsp.OptionalVersionedTextDocumentIdentifier(uri_of(path))
            edit = lsp.WorkspaceEdit(document_changes=[lsp.TextDocumentEdit(document, [])])
            if await self._does(lsp.WORKSPACE_APPLY_EDIT, lsp.ApplyWorkspaceEditParams(edit, what), "applied"):
                self.say(f"{what} is open now: {path}")
                return
        self.say(f"{what} is in {path}")

    async def opened_by_client(self, uri: str, line: int | None = None) -> bool:
        """Have the client open something, at a line (from 1). Whether it has done so."""
        if not self.client.show_document:
            return False
        at = None if line is None else lsp.Range(lsp.Position(line - 1, 0), lsp.Position(line - 1, 0))
        params = lsp.ShowDocumentParams(uri, take_focus=True, selection=at)
        return await self._does(lsp.WINDOW_SHOW_DOCUMENT, params, "success")

    async def _does(self, method: str, params: Any, done: str) -> bool:
        """Whether the client does what it is asked for, and says so under the key `done`."""
        try:
            answer = await self.protocol.ask(method, params)
        except AnswerError as error:
            log.info("%s refuses %s: %s", self.client.name, method, error)
            return False
        return isinstance(answer, dict) and answer.get(done) is True
