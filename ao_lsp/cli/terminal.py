"""What people see: tables, colours on a terminal only, numbers in few characters."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Sequence
from typing import TextIO, TypeAlias

Cell: TypeAlias = "str | tuple[str, str]"

# What a program or a model has written must not command the terminal; tabs and line ends may stay.
_COMMANDING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    return _COMMANDING.sub("\N{REPLACEMENT CHARACTER}", text)


def colored(stream: TextIO) -> bool:
    """Whether `stream` takes colours: a terminal that is not dumb, and no NO_COLOR (no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def painted(text: str, color: str, stream: TextIO | None = None) -> str:
    """`text` in a colour (SGR numbers), where the stream (default: stdout) takes colours."""
    return f"\x1b[{color}m{text}\x1b[0m" if text and colored(stream or sys.stdout) else text


def width() -> int | None:
    """Columns of the terminal; None where stdout is none."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except (OSError, ValueError):
        return None


def table(head: Sequence[str], rows: Sequence[Sequence[Cell]], right: Sequence[int] = ()) -> str:
    """`rows` under `head`, in columns; those in `right` are flush right. A cell is a text, or a text
    and its colour."""
    cells = [[(word, "2") for word in head]]
    cells += [[(cell, "") if isinstance(cell, str) else cell for cell in row] for row in rows]
    widths = [max(len(row[column][0]) for row in cells) for column in range(len(head))]
    lines = []
    for row in cells:
        shown = []
        for column, (text, color) in enumerate(row):
            padding = " " * (widths[column] - len(text))
            said = painted(printable(text), color) if color else printable(text)
            shown.append(padding + said if column in right else said + padding)
        lines.append("  ".join(shown).rstrip())
    return "\n".join(lines)


def amount(count: int | None) -> str:
    """A count of tokens in few characters."""
    if count is None:
        return "?"
    for unit, size in (("M", 1_000_000), ("k", 1_000)):
        if count >= size:
            return f"{count / size:.1f}{unit}"
    return str(count)


def dollars(usd: float) -> str:
    """`$12.30`, `$0.04`, `$0.0012`: cents, and of less than a cent two digits."""
    if usd >= 0.01 or usd <= 0:
        return f"${usd:,.2f}" if usd > 0 else "$0"
    return f"${usd:.2g}" if usd >= 0.0001 else "<$0.0001"


def cost(usd: float | None, unknown: int) -> str:
    """What calls cost, of which `unknown` are not known: `$0.12`, `$0.12 + 3 unknown`, `?`."""
    if usd is None:
        return "?"
    return f"{dollars(usd)} + {unknown} unknown" if unknown else dollars(usd)


def size(count: int) -> str:
    """Bytes in few characters."""
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def seconds(duration: float | None) -> str:
    if duration is None:
        return ""
    if duration < 60:
        return f"{duration:.2f} s" if duration < 1 else f"{duration:.1f} s"
    minutes, rest = divmod(int(duration), 60)
    return f"{minutes} m {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} m"


def ago(when: str) -> str:
    """An ISO time (UTC) as what people say: `3 min ago`, and the day where it was not today."""
    from datetime import datetime

    at = datetime.fromisoformat(when.replace("Z", "+00:00"))
    passed = time.time() - at.timestamp()
    if passed < 60:
        return "just now"
    if passed < 3600:
        return f"{passed / 60:.0f} min ago"
    return at.astimezone().strftime("%H:%M" if passed < 12 * 3600 else "%Y-%m-%d %H:%M")
