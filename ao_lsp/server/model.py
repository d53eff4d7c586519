"""What is recorded, as values. Frozen, without I/O, and without knowledge of wire or database.

A `Session` is a program and its reruns; a `Run` one execution; a `Call` one LLM call in it; an
`Edge` says that part of one call's output reached another call's input. Times are Unix seconds,
durations seconds, both floats. Lines count from 1, columns from 0 in code points.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

RunStatus: TypeAlias = Literal["running", "finished", "failed", "killed", "lost"]
CallStatus: TypeAlias = Literal["running", "ok", "error", "cancelled"]
Origin: TypeAlias = Literal["live", "replayed", "edited"]
Evidence: TypeAlias = Literal["tracked", "matched"]
EditField: TypeAlias = Literal["output", "input"]
Headers: TypeAlias = tuple[tuple[str, str], ...]
Chunks: TypeAlias = tuple[tuple[int, float], ...]
"""How a body arrived: `(bytes, seconds after the start of the call)` of each piece."""


PathStep: TypeAlias = tuple[str, str, int]
"""A subrun within the run around it: name, lineage, and its number (from 1) among those that have both."""


@dataclass(frozen=True, slots=True)
class Site:
    """An expression in the user's source. What Python 3.10 does not tell is None."""

    file: str
    line: int
    function: str
    end_line: int | None = None
    column: int | None = None
    end_column: int | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a run or a call failed; `file` and `line` only where a traceback told them.

    Of a run: `frames` are those of the user's code in the traceback, innermost first, and `calls` (ids) those whose
    outputs the error says, or was raised over.
    """

    type: str
    message: str
    file: str | None = None
    line: int | None = None
    frames: tuple[Site, ...] = ()
    calls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Session:
    """A program and its reruns. `last_change` numbers its newest committed change, `first_change`
    the oldest number from which on the record of changes is complete."""

    id: str
    created: float
    first_change: int
    last_change: int


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of the user's program.

    `target` is how the program was named: ("script", file), ("module", name) or ("command", text);
    `argv` is as the program sees it; `options` are the arguments of `ao-record` that a rerun has to
    repeat; `env` holds allow-listed variables only. `parent_run` and `fork_call`
    say what it is a rerun of, and from where.

    A subrun is the part of a run that a program has named (`ao_lsp.launch`): `subrun_of` is the run right
    around it, `root` the outermost one, `path` the way from there, by which it is found again in a rerun. A
    rerun of a subrun has the `path`, and no run around it. `result` (JSON) and `remarks` are what the program said
    of the run (`ao_lsp.log`). `version` is that of its code (docs/versions.md), of the files below `version_root`;
    `version_note` says why these may not be just what ran ("": they are).
    """

    id: str
    session: str
    name: str
    argv: tuple[str, ...]
    target: tuple[str, str]
    options: tuple[str, ...]
    cwd: str
    python: str
    python_version: str
    env: tuple[tuple[str, str], ...]
    pid: int | None
    parent_run: str | None
    fork_call: str | None
    started: float
    ended: float | None = None
    status: RunStatus = "running"
    exit_code: int | None = None
    error: Failure | None = None
    version: str | None = None
    version_root: str | None = None
    version_note: str = ""
    subrun_of: str | None = None
    root: str | None = None
    path: tuple[PathStep, ...] = ()
    result: str | None = None
    remarks: tuple[str, ...] = ()

    @property
    def duration(self) -> float | None:
        """Seconds from start to end; None while it runs."""
        return None if self.ended is None else max(0.0, self.ended - self.started)


@dataclass(frozen=True, slots=True)
class Spent:
    """What decides what a call cost (pricing.py). `served_model` is the model that answered, by its own word."""

    kind: str
    origin: Origin
    provider: str | None
    url: str
    model: str | None
    served_model: str | None
    started: float
    input_tokens: int | None
    cached_tokens: int | None
    cache_write_tokens: int | None
    output_tokens: int | None


@dataclass(frozen=True, slots=True)
class Call:
    """One recorded call: of a model (`llm`, `embedding`), of a tool of a server's (`mcp`), of a function that the
    program made a node (`tool`), or another request (`http`).

    `number` is its 1-based place in its run, in order of start. `lineage` (opaque, from the
    runner) tells concurrent tasks apart. `response_hash` is of the body as received, None where
    nothing was. `served_model` is the model that the response names. Tokens count as in
    `providers.Response`; of recordings from before they were kept, cached and reasoning tokens are None.
    `preview` is the start of the output's text. What went over the wire is its `Exchange`. `replayable`: of a
    function, whether a rerun may serve its result without running it.
    """

    run: str
    id: str
    number: int
    kind: str
    transport: str
    method: str
    url: str
    endpoint: str
    request_hash: str
    site: Site | None
    stack: tuple[Site, ...]
    lineage: Any
    thread: str | None
    task: str | None
    origin: Origin
    source_call: str | None
    input_edited: bool
    started: float
    provider: str | None = None
    model: str | None = None
    streamed: bool = False
    status: CallStatus = "running"
    http_status: int | None = None
    response_hash: bytes | None = None
    error: Failure | None = None
    first_byte: float | None = None
    duration: float | None = None
    complete: bool = False
    input_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    served_model: str | None = None
    finish_reason: str | None = None
    preview: str | None = None
    replayable: bool = False

    @property
    def spent(self) -> Spent:
        return Spent(
            self.kind,
            self.origin,
            self.provider,
            self.url,
            self.model,
            self.served_model,
            self.started,
            self.input_tokens,
            self.cached_tokens,
            self.cache_write_tokens,
            self.output_tokens,
        )


@dataclass(frozen=True, slots=True)
class Exchange:
    """What a call sent and received, byte for byte (still content-encoded), without secrets.

    `response` is None where no response arrived; `chunks` says how its body did.
    """

    request_headers: Headers
    request: bytes
    response_headers: Headers
    response: bytes | None
    chunks: Chunks


@dataclass(frozen=True, slots=True)
class Edge:
    """Part of the output of `source` reached the input of `target`, through the lines in `path`.

    `through`: child processes, by their names in lineages ("": somebody who is not recorded), that were given that
    part, and whose own output then reached the target: it may have been made of something else (detours.py).
    """

    source: str
    target: str
    evidence: Evidence
    path: tuple[tuple[str, int], ...] = ()
    through: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Graph:
    """A run with its calls (in order, numbered) and the edges between them.

    The calls of its `subruns` (all of them, in order of start) are among its own, and name the run that they
    belong to. `outside` has the edges from calls that are not: of the runs around it, and of earlier runs of
    the session, through files that these left behind; with those calls. `whole`: of a graph with folded subruns,
    the one that was folded.
    """

    run: Run
    calls: tuple[Call, ...]
    edges: tuple[Edge, ...]
    outside: tuple[tuple[Edge, Call], ...] = ()
    subruns: tuple[Run, ...] = ()
    whole: Graph | None = None


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run with what a list of runs shows of its calls, those of its subruns included."""

    run: Run
    calls: int
    failed_calls: int
    live_calls: int
    edits: int
    input_tokens: int
    output_tokens: int
    spent: tuple[Spent, ...] = ()


@dataclass(frozen=True, slots=True)
class Edit:
    """What the user wants a call to receive (`output`) or to send (`input`) in a rerun.

    `content` is what they wrote; `body`, `headers` and `chunks` are what the runner will use for it
    (headers and chunks of the response: empty for an input). `version` counts from 1: how often this was
    edited. The store gives it.
    """

    run: str
    call: str
    field: EditField
    created: float
    content: str
    body: bytes
    headers: Headers = ()
    chunks: Chunks = ()
    version: int = 1


@dataclass(frozen=True, slots=True)
class Change:
    """One committed change. `seq` is dense within its session, so a gap means: read again.

    `kind` is one of run.started, run.ended, run.deleted, run.note, run.marked, run.versioned, subrun.started,
    subrun.ended, call.started, call.ended, edges.matched, edit.stored, edit.removed; `call` is None for the kinds that
    concern a run. What happens in a subrun is a change of the outermost run around it. `graphs` are the runs whose
    graphs are not what they were: first the one that it happened in, then those around it, and those that end or go
    with it. It is known when a change is published, and not kept.
    """

    session: str
    seq: int
    at: float
    kind: str
    run: str
    call: str | None = None
    graphs: tuple[str, ...] = field(default=(), compare=False)

    @property
    def gone(self) -> tuple[str, ...]:
        """Of a `run.deleted`: the run that was deleted, and its subruns where it was a whole one."""
        return self.graphs if self.graphs[:1] == (self.run,) else self.graphs[:1]
