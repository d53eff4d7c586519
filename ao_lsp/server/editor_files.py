"""The files through which an editor's user edits and reads what was recorded.

Real files, because every editor can open one. An edit file says by its path what it is an edit of, so
that saving it means something also after a restart. Ids come from runners and may be anything: in a
path they are quoted.
"""

from __future__ import annotations

import glob
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

_MARK = "\ufeff"

_EDIT_NAME = re.compile(r".*\.(output|input)\.(?:md|json)")


@dataclass(frozen=True, slots=True)
class EditOf:
    """What a file is an edit of, by the ids of run and call."""

    run: str
    call: str
    field: EditField


def edit_path(call: Call, field: EditField, recorded: str) -> str:
    """Where `field` of `call` is edited. `recorded` is what it was: JSON gets the ending of JSON."""
    ending = "json" if is_json(recorded) else "md"
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


def as_meant(text: str, known: Iterable[str]) -> str:
    """`text` without what editors do to a file by themselves: other line ends, a mark at its beginning, line ends at
    its end. `known` are the texts that it may be, or may have been made of."""
    texts = list(known)
    if not any(one.startswith(_MARK) for one in texts):
        text = text.removeprefix(_MARK)
    if not any("\r" in one for one in texts):
        text = text.replace("\r\n", "\n")
    same = (one for one in texts if one.rstrip("\r\n") == text.rstrip("\r\n"))
    return next(same, text)


def read_edit(path: str) -> str | None:
    """The text in an edit file, without the line end that editors put at the end; None where it cannot be
    read or is no UTF-8."""
    try:
        with open(path, "rb") as file:
            return file.read().decode("utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError):
        return None


def write_view(segments: Iterable[str], text: str) -> str:
    """Write a read-only file for a text to be read (`content/address.py`), and return its path.

    Raises:
        OSError: it cannot be written.
    """
    path = os.path.join(paths.view_dir(), *map(_quoted, segments))
    _write(path, text, 0o400)
    return path


def size(path: str) -> int:
    """The bytes of a file; none where there is no such file."""
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def delete_files(runs: Iterable[str]) -> None:
    """Delete the files of these runs, and those that compare others with them."""
    for run in map(_quoted, runs):
        for folder in (paths.edit_dir(), os.path.join(paths.view_dir(), "run"), os.path.join(paths.view_dir(), "code")):
            shutil.rmtree(os.path.join(folder, run), ignore_errors=True)
        for compared in glob.glob(os.path.join(glob.escape(paths.view_dir()), "run", "*", "from", glob.escape(run))):
            shutil.rmtree(compared, ignore_errors=True)


def remove_stale_views() -> None:
    """Delete the views that nobody has asked for in a while."""
    for folder, _, names in os.walk(paths.view_dir(), topdown=False):
        for name in names:
            with suppress(OSError):
                path = os.path.join(folder, name)
                if time.time() - os.path.getmtime(path) > _VIEW_KEPT_S:
                    os.unlink(path)
        with suppress(OSError):  # it is not empty
            os.rmdir(folder)


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


def is_json(text: str) -> bool:
    """Whether `text` is a JSON object or list."""
    if not text.lstrip().startswith(("{", "[")):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
