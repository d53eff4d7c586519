"""Writes the file in which a rerun finds its plan (docs/wire.md, Replay plans)."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeAlias

from ao_lsp import protocol
from ao_lsp.server.exchanges import in_batches
from ao_lsp.server.model import Call, Edit, EditField, Exchange, PathStep, Run, Site
from ao_lsp.server.plan import PlanEntry, Policy
from ao_lsp.server.store import Store

_Lines: TypeAlias = "tuple[tuple[str, int], ...]"

# A plan that no runner came for within a day is not wanted any more.
_KEPT_S = 24 * 3600.0


Path: TypeAlias = tuple[PathStep, ...]


@dataclass(frozen=True, slots=True)
class PlanHead:
    """What a rerun is told about itself; `run` is its own, new id.

    `subruns` are those of the parent, and `forked` the ids of those that the fork is in. `paths` has the way to each
    run that entries are of, by its id. Of a rerun on old code, `version` is that, and `moved` says which folder stands
    for which other one.
    """

    run: str
    parent: Run
    fork_call: str | None
    policy: Policy
    subruns: tuple[Run, ...] = ()
    forked: frozenset[str] = frozenset()
    paths: Mapping[str, Path] = field(default_factory=dict)
    version: str | None = None
    moved: tuple[str, str] | None = None


async def write_plan(
    folder: str, head: PlanHead, entries: Sequence[PlanEntry], edits: Mapping[tuple[str, EditField], Edit], store: Store
) -> str:
    """Write a plan into `folder` and return its path. It appears whole or not at all."""
    os.makedirs(folder, 0o700, exist_ok=True)
    path = os.path.join(folder, f"{head.run}.plan")
    half = f"{path}.half"
    fork = next((entry.call for entry in entries if entry.call.id == head.fork_call), None)
    # The values are those of a whole program, also of a subrun's.
    draws = await store.draws(head.parent.root or head.parent.id, fork.started if fork else None)
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as file:
        file.write(protocol.frame(_first(head), draws=f"[{','.join(draws)}]".encode()))
        # Where one call is edited, the others of the same lines are needed to tell which one that is.
        edited = {_lines(entry.call) for entry in entries if entry.action in ("edited", "input")}
        replayed = (entry.call for entry in entries if entry.action == "replay")
        recordings = (pair async for batch in in_batches(store, replayed) for pair in batch)
        following = await anext(recordings, None)
        for entry in entries:
            exchange = None
            if entry.action == "replay" and following is not None and following[0].id == entry.call.id:
                exchange, following = following[1], await anext(recordings, None)
            lines = _lines(entry.call)
            recorded = _recorded(entry, head.paths.get(entry.call.run, ()), lines if lines in edited else ())
            file.write(_frame(entry, exchange, edits, recorded))
            await asyncio.sleep(0)  # a long plan is not the only thing to do
    os.replace(half, path)
    return path


def remove_stale_plans(folder: str) -> None:
    """Remove the plans that were never used."""
    with suppress(FileNotFoundError):
        for name in os.listdir(folder):
            path = os.path.join(folder, name)
            with suppress(OSError):
                if time.time() - os.path.getmtime(path) > _KEPT_S:
                    os.unlink(path)


def _first(head: PlanHead) -> dict[str, protocol.Json]:
    return {
        "plan": 1,
        "run": head.run,
        "session": head.parent.session,
        "parent_run": head.parent.id,
        "fork_call": head.fork_call,
        "name": head.parent.name,
        "policy": head.policy,
        "path": _path(head.parent.path),
        "subruns": [
            {
                "run": subrun.id,
                "path": _path(subrun.path),
                "fork_call": head.fork_call if subrun.id in head.forked else None,
            }
            for subrun in head.subruns
        ],
        **({"version": head.version} if head.version else {}),
        **({"moved": list(head.moved)} if head.moved else {}),
    }


def _frame(
    entry: PlanEntry,
    exchange: Exchange | None,
    edits: Mapping[tuple[str, EditField], Edit],
    recorded: dict[str, protocol.Json],
) -> bytes:
    call = entry.call
    if entry.action == "edited":
        edit = edits[call.id, "output"]
        # What failed gets an answer by being edited.
        status = 200 if call.http_status is None or call.http_status >= 400 else call.http_status
        answer = {"http_status": status, "headers": _lists(edit.headers), "chunks": _lists(edit.chunks)}
        return protocol.frame({**recorded, **answer, "error": None}, response=edit.body)
    if entry.action == "input":
        return protocol.frame(recorded, request=edits[call.id, "input"].body)
    if exchange is None:
        return protocol.frame(recorded)
    answer = {
        "http_status": call.http_status,
        "headers": _lists(exchange.response_headers),
        "chunks": _lists(exchange.chunks),
        # Only what arrived is replayed, so there is never a failure of the connection to repeat.
        "error": None,
    }
    return protocol.frame({**recorded, **answer}, response=exchange.response or b"")


def _path(path: Path) -> list[list[object]]:
    return [list(step) for step in path]


def _recorded(entry: PlanEntry, path: Path, lines: _Lines) -> dict[str, protocol.Json]:
    call: Call = entry.call
    return {
        "call": call.id,
        "request_hash": call.request_hash,
        "site": _site(call.site),
        "lineage": call.lineage,
        "action": entry.action,
        "number": call.number,
        # A function is called, and waits for nobody.
        "started": None if call.kind == "tool" else call.started,
        "duration": call.duration,
        "streamed": call.streamed,
        **({"path": _path(path)} if path else {}),
        **({"stack": _lists(lines)} if lines else {}),
    }


def _lines(call: Call) -> _Lines:
    """The lines that asked for a call, innermost first."""
    return tuple((site.file, site.line) for site in call.stack)


def _site(site: Site | None) -> dict[str, protocol.Json] | None:
    if site is None:
        return None
    return {
        "file": site.file,
        "line": site.line,
        "end_line": site.end_line,
        "column": site.column,
        "end_column": site.end_column,
        "function": site.function,
    }


def _lists(pairs: Iterable[tuple[object, object]]) -> list[list[object]]:
    return [[first, second] for first, second in pairs]
