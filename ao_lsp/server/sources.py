"""The user's source files as runs read them."""

from __future__ import annotations

import os
import re
import tokenize
from collections.abc import Sequence

from ao_lsp.server.model import Run

_MOST_KEPT = 64

_DEF = re.compile(r"(?:async\s+)?def\s+(\w+)")


class Sources:
    """The files of a user as they were when a run read them."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Sequence[str]] = {}
        self._latest: dict[str, tuple[float, Sequence[str]]] = {}

    def as_run(self, file: str, run: Run) -> Sequence[str] | None:
        """The lines of `file` as `run` read it; None where nobody knows: it was written since then, and
        nobody had looked before."""
        key = (run.id, file)
        if key not in self._known:
            try:
                written = os.stat(file).st_mtime
                if written > run.started:
                    return None
                keep(self._known, key, self._lines(file, written))
            except (OSError, SyntaxError, UnicodeDecodeError):
                return None
        return self._known[key]

    def _lines(self, file: str, written: float) -> Sequence[str]:
        latest = self._latest.get(file)
        if latest is None or latest[0] != written:
            with tokenize.open(file) as handle:
                latest = written, handle.read().split("\n")
            keep(self._latest, file, latest)
        return latest[1]


def function_at(lines: Sequence[str], number: int) -> str | None:
    """The name of the function that a line (from 1) is in, by indentation; None outside of functions."""
    if not 0 < number <= len(lines):
        return None
    depth = _indentation(lines[number - 1])
    for line in reversed(lines[: number - 1]):
        if line.strip() and _indentation(line) < depth and not line.lstrip().startswith(("#", ")", "]", "}")):
            depth = _indentation(line)
            found = _DEF.match(line.lstrip())
            if found:
                return found[1]
    return None


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())


def keep(cache: dict, key: object, value: object) -> None:  # type: ignore[type-arg]  # any cache of the callers'
    """Put `value` into `cache`, and take out what has been there longest where that is too much."""
    cache[key] = value
    while len(cache) > _MOST_KEPT:
        del cache[next(iter(cache))]
