"""What `ao-record` was not told on its command line: variables, and `[tool.ao]` of the project's pyproject.toml.

That file is read by a process of its own (ao_lsp/pyproject.py), and what it said is kept until the file changes; so a
start reads two small files. Most programs have neither: then nothing else is loaded. A reader that cannot work costs
the settings, and says so.
"""

from __future__ import annotations

import os
import sys

from ao_lsp.pyproject import nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ao_lsp.runner.options import Options

_NAMES = ("python", "rewrite", "taint", "gateway", "http")
"""Of the settings (ao_lsp/settings.py), those that are options of `ao-record`."""

_READ_S = 10.0

# `-c` puts "" first on sys.path; what lies in the user's folder is not to be imported.
_BOOT = "import sys; del sys.path[0]; from ao_lsp.pyproject import main; main(sys.argv[1])"


def fill(options: Options) -> list[str]:
    """Set what the command line has left open. Gives these as arguments for another interpreter."""
    try:
        folder = os.path.dirname(os.path.realpath(options.program)) if options.kind == "script" else os.getcwd()
    except OSError:  # the working directory is gone
        folder = os.sep
    said = _of_project(folder)
    if not said and not any(f"AO_{name.upper()}" in os.environ for name in _NAMES):
        return []
    from ao_lsp.settings import BY_NAME, of_variables

    for line in said:
        if line.startswith("!"):
            _complain(line[1:])
    project = dict([line.partition("=")[::2] for line in said if not line.startswith("!")])
    arguments: list[str] = []
    for name in _NAMES:
        setting = BY_NAME[name]
        value, problem = of_variables(setting, os.environ)
        if problem:
            _complain(f"{problem}; it is ignored")
        if value is None and name in project:
            value = setting.from_text(project[name])
        if value is not None and name not in options.given:
            setattr(options, name, value)
            arguments += _as_arguments(name, value)
    return arguments


def _as_arguments(name: str, value: Any) -> list[str]:
    if name == "python":  # it is what is handed over to
        return []
    if name == "rewrite":
        return [argument for item in value for argument in ("--rewrite", item)]
    return [f"--{name}" if value else f"--no-{name}"]


def _complain(problem: str) -> None:
    sys.stderr.write(f"ao-record: {problem}\n")


def _of_project(folder: str) -> list[str]:
    """What the nearest file above `folder` that has something for us says, as ao_lsp/pyproject.py writes it."""
    found = nearest(folder)
    if found is None:
        return []
    path, state = found
    return _said_of(path, f"1 {state.st_ino} {state.st_size} {state.st_mtime_ns}")


def _said_of(path: str, state: str) -> list[str]:
    from zlib import crc32

    from ao_lsp import paths

    kept = os.path.join(paths.cache_dir(), "settings", f"{crc32(os.fsencode(path)):08x}")
    header = f"{state} {path}"
    try:
        with open(kept, encoding="utf-8", errors="surrogateescape") as file:
            before, *said = file.read().split("\0")[:-1]
        if before == header:
            return said
    except (OSError, ValueError):
        pass
    try:
        said = _read(path)
    except OSError as error:
        return [f"!{path} is not read: {error}"]
    try:
        os.makedirs(os.path.dirname(kept), 0o700, exist_ok=True)
        private = f"{kept}.{os.getpid()}"
        with open(private, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write("".join([item + "\0" for item in [header, *said]]))
        os.replace(private, kept)
    except OSError:  # it is read again at the next start
        pass
    return said


def _read(path: str) -> list[str]:
    """Have a process read the file.

    Raises:
        OSError: it cannot be started, or does not do it.
    """
    from select import select

    source, sink = os.pipe()
    try:
        actions = [(os.POSIX_SPAWN_DUP2, sink, 1), (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0)]
        try:
            command = [sys.executable, "-c", _BOOT, path]
            pid = os.posix_spawn(sys.executable, command, os.environ, file_actions=actions)
        finally:
            os.close(sink)
        data = b""
        while True:
            if not select([source], [], [], _READ_S)[0]:
                os.kill(pid, 9)
            piece = os.read(source, 1 << 16)
            if not piece:
                break
            data += piece
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    finally:
        os.close(source)
    if code != 0:
        raise OSError(f"its reader ended with code {code}")
    return data.decode("utf-8", "surrogateescape").split("\0")[:-1]
