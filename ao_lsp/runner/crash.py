"""What is told of an exception that ended the run, or a subrun: where in the user's code, and over which outputs."""

from __future__ import annotations

import sys

from ao_lsp import paths
from ao_lsp.runner import places, secrets
from ao_lsp.taint.kept import keep
from ao_lsp.taint.state import TAINT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType, TracebackType
    from typing import Any

    from ao_lsp.taint.origins import Origins

keep(__name__)

MAX_FRAMES = 20
_MAX_CALLS = 20


def described(error: BaseException) -> dict[str, Any]:
    """An uncaught exception as an event has it (docs/wire.md). Raises nothing."""
    frames = _frames(error.__traceback__)
    found: dict[str, Any] = {
        "type": type(error).__name__,
        "message": secrets.message_of(error),
        "file": frames[0]["file"] if frames else None,
        "line": frames[0]["line"] if frames else None,
        "frames": frames[:MAX_FRAMES],
    }
    try:
        found["calls"] = _calls(error)
    except Exception:  # what it holds may be anything
        found["calls"] = []
    return found


def _is_users(frame: FrameType) -> bool:
    return places.is_users(frame.f_code, frame.f_globals.get("__name__") or "")


def _frames(trace: TracebackType | None) -> list[dict[str, Any]]:
    """The user's frames of a traceback, innermost first."""
    found: list[dict[str, Any]] = []
    while trace is not None:
        frame = trace.tb_frame
        if _is_users(frame):
            code = frame.f_code
            found.append(
                {
                    "file": paths.as_recorded(code.co_filename),
                    "line": trace.tb_lineno,
                    "function": getattr(code, "co_qualname", code.co_name),
                }
            )
        trace = trace.tb_next
    found.reverse()
    return found


def _calls(error: BaseException) -> list[str]:
    """The calls whose outputs the error says, or was raised over; else those whose outputs have names on the line that
    raised it."""
    if not TAINT:
        return []
    from ao_lsp.taint.origins import call_and_children, union
    from ao_lsp.taint.reach import reach
    from ao_lsp.taint.table import origins_of

    origins = union(origins_of(error), reach([error]))
    if not origins:
        origins = _of_line(error.__traceback__)
    return sorted({call_and_children(source)[0] for source in origins})[:_MAX_CALLS]


def _of_line(trace: TracebackType | None) -> Origins:
    """The origins of what has a name on the user's line that raised."""
    from ao_lsp.taint.reach import reach

    innermost: TracebackType | None = None
    while trace is not None:
        if _is_users(trace.tb_frame):
            innermost = trace
        trace = trace.tb_next
    if innermost is None:
        return reach([])
    frame = innermost.tb_frame
    line = places.line_of(frame.f_code.co_filename, innermost.tb_lineno)
    words = "".join(letter if letter.isidentifier() or letter.isdigit() else " " for letter in line).split()
    here = frame.f_locals
    return reach([here[word] for word in words if word in here and type(here[word]) is not type(sys)])
