"""Whose code is watched, and for which interpreter: what a recorded run says, and what a folder does."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ao_lsp.server.model import Run
from ao_lsp.server.watch.worker import Interpreter
from ao_lsp.server.workspace import is_below, project_root

_FLAGS_WITH_VALUE = ("-W", "-X")
_OPTIONS_WITH_VALUE = ("--rewrite",)

_PYTHON = re.compile(r"python(\d+(\.\d+)*)?t?$")


@dataclass(frozen=True, slots=True)
class Recorded:
    """The project of a recorded program: its folder as the program was started from it, its script, where it has one,
    and the interpreter."""

    root: str
    script: str | None
    interpreter: Interpreter


def recorded(run: Run) -> Recorded | None:
    """The project of a run; None where nothing of it is rewritten."""
    if "--no-taint" in run.options or not os.path.isabs(run.cwd):
        return None
    kind, value = run.target
    script = os.path.abspath(os.path.join(run.cwd, value)) if kind == "script" else None
    # By the path that it was started by, and not where links lead: so are the files called that it imports.
    folder = run.cwd if script is None else script if os.path.isdir(script) else os.path.dirname(script)
    return Recorded(project_root(folder), script, Interpreter(run.python, optimisation(run.options)))


def optimisation(options: Sequence[str]) -> int:
    """The level that the options of a run give its interpreter."""
    level, rest = 0, list(options)
    while rest:
        option = rest.pop(0)
        if option in _FLAGS_WITH_VALUE or option in _OPTIONS_WITH_VALUE:
            del rest[:1]
        elif not option.startswith(("--", *_FLAGS_WITH_VALUE)):
            level += option.count("O")
    return min(level, 2)


def interpreter_of(root: str, runs: Sequence[Recorded], env: Mapping[str, str]) -> Interpreter:
    """The interpreter for the files of a folder: that of the newest of `runs` (newest first) of this project, one in
    it or around it; else that of the environment that is active in `env`, of the folder's own `.venv`, or ours.

    Of an environment that nobody has run anything in, what `bin/python` leads to is taken, where that is an
    interpreter outside of the folder: to open a folder must not run what somebody put into it. Of its bytecode, an
    environment's is no other than its base's.
    """
    for run in runs:
        same = is_below(run.root, root) or is_below(root, run.root)
        if same and os.path.exists(run.interpreter.python):
            return run.interpreter
    for place in (env.get("VIRTUAL_ENV"), os.path.join(root, ".venv"), os.path.join(root, "venv")):
        if place:
            python = os.path.realpath(os.path.join(place, "bin", "python"))
            outside = not is_below(python, os.path.realpath(root))
            if outside and _PYTHON.match(os.path.basename(python)) and os.access(python, os.X_OK):
                return Interpreter(python)
    return Interpreter(sys.executable)
