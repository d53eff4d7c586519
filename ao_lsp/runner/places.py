"""Where in the user's code a call was made."""

from __future__ import annotations

import sys
from itertools import islice
from sys import _getframe

from ao_lsp import paths
from ao_lsp.taint import escrow, scope
from ao_lsp.taint import origins as _origins
from ao_lsp.taint.kept import keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, FrameType
    from typing import Any, TypedDict

    from ao_lsp.taint.origins import Origins

    class Place(TypedDict):
        file: str
        line: int
        end_line: int | None
        column: int | None
        end_column: int | None
        function: str


keep(__name__)

MAX_DEPTH = 20
_LOOP = 12

_users: dict[str, bool] = {}
_own: dict[str, bool] = {}
_lines: dict[str, list[bytes]] = {}


def is_users(code: CodeType, module: str) -> bool:
    """Whether `code`, of the module named so, is the user's."""
    file = code.co_filename
    known = _users.get(file)
    if known is None:
        known = file in scope.FILES or (
            not file.startswith("<") and file.endswith(".py") and scope.is_users(module, file)
        )
        _users[file] = known
    return known


def _is_own(code: CodeType, module: str) -> bool:
    """Whether the user looks for a call in `code`: not in a library that is followed (`--rewrite`)."""
    known = _own.get(code.co_filename)
    if known is None:
        known = _own[code.co_filename] = is_users(code, module) and scope.is_own(module, code.co_filename)
    return known


def stack() -> list[Place]:
    """The frames of the user's code that asked for what is running now, innermost first."""
    own: list[tuple[CodeType, int, int | None]] = []
    followed: list[tuple[CodeType, int, int | None]] = []
    frame: FrameType | None = _getframe()
    while frame is not None and len(own) < MAX_DEPTH:
        module = frame.f_globals.get("__name__") or ""
        if is_users(frame.f_code, module):
            frames = own if _is_own(frame.f_code, module) else followed
            frames.append((frame.f_code, frame.f_lasti, frame.f_lineno))
        frame = frame.f_back
    asking = escrow.current()
    asked = asking.place if asking is not None else None
    if asked is not None and all(code is not asked[0] for code, _, _ in own):
        # A task or thread of a library's: whoever asked for it is not on the stack, and what stands
        # there is the event loop and whoever started that.
        own = [(*asked, None)]
    return [place(*found) for found in own or followed[:MAX_DEPTH]]


def way(origins: Origins, call: str, site: Place | None) -> list[dict[str, Any]]:
    """The lines of the user's code that a value of `call` went through to the call at `site`, from its
    source on, each line of a loop once; at most 40, the middle left out."""
    found: list[dict[str, Any]] = []
    for code, instruction in _origins.way(origins, call):
        step = {"file": paths.as_recorded(code.co_filename), "line": _line(code, instruction)}
        if step not in found[-_LOOP:]:
            found.append(step)
    if site is not None and found[-1:] != [step := {"file": site["file"], "line": site["line"]}]:
        found.append(step)
    return found if len(found) <= 40 else [*found[:20], *found[-20:]]


def _line(code: CodeType, instruction: int) -> int:
    for start, end, line in code.co_lines():
        if start <= instruction < end and line is not None:
            return line
    return code.co_firstlineno


def place(code: CodeType, instruction: int, line: int | None = None) -> Place:
    """The expression that `code` is at. Columns count code points; the compiler counts bytes."""
    position: tuple[Any, ...] = (line, None, None, None)
    if sys.version_info >= (3, 11):
        position = next(islice(code.co_positions(), instruction // 2, None), position)
    start, end, column, end_column = position
    start = start or line or code.co_firstlineno
    return {
        "file": paths.as_recorded(code.co_filename),
        "line": start,
        "end_line": end,
        "column": _code_points(code.co_filename, start, column),
        "end_column": _code_points(code.co_filename, end, end_column),
        "function": getattr(code, "co_qualname", code.co_name),
    }


def _code_points(file: str, line: int | None, byte: int | None) -> int | None:
    if line is None or byte is None:
        return None
    lines = _lines_of(file)
    if not 0 < line <= len(lines):
        return byte
    return len(lines[line - 1][:byte].decode("utf-8", "replace"))


def line_of(file: str, line: int) -> str:
    """A line of a source, from 1; empty where it cannot be read."""
    lines = _lines_of(file)
    return lines[line - 1].decode("utf-8", "replace") if 0 < line <= len(lines) else ""


def _lines_of(file: str) -> list[bytes]:
    lines = _lines.get(file)
    if lines is None:
        try:
            with open(file, "rb") as handle:
                lines = handle.read().splitlines()
        except OSError:
            lines = []
        _lines[file] = lines
    return lines
