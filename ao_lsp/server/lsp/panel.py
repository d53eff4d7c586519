"""Our own requests, for panels: what the commands of the same name give, and by which to follow a run.

docs/protocol.md describes them; a test holds it to the tables here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ao_lsp.server import refs
from ao_lsp.server.commands import COMMANDS, execute
from ao_lsp.server.params import read
from ao_lsp.server.views import Json

if TYPE_CHECKING:
    from ao_lsp.server.lsp.editor import Editor

VERSION = 1

METHODS = {"ao/graph": "ao.graph", "ao/runs": "ao.runs", "ao/call": "ao.call"}
"""Request → the command that answers it."""

GRAPH_DID_CHANGE = "$/ao/graphDidChange"


async def answer(editor: Editor, method: str, params: Any) -> Json:
    """The result of a request of ours.

    Raises:
        CommandError: the parameters do not fit, or there is no such thing.
    """
    name = METHODS[method]
    if name != "ao.graph":
        return await execute(editor.core, editor.caller, name, params)
    wanted = read(COMMANDS[name].params, params)
    store = editor.core.store
    run = await store.run(await refs.find_run(store, wanted.run))
    # Before the graph: what it shows is of this revision or of a later one.
    session = await store.session(run.session) if run is not None else None
    graph = await execute(editor.core, editor.caller, name, {**(params or {}), "run": run.id if run else wanted.run})
    return {**graph, "revision": session.last_change if session is not None else 0}
