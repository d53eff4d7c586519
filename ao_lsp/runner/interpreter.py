"""Which interpreter runs the program, and how `ao-record` gets into it.

Installed as a tool (`uv tool install`, pipx), `ao-record` starts in an environment of its own and has
to hand over to the project's: `exec` of the project's python on `bootstrap.py`, so that terminal,
process id, signals and exit code are the program's own. Installed in the project's environment it
stays where it is, unless the interpreter needs options of its own.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ao_lsp.runner.options import Options


def choose(options: Options) -> str:
    """The interpreter that the program has to run in.

    `--python` (or what is set in its place), else the environment that is active, else a `.venv` beside the script
    or in a folder above it, else one in the working directory or above, else the one that runs `ao-record`. An
    environment that holds `ao-record` itself counts as active: it was called by its path there. One that was made
    for `ao-record` alone is nobody's: in its place comes the `python` on `$PATH`, which `python app.py` would start.
    """
    if options.python:
        return options.python
    active, conda = (_python_of(os.environ.get(name)) for name in ("VIRTUAL_ENV", "CONDA_PREFIX"))
    if active:
        return active
    is_tool = _is_tool_environment()
    if sys.prefix != sys.base_prefix and not is_tool:
        return sys.executable
    if conda and os.environ.get("CONDA_DEFAULT_ENV") != "base":  # which is active in every shell of many
        return conda
    starts = [os.path.dirname(os.path.realpath(options.program))] if options.kind == "script" else []
    try:
        starts.append(os.getcwd())
    except OSError:
        pass
    for start in starts:
        for place in _project(start):
            python = _python_of(os.path.join(place, ".venv"))
            if python:
                return python
    return (conda or _on_path() or sys.executable) if is_tool else sys.executable


def _python_of(environment: str | None) -> str | None:
    python = os.path.join(environment, "bin", "python") if environment else ""
    return python if python and _is_file(python) else None


def _project(folder: str) -> list[str]:
    """`folder` and those above it up to the project's top; a home folder belongs to no project."""
    places: list[str] = []
    home = os.environ.get("HOME")
    while folder not in (home, os.sep) or not places:
        places.append(folder)
        if os.path.lexists(os.path.join(folder, ".git")):
            break
        folder = os.path.dirname(folder)
    return places


def _on_path() -> str | None:
    """The `python` that a shell would start; not ours, whose folder may be there, too."""
    ours = os.path.join(sys.prefix, "bin")
    for name in ("python", "python3"):
        for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
            path = os.path.join(folder, name)
            if folder and os.path.realpath(folder) != os.path.realpath(ours) and _is_file(path):
                return path
    return None


def _is_file(path: str) -> bool:
    return os.access(path, os.X_OK) and os.path.isfile(path)


def _is_tool_environment() -> bool:
    """Whether this environment was made for `ao-record` alone: by `uv tool install`, `uvx`, `pipx install` or
    `pipx run`."""
    if sys.prefix == sys.base_prefix:
        return False
    marks = ("uv-receipt.toml", "pipx_metadata.json")
    if any(os.path.exists(os.path.join(sys.prefix, mark)) for mark in marks):
        return True
    parts = os.path.realpath(sys.prefix).split(os.sep)
    return any(part.startswith(("archive-v", "environments-v")) for part in parts[:-1])  # those of uvx's cache


def stay_in(python: str) -> bool:
    """Whether `python` is the running interpreter, in the same environment; if so, the program is told
    that name of it. An environment has several (pip's scripts call it `python3.11`)."""
    if python == sys.executable:
        return True
    # `bin/python` of an environment is a link to the base interpreter: the folder tells which.
    found = os.path.abspath(python)
    ours = os.path.dirname(os.path.abspath(sys.executable))
    if os.path.dirname(found) != ours or os.path.realpath(python) != os.path.realpath(sys.executable):
        return False
    sys.executable = found
    return True


def hand_over(python: str, options: Options, arguments: list[str]) -> None:
    """Become `python`, running the same command line there.

    Raises:
        OSError: it cannot be executed.
    """
    bootstrap = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bootstrap.py")
    server = options.server_python or sys.executable
    sys.stdout.flush()
    sys.stderr.flush()
    os.execvp(python, [python, *options.flags, bootstrap, "--server-python", server, *arguments])
