"""Which python a command starts, if any: told by the file, without running it."""

from __future__ import annotations

import os
import sys

from ao_lsp.taint.kept import keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

keep(__name__)

_OLDEST, _NEWEST = 10, 14
"""The minor versions of CPython 3 that can run our code."""


def first(candidates: Iterable[str], cwd: str | None) -> str | None:
    """The file that is executed, of those that are tried in turn; relative ones as they are."""
    for candidate in candidates:
        path = os.path.join(cwd, candidate) if cwd else candidate
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return candidate
    return None


def on_path(name: str, environment: Mapping[str, str]) -> list[str]:
    """Where a command without a folder may be."""
    if os.sep in name:
        return [name]
    folders = environment.get("PATH", os.defpath).split(os.pathsep)
    return [os.path.join(folder, name) for folder in folders if folder]


def is_python(path: str) -> bool:
    """Whether a file is a CPython that can run our code."""
    real = os.path.realpath(path)
    name = os.path.basename(real)
    if not name.startswith("python"):
        return False
    if real == os.path.realpath(sys.executable):
        return True
    version = name[len("python") :]
    if version in ("", "3"):
        version = _version_of_environment(path)
    major, _, minor = version.partition(".")
    if major != "3" or not minor.isdigit() or not _OLDEST <= int(minor) <= _NEWEST:
        return False
    with open(real, "rb") as file:
        return file.read(2) != b"#!"  # a wrapper says nothing of what it starts


def _version_of_environment(path: str) -> str:
    """`3.N` of a virtual environment whose python is a copy; "" where it does not tell."""
    config = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(path))), "pyvenv.cfg")
    try:
        with open(config, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except (OSError, UnicodeDecodeError):
        return ""
    said = {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in lines)}
    if said.get("implementation", "CPython") != "CPython":
        return ""
    return ".".join((said.get("version") or said.get("version_info") or "").split(".")[:2])


def interpreter_of(script: str, cwd: str | None, environment: Mapping[str, str]) -> tuple[str, list[str]] | None:
    """The python of a script's first line, and what stands between its path and the arguments, as the kernel
    has it: `(file, [argv[0], options…])`. None where it is none."""
    with open(os.path.join(cwd, script) if cwd else script, "rb") as file:
        start = file.read(256)
    if not start.startswith(b"#!") or b"\n" not in start:
        return None
    line = os.fsdecode(start[2 : start.index(b"\n")]).strip()
    program, _, option = line.replace("\t", " ").partition(" ")
    option = option.strip()
    if os.path.basename(program) == "env":
        if not option or option.startswith("-") or "=" in option or " " in option:
            return None
        found = first(on_path(option, environment), cwd)
        return (found, [option]) if found is not None and is_python(found) else None
    return (program, [program, option] if option else [program]) if is_python(program) else None
