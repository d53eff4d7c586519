"""Tells an editor when what it shows is out of date."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from lsprotocol import types as lsp

from ao_lsp.server.lsp.connection.dispatch import AnswerError
from ao_lsp.server.lsp.panel import GRAPH_DID_CHANGE
from ao_lsp.server.lsp.recorded.recordings import names_of
from ao_lsp.server.model import Change

if TYPE_CHECKING:
    from ao_lsp.server.lsp.editor import Editor

_GATHER_S = 0.1
"""How long changes are gathered after the first one."""

_PAUSE_S = 0.25
"""The least time between two refreshes."""

_ANSWER_S = 10.0
"""How long the next refresh waits for the answer to the last one."""


async def keep_fresh(editor: Editor) -> None:
    """Pass on what has been committed, for as long as the client is there."""
    with editor.core.changes.subscribe() as subscription:
        while True:
            changes = await subscription.next()
            await asyncio.sleep(_GATHER_S)
            more = subscription.taken()
            began = time.monotonic()
            if subscription.missed():
                await _pass_on(editor, [*changes, *more], everything=True)
            else:
                await _pass_on(editor, [*changes, *more])
            await asyncio.sleep(max(0.0, _PAUSE_S - _GATHER_S - (time.monotonic() - began)))


async def _pass_on(editor: Editor, changes: list[Change], everything: bool = False) -> None:
    """Tell of `changes`; of `everything` where there were others, and only the store knows which."""
    editor.editing.changed(changes)
    out = editor.protocol.out
    if out is not None:
        await out.drained()  # what a client is behind with, more of it would not help
    if editor.client.ao and editor.visible != frozenset():
        revisions = {run: change.seq for change in changes for run in change.graphs}
        if everything:
            revisions.update(await _revisions(editor))
        for run, revision in revisions.items():
            if editor.visible is None or run in editor.visible:
                editor.protocol.tell(GRAPH_DID_CHANGE, {"run": run, "revision": revision})
    await editor.contents.changed(changes, everything)
    if everything or await _concerns(editor, changes):
        await refresh_all(editor)
    elif await _ends_in_a_buffer(editor, changes):
        await _refresh_diagnostics(editor)


async def refresh_all(editor: Editor) -> None:
    """Have the client ask again for what it shows, if it can; send it its diagnostics, if it does not ask."""
    asked = [
        # Hints first: Neovim 0.12 keeps drawing old ones where the lenses come right before them.
        *([lsp.WORKSPACE_INLAY_HINT_REFRESH] if editor.client.hint_refresh else []),
        *([lsp.WORKSPACE_CODE_LENS_REFRESH] if editor.client.lens_refresh else []),
    ]
    asking = [asyncio.create_task(_refresh(editor, method)) for method in asked]
    asking.append(asyncio.create_task(_refresh_diagnostics(editor)))
    await asyncio.wait(asking)


async def _refresh_diagnostics(editor: Editor) -> None:
    if editor.client.pulls_diagnostics:
        await _refresh(editor, lsp.WORKSPACE_DIAGNOSTIC_REFRESH)
    else:
        await editor.diagnostics.publish()


async def _revisions(editor: Editor) -> dict[str, int]:
    """The revisions of the graphs that the client has asked for."""
    found: dict[str, int] = {}
    for run, session in list(editor.graphs.items()):
        row = await editor.core.store.session(session)
        if row is not None:
            found[run] = row.last_change
    return found


async def _refresh(editor: Editor, method: str) -> None:
    try:
        await asyncio.wait_for(editor.protocol.ask(method), _ANSWER_S)
    except (AnswerError, asyncio.TimeoutError):
        return


def _open_files(editor: Editor) -> set[str]:
    return {name for document in editor.documents.values() if document.path for name in names_of(document.path)}


async def _concerns(editor: Editor, changes: Iterable[Change]) -> bool:
    """Whether a buffer shows anything of what has changed."""
    open_files = _open_files(editor)
    if not open_files:
        return False
    if any(change.kind == "run.deleted" for change in changes):  # nobody knows any more what was in it
        return True
    told = {change.run for change in changes if change.kind not in ("run.started", "run.note", "run.versioned")}
    return await editor.recordings.touch(sorted(told), open_files)


async def _ends_in_a_buffer(editor: Editor, changes: Iterable[Change]) -> bool:
    """Whether a run has ended by an error in a buffer that made none of its calls, or one may have ended that a buffer
    still shows the error of."""
    ended = [change.run for change in changes if change.kind in ("run.ended", "subrun.ended")]
    if not ended:
        return False
    if editor.diagnostics.shows_crashes:
        return True
    open_files = _open_files(editor)
    runs = [await editor.core.store.run(run) for run in ended] if open_files else []
    return any(run is not None and run.error is not None and run.error.file in open_files for run in runs)
