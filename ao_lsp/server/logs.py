"""The daemon's logs: `server.log`, and one file for each concern that says much by itself.

What is logged below a package of `CONCERNS` goes to that concern's file, everything else to `server.log`. Each is
rotated, three files at most. No prompt or reply is ever in any of them.
"""

from __future__ import annotations

import faulthandler
import logging
import logging.handlers
import os
import sqlite3
import traceback
from io import TextIOWrapper
from types import TracebackType
from typing import TypeAlias

from ao_lsp import paths

CONCERNS = {"ao_lsp.server.watch": "rewrite.log", "ao_lsp.server.versions": "git.log"}
"""Logger (and all below it) to the name of its file in the folder of logs."""

_BYTES, _CONCERN_BYTES, _FILES = 10 << 20, 3 << 20, 3
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
    """A rotated file that several processes may write to: a daemon that retires and its successor, a server of an
    editor's own. Goes along when another one has moved it, or somebody has deleted it."""

    def __init__(self, name: str, limit: int) -> None:
        path = os.path.join(paths.log_dir(), name)
        super().__init__(path, maxBytes=limit, backupCount=_FILES - 1, encoding="utf-8", errors="replace", delay=True)
        self.setFormatter(Format(_FORMAT))

    def begin(self) -> None:
        """Have the file before anything is logged.

        Raises:
            OSError: it cannot be written.
        """
        self.stream = self._open()

    def _open(self) -> TextIOWrapper:
        os.makedirs(os.path.dirname(self.baseFilename), 0o700, exist_ok=True)
        return super()._open()

    def emit(self, record: logging.LogRecord) -> None:
        if self.stream is not None and self._moved(self.stream):
            self.stream.close()
            self.stream = self._open()
        super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - overrides
        """A full disk costs the line. Nothing is said of it: stderr is this file, and would quote the arguments."""

    def _moved(self, stream: TextIOWrapper) -> bool:
        try:
            there, ours = os.stat(self.baseFilename), os.fstat(stream.fileno())
        except OSError:
            return True
        return (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino)


class _ServerLog(_LogFile):
    """Takes stderr along: what the interpreter says in a crash is there."""

    def _open(self) -> TextIOWrapper:
        stream = super()._open()
        os.dup2(stream.fileno(), 2)
        return stream


def log_file() -> str:
    return os.path.join(paths.log_dir(), "server.log")


def begin(stderr: bool = True) -> None:
    """Log to the files from now on. `stderr`: it goes to the log of the server, too.

    Raises:
        OSError: it cannot be written.
    """
    handler = (_ServerLog if stderr else _LogFile)("server.log", _BYTES)
    handler.begin()
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name, file in CONCERNS.items():
        logger = logging.getLogger(name)
        for old in list(logger.handlers):
            logger.removeHandler(old)
            old.close()
        logger.addHandler(_LogFile(file, _CONCERN_BYTES))
        logger.propagate = False
    if stderr:
        faulthandler.enable()
    # It logs every statement, with its values, at DEBUG; and nobody else's chatter belongs here.
    logging.getLogger("aiosqlite").setLevel(logging.WARNING)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    logging.getLogger("pygls").setLevel(logging.WARNING)
