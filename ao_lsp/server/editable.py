"""What there is to edit of a call, and the file in which it is edited."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

from ao_lsp.server import editor_files, providers, refs
from ao_lsp.server.core import Core
from ao_lsp.server.edits import is_failed
from ao_lsp.server.model import Call, EditField, Exchange
from ao_lsp.server.params import CommandError
from ao_lsp.server.providers import body as bodies
from ao_lsp.server.render import labels


@dataclass(frozen=True, slots=True)
class EditFile:
    """A file with what is to be edited: `content` is what is in it, `recorded` what was recorded."""

    path: str
    call: Call
    content: str
    recorded: str


async def edit_file(core: Core, run: str, call: str | int, field: EditField) -> EditFile:
    """The file in which `field` of a call is edited; it is written where it has not what counts now.

    Raises:
        CommandError: there is no such call, or nothing to edit.
        StoreError: the database fails.
    """
    graph = await refs.find_graph(core, run)
    found = refs.find_call(graph, call)
    was = await recorded(core, found, field)
    edits = [edit for edit in await core.store.edits(found.run) if (edit.call, edit.field) == (found.id, field)]
    content = edits[0].content if edits else was
    path = editor_files.edit_path(found, field, was)
    try:
        await asyncio.to_thread(editor_files.write_edit, path, content, (was, content))
    except OSError as error:
        raise CommandError("unavailable", f"{path} cannot be written: {error.strerror}") from None
    return EditFile(path, found, content, was)


async def recorded(core: Core, call: Call, field: EditField) -> str:
    """What there is to edit, as it was recorded.

    Raises:
        CommandError: there is nothing.
    """
    exchange = await core.store.exchange(call.run, call.id)
    name = f"call {call.number} ({labels.function(call)})"
    if exchange is None:
        raise CommandError("refused", f"{name} has no {field} to edit")
    found = await asyncio.to_thread(text_of, call, exchange, field)
    if found is None:
        raise CommandError("refused", f"the {field} of {name} cannot be read, so not edited")
    return found


def text_of(call: Call, exchange: Exchange, field: EditField) -> str | None:
    """What is edited: of an output its text, where it is nothing else; else the whole body. None where it cannot be
    read."""
    if field == "input":
        whole = bodies.parsed(bodies.decoded(exchange.request_headers, exchange.request))
    else:
        if is_failed(call, exchange):  # there is nothing yet, and may be something
            return ""
        headers, body = exchange.response_headers, exchange.response or b""
        said = providers.read_response(call.endpoint, headers, body)
        if said.text is not None and not said.tool_calls:
            return said.text
        whole = providers.whole_response(call.endpoint, headers, body)
    return None if whole is None else json.dumps(whole, indent=2, ensure_ascii=False)
