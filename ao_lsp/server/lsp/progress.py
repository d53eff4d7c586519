"""Work that a client shows while it goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from lsprotocol import types as lsp

from ao_lsp.server.lsp.dispatch import AnswerError

if TYPE_CHECKING:
    from ao_lsp.server.lsp.editor import Editor


class Progress:
    """One piece of work. `cancel` is called when the user wants it to stop."""

    def __init__(self, editor: Editor, token: int | str | None, cancel: Callable[[], None]) -> None:
        self._editor, self._token, self.cancel = editor, token, cancel
        self.last = ""

    def report(self, done: int, total: int | None, message: str) -> None:
        """So much is done, of so much (None: unknown)."""
        percentage = min(100, 100 * done // total) if total else None
        self.tell(lsp.WorkDoneProgressReport(message=message, percentage=percentage))

    def tell(self, value: lsp.WorkDoneProgressBegin | lsp.WorkDoneProgressReport | lsp.WorkDoneProgressEnd) -> None:
        if self._token is not None:
            self._editor.protocol.tell(lsp.PROGRESS, lsp.ProgressParams(self._token, value))


async def _token(editor: Editor, wanted: str) -> str | None:
    """`wanted`, where the client can show progress."""
    if not editor.client.progress:
        return None
    try:
        await editor.protocol.ask(lsp.WINDOW_WORK_DONE_PROGRESS_CREATE, lsp.WorkDoneProgressCreateParams(wanted))
    except AnswerError:
        return None
    return wanted


@asynccontextmanager
async def progress(editor: Editor, title: str, cancel: Callable[[], None]) -> AsyncIterator[Progress]:
    """Show that something goes on, where the client can; `last` is the last thing that is said of it."""
    token = await _token(editor, f"ao-progress-{id(cancel):x}-{len(editor.in_progress)}")
    shown = Progress(editor, token, cancel)
    if token is not None:
        editor.in_progress[token] = shown
    shown.tell(lsp.WorkDoneProgressBegin(title=title, cancellable=True, percentage=0))
    try:
        yield shown
    finally:
        shown.tell(lsp.WorkDoneProgressEnd(message=shown.last or None))
        if token is not None:
            del editor.in_progress[token]
