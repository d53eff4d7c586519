"""The user's source files as runs read them."""

from __future__ import annotations

import io
import os
import re
import tokenize
from collections.abc import Iterable, Sequence

from ao_lsp.server.model import Run

_MOST_KEPT = 64

_DEF = re.compile(r"(?:async\s+)?def\s+(\w+)")


class Sources:
    """The files of a user as they were when a run read them."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Sequence[str]] = {}
        self._latest: dict[str, tuple[float, Sequence[str]]] = {}
        self._blobs: dict[str, Sequence[str]] = {}

    def as_run(self, file: str, run: Run) -> Sequence[str] | None:
        """The lines of `file` as `run` read it: of its version, or else of now, where it was not written since then;
        None where nobody knows."""
        key = (run.id, file)
        if key not in self._known:
            try:
                lines = self._of_version(file, run)
                if lines is None:
                    written = os.stat(file).st_mtime
                    if written > run.started:
                        return None
                    lines = self._lines(file, written)
                keep(self._known, key, lines)
            except (OSError, SyntaxError, UnicodeDecodeError):
                return None
        return self._known[key]

    def unread(self, files: Iterable[str], runs: Iterable[Run]) -> list[tuple[str, Run]]:
        """Those of `files` and `runs` with a version that `as_run` would have to look up."""
        pairs = ((file, run) for run in runs if run.version is not None for file in files)
        return [(file, run) for file, run in pairs if (run.id, file) not in self._known]

    def read(self, unread: Iterable[tuple[str, Run]]) -> None:
        """Look these up, in a thread."""
        for file, run in unread:
            self.as_run(file, run)

    def _of_version(self, file: str, run: Run) -> Sequence[str] | None:
        """Those in the version of the run's code; None where it has none that is certain, or that is not there."""
        root = run.version_root
        if run.version is None or run.version_note or root is None or not file.startswith(root.rstrip(os.sep) + os.sep):
            return None
        from ao_lsp.server.versions import peek  # only who has versions needs dulwich

        found = peek.file_in(run.version, os.fsencode(file[len(root.rstrip(os.sep)) + 1 :]))
        if found is None:
            return None
        # Runs of the same contents share their lines.
        if found[0] not in self._blobs:
            with io.BytesIO(found[1]) as handle:
                encoding, _ = tokenize.detect_encoding(handle.readline)
            text = io.TextIOWrapper(io.BytesIO(found[1]), encoding).read()
            keep(self._blobs, found[0], text.split("\n"))
        return self._blobs[found[0]]

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
