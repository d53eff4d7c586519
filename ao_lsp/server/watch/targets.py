"""Whose code is watched, and for which interpreter: what a recorded run says, and what a folder does."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ao_lsp.server.configuration import of_run
from ao_lsp.server.model import Run
from ao_lsp.server.watch.worker import Interpreter
from ao_lsp.server.workspace import is_below, project_root

_FLAGS_WITH_VALUE = ("-W", "-X")
_OPTIONS_WITH_VALUE = ("--rewrite",)

_PYTHON = re.compile(r"python(\d+(\.\d+)*)?t?$")


@dataclass(frozen=True, slots=True)
class Recorded:
    """The project of a recorded program: its folder as the program was started from it, its script, where it has one,
    the interpreter, and folders elsewhere: those that `--rewrite` counted as the user's, and where calls came from."""

    root: str
    script: str | None
    interpreter: Interpreter
    others: tuple[str, ...] = ()


def recorded(run: Run) -> Recorded | None:
    """The project of a run; None where nothing of it is rewritten."""
    if "--no-taint" in run.options or not os.path.isabs(run.cwd):
        return None
    kind, value = run.target
    script = os.path.abspath(os.path.join(run.cwd, value)) if kind == "script" else None
    # By the path that it was started by, and not where links lead: so are the files called that it imports.
    folder = run.cwd if script is None else script if os.path.isdir(script) else os.path.dirname(script)
    interpreter = Interpreter(run.python, optimisation(run.options))
    return Recorded(project_root(folder), script, interpreter, tuple(_counted(run.options, run.cwd)))


def _counted(options: Sequence[str], cwd: str) -> Iterator[str]:
    """The folders that options of a run name; packages are named, too, and files."""
    for option, value in pairwise(options):
        if option == "--rewrite":
            for item in value.split(os.pathsep):
                path = os.path.normpath(os.path.join(cwd, item))
                if item and os.path.isdir(path):
                    yield path


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
    it or around it; else the one that `ao-record` would take (docs/configuration.md), as far as `env`, the environment
    of an editor, and the folder tell.

    Where nobody has run anything yet, what such an interpreter's name leads to is taken, where that is an interpreter
    outside of the folder: to open a folder must not run what somebody put into it. Of its bytecode, an environment's is
    no other than its base's.
    """
    for run in runs:
        same = any(is_below(place, root) or is_below(root, place) for place in (run.root, *run.others))
        if same and os.path.exists(run.interpreter.python):
            return run.interpreter
    real_root = os.path.realpath(root)
    for name in _named(root, env):
        found = shutil.which(name, path=env.get("PATH"))
        python = os.path.realpath(found) if found else ""
        if python and not is_below(python, real_root) and _PYTHON.match(os.path.basename(python)):
            return Interpreter(python)
    return Interpreter(sys.executable)


def _named(root: str, env: Mapping[str, str]) -> Iterator[str]:
    """The interpreters that may be meant, the first that is there counts."""
    named = of_run("python", env, root)
    if isinstance(named, str):
        yield named
    conda = env.get("CONDA_PREFIX") if env.get("CONDA_DEFAULT_ENV") != "base" else None
    place, places = root, [env.get("VIRTUAL_ENV"), conda, os.path.join(root, ".venv")]
    while not os.path.lexists(os.path.join(place, ".git")) and place != os.path.dirname(place):
        place = os.path.dirname(place)
        places.append(os.path.join(place, ".venv"))
    yield from (os.path.join(environment, "bin", "python") for environment in places if environment)
    if _is_tool():
        yield from ("python", "python3")


def _is_tool() -> bool:
    """Whether this environment was made for `ao-lsp` alone, so that no project runs in it."""
    marks = ("uv-receipt.toml", "pipx_metadata.json")
    return any(os.path.exists(os.path.join(sys.prefix, mark)) for mark in marks)
