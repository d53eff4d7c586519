"""Fills the bytecode cache ahead of time, in the user's own interpreter, whose bytecode it has to be.

`python -m ao_lsp.taint.warm FILE...` fills it once: one line a file on stdout, `ok FILE` or `no FILE: REASON`.
Exit code 0, whatever the files are like.

The daemon runs `serve`, which goes on as long as its standard input is open: a request a line, an answer a line, both
JSON. First it says `{"tag": "cpython-311", "rewrites": true}`. A request is

    {"file": PATH, "names": [PATH...], "show": false, "most": BYTES}     make the bytecode, where it is not there
    {"file": PATH, "drop": true}                                         the file is gone: remove it

`names` are other paths of the same file, `show` writes the rewritten source beside it. The answer has the `file`, what
was `done` ("made", "current", "dropped", "gone", "failed"), the `why` of a failure and how long it took (`ms`). No
line of the source is ever in it. Nothing but the cache is written, and nothing of the user's imported.
"""

from __future__ import annotations

import os
import re
import stat
import sys
import time

from ao_lsp.taint import hook, pyc
from ao_lsp.taint.frames import HIDES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

MOST_BYTES = 1 << 20
"""Larger files are generated, as a rule, and take seconds; they are rewritten when they are imported."""

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


class _LeftOutError(Exception):
    """A file that is not compiled; the message says why."""


def main(files: list[str]) -> None:
    for file in files:
        try:
            with open(file, "rb") as handle:
                hook.compiled(handle.read(), file)
        except Exception as error:
            print(f"no {file}: {type(error).__name__}: {error}", flush=True)
        else:
            print(f"ok {file}", flush=True)


def serve(nice: int = 0) -> None:
    """Answer requests until there are no more, so much `nice`r to other processes."""
    import json

    if HIDES:
        import ao_lsp.taint.rewrite  # noqa: F401  # now, and not when the first file has to be ready soon
    os.nice(nice)
    # Whatever else may write to the standard output must not get in between.
    answers = os.fdopen(os.dup(1), "w", encoding="ascii", newline="\n")
    os.dup2(2, 1)
    answers.write(json.dumps({"tag": sys.implementation.cache_tag, "rewrites": HIDES}) + "\n")
    answers.flush()
    for line in sys.stdin.buffer:
        answers.write(json.dumps(_answered(json.loads(line))) + "\n")
        answers.flush()


def _answered(request: dict[str, Any]) -> dict[str, Any]:
    file, began, why = request["file"], time.perf_counter(), ""
    try:
        if request.get("drop"):
            done = _dropped(file)
        else:
            names = request.get("names") or []
            done = _made(file, names, bool(request.get("show")), request.get("most") or MOST_BYTES)
    except FileNotFoundError:
        done = "gone"
    except (Exception, RecursionError, MemoryError) as error:
        done, why = "failed", reason(error)
    return {"file": file, "done": done, "why": why, "ms": round((time.perf_counter() - began) * 1000, 1)}


def _made(file: str, names: Iterable[str], show: bool, most: int) -> str:
    source = _source(file, most)
    wanted = [pyc.location(name, hook.VERSION) for name in [file, *names]]
    lacking = [place for place in wanted if not pyc.is_current(place, source)]
    if not lacking and not (show and _shows_another(file)):
        return "current"
    if show:
        os.environ["DEBUG_AST_REWRITES"] = "1"
    try:
        code, warns = hook.made(source, file)
    finally:
        os.environ.pop("DEBUG_AST_REWRITES", None)
    for place in lacking:
        pyc.store(place, source, code, warns)
    return "made"


def _source(file: str, most: int) -> bytes:
    # Not blocking: what was a file a moment ago may be a pipe now.
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(descriptor, "rb", buffering=0) as handle:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise _LeftOutError("no regular file")
        if found.st_size > most:
            raise _LeftOutError(f"{found.st_size} bytes are more than the {most} that are compiled ahead of time")
        return handle.readall()


def _shows_another(file: str) -> bool:
    try:
        return os.stat(hook.shown(file)).st_mtime < os.stat(file).st_mtime
    except OSError:
        return True


def _dropped(file: str) -> str:
    try:
        os.unlink(pyc.location(file, hook.VERSION))
    except FileNotFoundError:
        return "gone"
    return "dropped"


def reason(error: BaseException) -> str:
    """Why a file cannot be compiled, without anything of what stands in it."""
    if isinstance(error, _LeftOutError):
        return str(error)
    kind = type(error).__name__
    if isinstance(error, SyntaxError):
        # Its message quotes names and characters of the source.
        said = _QUOTED.sub("'…'", str(error.msg))
        return f"{kind}: {said}" + (f" (line {error.lineno})" if error.lineno else "")
    if isinstance(error, OSError):
        return f"{kind}: {error.strerror}"
    return kind


if __name__ == "__main__":
    main(sys.argv[1:])
