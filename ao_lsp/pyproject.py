"""`[tool.ao]` of a project's pyproject.toml.

The server reads it by `settings_of`. A recorded program must not meet a parser of TOML: for `ao-record`, this is
run as a process of its own (`python -m ao_lsp.pyproject FILE`) when the file has changed (runner/configured.py).
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MARK = b"[tool.ao"
"""Without this a file is not ours to read."""


def nearest(folder: str) -> tuple[str, os.stat_result] | None:
    """The nearest pyproject.toml in `folder`, or above it, that has something to say to us."""
    while True:
        path = os.path.join(folder, "pyproject.toml")
        try:
            with open(path, "rb", buffering=0) as file:
                if _MARK in file.readall():
                    return path, os.fstat(file.fileno())
        except OSError:
            pass
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above


def settings_of(path: str) -> tuple[dict[str, Any], list[str]]:
    """The settings in the file `path`, and what is wrong in it, for its user. Paths are made absolute."""
    from ao_lsp.settings import of_table

    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        with open(path, "rb") as file:
            table = tomllib.load(file).get("tool", {}).get("ao", {})
    except OSError as error:
        return {}, [f"{path} cannot be read: {error.strerror}"]
    except (ValueError, AttributeError, RecursionError) as error:  # no TOML, no UTF-8, or `tool` is no table
        return {}, [f"{path} cannot be read: {error}"]
    values, problems = of_table(table, "project", f"{path}: [tool.ao]")
    folder = os.path.dirname(path)
    if "python" in values:
        # A name without a folder is looked for on $PATH, as everywhere.
        values["python"] = _absolute(folder, values["python"]) if os.sep in values["python"] else values["python"]
    if "rewrite" in values:
        values["rewrite"] = [_absolute(folder, item) if _is_path(folder, item) else item for item in values["rewrite"]]
    return values, problems


def _is_path(folder: str, item: str) -> bool:
    return os.sep in item or os.path.exists(os.path.join(folder, item))


def _absolute(folder: str, path: str) -> str:
    return os.path.normpath(os.path.join(folder, os.path.expanduser(path)))


def main(path: str) -> None:
    """Say the settings as variables do, `name=text`, and `!` before what is wrong; each ends with NUL."""
    from ao_lsp.settings import BY_NAME

    values, problems = settings_of(path)
    said = [f"!{problem}" for problem in problems]
    for name, value in values.items():
        kind = BY_NAME[name].kind
        said.append(f"{name}={int(value) if kind == 'flag' else ':'.join(value) if kind == 'list' else value}")
    sys.stdout.buffer.write("".join(item + "\0" for item in said).encode("utf-8", "surrogateescape"))


if __name__ == "__main__":
    main(sys.argv[1])
