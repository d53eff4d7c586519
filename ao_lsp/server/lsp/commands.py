"""The commands of an editor: those of the daemon, and the ones that need an editor to show something.

Every command takes one JSON object. Those that lenses and actions offer (`offers`) come with the ids of
run and call, and with `among` where the place stands for several calls: then the user is asked which.
"""

from __future__ import annotations

import asyncio
import os
import shlex
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from ao_lsp.server import command, editor_files, refs
from ao_lsp.server.commands import COMMANDS, reading, rerunning
from ao_lsp.server.commands import execute as execute_shared
from ao_lsp.server.configuration import configuration
from ao_lsp.server.lsp import hovers, reruns, words
from ao_lsp.server.lsp.dispatch import AnswerError
from ao_lsp.server.model import Call
from ao_lsp.server.params import CommandError, param, read
from ao_lsp.server.views import Json

if TYPE_CHECKING:
    from ao_lsp.server.lsp.editor import Editor

P = TypeVar("P")

_AMONG = "several calls by their ids: the user is asked which of them is meant"


@dataclass(frozen=True, slots=True)
class CallParams:
    call: str | int = param(command.CALL)
    run: str = param(command.RUN, "last")
    among: list[str] | None = param(_AMONG, None)  # noqa: RUF009 - a field, as the others


@dataclass(frozen=True, slots=True)
class RerunFromParams(CallParams):
    policy: Literal["live", "strict"] | None = param(command.POLICY, None)


@dataclass(frozen=True, slots=True)
class GraphParams(reading.GraphParams):
    open: bool = param("show it in a read-only file, too", False)


@dataclass(frozen=True, slots=True)
class OpenCallParams(reading.CallParams):
    open: bool = param("show it in a read-only file, too", False)


@dataclass(frozen=True, slots=True)
class FileParams:
    file: str = param("the path of a program")


@dataclass(frozen=True, slots=True)
class EditorCommand(Generic[P]):
    """A command that is only for editors."""

    summary: str
    params: type[P]
    handler: Callable[[Editor, P], Awaitable[Json]]


async def _rerun_from(editor: Editor, params: RerunFromParams) -> Json:
    call = await _chosen(editor, params, "Rerun from which call?")
    return {} if call is None else await reruns.start(editor, call.run, call.id, params.policy)


async def _rerun(editor: Editor, params: rerunning.RerunParams) -> Json:
    if params.wait:
        given = {"run": params.run, "from": params.from_, "policy": params.policy, "python": params.python}
        return await execute_shared(editor.core, editor.caller, "ao.rerun", {**given, "wait": True})
    return await reruns.start(editor, params.run, params.from_, params.policy, params.python)


async def _edit_output(editor: Editor, params: CallParams) -> Json:
    call = await _chosen(editor, params, "Edit the output of which call?")
    return {} if call is None else {"path": await editor.editing.open(call.run, call.id, "output")}


async def _edit_input(editor: Editor, params: CallParams) -> Json:
    call = await _chosen(editor, params, "Edit the input of which call?")
    return {} if call is None else {"path": await editor.editing.open(call.run, call.id, "input")}


async def _graph(editor: Editor, params: GraphParams) -> Json:
    shared = {entry.name: getattr(params, entry.name) for entry in fields(reading.GraphParams)}
    result = await execute_shared(editor.core, editor.caller, "ao.graph", shared)
    if params.open and params.format != "json":
        ending = {"text": "txt", "mermaid": "mmd"}.get(params.format, params.format)
        path = await _written(result["run"], f"graph.{ending}", result["text"])
        await editor.show(path, "the graph")
        result["path"] = path
    return result


async def _call(editor: Editor, params: OpenCallParams) -> Json:
    shared = {"run": params.run, "call": params.call, "raw": params.raw}
    result = await execute_shared(editor.core, editor.caller, "ao.call", shared)
    record = await editor.recordings.of_run(result["run"])
    if params.open and record is not None:
        call = refs.find_call(record.graph, result["call"]["id"])
        text = hovers.whole(call, record, await editor.recordings.said(call))
        result["path"] = await _written(call.run, editor_files.view_name(call), text)
        await editor.show(result["path"], words.call_name(call))
    return result


async def _how_to_record(editor: Editor, params: FileParams) -> Json:
    folder = os.path.dirname(params.file)
    python = (await configuration(editor.caller, folder)).get("python")
    named = ["--python", python] if python is not None and python == editor.caller.settings.get("python") else []
    line = shlex.join(["ao-record", *named, os.path.basename(params.file)])
    editor.say(f"This call has not been recorded yet. Run your program with ao-record in place of python: {line}")
    return {"command": line, "cwd": folder}


async def _chosen(editor: Editor, params: CallParams, question: str) -> Call | None:
    """The call that is meant; None where the user does not want to say."""
    graph = await refs.find_graph(editor.core, params.run)
    meant = refs.find_call(graph, params.call)
    if not params.among:
        return meant
    choices = {_choice(call): call for call in graph.calls if call.id in params.among}
    try:
        title = await editor.choose(question, list(choices))
    except AnswerError:  # a client that cannot ask
        return meant
    return choices.get(title or "")


def _choice(call: Call) -> str:
    return words.joined([words.call_name(call), words.shortened(call.preview or "", 40)])


async def _written(run: str, name: str, text: str) -> str:
    try:
        return await asyncio.to_thread(editor_files.write_view, run, name, text)
    except OSError as error:
        raise CommandError(
            "unavailable", f"{name} cannot be written: {error.strerror}", "free some disk space"
        ) from None


EDITOR_ONLY: Mapping[str, EditorCommand[Any]] = {
    "ao.rerunFrom": EditorCommand("rerun from a call, in the background, with progress", RerunFromParams, _rerun_from),
    "ao.rerun": EditorCommand(rerunning.RERUN.summary, rerunning.RerunParams, _rerun),
    "ao.editOutput": EditorCommand("open a file in which the output of a call is edited", CallParams, _edit_output),
    "ao.editInput": EditorCommand("open a file in which the input of a call is edited", CallParams, _edit_input),
    "ao.graph": EditorCommand(reading.GRAPH.summary, GraphParams, _graph),
    "ao.call": EditorCommand(reading.CALL.summary, OpenCallParams, _call),
    "ao.howToRecord": EditorCommand("say how a program is recorded", FileParams, _how_to_record),
}
"""Commands that are not in the shared table, or do more in an editor."""

EDITOR_COMMANDS: tuple[str, ...] = tuple(dict.fromkeys((*COMMANDS, *EDITOR_ONLY)))


async def execute(editor: Editor, name: str, arguments: Sequence[Any] | None) -> Json:
    """Run a command with its one argument.

    Raises:
        CommandError: it cannot be done.
        StoreError: the database fails.
    """
    if arguments is not None and len(arguments) > 1:
        raise CommandError("bad_params", f"{name} takes one argument: a JSON object", '{"run": "last"}, for example')
    given = arguments[0] if arguments else None
    own = EDITOR_ONLY.get(name)
    if own is None:
        return await execute_shared(editor.core, editor.caller, name, given)
    return await own.handler(editor, read(own.params, given))
