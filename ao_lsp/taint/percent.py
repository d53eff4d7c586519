"""What CPython's compiler makes of `"…%s…" % (a, b)`: an f-string, whose values are written one by one, each as soon
as it is evaluated (`optimize_format` in ast_opt.c, since 3.11). The rewritten code has to do the same."""

from __future__ import annotations

import re
from typing import TypeAlias

Piece: TypeAlias = "str | tuple[int, str]"
"""Plain text; or the conversion of a value (the code of `s`, `r` or `a`) and its format."""

# At most two digits: with more, the compiler leaves the operator as it is.
_DIRECTIVE = re.compile(r"%([-+ #0]*)(\d{1,2})?(?:\.(\d{0,2}))?([sra])")
_TEXT = re.compile(r"(?:[^%]|%%)+")


def pieces_of(template: str) -> list[Piece] | None:
    """The pieces of a format that the compiler knows; None for any other."""
    pieces: list[Piece] = []
    at = 0
    while at < len(template):
        found = _TEXT.match(template, at)
        if found is not None:
            pieces.append(found[0].replace("%%", "%"))
        else:
            found = _DIRECTIVE.match(template, at)
            if found is None:
                return None
            flags, width, precision, conversion = found.groups()
            spec = ""
            if width is not None:
                spec = ("" if "-" in flags or not int(width) else ">") + str(int(width))
            if precision is not None:
                spec += f".{int(precision or 0)}"
            pieces.append((ord(conversion), spec))
        at = found.end()
    return pieces
