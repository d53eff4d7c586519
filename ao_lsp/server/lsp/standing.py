"""Tells an editor how the server stands, and shows it the compiling of many files."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ao_lsp.server.commands.standing import status
from ao_lsp.server.lsp.doing.progress import LONG_S, progress
from ao_lsp.server.lsp.panel import STATUS

if TYPE_CHECKING:
    from ao_lsp.server.lsp.editor import Editor

SERVER_STATUS = "experimental/serverStatus"
"""What others (rust-analyzer first) call it; Zed shows it, for one."""

_GATHER_S = 0.25
"""How long changes are gathered after the first one."""

_LOOK_S = 0.3
"""How often is looked how many files are left."""


async def keep_told(editor: Editor) -> None:
    """Tell how the server stands, at first and whenever that has changed, for as long as the client is there."""
    client, last = editor.client, None
    if not client.ao and not client.server_status:
        return
    stirred = asyncio.Event()
    with editor.core.standing.heard_by(stirred.set), editor.core.changes.subscribe() as changes:
        heard = asyncio.create_task(changes.next())
        stirred.set()
        try:
            while True:
                waiting = asyncio.create_task(stirred.wait())
                try:
                    await asyncio.wait({waiting, heard}, return_when=asyncio.FIRST_COMPLETED)
                finally:  # also where the client has left meanwhile
                    waiting.cancel()
                if heard.done():
                    told = heard.result()
                    heard = asyncio.create_task(changes.next())
                    # Which programs run is told by these alone.
                    if not changes.missed() and not any(change.kind.startswith("run.") for change in told):
                        continue
                now = await status(editor.core)
                if now != last:
                    last = now
                    if client.ao:
                        editor.protocol.tell(STATUS, now)
                    if client.server_status:
                        short = {name: now[name] for name in ("health", "quiescent")}
                        editor.protocol.tell(SERVER_STATUS, {**short, "message": now["message"] or None})
                stirred.clear()
                await asyncio.sleep(_GATHER_S)
        finally:
            heard.cancel()


async def keep_shown(editor: Editor) -> None:
    """Show the compiling of files in the editor's folders where it takes long, for as long as the client is there."""
    if not editor.client.progress:
        return
    watcher, stirred = editor.core.watcher, asyncio.Event()
    with editor.core.standing.heard_by(stirred.set):
        while True:
            await stirred.wait()
            stirred.clear()
            if not watcher.waiting(editor):
                continue
            await asyncio.sleep(LONG_S)
            left = watcher.waiting(editor)
            if not left:
                continue
            total, title = left, "Make files ready for ao-record"
            async with progress(editor, title, lambda: watcher.leave_out(editor)) as shown:
                while left:
                    done = total - left
                    shown.report(done, total, f"{done} of {total} files")
                    await asyncio.sleep(_LOOK_S)
                    left = watcher.waiting(editor)
                    total = max(total, done + left)
