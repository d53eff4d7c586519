"""Edits and reruns."""

from __future__ import annotations

from typing import Annotated, TypedDict

from ao_lsp.server.model import EditField
from ao_lsp.server.plan import Action
from ao_lsp.server.results.runs import CostJson


class EditedJson(TypedDict):
    """The call that was edited."""

    run: Annotated[str, "the run that the call belongs to"]
    call: str
    number: int
    field: EditField


class EditFileJson(EditedJson):
    """A file in which a call is edited."""

    path: str
    content: Annotated[str, "what is in it"]
    recorded: Annotated[str, "what was recorded; saving that takes the edit back"]


class UneditedJson(TypedDict):
    """The call of which edits were taken back."""

    run: str
    call: str
    number: int
    fields: Annotated[list[EditField], "those taken back"]
    restored: Annotated[list[EditField], "those of which the edit before counts again"]


class PlanCountsJson(TypedDict):
    """How many calls take which way."""

    calls: int
    replayed: int
    edited: int
    live: int
    affected: Annotated[int, "among the replayed"]
    run: Annotated[int, "tools that run again"]


class UseJson(CostJson):
    """What calls will use, by what they used when they were recorded and the prices of now."""

    calls: int
    tokens: Annotated[int, "in and out together"]
    unknown_tokens: Annotated[int, "the calls that are missing in it"]


class EstimateJson(TypedDict):
    """What a rerun will use."""

    summary: Annotated[str, "a sentence for people"]
    live: Annotated[UseJson, "the calls that go live for certain"]
    most: Annotated[UseJson, "with the affected ones"]


class PlannedCallJson(TypedDict):
    """What happens to a call."""

    call: str
    number: int
    action: Annotated[
        Action, "serve the recording, serve the edited output, send the edited input, send it, run the tool"
    ]
    affected: Annotated[bool, "it replays, unless an edit upstream changes its input: then it goes live"]
    model: str | None
    function: str | None
    line: int | None


class ForecastJson(TypedDict):
    """What a rerun would do with each call."""

    parent_run: str
    fork_call: str | None
    notes: Annotated[list[str], "what to know before"]
    counts: PlanCountsJson
    estimate: EstimateJson
    calls: list[PlannedCallJson]


class ObstacleJson(TypedDict):
    """Why a rerun cannot be started."""

    message: str
    hint: str


class PlanJson(ForecastJson):
    """What is needed to start a rerun."""

    run: Annotated[str, "the id that it will have"]
    plan: Annotated[str, "the path of a file, for `AO_PLAN`"]
    argv: list[str]
    cwd: str
    python: str
    env: Annotated[dict[str, str], "variables to set over those of whoever starts it"]
    obstacle: Annotated[ObstacleJson | None, "null: it can be started"]


class RerunJson(ForecastJson):
    """A rerun that was started."""

    run: Annotated[str, "its id"]
    pid: int
    log: Annotated[str, "the path of the file that gets its output"]


class EndedRerunJson(RerunJson):
    """A rerun that has ended."""

    exit_code: Annotated[int, "that of the program; negative: the signal that ended it"]


class PrintedJson(TypedDict):
    """What a rerun printed."""

    run: Annotated[str, "the id; of a subrun, that of the run around it"]
    text: Annotated[str, "both outputs as they came; what is no UTF-8 is U+FFFD"]
    next: Annotated[int, "the byte behind it, to go on from"]
    ended: Annotated[bool, "the run has ended, and this was the last of it"]


class StoppedJson(TypedDict):
    """A program that was ended."""

    run: str
    subrun: Annotated[str | None, "the one that was named; null: it was no subrun"]
