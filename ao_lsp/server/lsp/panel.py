"""Our own requests, for panels: what the commands of the same name give, and by which to follow a run.

docs/protocol.md describes them; a test holds it to the tables here.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ao_lsp.server import command, events, refs
from ao_lsp.server.commands import COMMANDS, execute
from ao_lsp.server.lsp.locate import locate
from ao_lsp.server.params import CommandError, param, read
from ao_lsp.server.sources import keep
from ao_lsp.server.views import Json

if TYPE_CHECKING:
    from ao_lsp.server.lsp.editor import Editor

log = logging.getLogger(__name__)

VERSION = 1

METHODS = {
    "ao/graph": "ao.graph",
    "ao/runs": "ao.runs",
    "ao/call": "ao.call",
    "ao/events": None,
    "ao/locate": None,
    "ao/content": "ao.content",
}
"""Request → the command that answers it; None: it is answered here."""

GRAPH_DID_CHANGE = "$/ao/graphDidChange"

DID_SHOW = "$/ao/didShow"


async def answer(editor: Editor, method: str, params: Any) -> Json:
    """The result of a request of ours.

    Raises:
        CommandError: the parameters do not fit, or there is no such thing.
    """
    name = METHODS[method]
    if name is None:
        return await _OWN[method](editor, params)
    if name == "ao.content":  # its reader hears of it when it changes
        return (await editor.contents.get(read(COMMANDS[name].params, params).uri)).as_json()
    if name != "ao.graph":
        return await execute(editor.core, editor.caller, name, params)
    wanted = read(COMMANDS[name].params, params)
    store = editor.core.store
    run = await store.run(await refs.find_run(store, wanted.run))
    # Before the graph: what it shows is of this revision or of a later one.
    session = await store.session(run.session) if run is not None else None
    if run is not None:
        keep(editor.graphs, run.id, run.session)
    graph = await execute(editor.core, editor.caller, name, {**(params or {}), "run": run.id if run else wanted.run})
    return {**graph, "revision": session.last_change if session is not None else 0}


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
    run: str | None = param(f"only changes of {command.RUN.removeprefix('which ')}", None)
    session: str | None = param("all changes of this session", None)
    after: int = param("only changes numbered higher than this", 0)


async def _events(editor: Editor, params: Any) -> Json:
    wanted = read(EventsParams, params)
    asked = events.EventsParams(wanted.run, wanted.session, wanted.after)
    found = await events.find_range(editor.core, asked)
    if found is None:
        raise CommandError("bad_params", "a run or a session is wanted")
    messages = await events.since(editor.core, found, wanted.after)
    answer: Json = {"session": found.session, "seq": wanted.after, "changes": []}
    for message in messages:
        answer["seq"] = message["seq"]
        answer["changes"] += message.get("changes", ())
        if "snapshot" in message:
            answer["snapshot"] = message["snapshot"]
    return answer


_OWN: Mapping[str, Callable[[Editor, Any], Awaitable[Json]]] = {"ao/events": _events, "ao/locate": locate}
"""Those that no command answers."""
