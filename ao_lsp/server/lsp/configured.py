"""The settings of an editor: what it starts with, what it is told to change, and what it is asked for."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lsprotocol import types as lsp

from ao_lsp.server.lsp.connection.dispatch import AnswerError
from ao_lsp.server.lsp.refresh import refresh_all
from ao_lsp.settings import of_table

if TYPE_CHECKING:
    from ao_lsp.server.lsp.editor import Editor

_SECTION = "ao"

_ANSWER_S = 10.0


async def begin(editor: Editor) -> None:
    """The client is ready to be asked."""
    client = editor.client
    if client.options is not None:
        _apply(editor, client.options)
    if client.tells_configuration:
        # VS Code sends what changes only to those who have asked for it.
        wanted = lsp.DidChangeConfigurationRegistrationOptions(section=_SECTION)
        method = lsp.WORKSPACE_DID_CHANGE_CONFIGURATION
        registered = lsp.RegistrationParams([lsp.Registration("ao-settings", method, wanted)])
        editor.spawn(_asked(editor, lsp.CLIENT_REGISTER_CAPABILITY, registered))
    await _pull(editor)


async def changed(editor: Editor, settings: Any) -> None:
    """The client says that its settings have changed, and perhaps how."""
    table = settings.get(_SECTION) if isinstance(settings, dict) else None
    if table is not None:
        _apply(editor, table)
    else:
        await _pull(editor)


async def _pull(editor: Editor) -> None:
    if not editor.client.gives_configuration:
        return
    params = lsp.ConfigurationParams([lsp.ConfigurationItem(section=_SECTION)])
    answer = await _ask(editor, lsp.WORKSPACE_CONFIGURATION, params)
    if isinstance(answer, list) and answer and answer[0] is not None:
        _apply(editor, answer[0])


async def _asked(editor: Editor, method: str, params: Any) -> None:
    await _ask(editor, method, params)


async def _ask(editor: Editor, method: str, params: Any) -> Any:
    try:
        return await asyncio.wait_for(editor.protocol.ask(method, params), _ANSWER_S)
    except (AnswerError, asyncio.TimeoutError):
        return None


def _apply(editor: Editor, table: Any) -> None:
    if isinstance(table, dict):  # what is not set, some clients say to be null
        table = {name: value for name, value in table.items() if value is not None}
    values, problems = of_table(table, "editor", "the settings of ao")
    before = editor.caller.settings
    editor.caller = replace(editor.caller, settings=values)
    for problem in problems:
        if problem not in editor.complained:  # some clients send all of them at each change
            editor.complained.add(problem)
            editor.say(f"{problem}; it is ignored", lsp.MessageType.Warning)
    shown = ("lenses", "hints", "variable_hints", "diagnostics")
    if any(before.get(name, True) != values.get(name, True) for name in shown):
        editor.spawn(refresh_all(editor))
