"""Work that a client shows while it goes on: every beginning has an end, and a percentage never goes back."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from lsprotocol import types as lsp

from ao_lsp.server.lsp.connection.dispatch import AnswerError

if TYPE_CHECKING:
    from ao_lsp.server.lsp.editor import Editor

LONG_S = 1.0
"""What takes less is not worth showing."""

_REPORT_S = 0.1
"""The least time between two reports."""

_names = itertools.count(1)


class Progress:
    """One piece of work. `cancel` is called once, when the user wants it to stop; `last` is what is said at the end."""

    def __init__(self, editor: Editor, title: str, cancel: Callable[[], None]) -> None:
        self._editor, self._title, self._cancel = editor, title, cancel
        self.last = ""
        self._token: int | str | None = None
        self._over = False
        self._percentage: int | None = None
        self._message: str | None = None
        self._reported = 0.0

    def report(self, done: int, total: int | None, message: str) -> None:
        """So much is done, of so much (None: unknown)."""
        if total:
            # What is expected may become more: what has been shown is not taken back.
            self._percentage = max(self._percentage or 0, min(100, 100 * done // total))
        self._message = message
        if self._token is not None and not self._over and time.monotonic() - self._reported >= _REPORT_S:
            self._reported = time.monotonic()
            self._tell(lsp.WorkDoneProgressReport(message=message, percentage=self._percentage))

    def cancel(self) -> None:
        """The user wants it to stop."""
        if not self._over:
            cancel, self._cancel = self._cancel, _nothing
            cancel()

    async def begin(self, token: int | str | None, after_s: float) -> None:
        """Show it, by the client's `token` or by one of ours, if it still goes on after a while."""
        if token is None:
            if not self._editor.client.progress:
                return
            await asyncio.sleep(after_s)
            token = f"ao-progress-{next(_names)}"
            try:
                created = lsp.WorkDoneProgressCreateParams(token)
                await self._editor.protocol.ask(lsp.WINDOW_WORK_DONE_PROGRESS_CREATE, created)
            except AnswerError:
                return
        if self._over:
            return
        self._token = token
        self._editor.in_progress[token] = self
        # Without a percentage at the beginning, clients show none at all.
        percentage = self._percentage or 0
        self._tell(
            lsp.WorkDoneProgressBegin(title=self._title, cancellable=True, message=self._message, percentage=percentage)
        )

    def end(self) -> None:
        """It is over, however it went."""
        if self._over:
            return
        self._over = True
        if self._token is not None:
            del self._editor.in_progress[self._token]
            self._tell(lsp.WorkDoneProgressEnd(message=self.last or None))

    def _tell(self, value: lsp.WorkDoneProgressBegin | lsp.WorkDoneProgressReport | lsp.WorkDoneProgressEnd) -> None:
        assert self._token is not None  # noqa: S101 - nothing is told before it has begun
        self._editor.protocol.tell(lsp.PROGRESS, lsp.ProgressParams(self._token, value))


def cancelled(task: asyncio.Task[Any]) -> None:
    """What the wish to stop does to the task of a request."""
    task.cancel()


def _nothing() -> None:
    """What a second wish to stop does."""


@asynccontextmanager
async def progress(
    editor: Editor, title: str, cancel: Callable[[], None], token: int | str | None = None, after_s: float = 0.0
) -> AsyncIterator[Progress]:
    """Show that something goes on, where the client can and if it takes long. The work does not wait for that.

    `token` is the one that the client has sent for it, if it has: then it is shown from the beginning.
    """
    shown = Progress(editor, title, cancel)
    if token is not None:
        await shown.begin(token, 0.0)
        beginning = None
    else:
        beginning = asyncio.create_task(shown.begin(None, after_s))
    try:
        yield shown
    finally:
        if beginning is not None:
            beginning.cancel()
        shown.end()
