"""What stands in the way of running a recorded program again, and what its user should know before."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable

from ao_lsp.server.model import Graph, Run
from ao_lsp.server.params import CommandError
from ao_lsp.server.plan import answered

_FILES_NAMED = 3


def obstacle(run: Run, python: str) -> CommandError | None:
    """Why the program of `run` cannot be started with the interpreter `python` ("": any); None where it can."""
    if not os.path.isdir(run.cwd):
        hint = "its folder is gone: make it again, with what the program needs there"
        return CommandError("conflict", f"the program cannot be started in {run.cwd or 'its folder'}", hint)
    if python and shutil.which(python, path=os.environ.get("PATH")) is None:
        hint = "that interpreter is gone: make its environment again, or name another one: ao rerun --python PATH"
        return CommandError("conflict", f"the program cannot be started with {python}", hint)
    kind, value = run.target
    if kind == "script" and not os.path.exists(os.path.join(run.cwd, value)):
        hint = "it was moved or deleted: put it back, or record it where it is now"
        return CommandError("conflict", f"the program {os.path.join(run.cwd, value)} is gone", hint)
    return None


def notes(graph: Graph, at_version: bool = False) -> list[str]:
    """What a user may not expect of a rerun of this run, a sentence each; `at_version`: on the code that it had."""
    run, said = graph.run, []
    done = sum(answered(call) for call in graph.calls)
    finished = (
        f"{done} of its calls {'is' if done == 1 else 'are'} recorded and can replay, whatever comes after runs live"
    )
    if run.status == "running":
        said.append(f"run {run.id} is still going on: {finished}")
    elif run.status in ("killed", "lost"):
        said.append(f"run {run.id} did not come to its end ({run.status}): {finished}")
    if at_version:
        said.append(f"this runs version {(run.version or '')[:10]} of the code, in a folder of its own")
        if run.version_note:
            said.append(f"which may not be just what ran: {run.version_note}")
        return said
    changed = _written_since(graph)
    if changed:
        more = f" and {len(changed) - _FILES_NAMED} more" if len(changed) > _FILES_NAMED else ""
        names = ", ".join(os.path.relpath(file, run.cwd) if run.cwd else file for file in changed[:_FILES_NAMED])
        said.append(
            f"the code has changed since: {names}{more}; calls are found by what they ask and by their function"
        )
    return said


def _written_since(graph: Graph) -> list[str]:
    """The files of the program, as far as the run knows them, that were written after it began."""
    kind, value = graph.run.target
    files = [os.path.join(graph.run.cwd, value)] if kind == "script" else []
    files += [site.file for call in graph.calls for site in call.stack]
    return [file for file in _once(files) if _written(file) > graph.run.started]


def _written(file: str) -> float:
    try:
        return os.stat(file).st_mtime
    except OSError:  # it is gone, which the program will say
        return 0.0


def _once(files: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(files))
