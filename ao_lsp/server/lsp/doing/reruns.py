"""Reruns that an editor has started: shown while they go on, stopped when the user wants it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from lsprotocol import types as lsp

from ao_lsp.server.changes import Subscription
from ao_lsp.server.commands import execute
from ao_lsp.server.commands.rerunning import follow
from ao_lsp.server.content import address as addresses
from ao_lsp.server.lsp.connection.dispatch import AnswerError
from ao_lsp.server.lsp.doing.progress import progress
from ao_lsp.server.lsp.recorded import words
from ao_lsp.server.rerun import Rerun
from ao_lsp.server.results.rerunning import RerunJson

if TYPE_CHECKING:
    from ao_lsp.server.lsp.editor import Editor

_SHOW = "Show its output"


async def start(editor: Editor, **params: Any) -> RerunJson:
    """Rerun in the background, by these parameters of `ao.rerun`, and show how it goes on. Gives what `ao.rerun` does.

    Raises:
        CommandError: it cannot be started.
        StoreError: the database fails.
    """
    changes = editor.core.changes.subscribe()
    try:
        answer = await execute(editor.core, editor.caller, "ao.rerun", params)
    except BaseException:
        changes.close()
        raise
    started = editor.core.reruns.running(answer["run"])
    if started is None:  # it has ended already
        changes.close()
    else:
        editor.spawn(_show(editor, started, changes, answer["counts"]["calls"]))
    return cast("RerunJson", answer)


async def _show(editor: Editor, started: Rerun, changes: Subscription, expected: int) -> None:
    """Show a rerun until it has ended, and say how it did."""

    async def stop() -> None:
        await editor.core.reruns.stop(started.run)

    with changes:
        async with progress(editor, "Rerun", lambda: editor.spawn(stop())) as shown:
            await follow(started, changes, expected, shown.report)
            shown.last = await _outcome(editor, started)
    if not editor.client.progress and not started.process.returncode:
        editor.say(f"rerun {shown.last}")
    if started.process.returncode > 0:
        with suppress(AnswerError):
            said = f"the rerun {shown.last}"
            if await editor.choose(said, (_SHOW,), lsp.MessageType.Warning) == _SHOW:
                await editor.contents.open(addresses.log(started.run), "its output")


async def _outcome(editor: Editor, started: Rerun) -> str:
    """`ended: 2 of 7 calls live`, or with which code it failed."""
    code = started.process.returncode
    if code < 0:
        return "was stopped"
    graph = await editor.core.store.graph(started.run)
    calls = graph.calls if graph is not None else ()
    live = sum(call.origin == "live" for call in calls)
    counted = f"{live} of {words.counted(len(calls), 'call')} live"
    return f"ended, {counted}" if code == 0 else f"failed with exit code {code}, {counted}"
