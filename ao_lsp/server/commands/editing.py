"""`ao.edit`, `ao.unedit`: what a rerun is to receive or to send instead."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal

from ao_lsp.server import command, providers, refs
from ao_lsp.server.command import Caller, Command
from ao_lsp.server.commands.opening import ChosenParams
from ao_lsp.server.core import Core
from ao_lsp.server.editable import EditFile, edit_file
from ao_lsp.server.edits import make_edit
from ao_lsp.server.model import EditField
from ao_lsp.server.params import CommandError, param
from ao_lsp.server.results.rerunning import EditedJson, EditFileJson, UneditedJson


@dataclass(frozen=True, slots=True)
class EditParams:
    call: str | int = param(command.CALL)
    content: str = param(
        "output: the new text, or a whole response as JSON; "
        "input: the user's new text, new messages or a whole request as JSON",
        content=True,
    )
    run: str = param(command.RUN, "last")
    field: Literal["output", "input"] = param("what the program receives, or what it sends", "output")


@dataclass(frozen=True, slots=True)
class UneditParams:
    call: str | int = param(command.CALL)
    run: str = param(command.RUN, "last")
    field: Literal["output", "input"] | None = param("of this field only", None)
    all: bool = param("all edits, back to the recording; else the last one, back to the one before it", False)


async def _edit(core: Core, _: Caller, params: EditParams) -> EditedJson:
    graph = await refs.find_graph(core, params.run)
    call = refs.find_call(graph, params.call)
    exchange = await core.store.exchange(call.run, call.id)
    if exchange is None:
        raise CommandError("refused", f"nothing is recorded of call {call.number} that could be edited")
    try:
        edit = await asyncio.to_thread(make_edit, call, exchange, params.field, params.content)
    except providers.EditError as error:
        option = "--response" if params.field == "output" else "--request"
        hint = f"the whole {params.field} as it is: ao call {graph.run.id} {call.number} {option}"
        raise CommandError("refused", str(error), hint) from None
    core.changes.publish(await core.store.put_edit(edit))
    return {"run": call.run, "call": call.id, "number": call.number, "field": params.field}


async def _edit_output(core: Core, _: Caller, params: ChosenParams) -> EditFileJson:
    return edit_file_json(await edit_file(core, params.run, params.call, "output"), "output")


async def _edit_input(core: Core, _: Caller, params: ChosenParams) -> EditFileJson:
    return edit_file_json(await edit_file(core, params.run, params.call, "input"), "input")


def edit_file_json(file: EditFile, field: EditField) -> EditFileJson:
    """Where something is edited, and what it was."""
    call = file.call
    return {
        "path": file.path, "run": call.run, "call": call.id, "number": call.number, "field": field,
        "content": file.content, "recorded": file.recorded,
    }  # fmt: skip


async def _unedit(core: Core, _: Caller, params: UneditParams) -> UneditedJson:
    graph = await refs.find_graph(core, params.run)
    call = refs.find_call(graph, params.call)
    fields: tuple[EditField, ...] = (params.field,) if params.field else ("output", "input")
    edits = [edit for edit in await core.store.edits(call.run) if edit.call == call.id and edit.field in fields]
    if not edits:
        raise CommandError("not_found", f"call {call.number} of run {call.run} has no edit to take back")
    removed = [edit.field for edit in edits]
    core.changes.publish(await core.store.delete_edits(call.run, call.id, removed, params.all))
    restored = [edit.field for edit in edits if edit.version > 1 and not params.all]
    return {"run": call.run, "call": call.id, "number": call.number, "fields": removed, "restored": restored}


EDIT_OUTPUT = Command(
    "open a file in which the output of a call is edited", ChosenParams, _edit_output, errors=("refused",)
)
EDIT_INPUT = Command(
    "open a file in which the input of a call is edited", ChosenParams, _edit_input, errors=("refused",)
)
EDIT = Command("store an edit of a call; the recording stays as it is", EditParams, _edit, errors=("refused",))
UNEDIT = Command("take edits of a call back, one after the other", UneditParams, _unedit)
