"""What crosses between the language server and clients of ours, beside the results of commands."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

from ao_lsp.server.results.runs import DrawingJson, GraphJson

# -- negotiation


class SettingsJson(TypedDict, total=False):
    """Settings of an editor ([configuration.md](configuration.md)); null is as good as missing."""

    python: Annotated[str | None, "the interpreter that programs are recorded with"]
    on_miss: Annotated[Literal["live", "strict", "ask"] | None, "what a rerun does with a call without a recording"]
    lenses: Annotated[bool | None, "show code lenses"]
    hints: Annotated[bool | None, "show inlay hints"]
    variable_hints: Annotated[bool | None, "among them, on variables: which calls their values came from"]
    diagnostics: Annotated[
        list[Literal["failed-call", "crash", "unused-output", "stale-recording"]] | None, "the diagnostics to show"
    ]


class ClientJson(TypedDict, total=False):
    """What a client says in `capabilities.experimental.ao`, or in `initializationOptions.ao`."""

    version: Annotated[int, "the newest version of this protocol that it knows"]
    min_version: Annotated[int, "the oldest one; 1 where it is missing"]
    versions: Annotated[list[int], "in place of both: each version that it knows"]
    content: Annotated[bool, "texts are opened under their addresses (`ao:///…`), and asked for by `ao/content`"]


class OptionsJson(ClientJson, total=False):
    """`initializationOptions.ao`."""

    settings: Annotated[SettingsJson | None, "for clients that cannot tell settings otherwise"]


class FeaturesJson(TypedDict):
    """What the server makes of the client's capabilities: what it will use where commands need it."""

    markdown: Annotated[bool, "hovers are Markdown"]
    show_document: Annotated[bool, "files are opened; else their paths are told"]
    progress: Annotated[bool, "reruns are shown as work that goes on, and can be cancelled"]
    lens_refresh: Annotated[bool, "it is told when lenses are out of date"]
    hint_refresh: Annotated[bool, "it is told when hints are out of date"]


class ServerJson(TypedDict):
    """What the server answers in `capabilities.experimental.ao`."""

    version: Annotated[int, "the version that both speak from now on"]
    revision: Annotated[int, "that of the server's schema: what was added to the version"]
    methods: Annotated[list[str], "the requests and notifications that it takes"]
    notifications: Annotated[list[str], "those that it may send"]
    features: FeaturesJson


# -- requests and notifications


class GraphRevisionJson(GraphJson):
    """A graph, and how new it is."""

    revision: Annotated[int, "as high as that of the last notification: it is up to date"]


class DrawingRevisionJson(DrawingJson):
    """A drawing, and how new it is."""

    revision: int


class GraphDidChangeJson(TypedDict):
    """A run has changed; ask for its graph if it is shown."""

    run: str
    revision: Annotated[int, "counts the changes of a session, upwards"]


class LinesJson(TypedDict):
    """Lines of a file."""

    uri: str
    line: int
    end_line: int


class LocationJson(LinesJson):
    """Where a call stands now. Where it is not there any more: where it was recorded."""

    moved: Annotated[bool, "it is on another line than when it was recorded"]
    found: bool


class ContentDidChangeJson(TypedDict):
    """A text that the client has asked for has changed. It is told again only when it has asked again."""

    uri: str


# -- commands


class NothingJson(TypedDict):
    """The user chose nothing."""


class OpenedEditJson(TypedDict):
    """A file in which a call is edited."""

    path: str
