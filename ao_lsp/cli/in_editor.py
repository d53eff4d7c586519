"""`ao edit` without a file: the user's editor opens one, and what is saved in it is the edit."""

from __future__ import annotations

import os
import sys
from typing import Any

from ao_lsp.cli.client import Client, CommandError

EDITOR = "\0editor"
"""In the place of a file: none was named. No file can be called so."""


def edit(connection: Client, run: str, call: str, field: str) -> dict[str, Any]:
    """Have the user edit a call, and store it as `ao.edit` does. Saved as it was recorded, it is taken back
    (`fields`); saved as it is, nothing is done (`unchanged`).

    Raises:
        CommandError: there is no editor, or what was saved is refused; then it is kept in the file that is named.
    """
    if not sys.stdin.isatty() and not _editor_named():
        message = "there is no terminal for an editor to open in"
        raise CommandError("conflict", message, f"say what to store: --{field} FILE, or --{field} - for stdin")
    name = "ao.editOutput" if field == "output" else "ao.editInput"
    found = connection.request(name, {"run": run, "call": call})
    _open(found["path"])
    content = _read(found["path"])
    which = {"run": found["run"], "call": found["call"], "field": field}
    if content == found["content"]:
        return {**which, "number": found["number"], "unchanged": True}
    if content == found["recorded"]:
        return connection.request("ao.unedit", {**which, "all": True})
    try:
        return connection.request("ao.edit", {**which, "content": content})
    except CommandError as error:
        again = f"what you wrote is in {found['path']}; mend it and: ao edit {run} {call} --{field} {found['path']}"
        raise CommandError(error.code, str(error), again) from None


def _editor_named() -> str | None:
    return os.environ.get("VISUAL") or os.environ.get("EDITOR")


def _open(path: str) -> None:
    """Open the file, and wait for the user to leave their editor."""
    import shlex  # not for every other command
    import subprocess

    named = _editor_named() or "vi"
    try:
        code = subprocess.run([*shlex.split(named), path], check=False).returncode  # noqa: S603 - the user's own
    except (OSError, ValueError) as error:
        hint = "set EDITOR to the command that starts yours, and where it returns at once to its option to wait"
        raise CommandError("conflict", f"{named} cannot be started: {error}", hint) from None
    if code:
        raise CommandError("conflict", f"{named} ended with code {code}; nothing was stored", f"the file is {path}")


def _read(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read().decode("utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError("bad_params", f"{path} cannot be read as UTF-8 text: {error}") from None
