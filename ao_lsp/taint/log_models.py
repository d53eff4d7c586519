"""`logging`: a record that is written to a stream is in that stream."""

from __future__ import annotations

from ao_lsp.taint import escrow, handles
from ao_lsp.taint.frames import unseen
from ao_lsp.taint.kept import keep
from ao_lsp.taint.origins import NOTHING
from ao_lsp.taint.reach import reach
from ao_lsp.taint.state import TAINT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

keep(__name__)

_WORDS = ("debug", "info", "warning", "warn", "error", "critical", "fatal", "exception", "log")
NAMES = [f"logging.{prefix}{word}" for word in _WORDS for prefix in ("", "Logger.", "LoggerAdapter.")]
"""The functions that write a record."""


@unseen
def write_record(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    origins = reach([*args, *kwargs.values()]) if TAINT else NOTHING
    if not origins:
        return function(*args, **kwargs)
    try:
        found = _streams_of(getattr(function, "__self__", None))
    except Exception as error:
        escrow.lost("the streams of a logger", error)
        found = []
    written = handles.Passed(found)
    result = function(*args, **kwargs)
    written.settle(origins)
    return result


def _streams_of(logger: Any) -> list[Any]:
    """The streams of the handlers that a record of this logger goes to."""
    import sys

    logger = getattr(logger, "logger", logger)  # of an adapter
    if logger is None:
        logger = sys.modules["logging"].root
    found = []
    while logger is not None:
        found += [handler.stream for handler in logger.handlers if hasattr(handler, "stream")]
        logger = logger.parent if logger.propagate else None
    return found
