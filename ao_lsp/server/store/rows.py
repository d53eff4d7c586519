"""Values to database rows and back. Lists and objects are JSON text in their columns."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from ao_lsp.server.model import (
    Call,
    Change,
    Chunks,
    Edge,
    Edit,
    Exchange,
    Failure,
    Headers,
    Run,
    Session,
    Site,
)
from ao_lsp.server.store.driver import Row

RUN_COLUMNS = (
    "id, session, name, argv, target, options, cwd, python, python_version, env, pid, parent_run, fork_call,"
    " version, started, subrun_of, root, path"
)
CALL_START_COLUMNS = (
    "run, id, kind, transport, method, url, endpoint, request_headers, request_hash, request_body, file, site,"
    " stack, lineage, thread, task, origin, source_call, input_edited, started, provider, model, streamed"
)
CALL_END_COLUMNS = (
    "run, id, status, http_status, response_headers, response_body, chunks, error, first_byte, duration, complete,"
    " streamed, input_tokens, cached_tokens, cache_write_tokens, output_tokens, reasoning_tokens, served_model,"
    " finish_reason, preview, replayable"
)


def dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def storable(text: str) -> str:
    """`text` as a column can hold it. Half of a surrogate pair, as models cut them off and users test them, has
    no UTF-8; the body of a call or an edit has it still, escaped."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def digest(body: bytes) -> bytes:
    """The key of a body."""
    return blake2b(body, digest_size=20).digest()


def packed_body(body: bytes) -> tuple[bytes, int, str, bytes]:
    """A row of `bodies`: compressed where that saves anything."""
    # Level 3 takes half the time of the default, for 8 % more bytes of text.
    data = zlib.compress(body, 3) if len(body) > 64 else body
    if len(data) < len(body):
        return digest(body), len(body), "zlib", data
    return digest(body), len(body), "raw", body


def unpacked_body(codec: str, data: bytes) -> bytes:
    return zlib.decompress(data) if codec == "zlib" else data


def run_row(run: Run) -> tuple[Any, ...]:
    """Values of RUN_COLUMNS: what its start says; how it ended is updated apart."""
    return (
        run.id,
        run.session,
        run.name,
        dump(run.argv),
        dump(run.target),
        dump(run.options),
        run.cwd,
        run.python,
        run.python_version,
        dump(dict(run.env)),
        run.pid,
        run.parent_run,
        run.fork_call,
        run.version,
        run.started,
        run.subrun_of,
        run.root,
        dump(run.path) if run.path else None,
    )


def run_of(row: Row) -> Run:
    kind, value = json.loads(row["target"])
    return Run(
        id=row["id"],
        session=row["session"],
        name=row["name"],
        argv=tuple(json.loads(row["argv"])),
        target=(kind, value),
        options=tuple(json.loads(row["options"])),
        cwd=row["cwd"],
        python=row["python"],
        python_version=row["python_version"],
        env=tuple(json.loads(row["env"]).items()),
        pid=row["pid"],
        parent_run=row["parent_run"],
        fork_call=row["fork_call"],
        started=row["started"],
        ended=row["ended"],
        status=row["status"],
        exit_code=row["exit_code"],
        error=failure_of(row["error"]),
        version=row["version"],
        version_root=row["version_root"],
        version_note=row["version_note"],
        subrun_of=row["subrun_of"],
        root=row["root"],
        path=tuple((name, lineage, number) for name, lineage, number in json.loads(row["path"] or "[]")),
        result=row["result"],
        remarks=tuple(json.loads(row["remarks"] or "[]")),
    )


def call_start_row(call: Call, headers: Headers, request_body: bytes) -> tuple[Any, ...]:
    """Values of CALL_START_COLUMNS; `request_body` is the key of the body."""
    return (
        call.run,
        call.id,
        call.kind,
        call.transport,
        call.method,
        call.url,
        call.endpoint,
        dump(headers),
        call.request_hash,
        request_body,
        call.site.file if call.site else None,
        _site_text(call.site) if call.site else None,
        dump([_site_list(site) for site in call.stack]),
        dump(call.lineage),
        call.thread,
        call.task,
        call.origin,
        call.source_call,
        int(call.input_edited),
        call.started,
        call.provider,
        call.model,
        int(call.streamed),
    )


def call_of(row: Row, number: int) -> Call:
    return Call(
        run=row["run"],
        id=row["id"],
        number=number,
        kind=row["kind"],
        transport=row["transport"],
        method=row["method"],
        url=row["url"],
        endpoint=row["endpoint"],
        request_hash=row["request_hash"],
        site=_site_of(row["site"]) if row["site"] else None,
        stack=_stack_of(row["stack"]),
        lineage=json.loads(row["lineage"]),
        thread=row["thread"],
        task=row["task"],
        origin=row["origin"],
        source_call=row["source_call"],
        input_edited=bool(row["input_edited"]),
        started=row["started"],
        provider=row["provider"],
        model=row["model"],
        streamed=bool(row["streamed"]),
        status=row["status"],
        http_status=row["http_status"],
        response_hash=row["response_body"],
        error=failure_of(row["error"]),
        first_byte=row["first_byte"],
        duration=row["duration"],
        complete=bool(row["complete"]),
        input_tokens=row["input_tokens"],
        cached_tokens=row["cached_tokens"],
        cache_write_tokens=row["cache_write_tokens"],
        output_tokens=row["output_tokens"],
        reasoning_tokens=row["reasoning_tokens"],
        served_model=row["served_model"],
        finish_reason=row["finish_reason"],
        preview=row["preview"],
        replayable=bool(row["replayable"]),
    )


# As they stand in `Spent`.
SPENT_COLUMNS = (
    "kind, origin, provider, url, model, served_model, started, input_tokens, cached_tokens, cache_write_tokens,"
    " output_tokens"
)


def edge_row(run: str, edge: Edge) -> tuple[Any, ...]:
    return (run, edge.target, edge.source, edge.evidence, dump(edge.path), dump(edge.through))


def edge_of(row: Row) -> Edge:
    path = tuple((file, line) for file, line in json.loads(row["path"]))
    return Edge(row["source"], row["target"], row["evidence"], path, tuple(json.loads(row["through"])))


def edit_of(row: Row) -> Edit:
    return Edit(
        run=row["run"],
        call=row["call"],
        field=row["field"],
        created=row["created"],
        content=row["content"],
        body=unpacked_body(row["codec"], row["data"]),
        headers=headers_of(row["headers"]),
        chunks=chunks_of(row["chunks"]),
        version=row["version"],
    )


def exchange_of(row: Row) -> Exchange:
    answered = row["response_data"] is not None
    return Exchange(
        request_headers=headers_of(row["request_headers"]),
        request=unpacked_body(row["request_codec"], row["request_data"]),
        response_headers=headers_of(row["response_headers"]),
        response=unpacked_body(row["response_codec"], row["response_data"]) if answered else None,
        chunks=chunks_of(row["chunks"]),
    )


def change_of(row: Row) -> Change:
    return Change(row["session"], row["seq"], row["at"], row["kind"], row["run"], row["call"])


def files_in(found: Iterable[Row]) -> set[str]:
    """Every file that calls name, in rows of `file` and `stack`."""
    files = {row["file"] for row in found if row["file"]}
    for row in found:
        files.update(site[0] for site in json.loads(row["stack"] or "[]"))
    return files


def session_of(row: Row) -> Session:
    return Session(row["id"], row["created"], row["first_change"], row["last_change"])


def failure_text(failure: Failure | None) -> str | None:
    if failure is None:
        return None
    said: list[Any] = [failure.type, failure.message, failure.file, failure.line]
    if failure.frames or failure.calls:
        said += [[_site_list(frame) for frame in failure.frames], failure.calls]
    return storable(dump(said))


def failure_of(text: str | None) -> Failure | None:
    if not text:
        return None
    type_, message, file, line, *more = json.loads(text)
    frames, calls = more[:2] if more else ((), ())
    return Failure(type_, message, file, line, tuple(Site(*frame) for frame in frames), tuple(calls))


def headers_of(text: str | None) -> Headers:
    return tuple((name, value) for name, value in json.loads(text)) if text else ()


def chunks_of(text: str | None) -> Chunks:
    return tuple((length, after) for length, after in json.loads(text)) if text else ()


def _site_list(site: Site) -> list[Any]:
    return [site.file, site.line, site.function, site.end_line, site.column, site.end_column]


def _site_text(site: Site) -> str:
    return dump(_site_list(site))


# A program makes thousands of calls in one place.
@lru_cache(4096)
def _site_of(text: str) -> Site:
    return Site(*json.loads(text))


@lru_cache(1024)
def _stack_of(text: str) -> tuple[Site, ...]:
    return tuple(Site(*fields) for fields in json.loads(text))
