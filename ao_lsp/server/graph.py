"""Events become facts: pure functions from what a runner sent to what the store writes down.

A fact is complete in itself and names its run, so that facts may arrive twice, late, or in another
order (a child process reports before its parent; a spool file is found after the run): the store
applies each whenever it comes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, cast

from ao_lsp.server import providers
from ao_lsp.server.fields import EventError, entries, number, one_of, optional, text, texts, whole
from ao_lsp.server.model import (
    Call,
    CallStatus,
    Chunks,
    Edge,
    Evidence,
    Failure,
    Headers,
    Origin,
    PathStep,
    Run,
    RunStatus,
    Site,
)

# The runner removes these too; what reaches the disk is decided here.
_SECRET_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "api-key", "x-goog-api-key"}
)


@dataclass(frozen=True, slots=True)
class RunStarted:
    run: Run


@dataclass(frozen=True, slots=True)
class ProcessStarted:
    """A forked child of the run's program has its own stream."""

    run: str
    at: float
    pid: int | None


@dataclass(frozen=True, slots=True)
class CallStarted:
    """`call` has its number still to get; `headers` and `request` are what it sent."""

    call: Call
    edges: tuple[Edge, ...]
    headers: Headers
    request: bytes


@dataclass(frozen=True, slots=True)
class CallEnded:
    """How a call ended; `summary` is None until `summarised`. `edges` are those that are known by now only: a
    function's result came from calls inside of it."""

    run: str
    call: str
    at: float
    status: CallStatus
    http_status: int | None
    headers: Headers
    error: Failure | None
    first_byte: float | None
    duration: float | None
    chunks: Chunks
    complete: bool
    response: bytes | None
    summary: providers.Response | None = None
    replayable: bool = False
    edges: tuple[Edge, ...] = ()


@dataclass(frozen=True, slots=True)
class RunEnded:
    """`exit_code` and `error` are None where the daemon itself found the run gone."""

    run: str
    at: float
    status: RunStatus
    exit_code: int | None = None
    error: Failure | None = None


@dataclass(frozen=True, slots=True)
class RunMarked:
    """What the program says of a run or subrun; `result` is JSON. None: nothing of the kind."""

    run: str
    at: float
    result: str | None
    remark: str | None


@dataclass(frozen=True, slots=True)
class RunNote:
    """Something the recorder could not do."""

    run: str
    at: float
    level: str
    message: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a program drew by chance, as its rerun wants it back: the JSON of the event's fields."""

    run: str
    at: float
    drawn: str


@dataclass(frozen=True, slots=True)
class ValuesMade:
    """In which expressions of a file values of calls were made: the JSON of the event's part (values.py)."""

    run: str
    file: str
    made: bytes


Fact: TypeAlias = (
    "RunStarted | ProcessStarted | CallStarted | CallEnded | RunEnded | RunMarked | RunNote | Drawn | ValuesMade"
)


def read(event: dict[str, Any], parts: dict[str, bytes], run: str) -> Fact | None:
    """The fact that an event of `run` states; None for a type that this version does not know.

    Raises:
        EventError: a field is missing without which it means nothing.
    """
    reader = _READERS.get(text(event, "type"))
    return reader(event, parts, run) if reader else None


def summarised(ended: CallEnded, endpoint: str) -> CallEnded:
    """`ended` with what its response body says, read as a response of `endpoint`."""
    return replace(ended, summary=providers.read_response(endpoint, ended.headers, ended.response or b""))


def _run_started(event: dict[str, Any], _: dict[str, bytes], run: str) -> RunStarted:
    argv = tuple(texts(event, "argv"))
    target = event.get("target")
    target = target if isinstance(target, dict) else {}
    kind, value = optional(target, "kind") or "script", optional(target, "value") or (argv[0] if argv else "")
    env = event.get("env")
    return RunStarted(
        Run(
            id=run,
            session=optional(event, "session") or run,
            name=optional(event, "name") or _name(kind, value),
            argv=argv,
            target=(kind, value),
            options=tuple(texts(event, "options")),
            cwd=optional(event, "cwd") or "/",
            python=optional(event, "python") or "",
            python_version=optional(event, "python_version") or "",
            env=tuple(sorted((str(k), str(v)) for k, v in env.items())) if isinstance(env, dict) else (),
            pid=whole(event, "pid"),
            parent_run=optional(event, "parent_run"),
            fork_call=optional(event, "fork_call"),
            started=_at(event),
            version=optional(event, "version"),
            path=_path(event),
        )
    )


def _subrun_started(event: dict[str, Any], parts: dict[str, bytes], run: str) -> RunStarted:
    """`run` is the one of the stream: the outermost."""
    started = _run_started(event, parts, text(event, "subrun")).run
    return RunStarted(replace(started, subrun_of=optional(event, "subrun_of") or run, root=run))


def _path(event: dict[str, Any]) -> tuple[PathStep, ...]:
    steps = (step for step in entries(event, "path") if isinstance(step, list) and len(step) == 3)
    return tuple((str(name), str(lineage), whole({"number": number}, "number") or 1) for name, lineage, number in steps)


def _name(kind: str, value: str) -> str:
    """What a run is called that was given no name."""
    return "-c" if kind == "command" else value.rstrip("/").rpartition("/")[2] or value


def _process_started(event: dict[str, Any], _: dict[str, bytes], run: str) -> ProcessStarted:
    return ProcessStarted(run, _at(event), whole(event, "pid"))


def _call_started(event: dict[str, Any], parts: dict[str, bytes], run: str) -> CallStarted:
    call, request = text(event, "call"), parts.get("request", b"")
    endpoint, url, headers = optional(event, "endpoint") or "", optional(event, "url") or "", _headers(event)
    asked = providers.read_request(endpoint, url, headers, request)
    started = Call(
        run=optional(event, "subrun") or run,
        id=call,
        number=0,
        kind=optional(event, "kind") or "llm",
        transport=optional(event, "transport") or "",
        method=optional(event, "method") or "POST",
        url=url,
        endpoint=endpoint,
        request_hash=optional(event, "request_hash") or "",
        site=_site(event.get("site")),
        stack=tuple(site for site in map(_site, entries(event, "stack")) if site),
        lineage=event.get("lineage"),
        thread=optional(event, "thread"),
        task=optional(event, "task"),
        origin=one_of(event, "origin", cast("tuple[Origin, ...]", ("live", "replayed", "edited"))),
        source_call=optional(event, "source_call"),
        input_edited=bool(event.get("input_edited")),
        started=_at(event),
        provider=asked.provider,
        model=asked.model,
        streamed=asked.streamed,
    )
    return CallStarted(started, _edges(event, call), headers, request)


def _call_ended(event: dict[str, Any], parts: dict[str, bytes], run: str) -> CallEnded:
    return CallEnded(
        run=optional(event, "subrun") or run,
        call=text(event, "call"),
        at=_at(event),
        status=one_of(event, "status", cast("tuple[CallStatus, ...]", ("ok", "error", "cancelled"))),
        http_status=whole(event, "http_status"),
        headers=_headers(event),
        error=_failure(event.get("error")),
        first_byte=number(event.get("first_byte")),
        duration=number(event.get("ended")),
        chunks=_chunks(event),
        complete=bool(event.get("complete", True)),
        # A call that was never answered comes with an empty body, and means none.
        response=parts.get("response") or (b"" if event.get("http_status") else None),
        replayable=bool(event.get("replayable")),
        edges=_edges(event, text(event, "call")),
    )


def _run_note(event: dict[str, Any], _: dict[str, bytes], run: str) -> RunNote:
    return RunNote(run, _at(event), optional(event, "level") or "info", text(event, "message"))


def _drawn(event: dict[str, Any], _: dict[str, bytes], run: str) -> Drawn:
    said = {
        "clock": number(event.get("clock")),
        "seed": optional(event, "seed"),
        "call": optional(event, "call"),
        "values": entries(event, "values"),
    }
    return Drawn(run, _at(event), json.dumps(said, separators=(",", ":")))


def _values_made(event: dict[str, Any], parts: dict[str, bytes], run: str) -> ValuesMade:
    made = parts.get("made", b"")
    if not isinstance(json.loads(made), list):
        raise EventError("values are no list")
    return ValuesMade(run, text(event, "file"), made)


def _run_marked(event: dict[str, Any], _: dict[str, bytes], run: str) -> RunMarked:
    # None is a result as good as any.
    result = json.dumps(event["result"]) if "result" in event else None
    return RunMarked(optional(event, "subrun") or run, _at(event), result, optional(event, "note"))


def _subrun_ended(event: dict[str, Any], parts: dict[str, bytes], run: str) -> RunEnded:
    return replace(_run_ended(event, parts, run), run=text(event, "subrun"))


def _run_ended(event: dict[str, Any], _: dict[str, bytes], run: str) -> RunEnded:
    return RunEnded(
        run=run,
        at=_at(event),
        status=one_of(event, "status", cast("tuple[RunStatus, ...]", ("finished", "failed"))),
        exit_code=whole(event, "exit_code"),
        error=_failure(event.get("error")),
    )


_READERS: dict[str, Callable[[dict[str, Any], dict[str, bytes], str], Fact]] = {
    "run.start": _run_started,
    "process.start": _process_started,
    "call.start": _call_started,
    "call.end": _call_ended,
    "draws": _drawn,
    "values": _values_made,
    "run.note": _run_note,
    "run.mark": _run_marked,
    "run.end": _run_ended,
    "subrun.start": _subrun_started,
    "subrun.end": _subrun_ended,
}


def _edges(event: dict[str, Any], target: str) -> tuple[Edge, ...]:
    """One edge a source; where a source is named twice, tracked wins over matched."""
    found: dict[str, Edge] = {}
    for entry in entries(event, "inputs"):
        if not isinstance(entry, dict) or not isinstance(entry.get("call"), str):
            continue
        evidence: Evidence = "matched" if entry.get("evidence") == "matched" else "tracked"
        steps = (step for step in entries(entry, "path") if isinstance(step, dict))
        path = tuple((str(step.get("file", "")), whole(step, "line") or 0) for step in steps)
        source = entry["call"]
        if source not in found or (evidence == "tracked" and found[source].evidence == "matched"):
            through = tuple(name for name in entries(entry, "through") if isinstance(name, str))
            found[source] = Edge(source, target, evidence, path, through)
    return tuple(found.values())


def _site(value: object) -> Site | None:
    if not isinstance(value, dict) or not isinstance(value.get("file"), str):
        return None
    return Site(
        file=value["file"],
        line=whole(value, "line") or 0,
        function=optional(value, "function") or "",
        end_line=whole(value, "end_line"),
        column=whole(value, "column"),
        end_column=whole(value, "end_column"),
    )


def _failure(value: object) -> Failure | None:
    if not isinstance(value, dict):
        return None
    return Failure(
        type=optional(value, "type") or "Error",
        message=optional(value, "message") or "",
        file=optional(value, "file"),
        line=whole(value, "line"),
        frames=tuple(frame for frame in map(_site, entries(value, "frames")) if frame),
        calls=tuple(call for call in entries(value, "calls") if isinstance(call, str)),
    )


def _headers(event: dict[str, Any]) -> Headers:
    pairs = (pair for pair in entries(event, "headers") if isinstance(pair, list) and len(pair) == 2)
    return tuple((str(name), str(value)) for name, value in pairs if str(name).lower() not in _SECRET_HEADERS)


def _chunks(event: dict[str, Any]) -> Chunks:
    pairs = (pair for pair in entries(event, "chunks") if isinstance(pair, list) and len(pair) == 2)
    read = ((number(length), number(after)) for length, after in pairs)
    return tuple((int(length), after) for length, after in read if length is not None and after is not None)


def _at(event: dict[str, Any]) -> float:
    at = number(event.get("at"))
    if at is None:
        raise EventError(f"{event.get('type')} has no time")
    return at
