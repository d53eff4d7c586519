"""What was committed."""

from __future__ import annotations

from typing import Annotated, TypedDict

from ao_lsp.server.model import CallStatus, RunStatus


class ChangeJson(TypedDict):
    """One committed change."""

    session: str
    seq: Annotated[int, "dense within its session, and never used again"]
    at: str
    kind: Annotated[str, "see [wire.md](wire.md#changes-eventssubscribe)"]
    run: Annotated[str, "the run that it happened in: it may be a subrun"]
    call: Annotated[str | None, "null: it is about a run"]


class CallStateJson(TypedDict):
    """How a call stands."""

    id: str
    status: CallStatus


class RunStateJson(TypedDict):
    """How a run stands."""

    id: str
    subrun_of: str | None
    status: RunStatus
    calls: list[CallStateJson]


class SnapshotJson(TypedDict):
    """How things stand."""

    runs: list[RunStateJson]


class _EventsJson(TypedDict):
    session: str
    seq: Annotated[int, "what to ask after next"]


class EventsJson(_EventsJson, total=False):
    """What was committed after a number."""

    changes: Annotated[list[ChangeJson], "in order, each once"]
    snapshot: Annotated[SnapshotJson, "the changes after that number are not all there any more: start from this"]
