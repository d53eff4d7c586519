"""The daemon's log: `server.log`, three files of 10 MB at most. No prompt or reply is ever in it."""

from __future__ import annotations

import faulthandler
import logging
import logging.handlers
import os
import sqlite3
import traceback
from types import TracebackType
from typing import TypeAlias

from ao_lsp import paths

_BYTES, _FILES = 10 << 20, 3
_FORMAT = "%(asctime)s %(levelname)-7s %(process)d %(name)s: %(message)s"


_Raised: TypeAlias = "tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]"

_PLAIN = (OSError, sqlite3.Error)
"""What the message of such an error quotes is file names, tables and columns."""


class Format(logging.Formatter):
    """Shows an exception by its type and where it was raised: its message may quote what was recorded."""

    def formatException(self, ei: _Raised) -> str:  # noqa: N802 - overrides
        lines: list[str] = []
        error = ei[1]
        while error is not None:
            head = type(error).__qualname__ + (f": {error}" if isinstance(error, _PLAIN) else "")
            lines[:0] = [*traceback.format_tb(error.__traceback__), head + "\n"]
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        return "".join(lines).rstrip("\n")


class _LogFile(logging.handlers.RotatingFileHandler):
    """Takes stderr along when it goes to a new file: what the interpreter says in a crash is there."""

    def doRollover(self) -> None:  # noqa: N802 - overrides
        super().doRollover()
        self.take_stderr()

    def take_stderr(self) -> None:
        if self.stream is not None:
            os.dup2(self.stream.fileno(), 2)


def log_file() -> str:
    return os.path.join(paths.log_dir(), "server.log")


def begin() -> None:
    """Log to the file from now on.

    Raises:
        OSError: it cannot be written.
    """
    os.makedirs(paths.log_dir(), 0o700, exist_ok=True)
    handler = _LogFile(log_file(), maxBytes=_BYTES, backupCount=_FILES - 1, encoding="utf-8", errors="replace")
    handler.setFormatter(Format(_FORMAT))
    handler.take_stderr()
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    faulthandler.enable()
    # It logs every statement, with its values, at DEBUG; and nobody else's chatter belongs here.
    logging.getLogger("aiosqlite").setLevel(logging.WARNING)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    logging.getLogger("pygls").setLevel(logging.WARNING)
