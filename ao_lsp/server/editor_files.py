"""The files through which an editor's user edits and reads what was recorded.

Real files, because every editor can open one. An edit file says by its path what it is an edit of, so
that saving it means something also after a restart. Ids come from runners and may be anything: in a
path they are quoted.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import quote, unquote

from ao_lsp import paths
from ao_lsp.server.model import Call, EditField
from ao_lsp.server.render import labels

# A view can be had again at any time.
_VIEW_KEPT_S = 7 * 24 * 3600.0

_EDIT_NAME = re.compile(r".*\.(output|input)\.(?:md|json)")


@dataclass(frozen=True, slots=True)
class EditOf:
    """What a file is an edit of, by the ids of run and call."""

    run: str
    call: str
    field: EditField


def edit_path(call: Call, field: EditField, recorded: str) -> str:
    """Where `field` of `call` is edited. `recorded` is what it was: JSON gets the ending of JSON."""
    ending = "json" if _is_json(recorded) else "md"
    name = f"{_word(labels.function(call))}-{call.number}.{field}.{ending}"
    return os.path.join(paths.edit_dir(), _quoted(call.run), _quoted(call.id), name)


def edit_of(path: str) -> EditOf | None:
    """What the file `path` is an edit of; None where it is none."""
    folder, name = os.path.split(os.path.realpath(path))
    folder, call = os.path.split(folder)
    folder, run = os.path.split(folder)
    found = _EDIT_NAME.fullmatch(name)
    if found is None or folder != os.path.realpath(paths.edit_dir()):
        return None
    return EditOf(unquote(run), unquote(call), "output" if found[1] == "output" else "input")


def write_edit(path: str, content: str, known: Iterable[str]) -> None:
    """Put `content` into an edit file. A text in it that is none of the `known` ones is somebody's
    work (one that was refused, say) and stays beside it as `<path>.bak`.

    Raises:
        OSError: it cannot be written.
    """
    found = read_edit(path)
    if found == content:
        return
    if found is not None and found not in known:
        os.replace(path, path + ".bak")
    _write(path, content + "\n", 0o600)


def read_edit(path: str) -> str | None:
    """The text in an edit file, without the line end that editors put at the end; None where it cannot be
    read or is no UTF-8."""
    try:
        with open(path, "rb") as file:
            return file.read().decode("utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError):
        return None


def write_view(run: str, name: str, text: str) -> str:
    """Write a read-only file for something to be looked at, and return its path.

    Raises:
        OSError: it cannot be written.
    """
    path = os.path.join(paths.view_dir(), _quoted(run), name)
    _write(path, text, 0o400)
    return path


def view_name(call: Call) -> str:
    """The file name of a view of a whole call."""
    return f"{_word(labels.function(call))}-{call.number}.txt"


def delete_files(runs: Iterable[str]) -> None:
    """Delete the files of these runs."""
    for run in runs:
        for folder in (paths.edit_dir(), paths.view_dir()):
            shutil.rmtree(os.path.join(folder, _quoted(run)), ignore_errors=True)


def remove_stale_views() -> None:
    """Delete the views that nobody has asked for in a while."""
    with suppress(FileNotFoundError):
        for name in os.listdir(paths.view_dir()):
            folder = os.path.join(paths.view_dir(), name)
            with suppress(OSError):
                if time.time() - os.path.getmtime(folder) > _VIEW_KEPT_S:
                    shutil.rmtree(folder, ignore_errors=True)


def _write(path: str, text: str, mode: int) -> None:
    """In one step: an editor that has the file open never reads half of it."""
    os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
    half = f"{path}.half"
    with suppress(FileNotFoundError):
        os.unlink(half)
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(text.encode("utf-8", "replace"))
    os.replace(half, path)


def _quoted(name: str) -> str:
    """`name` as one part of a path, never a hidden one, nor `..`."""
    text = quote(name, safe="") or "%"
    return "%2E" + text[1:] if text.startswith(".") else text


def _word(text: str) -> str:
    return re.sub(r"[^\w-]+", "_", text).strip("_")[:40] or "call"


def _is_json(text: str) -> bool:
    if not text.lstrip().startswith(("{", "[")):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
