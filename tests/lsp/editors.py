"""Editors for tests: a real `ao-lsp` process behind each, and what its user would see.

`capabilities/*.json` are the `initialize` parameters that the real editors send, captured from them.
"""

from __future__ import annotations

import ast
import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from lsprotocol import types as lsp
from lsprotocol.converters import get_converter
from pygls.exceptions import JsonRpcMethodNotFound
from pygls.protocol import default_converter
from pytest_lsp import ClientServerConfig, LanguageClient
from pytest_lsp.client import register_lsp_features

from tests.daemons import LONG_S

AO_LSP = str(Path(sys.executable).with_name("ao-lsp"))

PROFILES = (
    "vscode", "neovim-0.10", "neovim-0.11", "neovim-0.12", "helix", "helix-25.01", "eglot", "eglot-1.9",
    "lsp-mode-8", "lsp-mode-9", "empty",
)  # fmt: skip
"""Those that have a number are no longer the newest; `empty` says nothing of itself."""

CANNOT_SHOW = ("helix-25.01", "eglot-1.9", "lsp-mode-8", "empty")
"""Those without `window/showDocument`."""


class User:
    """An editor with a user, who answers questions with what `answers` has for the beginning of them."""

    def __init__(self, client: LanguageClient) -> None:
        self.client = client
        self._protocol: Any = client.protocol  # partly untyped
        self.answers: dict[str, str | list[str]] = {}
        self.offered: list[list[str]] = []
        """What could be chosen, question by question."""
        self.asked: list[str] = []
        self.answering = asyncio.Event()
        """Cleared, the user leaves questions open."""
        self.answering.set()
        self.can_ask = True
        """Whether it knows `window/showMessageRequest`, which editors that do need not say."""
        self.put_into_buffers: list[Path] = []
        """The files that were opened behind the one that is shown, by an edit without changes."""
        self.refreshes: list[str] = []
        self.graph_changes: list[dict[str, Any]] = []
        self.statuses: list[dict[str, Any]] = []
        self.content_changes: list[str] = []
        """The addresses of texts that have changed, as the server says."""
        self.on_diagnostics: Callable[[lsp.PublishDiagnosticsParams], None] = lambda _: None
        self.capabilities = lsp.ServerCapabilities()
        self._versions: dict[str, int] = {}
        self._listen()

    # -- what the server wants of the user

    def _listen(self) -> None:
        # Functions, because pygls takes no methods.
        async def asked(params: lsp.ShowMessageRequestParams) -> lsp.MessageActionItem | None:
            if not self.can_ask:
                raise JsonRpcMethodNotFound
            self.asked.append(params.message)
            self.offered.append([action.title for action in params.actions or ()])
            await self.answering.wait()
            for beginning, answer in self.answers.items():
                if isinstance(answer, list):  # asked the same several times
                    answer = answer.pop(0) if params.message.startswith(beginning) else ""
                if params.message.startswith(beginning):
                    return next(action for action in params.actions or () if action.title.startswith(answer))
            return None

        def apply_edit(params: lsp.ApplyWorkspaceEditParams) -> lsp.ApplyWorkspaceEditResult:
            for change in params.edit.document_changes or ():
                assert isinstance(change, lsp.TextDocumentEdit)
                assert not change.edits
                self.put_into_buffers.append(Path(change.text_document.uri.removeprefix("file://")))
            return lsp.ApplyWorkspaceEditResult(applied=True)

        def refresh_lenses(_: None) -> None:
            self.refreshes.append("lenses")

        def refresh_hints(_: None) -> None:
            self.refreshes.append("hints")

        def graph_changed(params: Any) -> None:
            self.graph_changes.append(_plain(params))

        def content_changed(params: Any) -> None:
            self.content_changes.append(_plain(params)["uri"])

        def refresh_content(params: lsp.TextDocumentContentRefreshParams) -> None:
            self.content_changes.append(params.uri)

        def status_changed(params: Any) -> None:
            self.statuses.append(_plain(params))

        def diagnostics_sent(params: lsp.PublishDiagnosticsParams) -> None:
            self.client.diagnostics[params.uri] = params.diagnostics
            self.on_diagnostics(params)

        def refresh_diagnostics(_: None) -> None:
            self.refreshes.append("diagnostics")

        for method, function in (
            (lsp.WINDOW_SHOW_MESSAGE_REQUEST, asked),
            (lsp.WORKSPACE_APPLY_EDIT, apply_edit),
            (lsp.WORKSPACE_CODE_LENS_REFRESH, refresh_lenses),
            (lsp.WORKSPACE_INLAY_HINT_REFRESH, refresh_hints),
            (lsp.WORKSPACE_TEXT_DOCUMENT_CONTENT_REFRESH, refresh_content),
            (lsp.WORKSPACE_DIAGNOSTIC_REFRESH, refresh_diagnostics),
            (lsp.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS, diagnostics_sent),
            ("$/ao/graphDidChange", graph_changed),
            ("$/ao/contentDidChange", content_changed),
            ("$/ao/status", status_changed),
        ):
            self._protocol.fm.features.pop(method, None)  # pytest-lsp answers two of them by itself
            self.client.feature(method)(function)

    @property
    def messages(self) -> list[str]:
        """What has popped up."""
        return [message.message for message in self.client.messages]

    @property
    def shown(self) -> list[Path]:
        """The files that were opened for the user."""
        return [Path(uri.removeprefix("file://")) for uri in self.shown_uris if uri.startswith("file:")]

    @property
    def shown_uris(self) -> list[str]:
        """What was opened for the user."""
        return [document.uri for document in self.client.shown_documents]

    async def until(self, condition: Callable[[], Any], why: str = "") -> Any:
        """Wait for something to be the case in this editor."""
        deadline = asyncio.get_running_loop().time() + LONG_S
        while not (found := condition()):
            assert asyncio.get_running_loop().time() < deadline, why or "waited in vain"
            await asyncio.sleep(0.01)  # between two looks
        return found

    # -- what the user does

    async def open(self, file: Path) -> str:
        """Open a Python file; its URI."""
        uri = file.as_uri()
        self._versions[uri] = 1
        item = lsp.TextDocumentItem(uri, lsp.LanguageKind.Python, 1, file.read_text("utf-8"))
        self.client.text_document_did_open(lsp.DidOpenTextDocumentParams(item))
        return uri

    def replace(self, uri: str, text: str) -> None:
        """Change the whole buffer."""
        self._versions[uri] += 1
        self.client.text_document_did_change(
            lsp.DidChangeTextDocumentParams(
                lsp.VersionedTextDocumentIdentifier(self._versions[uri], uri),
                [lsp.TextDocumentContentChangeWholeDocument(text)],
            )
        )

    def insert(self, uri: str, line: int, character: int, text: str) -> None:
        """Type something; `line` and `character` from 0, in the units of the editor."""
        self._versions[uri] += 1
        at = lsp.Position(line, character)
        self.client.text_document_did_change(
            lsp.DidChangeTextDocumentParams(
                lsp.VersionedTextDocumentIdentifier(self._versions[uri], uri),
                [lsp.TextDocumentContentChangePartial(lsp.Range(at, at), text)],
            )
        )

    def close(self, uri: str) -> None:
        self.client.text_document_did_close(lsp.DidCloseTextDocumentParams(_document(uri)))

    def rename(self, old: Path, new: Path) -> None:
        """Tell the server that a file or a folder has another name now."""
        params = lsp.RenameFilesParams([lsp.FileRename(old.as_uri(), new.as_uri())])
        self.client.workspace_did_rename_files(params)

    def save(self, file: Path, text: str | None = None) -> None:
        """Write a file and tell the server, as an editor does that has it open under this server."""
        if text is not None:
            file.write_text(text, "utf-8")
        self.client.text_document_did_save(lsp.DidSaveTextDocumentParams(_document(file.as_uri())))

    async def lenses(self, uri: str) -> list[lsp.CodeLens]:
        found = await self.client.text_document_code_lens_async(lsp.CodeLensParams(_document(uri)))
        return list(found or ())

    async def lens_titles(self, uri: str) -> dict[int, list[str]]:
        """The titles of the lenses by line, from 1."""
        titles: dict[int, list[str]] = {}
        for lens in await self.lenses(uri):
            assert lens.command is not None, "an unresolved lens is left out by some editors"
            titles.setdefault(lens.range.start.line + 1, []).append(lens.command.title)
        return titles

    async def hints(self, uri: str) -> dict[int, str]:
        """The hints by line, from 1."""
        whole = lsp.Range(lsp.Position(0, 0), lsp.Position(10_000, 0))
        found = await self.client.text_document_inlay_hint_async(lsp.InlayHintParams(_document(uri), whole))
        return {hint.position.line + 1: str(hint.label) for hint in found or ()}

    async def variable_hints(self, uri: str) -> list[tuple[int, int, str]]:
        """Of the hints on variables: the line from 1, the column behind which they stand, and what they say."""
        whole = lsp.Range(lsp.Position(0, 0), lsp.Position(10_000, 0))
        found = await self.client.text_document_inlay_hint_async(lsp.InlayHintParams(_document(uri), whole))
        return [
            (hint.position.line + 1, hint.position.character, str(hint.label))
            for hint in found or ()
            if str(hint.label).startswith("⟵")
        ]

    async def hover(self, uri: str, line: int, character: int = 12) -> str:
        """The hover on a line, from 1; empty where there is none."""
        params = lsp.HoverParams(_document(uri), lsp.Position(line - 1, character))
        found = await self.client.text_document_hover_async(params)
        if found is None:
            return ""
        assert isinstance(found.contents, lsp.MarkupContent)
        return found.contents.value

    async def diagnostics(self, uri: str) -> list[lsp.Diagnostic]:
        """What the editor shows of a buffer now: what it has been sent, or is answered where it asks."""
        if self.capabilities.diagnostic_provider is None:
            return list(self.client.diagnostics.get(uri, ()))
        assert uri not in self.client.diagnostics, "sent to an editor that asks: it would show them twice"
        params = lsp.DocumentDiagnosticParams(_document(uri))
        report = await self.client.text_document_diagnostic_async(params)
        assert isinstance(report, lsp.RelatedFullDocumentDiagnosticReport)
        return list(report.items)

    async def problems(self, uri: str, *wanted: tuple[int, str]) -> list[lsp.Diagnostic]:
        """The diagnostics, once they are these: the line (from 1) and the code of each."""
        deadline = asyncio.get_running_loop().time() + LONG_S
        while True:
            found = await self.diagnostics(uri)
            told = [(one.range.start.line + 1, one.code) for one in found]
            if told == list(wanted):
                return found
            assert asyncio.get_running_loop().time() < deadline, f"{told}, not {list(wanted)}"
            await asyncio.sleep(0.02)  # between two looks

    async def actions(self, uri: str, line: int, *only: str) -> list[tuple[str, lsp.Command]]:
        """Title and command of the code actions on a line, from 1."""
        at = lsp.Position(line - 1, 0)
        context = lsp.CodeActionContext([], list(only) or None)
        params = lsp.CodeActionParams(_document(uri), lsp.Range(at, at), context)
        found = await self.client.text_document_code_action_async(params)
        actions = []
        for action in found or ():
            command: Any = action.command
            # lsprotocol reads an action with a command as a command, and that one's command as a text.
            if isinstance(command, str):
                command = lsp.Command(**ast.literal_eval(command)) if command.startswith("{") else action
            assert isinstance(command, lsp.Command)
            actions.append((action.title, command))
        return actions

    async def run(self, command: str, **argument: Any) -> dict[str, Any]:
        """Run a command with its one argument, and give the answer."""
        return await self._executed(lsp.ExecuteCommandParams(command, [argument]))

    async def choose(self, command: lsp.Command) -> dict[str, Any]:
        """Choose an action or lens, and give the answer of its command."""
        return await self._executed(lsp.ExecuteCommandParams(command.command, _plain(command.arguments)))

    async def _executed(self, params: lsp.ExecuteCommandParams) -> dict[str, Any]:
        answer: dict[str, Any] = _plain(await self.client.workspace_execute_command_async(params))
        return answer

    async def click(self, uri: str, line: int, title: str) -> dict[str, Any]:
        """Run the lens on a line (from 1) whose title begins so."""
        for lens in await self.lenses(uri):
            if lens.range.start.line == line - 1 and lens.command and lens.command.title.startswith(title):
                return await self.run(lens.command.command, **_plain((lens.command.arguments or [{}])[0]))
        raise AssertionError(f"no lens {title!r} on line {line}: {await self.lens_titles(uri)}")

    def notify(self, method: str, **params: Any) -> None:
        """A notification of our own part of the protocol."""
        self._protocol.notify(method, params)

    async def request(self, method: str, **params: Any) -> dict[str, Any]:
        """A request of our own part of the protocol."""
        answer: dict[str, Any] = _plain(await self._protocol.send_request_async(method, params))
        return answer


@asynccontextmanager
async def editor(
    profile: str,
    *,
    ao: bool | dict[str, Any] = False,
    options: Any = None,
    env: dict[str, str] | None = None,
    workspace: dict[str, Any] | None = None,
) -> AsyncIterator[User]:
    """An editor with a server of its own, initialised as `profile`; `ao`: it wants our notifications (and what it says
    of itself beside that); `options`: its initialisation options; `workspace`: more that it can do there."""
    config = ClientServerConfig([AO_LSP], client_factory=_client, server_env={**os.environ, **(env or {})})
    client = await config.start()
    assert isinstance(client, LanguageClient)
    user = User(client)
    try:
        result = await client.initialize_session(introduction(profile, ao, options, workspace))
        user.capabilities = result.capabilities
        yield user
        await client.shutdown_session()
        assert client.error is None
    except BaseException:
        if client._server is not None:
            client._server.kill()  # it has not been told that we leave, and would be waited for
        raise
    finally:
        await client.stop()  # type: ignore[no-untyped-call]


@asynccontextmanager
async def every_editor() -> AsyncIterator[list[tuple[str, User]]]:
    """One of each, side by side."""
    async with AsyncExitStack() as stack:
        yield [(profile, await stack.enter_async_context(editor(profile))) for profile in PROFILES]


def introduction(
    profile: str, ao: bool | dict[str, Any] = False, options: Any = None, workspace: dict[str, Any] | None = None
) -> lsp.InitializeParams:
    """What an editor says first."""
    said: dict[str, Any] = {"capabilities": {}}
    if profile != "empty":
        said = json.loads((Path(__file__).parent / "capabilities" / f"{profile}.json").read_text("utf-8"))
    if ao:
        more = ao if isinstance(ao, dict) else {}
        said["capabilities"] = {**said["capabilities"], "experimental": {"ao": {"version": 1, **more}}}
    if workspace:
        before = said["capabilities"].get("workspace", {})
        said["capabilities"] = {**said["capabilities"], "workspace": {**before, **workspace}}
    if options is not None:
        said["initializationOptions"] = options
    said = {
        "processId": os.getpid(),
        "rootUri": None,
        **{key: value for key, value in said.items() if value != {} or key == "capabilities"},
    }
    found: lsp.InitializeParams = get_converter().structure(said, lsp.InitializeParams)
    return found


def _client() -> LanguageClient:
    client = LanguageClient(converter_factory=default_converter)
    register_lsp_features(client)
    return client


def _document(uri: str) -> lsp.TextDocumentIdentifier:
    return lsp.TextDocumentIdentifier(uri)


def _plain(value: Any) -> Any:
    """pygls gives what it does not know as named tuples."""
    if hasattr(value, "_asdict"):
        return {name: _plain(part) for name, part in value._asdict().items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return value
