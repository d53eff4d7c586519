"""Our own requests, for panels: what the commands of the same name give, and by which to follow a run.

docs/protocol.md is made from the tables here.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, cast

from ao_lsp.server import command, events, refs
from ao_lsp.server.commands import COMMANDS, execute, opening, reading
from ao_lsp.server.lsp.doing.contents import CONTENT_DID_CHANGE
from ao_lsp.server.lsp.recorded.locate import LocateParams, locate
from ao_lsp.server.params import CommandError, param, read
from ao_lsp.server.results.calls import RawCallJson, WholeCallJson
from ao_lsp.server.results.editors import (
    ContentDidChangeJson,
    DrawingRevisionJson,
    GraphDidChangeJson,
    GraphRevisionJson,
)
from ao_lsp.server.results.events import EventsJson
from ao_lsp.server.results.opening import ContentJson
from ao_lsp.server.results.standing import StandingJson
from ao_lsp.server.sources import keep
from ao_lsp.server.views import Json

if TYPE_CHECKING:
    from ao_lsp.server.lsp.editor import Editor

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """A request of ours, answered by a `handler`, or as the command of the name `command` is. `since`: the revision
    that brought it (negotiation.py)."""

    summary: str
    params: type[Any]
    handler: Callable[[Editor, Any], Awaitable[Mapping[str, object]]] | None = None
    command: str = ""
    since: int = 1
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Notification:
    """Something that needs no answer; `params` is a class of parameters where a client says it, one of the types in
    results/ where we do."""

    summary: str
    params: type[Any]
    since: int = 1


@dataclass(frozen=True, slots=True)
class ShownParams:
    runs: list[str] | None = param("the runs whose graphs can be seen, by their ids; null: any", None)  # noqa: RUF009 - a field


def shown(editor: Editor, params: Any) -> None:
    """The client says which graphs can be seen: of others it is told nothing."""
    try:
        runs = read(ShownParams, params).runs
    except CommandError as error:  # of a notification nobody waits for an answer
        log.warning("%s: %s", DID_SHOW, error)
        return
    editor.visible = None if runs is None else frozenset(runs)


@dataclass(frozen=True, slots=True)
class EventsParams:
    run: str | None = param(f"all changes of this {command.RUN.removeprefix('which ')}", None)
    session: str | None = param("all changes of this session", None)
    after: int = param("only changes numbered higher than this", 0)


async def answer(editor: Editor, method: str, params: Any) -> Json:
    """The result of a request of ours.

    Raises:
        CommandError: the parameters do not fit, or there is no such thing.
    """
    request = METHODS[method]
    if request.handler is None:
        return await execute(editor.core, editor.caller, request.command, params)
    return cast("Json", await request.handler(editor, read(request.params, params)))


async def _graph(editor: Editor, params: reading.GraphParams) -> GraphRevisionJson | DrawingRevisionJson:
    store = editor.core.store
    run = await store.run(await refs.find_run(store, params.run))
    # Before the graph: what it shows is of this revision or of a later one.
    session = await store.session(run.session) if run is not None else None
    if run is not None:
        keep(editor.graphs, run.id, run.session)
    wanted = {**asdict(params), "run": run.id if run else params.run}
    graph = await execute(editor.core, editor.caller, "ao.graph", wanted)
    revision = session.last_change if session is not None else 0
    return cast("GraphRevisionJson | DrawingRevisionJson", {**graph, "revision": revision})


async def _call(editor: Editor, params: reading.CallParams) -> WholeCallJson | RawCallJson:
    found = await execute(editor.core, editor.caller, "ao.call", asdict(params))
    return cast("WholeCallJson | RawCallJson", found)


async def _content(editor: Editor, params: opening.ContentParams) -> ContentJson:
    """Its reader hears of it when it changes."""
    return (await editor.contents.get(params.uri)).as_json()


async def _events(editor: Editor, params: EventsParams) -> EventsJson:
    asked = events.EventsParams(params.run, params.session, params.after)
    found = await events.find_range(editor.core, asked)
    if found is None:
        raise CommandError("bad_params", "a run or a session is wanted")
    answer: EventsJson = {"session": found.session, "seq": params.after, "changes": []}
    for message in await events.since(editor.core, found, params.after):
        answer["seq"] = message["seq"]
        answer["changes"] += message.get("changes", ())
        if "snapshot" in message:
            answer["snapshot"] = message["snapshot"]
    return answer


METHODS: Mapping[str, Request] = {
    "ao/graph": Request(reading.GRAPH.summary, reading.GraphParams, _graph),
    "ao/runs": Request(COMMANDS["ao.runs"].summary, COMMANDS["ao.runs"].params, command="ao.runs"),
    "ao/call": Request(reading.CALL.summary, reading.CallParams, _call),
    "ao/events": Request("what was committed after a number", EventsParams, _events),
    "ao/locate": Request(
        "where a call stands now in the buffer, edited or not, or in the file", LocateParams, locate, since=2
    ),
    "ao/content": Request(
        opening.CONTENT.summary, opening.ContentParams, _content, since=2, errors=opening.CONTENT.errors
    ),
}

GRAPH_DID_CHANGE = "$/ao/graphDidChange"
DID_SHOW = "$/ao/didShow"
STATUS = "$/ao/status"

HEARD: Mapping[str, Notification] = {
    DID_SHOW: Notification("which graphs can be seen: only changes of these are told", ShownParams, since=2),
}
"""What a client may tell us."""

NOTIFICATIONS: Mapping[str, Notification] = {
    GRAPH_DID_CHANGE: Notification("a run has changed", GraphDidChangeJson),
    STATUS: Notification(
        "how the server stands, at the beginning and whenever that has changed", StandingJson, since=2
    ),
    CONTENT_DID_CHANGE: Notification("a text that it has asked for has changed", ContentDidChangeJson, since=2),
}
"""What a client is told that has asked for our own methods."""
