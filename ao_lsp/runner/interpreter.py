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

    `--python`, else the environment that is active, else a `.venv` beside the script (or in the
    working directory), else the one that runs `ao-record`. An environment that holds `ao-record`
    itself counts as active: it was called by its path there.
    """
    if options.python:
        return options.python
    active = os.environ.get("VIRTUAL_ENV")
    places = [active] if active else []
    if sys.prefix == sys.base_prefix or _is_tool_environment():
        if options.kind == "script":
            places.append(os.path.join(os.path.dirname(os.path.abspath(options.program)), ".venv"))
        places.append(os.path.join(os.getcwd(), ".venv"))
    elif not active:
        return sys.executable
    for place in places:
        python = os.path.join(place, "bin", "python")
        if os.path.exists(python):
            return python
    return sys.executable


def _is_tool_environment() -> bool:
    """Whether this environment was made for `ao-record` alone, by uv or pipx."""
    return os.path.exists(os.path.join(sys.prefix, "uv-receipt.toml")) or os.path.exists(
        os.path.join(sys.prefix, "pipx_metadata.json")
    )


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
