"""The commands of an editor: those of the daemon (`server/commands`), of which some do more here, because an editor
can show something and ask its user.

Those that lenses and actions offer (`offers`) come with the ids of run and call, and with `here` where the
place stands for several calls: then the user is asked which.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar, cast

from ao_lsp.server import refs
from ao_lsp.server.commands import ALIASES, COMMANDS, opening, recording, rerunning
from ao_lsp.server.commands import execute as execute_shared
from ao_lsp.server.commands.choosing import ChooseParams
from ao_lsp.server.commands.opening import ChosenParams, OpenPartParams
from ao_lsp.server.lsp.connection.dispatch import AnswerError
from ao_lsp.server.lsp.doing import choosing, reruns
from ao_lsp.server.lsp.doing.progress import LONG_S, cancelled, progress
from ao_lsp.server.lsp.recorded import words
from ao_lsp.server.model import Call
from ao_lsp.server.params import CommandError, read
from ao_lsp.server.results.calls import RawCallJson, WholeCallJson
from ao_lsp.server.results.editors import NothingJson, OpenedEditJson
from ao_lsp.server.results.opening import (
    ChosenJson,
    CommandLineJson,
    OpenedCallJson,
    OpenedDrawingJson,
    OpenedGraphJson,
    OpenedJson,
    OpenedRawCallJson,
)
from ao_lsp.server.results.rerunning import EndedRerunJson, RerunJson
from ao_lsp.server.results.runs import DrawingJson, GraphJson
from ao_lsp.server.views import Json

if TYPE_CHECKING:
    from ao_lsp.server.lsp.editor import Editor

P = TypeVar("P")

_ProgressId: TypeAlias = "int | str | None"
"""By which the client wants to be told how its command goes on."""


@dataclass(frozen=True, slots=True)
class EditorCommand(Generic[P]):
    """What a command does in an editor. As of a `Command`, the declared result is the documented one."""

    summary: str
    params: type[P]
    handler: Callable[[Editor, P, _ProgressId], Awaitable[Mapping[str, object]]]
    since: int = 1
    errors: tuple[str, ...] = ()


async def _rerun_from(editor: Editor, params: rerunning.RerunFromParams, _: _ProgressId) -> RerunJson | NothingJson:
    call = await _chosen(editor, params, "Rerun from which call?")
    if call is None:
        return {}
    return await reruns.start(editor, run=call.run, policy=params.policy, **{"from": call.id})


async def _rerun(editor: Editor, params: rerunning.RerunParams, token: _ProgressId) -> RerunJson | EndedRerunJson:
    given = _plain(params)
    if params.wait:
        return cast("EndedRerunJson", await _shared(editor, "ao.rerun", given, token))
    return await reruns.start(editor, **given)


async def _edit_output(editor: Editor, params: ChosenParams, _: _ProgressId) -> OpenedEditJson | NothingJson:
    call = await _chosen(editor, params, "Edit the output of which call?")
    return {} if call is None else {"path": await editor.editing.open(call.run, call.id, "output")}


async def _edit_input(editor: Editor, params: ChosenParams, _: _ProgressId) -> OpenedEditJson | NothingJson:
    call = await _chosen(editor, params, "Edit the input of which call?")
    return {} if call is None else {"path": await editor.editing.open(call.run, call.id, "input")}


async def _graph(
    editor: Editor, params: opening.GraphParams, _: _ProgressId
) -> GraphJson | DrawingJson | OpenedGraphJson | OpenedDrawingJson:
    result = await execute_shared(editor.core, editor.caller, "ao.graph", _plain(params))
    if params.open:
        result |= await editor.contents.open(opening.graph_of(result, params), "the graph")
    return cast("GraphJson | DrawingJson | OpenedGraphJson | OpenedDrawingJson", result)


async def _call(
    editor: Editor, params: opening.CallParams, _: _ProgressId
) -> WholeCallJson | RawCallJson | OpenedCallJson | OpenedRawCallJson:
    result = await execute_shared(editor.core, editor.caller, "ao.call", _plain(params))
    if params.open:
        address = await opening.call_of(editor.core, result)
        result |= await editor.contents.open(address, f"call {result['call']['number']}")
    return cast("WholeCallJson | RawCallJson | OpenedCallJson | OpenedRawCallJson", result)


async def _open_prompt(editor: Editor, params: OpenPartParams, _: _ProgressId) -> OpenedJson | NothingJson:
    call = await _chosen(editor, params, "Open the prompt of which call?")
    if call is None:
        return {}
    address = await opening.of_part(editor.core, replace(params, run=call.run, call=call.id), "prompt")
    return await editor.contents.open(address, f"the prompt of {words.call_name(call)}")


async def _open_output(editor: Editor, params: OpenPartParams, _: _ProgressId) -> OpenedJson | NothingJson:
    call = await _chosen(editor, params, "Open the output of which call?")
    if call is None:
        return {}
    address = await opening.of_part(editor.core, replace(params, run=call.run, call=call.id), "output")
    return await editor.contents.open(address, f"the output of {words.call_name(call)}")


async def _open_log(editor: Editor, params: opening.OpenLogParams, _: _ProgressId) -> OpenedJson:
    address = await opening.of_log(editor.core, params)
    return await editor.contents.open(address, f"what run {address.run} prints")


async def _open_diff(editor: Editor, params: opening.OpenDiffParams, _: _ProgressId) -> OpenedJson:
    address = await opening.of_diff(editor.core, params)
    return await editor.contents.open(address, f"what changed from run {address.other} to run {address.run}")


async def _open_code(editor: Editor, params: opening.OpenCodeParams, _: _ProgressId) -> OpenedJson:
    address = await opening.of_code(editor.core, editor.caller, params)
    return await editor.contents.open(address, f"{address.name} as it was", params.line)


async def _record(editor: Editor, params: recording.RecordParams, _: _ProgressId) -> CommandLineJson:
    answer = await execute_shared(editor.core, editor.caller, "ao.record", _plain(params))
    if not editor.client.records:
        editor.say(f"Run your program with ao-record in place of python, to record its calls: {answer['command']}")
    return cast("CommandLineJson", answer)


def _plain(params: Any) -> Json:
    """Parameters as they were given, without what only an editor does."""
    return {entry.name.rstrip("_"): getattr(params, entry.name) for entry in fields(params) if entry.name != "open"}


async def _chosen(editor: Editor, params: ChosenParams, question: str) -> Call | None:
    """The call that is meant; None where the user does not want to say."""
    graph = await refs.find_graph(editor.core, params.run)
    meant = refs.find_call(graph, params.call)
    if params.here:
        return await choosing.choose_call(editor, question, graph.run.id, meant)
    if not params.among:
        return meant
    choices = [(_choice(call), call) for call in graph.calls if call.id in params.among]
    try:
        return await choosing.pick(editor, question, choices)
    except AnswerError:  # a client that cannot ask
        return meant


def _choice(call: Call) -> str:
    return words.joined([words.call_name(call), words.shortened(call.preview or "", 40)])


_DOINGS: tuple[tuple[str, str], ...] = (
    ("Read it", "ao.call"),
    ("Rerun from it", "ao.rerunFrom"),
    ("Edit its output", "ao.editOutput"),
    ("Edit its input", "ao.editInput"),
    ("Graph of its run", "ao.graph"),
)
"""What can be done with a call that was chosen, and by which command."""


async def _choose_call(editor: Editor, params: ChooseParams, token: _ProgressId) -> ChosenJson | NothingJson:
    graph = await refs.find_graph(editor.core, params.run)
    meant = refs.find_call(graph, params.call)
    call = await choosing.choose_call(editor, "Which call?", graph.run.id, meant, runs_first=True)
    if call is None:
        return {}
    question = f"What about {words.call_name(call)}?"
    try:
        name = await choosing.pick(editor, question, _DOINGS)
    except AnswerError:
        name = "ao.call"
    if name is None:
        return {}
    given: Json = {"run": call.run, "call": call.id}
    if name == "ao.graph":
        given = {"run": call.run, "format": "text"}
    await execute(editor, name, [given | ({"open": True} if name in ("ao.call", "ao.graph") else {})], token)
    return {"run": call.run, "call": call.id}


def _here(
    name: str, handler: Callable[[Editor, Any, _ProgressId], Awaitable[Mapping[str, object]]]
) -> EditorCommand[Any]:
    shared = COMMANDS[name]
    return EditorCommand(shared.summary, shared.params, handler, shared.since, shared.errors)


EDITOR_ONLY: Mapping[str, EditorCommand[Any]] = {
    "ao.chooseCall": _here("ao.chooseCall", _choose_call),
    "ao.rerunFrom": _here("ao.rerunFrom", _rerun_from),
    "ao.rerun": _here("ao.rerun", _rerun),
    "ao.editOutput": _here("ao.editOutput", _edit_output),
    "ao.editInput": _here("ao.editInput", _edit_input),
    "ao.graph": _here("ao.graph", _graph),
    "ao.call": _here("ao.call", _call),
    "ao.openPrompt": _here("ao.openPrompt", _open_prompt),
    "ao.openOutput": _here("ao.openOutput", _open_output),
    "ao.openLog": _here("ao.openLog", _open_log),
    "ao.openDiff": _here("ao.openDiff", _open_diff),
    "ao.openCode": _here("ao.openCode", _open_code),
    "ao.record": _here("ao.record", _record),
}
"""Commands that do more in an editor: they show something, or ask."""

EDITOR_COMMANDS: tuple[str, ...] = (*COMMANDS, *ALIASES)


async def execute(editor: Editor, name: str, arguments: Sequence[Any] | None, token: _ProgressId = None) -> Json:
    """Run a command with its one argument. What takes long is shown, by `token` where the client has sent one, and
    can be cancelled there.

    Raises:
        CommandError: it cannot be done.
        StoreError: the database fails.
    """
    if arguments is not None and len(arguments) > 1:
        raise CommandError("bad_params", f"{name} takes one argument: a JSON object", '{"run": "last"}, for example')
    given = arguments[0] if arguments else None
    own = EDITOR_ONLY.get(ALIASES.get(name, name))
    if given is None and own is not None and any(field.name == "open" for field in fields(own.params)):
        given = {"open": True}  # chosen from the editor's list of commands, by somebody who sees no answer
    if own is None:
        return await _shared(editor, name, given, token)
    return cast("Json", await own.handler(editor, read(own.params, given), token))


async def _shared(editor: Editor, name: str, given: Any, token: _ProgressId) -> Json:
    """Do what the command does for everybody, and show that it goes on if it takes long."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - each request has one
    title = _TITLES.get(name) or f"ao: {name.rpartition('.')[2]}"
    async with progress(editor, title, lambda: cancelled(task), token, LONG_S) as shown:
        return await execute_shared(editor.core, replace(editor.caller, progress=shown.report), name, given)


_TITLES = {"ao.rerun": "Rerun", "ao.export": "Export", "ao.diff": "Compare runs", "ao.runs": "Look for runs"}
