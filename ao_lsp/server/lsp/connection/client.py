"""What a client says that it can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ao_lsp.server.lsp.buffers.uris import uri_of
from ao_lsp.server.lsp.connection.negotiation import asks, negotiated

ENCODINGS = ("utf-8", "utf-16", "utf-32")


@dataclass(frozen=True, slots=True)
class Client:
    """What of a client's capabilities decides what it is sent. The defaults are those of LSP."""

    name: str = "a client"
    encoding: str = "utf-16"
    markdown: bool = False
    action_literals: bool = False
    lens_refresh: bool = False
    hint_refresh: bool = False
    pulls_diagnostics: bool = False
    """Whether it asks for diagnostics, and again when it is told to: then it is sent none."""
    related_information: bool = False
    hierarchical_symbols: bool = False
    show_document: bool = False
    edits_documents: bool = False
    progress: bool = False
    ao: int = 0
    """The version of our own methods and notifications that it gets (docs/protocol.md); 0: none of them."""
    asked: Any = None
    """What it said of them, where it said anything."""
    text_document_content: bool = False
    """Whether it asks for the texts of `ao:` addresses by `workspace/textDocumentContent`."""
    ao_content: bool = False
    """Whether it does so by our own `ao/content`."""
    commands: frozenset[str] = frozenset()
    """The commands that it does by itself, as it says (`experimental.commands`, which rust-analyzer began)."""
    server_status: bool = False
    """Whether it wants `experimental/serverStatus`."""
    folders: tuple[str, ...] = ()
    """URIs of the folders that it has open."""
    gives_configuration: bool = False
    tells_configuration: bool = False
    """Whether it tells changes of settings to a server that has registered for them."""
    options: Any = None
    """The settings that it starts with (docs/configuration.md)."""

    @property
    def records(self) -> bool:
        """Whether it starts programs by itself, in a terminal of its own."""
        return "ao.record" in self.commands

    @property
    def opens_addresses(self) -> bool:
        """Whether `ao:` addresses can be opened in it."""
        return self.show_document and (self.text_document_content or self.ao_content)


def read_client(params: Any) -> Client:
    """The client that sent these parameters of `initialize`.

    Of JSON, and not of lsprotocol's types: those refuse a whole `initialize` for one value that is
    newer than they are.
    """

    def said(*keys: str) -> Any:
        found = params
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else None
        return found

    def listed(*keys: str) -> list[Any]:
        found = said("capabilities", *keys)
        return found if isinstance(found, list) else []

    def can(*keys: str) -> bool:
        return said("capabilities", *keys) is True

    folders = said("workspaceFolders")
    uris = [folder.get("uri") for folder in folders if isinstance(folder, dict)] if isinstance(folders, list) else []
    if not uris:
        path = said("rootPath")
        uris = [said("rootUri") or (uri_of(path) if isinstance(path, str) else None)]
    encodings = [name for name in listed("general", "positionEncodings") if name in ENCODINGS]
    formats = [name for name in listed("textDocument", "hover", "contentFormat") if name in ("markdown", "plaintext")]
    asked = next(
        (one for one in (said("capabilities", "experimental", "ao"), said("initializationOptions", "ao")) if asks(one)),
        None,
    )
    version = negotiated(asked)
    return Client(
        name=str(said("clientInfo", "name") or "a client"),
        encoding=encodings[0] if encodings else "utf-16",
        markdown=formats[:1] == ["markdown"],
        action_literals=said("capabilities", "textDocument", "codeAction", "codeActionLiteralSupport") is not None,
        lens_refresh=can("workspace", "codeLens", "refreshSupport"),
        hint_refresh=can("workspace", "inlayHint", "refreshSupport"),
        pulls_diagnostics=(
            said("capabilities", "textDocument", "diagnostic") is not None
            and can("workspace", "diagnostics", "refreshSupport")
        ),
        related_information=(
            can("textDocument", "publishDiagnostics", "relatedInformation")
            or can("textDocument", "diagnostic", "relatedInformation")
        ),
        hierarchical_symbols=can("textDocument", "documentSymbol", "hierarchicalDocumentSymbolSupport"),
        show_document=can("window", "showDocument", "support"),
        edits_documents=can("workspace", "applyEdit") and can("workspace", "workspaceEdit", "documentChanges"),
        progress=can("window", "workDoneProgress"),
        ao=version,
        text_document_content=isinstance(said("capabilities", "workspace", "textDocumentContent"), dict),
        ao_content=version > 0 and isinstance(asked, dict) and asked.get("content") is True,
        commands=frozenset(name for name in listed("experimental", "commands", "commands") if isinstance(name, str)),
        server_status=can("experimental", "serverStatusNotification"),
        asked=asked,
        folders=tuple(uri for uri in uris if isinstance(uri, str)),
        gives_configuration=can("workspace", "configuration"),
        tells_configuration=can("workspace", "didChangeConfiguration", "dynamicRegistration"),
        options=said("initializationOptions", "ao", "settings"),
    )
