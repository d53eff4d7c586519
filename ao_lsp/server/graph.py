"""Events become facts: pure functions from what a runner sent to what the store writes down.

A fact is complete in itself and names its run, so that facts may arrive twice, late, or in another
order (a child process reports before its parent; a spool file is found after the run): the store
applies each whenever it comes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, TypeVar, cast

from ao_lsp.server import providers
from ao_lsp.server.model import (
    Call,
    CallStatus,
    Chunks,
    Edge,
    Evidence,
    Failure,
    Headers,
    Origin,
    Run,
    RunStatus,
    Site,
)

# The runner removes these too; what reaches the disk is decided here.
_SECRET_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "api-key", "x-goog-api-key"}
)

T = TypeVar("T", bound=str)


class EventError(ValueError):
    """An event lacks what it cannot be understood without; the message says what."""


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
    """How a call ended; `summary` is None until `summarised`."""

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


@dataclass(frozen=True, slots=True)
class RunEnded:
    """`exit_code` and `error` are None where the daemon itself found the run gone."""

    run: str
    at: float
    status: RunStatus
    exit_code: int | None = None
    error: Failure | None = None


@dataclass(frozen=True, slots=True)
class RunNote:
    """Something the recorder could not do."""

    run: str
    at: float
    level: str
    message: str


Fact: TypeAlias = "RunStarted | ProcessStarted | CallStarted | CallEnded | RunEnded | RunNote"


def read(event: dict[str, Any], parts: dict[str, bytes], run: str) -> Fact | None:
    """The fact that an event of `run` states; None for a type that this version does not know.

    Raises:
        EventError: a field is missing without which it means nothing.
    """
    reader = _READERS.get(_text(event, "type"))
    return reader(event, parts, run) if reader else None


def summarised(ended: CallEnded, endpoint: str) -> CallEnded:
    """`ended` with what its response body says, read as a response of `endpoint`."""
    return replace(ended, summary=providers.read_response(endpoint, ended.headers, ended.response or b""))


def _run_started(event: dict[str, Any], _: dict[str, bytes], run: str) -> RunStarted:
    argv = tuple(_texts(event, "argv"))
    target = event.get("target")
    target = target if isinstance(target, dict) else {}
    kind, value = _optional(target, "kind") or "script", _optional(target, "value") or (argv[0] if argv else "")
    env = event.get("env")
    return RunStarted(
        Run(
            id=run,
            session=_optional(event, "session") or run,
            name=_optional(event, "name") or _name(kind, value),
            argv=argv,
            target=(kind, value),
            options=tuple(_texts(event, "options")),
            cwd=_optional(event, "cwd") or "/",
            python=_optional(event, "python") or "",
            python_version=_optional(event, "python_version") or "",
            env=tuple(sorted((str(k), str(v)) for k, v in env.items())) if isinstance(env, dict) else (),
            pid=_whole(event, "pid"),
            parent_run=_optional(event, "parent_run"),
            fork_call=_optional(event, "fork_call"),
            started=_at(event),
            version=_optional(event, "version"),
        )
    )


def _name(kind: str, value: str) -> str:
    """What a run is called that was given no name."""
    return "-c" if kind == "command" else value.rstrip("/").rpartition("/")[2] or value


def _process_started(event: dict[str, Any], _: dict[str, bytes], run: str) -> ProcessStarted:
    return ProcessStarted(run, _at(event), _whole(event, "pid"))


def _call_started(event: dict[str, Any], parts: dict[str, bytes], run: str) -> CallStarted:
    call, request = _text(event, "call"), parts.get("request", b"")
    endpoint, url, headers = _optional(event, "endpoint") or "", _optional(event, "url") or "", _headers(event)
    asked = providers.read_request(endpoint, url, headers, request)
    started = Call(
        run=run,
        id=call,
        number=0,
        kind=_optional(event, "kind") or "llm",
        transport=_optional(event, "transport") or "",
        method=_optional(event, "method") or "POST",
        url=url,
        endpoint=endpoint,
        request_hash=_optional(event, "request_hash") or "",
        site=_site(event.get("site")),
        stack=tuple(site for site in map(_site, _list(event, "stack")) if site),
        lineage=event.get("lineage"),
        thread=_optional(event, "thread"),
        task=_optional(event, "task"),
        origin=_one_of(event, "origin", cast("tuple[Origin, ...]", ("live", "replayed", "edited"))),
        source_call=_optional(event, "source_call"),
        input_edited=bool(event.get("input_edited")),
        started=_at(event),
        provider=asked.provider,
        model=asked.model,
        streamed=asked.streamed,
    )
    return CallStarted(started, _edges(event, call), headers, request)


def _call_ended(event: dict[str, Any], parts: dict[str, bytes], run: str) -> CallEnded:
    return CallEnded(
        run=run,
        call=_text(event, "call"),
        at=_at(event),
        status=_one_of(event, "status", cast("tuple[CallStatus, ...]", ("ok", "error", "cancelled"))),
        http_status=_whole(event, "http_status"),
        headers=_headers(event),
        error=_failure(event.get("error")),
        first_byte=_number(event.get("first_byte")),
        duration=_number(event.get("ended")),
        chunks=_chunks(event),
        complete=bool(event.get("complete", True)),
        # A call that was never answered comes with an empty body, and means none.
        response=parts.get("response") or (b"" if event.get("http_status") else None),
    )


def _run_note(event: dict[str, Any], _: dict[str, bytes], run: str) -> RunNote:
    return RunNote(run, _at(event), _optional(event, "level") or "info", _text(event, "message"))


def _run_ended(event: dict[str, Any], _: dict[str, bytes], run: str) -> RunEnded:
    return RunEnded(
        run=run,
        at=_at(event),
        status=_one_of(event, "status", cast("tuple[RunStatus, ...]", ("finished", "failed"))),
        exit_code=_whole(event, "exit_code"),
        error=_failure(event.get("error")),
    )


_READERS: dict[str, Callable[[dict[str, Any], dict[str, bytes], str], Fact]] = {
    "run.start": _run_started,
    "process.start": _process_started,
    "call.start": _call_started,
    "call.end": _call_ended,
    "run.note": _run_note,
    "run.end": _run_ended,
}


def _edges(event: dict[str, Any], target: str) -> tuple[Edge, ...]:
    """One edge a source; where a source is named twice, tracked wins over matched."""
    found: dict[str, Edge] = {}
    for entry in _list(event, "inputs"):
        if not isinstance(entry, dict) or not isinstance(entry.get("call"), str):
            continue
        evidence: Evidence = "matched" if entry.get("evidence") == "matched" else "tracked"
        steps = (step for step in _list(entry, "path") if isinstance(step, dict))
        path = tuple((str(step.get("file", "")), _whole(step, "line") or 0) for step in steps)
        source = entry["call"]
        if source not in found or (evidence == "tracked" and found[source].evidence == "matched"):
            found[source] = Edge(source, target, evidence, path)
    return tuple(found.values())


def _site(value: object) -> Site | None:
    if not isinstance(value, dict) or not isinstance(value.get("file"), str):
        return None
    return Site(
        file=value["file"],
        line=_whole(value, "line") or 0,
        function=_optional(value, "function") or "",
        end_line=_whole(value, "end_line"),
        column=_whole(value, "column"),
        end_column=_whole(value, "end_column"),
    )


def _failure(value: object) -> Failure | None:
    if not isinstance(value, dict):
        return None
    return Failure(
        type=_optional(value, "type") or "Error",
        message=_optional(value, "message") or "",
        file=_optional(value, "file"),
        line=_whole(value, "line"),
    )


def _headers(event: dict[str, Any]) -> Headers:
    pairs = (pair for pair in _list(event, "headers") if isinstance(pair, list) and len(pair) == 2)
    return tuple((str(name), str(value)) for name, value in pairs if str(name).lower() not in _SECRET_HEADERS)


def _chunks(event: dict[str, Any]) -> Chunks:
    pairs = (pair for pair in _list(event, "chunks") if isinstance(pair, list) and len(pair) == 2)
    read = ((_number(length), _number(after)) for length, after in pairs)
    return tuple((int(length), after) for length, after in read if length is not None and after is not None)


def _at(event: dict[str, Any]) -> float:
    at = _number(event.get("at"))
    if at is None:
        raise EventError(f"{event.get('type')} has no time")
    return at


def _text(event: dict[str, Any], key: str) -> str:
    value = event.get(key)
    if not isinstance(value, str):
        raise EventError(f"{event.get('type') or 'an event'} has no {key}")
    return value


def _optional(event: dict[str, Any], key: str) -> str | None:
    value = event.get(key)
    return value if isinstance(value, str) else None


def _whole(event: dict[str, Any], key: str) -> int | None:
    value = event.get(key)
    # What a database cannot hold is as good as absent.
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63 else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if number - number == 0.0 else None  # neither NaN nor infinite


def _list(event: dict[str, Any], key: str) -> list[Any]:
    value = event.get(key)
    return value if isinstance(value, list) else []


def _texts(event: dict[str, Any], key: str) -> list[str]:
    return [item for item in _list(event, key) if isinstance(item, str)]


def _one_of(event: dict[str, Any], key: str, allowed: tuple[T, ...]) -> T:
    """The field where it is one of `allowed`; the first of them where it is absent."""
    value = event.get(key, allowed[0])
    for word in allowed:
        if value == word:
            return word
    raise EventError(f"{event.get('type')} has {key} {value!r}, not one of {', '.join(allowed)}")
