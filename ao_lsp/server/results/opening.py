"""Recorded things as texts to read."""

from __future__ import annotations

from typing import Annotated, TypedDict

from ao_lsp.server.results.calls import RawCallJson, WholeCallJson
from ao_lsp.server.results.runs import DrawingJson, GraphJson


class _OpenedJson(TypedDict):
    uri: Annotated[str, "its address, `ao:///…`"]
    language: Annotated[str, "as LSP names languages"]


class OpenedJson(_OpenedJson, total=False):
    """A text that is shown."""

    path: Annotated[str, "of a read-only file, where its address cannot be opened"]


class ContentJson(TypedDict):
    """A text to read."""

    uri: str
    language: Annotated[str, "as LSP names languages"]
    text: str
    live: Annotated[bool, "it may change yet"]
    gone: Annotated[bool, "its run was deleted; the text says so"]


class OpenedGraphJson(GraphJson, OpenedJson):
    """A graph that is shown, as text."""


class OpenedDrawingJson(DrawingJson, OpenedJson):
    """A drawing that is shown."""


class OpenedCallJson(WholeCallJson, OpenedJson):
    """A call that is shown."""


class OpenedRawCallJson(RawCallJson, OpenedJson):
    """A call that is shown, and its bodies."""


class CommandLineJson(TypedDict):
    """How a program is recorded. Nothing is started: a program wants a terminal, which is the client's."""

    command: Annotated[str, "a line for a shell"]
    argv: list[str]
    cwd: Annotated[str, "where to run it"]


class PlaceCallJson(TypedDict):
    """One of the calls that were made at a place."""

    run: str
    call: str
    number: Annotated[int, "in the run"]
    name: Annotated[str, "the function that made it"]


class PlaceCallsJson(TypedDict):
    """The calls that one function made, in the runs that came to it."""

    calls: Annotated[list[PlaceCallJson], "those of the newest run first; of one run in order"]


class ChosenJson(TypedDict):
    """The call that the user chose, and did something with."""

    run: str
    call: str
