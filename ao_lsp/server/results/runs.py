"""Runs and their graphs."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypedDict

from ao_lsp.server.model import RunStatus
from ao_lsp.server.results.calls import EdgeJson, FailureJson, NodeJson, OutsideJson, PairJson


class RunJson(TypedDict):
    """One execution of a program, or a part of one that the program has named (a subrun)."""

    id: str
    name: str
    status: RunStatus
    exit_code: Annotated[int | None, "null: it goes on, was killed, or is a subrun"]
    argv: Annotated[list[str], "as the program sees it"]
    started: str
    duration_s: Annotated[float | None, "null: it goes on"]
    version: Annotated[str | None, "that of its code ([versions.md](versions.md)); null: none was taken"]
    parent_run: Annotated[str | None, "what it is a rerun of"]
    fork_call: Annotated[str | None, "the call that it was rerun from"]
    subrun_of: Annotated[str | None, "the run right around it"]
    result: Annotated[Any, "what the program gave as its result"]
    notes: Annotated[list[str], "what the program said of it"]
    version_exact: Annotated[bool | None, "false: it is not certain that just that code ran"]
    version_note: Annotated[str | None, "why it is not"]


class CostJson(TypedDict):
    """What calls cost, summed."""

    cost_usd: Annotated[float | None, "what is known; null where nothing is. See [Cost](commands.md#cost)"]
    unknown_costs: Annotated[int, "the calls that are missing in it"]


class GraphRunJson(RunJson, CostJson):
    """The run of a graph, with the cost of all its calls."""


class GraphJson(TypedDict):
    """A run with its calls and the edges between them."""

    run: GraphRunJson
    subruns: Annotated[list[RunJson], "all of them, in order of start"]
    nodes: Annotated[list[NodeJson], "the calls in order of start, those of subruns too"]
    edges: list[EdgeJson]
    outside: Annotated[list[OutsideJson], "edges from calls that are not in this run"]


class RowJson(TypedDict):
    """A line of a drawn graph that shows a call, or a subrun that is folded into one."""

    row: Annotated[int, "which line of the text, from 0"]
    node: Annotated[NodeJson, "of a folded subrun: `kind` is `subrun`, `id` its own, `number` that of its first call"]


class DrawnJson(TypedDict):
    """Whose lines those of a drawn graph are."""

    details: GraphRunJson
    subruns: list[RunJson]
    rows: list[RowJson]


class _DrawingJson(TypedDict):
    run: str
    format: Literal["text", "mermaid", "dot", "svg"]
    text: str


class DrawingJson(_DrawingJson, total=False):
    """A graph for people to look at."""

    details: Annotated[GraphRunJson, "format `text`: the run"]
    subruns: Annotated[list[RunJson], "format `text`: all of them, in order of start"]
    rows: Annotated[list[RowJson], "format `text`: whose lines they are"]


class MatchJson(TypedDict):
    """A line that says what was looked for."""

    call: str
    run: str
    number: Annotated[int, "of the call in the listed run"]
    part: Literal["prompt", "output"]
    text: Annotated[str, "one line"]
    start: Annotated[int, "`text[start:end]` (code points) is what was looked for"]
    end: int


class MatchesJson(TypedDict):
    """The calls of a run that say what was looked for."""

    matching_calls: Annotated[int, "how many they are, those of subruns included"]
    matches: Annotated[list[MatchJson], "the first of them, in order, up to 20 lines"]


class _ListedRunJson(RunJson):
    session: Annotated[str, "the program and its reruns have one"]
    cwd: str
    error: FailureJson | None
    calls: Annotated[int, "those of subruns included, as in all that follows"]
    failed_calls: int
    live_calls: Annotated[int, "those that were sent, and not served from a recording"]
    edits: int
    input_tokens: int
    output_tokens: int


class SummaryJson(_ListedRunJson, CostJson):
    """A run with what its calls come to."""


class RunsJson(TypedDict):
    """Recorded runs."""

    runs: list[SummaryJson]
    total: Annotated[int, "so many match, subruns not counted"]


class FoundRunJson(SummaryJson, MatchesJson):
    """A run that says what was looked for."""


class FoundRunsJson(TypedDict):
    """Runs that say what was looked for."""

    runs: list[FoundRunJson]
    total: Annotated[int, "so many do"]
    complete: Annotated[bool, "false: not every call could be looked at in time"]


class CountsJson(TypedDict):
    """The pairs of calls by verdict."""

    same: int
    changed: int
    added: int
    removed: int


class TotalsJson(CostJson):
    """What the calls of a run come to."""

    calls: int
    live_calls: int
    input_tokens: int
    output_tokens: int
    duration_s: float | None


class BothTotalsJson(TypedDict):
    """Of each run."""

    a: TotalsJson
    b: TotalsJson


class DiffJson(TypedDict):
    """What changed from one run to another."""

    a: RunJson
    b: RunJson
    identical: Annotated[bool, "nothing changed, and both ended alike"]
    counts: CountsJson
    totals: BothTotalsJson
    calls: Annotated[list[PairJson], "in the order of `b`"]


class ExportJson(TypedDict):
    """A run as a file."""

    run: str
    format: Literal["json", "html", "otlp"]
    text: Annotated[str, "the file ([export.md](export.md))"]


class DeletedJson(TypedDict):
    """What was deleted."""

    deleted: Annotated[list[str], "ids of runs"]
    freed_bytes: int
