"""The rows of an outline, one for each call (or for a run that has none), put together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from ao_lsp.server.store import RunOutline


def outlines_of(found: Iterable[Any]) -> list[RunOutline]:
    """Of rows with `id`, `subrun_of`, `root`, `status`, `call` and `call_status`, those of a run side by side."""
    made: dict[str, RunOutline] = {}
    calls: dict[str, list[tuple[str, Any]]] = {}
    for row in cast("Iterable[Mapping[str, Any]]", found):
        run = row["id"]
        if run not in made:
            made[run] = RunOutline(run, row["subrun_of"], row["root"], row["status"], ())
            calls[run] = []
        if row["call"] is not None:
            calls[run].append((row["call"], row["call_status"]))
    return [RunOutline(run.id, run.subrun_of, run.root, run.status, tuple(calls[run.id])) for run in made.values()]
