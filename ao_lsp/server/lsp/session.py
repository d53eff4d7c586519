"""A connection of an editor, from its first message to its last."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from ao_lsp.server.command import environment_of
from ao_lsp.server.core import Core
from ao_lsp.server.gauge import Gauge
from ao_lsp.server.lsp.connection.dispatch import CANCELLED
from ao_lsp.server.lsp.connection.inbox import Inbox
from ao_lsp.server.lsp.connection.wire import MalformedError, Outgoing
from ao_lsp.server.lsp.editor import Editor

log = logging.getLogger(__name__)

_UNTIE_AFTER_S = 1.0
"""By then the last of what a client had wanted has heard that it is to end."""


async def serve(
    core: Core, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, preamble: dict[str, Any], gauge: Gauge
) -> None:
    """Serve an editor until it says `exit` or hangs up."""
    editor = Editor(core, environment_of(preamble))
    editor.protocol.out = Outgoing(writer)
    inbox = Inbox(editor.protocol.answered, editor.protocol.cancel)
    gauge.doing = lambda: editor.client.name
    gauge.read = lambda: inbox.waiting
    gauge.written = lambda: (writer.transport.get_write_buffer_size(), 0)
    filling = asyncio.create_task(inbox.fill(reader))
    try:
        await attend(editor, inbox)
    except ConnectionError:
        pass
    finally:
        filling.cancel()
        await asyncio.wait({filling})
        await editor.close()
        name = editor.client.name
        gauge.doing = lambda: name
        log.info("%s has left", name)
        asyncio.get_running_loop().call_later(_UNTIE_AFTER_S, _untie, editor)


async def attend(editor: Editor, inbox: Inbox) -> None:
    """Act on what comes in, in order, until the editor says `exit` or hangs up."""
    protocol = editor.protocol
    while not protocol.over:
        await protocol.room()  # before a message is taken: one that waits in the inbox can be cancelled
        try:
            taken = await inbox.take()
        except MalformedError as error:
            protocol.refuse(None, error.code, str(error))
        else:
            if taken is None:
                return
            message, cancelled = taken
            if cancelled:
                protocol.refuse(message["id"], CANCELLED, "cancelled")
            else:
                protocol.receive(message)
        # Other clients have their turn; and what a request does at once, it does before the next one.
        await asyncio.sleep(0)
        if protocol.out is not None and protocol.out.congested:
            await protocol.out.drained()


def _untie(editor: Editor) -> None:
    """Let go of what an editor was made of. It is a knot of references, pygls' among them, which would stay until the
    garbage collector comes: a daemon that has nothing else to do calls it never, and it holds up everybody."""
    vars(editor.protocol).clear()
    vars(editor).clear()
