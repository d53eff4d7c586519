"""The daemon about itself."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypedDict


class WaitingJson(TypedDict):
    """What waits between a client and the daemon."""

    bytes: Annotated[int, "as the kernel counts them"]
    messages: Annotated[int, "where they have been told apart"]


class _ConnectedJson(TypedDict):
    role: Annotated[str | None, "`record`, `cli`, `web` or `lsp`; null: it has not said yet"]
    pid: int
    since: str
    run: Annotated[str | None, "of a program: its run"]
    doing: Annotated[str | None, "the name of its run, the editor's name, or the method that is being answered"]


# Their names are Python's.
_InJson = TypedDict("_InJson", {"in": Annotated[WaitingJson, "what it has sent that has had no effect yet"]})


class _OutJson(TypedDict):
    out: Annotated[WaitingJson, "what it has been sent and has not read"]


class ConnectedJson(_ConnectedJson, _InJson, _OutJson):
    """A client of the daemon."""


class WatchedJson(TypedDict):
    """A folder that the file watcher has an eye on."""

    folder: str
    files: int
    polled: Annotated[bool, "looked through from time to time, because nothing tells of changes there"]
    python: Annotated[str, "for which interpreter files are compiled"]


class IngestQueueJson(TypedDict):
    """Events that are read and not committed."""

    events: int
    bytes: int


class MatchingQueueJson(TypedDict):
    """Runs whose texts are compared."""

    running: int
    waiting: int


class SpoolQueueJson(TypedDict):
    """Files of programs that found no daemon."""

    files: int
    bytes: int


class QueuesJson(TypedDict):
    """What is still to be done."""

    ingest: IngestQueueJson
    matching: MatchingQueueJson
    spool: SpoolQueueJson


class RunCountsJson(TypedDict):
    """Runs that are recorded."""

    total: int
    running: int


class DatabaseJson(TypedDict):
    """Where recordings are."""

    path: str
    bytes: int
    damage: Annotated[Any, "what became of it when it was damaged; null: it never was"]


class KeptVersionsJson(TypedDict):
    """Where versions of code are."""

    path: str
    bytes: int


class KnownJson(TypedDict):
    """What only the database can tell: as it was known last where that is at something long, null where never."""

    runs: RunCountsJson | None
    database: DatabaseJson | None
    versions: KeptVersionsJson | None


class _StatusJson(TypedDict):
    state: Annotated[Literal["serving", "retiring", "busy"], "`busy` is said by the [vital signs](wire.md#vital-signs)"]
    version: Annotated[str, "of the package"]
    wire: Annotated[int, "version of the wire"]
    pid: int
    daemon: Annotated[str, "its id"]
    python: str
    started: str
    uptime_s: float
    idle_exit_s: Annotated[float, "0: it stays"]
    clients: list[ConnectedJson]
    reruns: Annotated[int, "that run in the background"]
    watching: list[WatchedJson]
    queues: QueuesJson


class StatusJson(_StatusJson, KnownJson):
    """How the daemon is."""

    memory_bytes: int
    socket: Annotated[str, "the path"]
    log: Annotated[str, "the path"]


class StoppingJson(TypedDict):
    """The daemon that was stopped."""

    pid: int


class ClearedJson(TypedDict):
    """What was deleted."""

    deleted: Annotated[int, "runs"]
    kept: Annotated[int, "runs that are still running"]
    freed_bytes: int
