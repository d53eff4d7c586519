"""Writes the files of a version into a folder, and nowhere else."""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from ao_lsp.server.versions import history
from ao_lsp.server.versions.history import File
from ao_lsp.server.versions.repository import Repository


class InTheWayError(Exception):
    """There is something where a file or folder has to be; the message names it."""


def write(repository: Repository, version: str, folder: str, force: bool = False) -> int:
    """Write the files of a version into `folder`, which is made; give how many. With `force`, among what is there:
    files of the same names are replaced. Only their user can read them. Nothing is written through a link.

    Raises:
        GoneError: the version is not there.
        DamagedError: it cannot be read.
        InTheWayError: the folder is not empty, without `force`; or a file is where a folder has to be, or the reverse.
        OSError: something cannot be written.
    """
    files = history.files_in(repository, version)
    top = os.path.realpath(os.fsencode(folder))
    os.makedirs(top, 0o700, exist_ok=True)
    if not force and os.listdir(top):
        raise InTheWayError(f"{folder} is not empty")
    made = {top}
    # Links last: no other file is written into a folder that one of them might be.
    for name, file in sorted(files.items(), key=lambda each: each[1].is_link):
        path = os.path.join(top, name)
        _make(os.path.dirname(path), made)
        _write(path, file, repository.blob(file.blob))
    return len(files)


def _make(folder: bytes, made: set[bytes]) -> None:
    """Have a folder, and those around it as far down as one is known."""
    wanted = []
    while folder not in made:
        wanted.append(folder)
        folder = os.path.dirname(folder)
    for each in reversed(wanted):
        with suppress(FileExistsError):
            os.mkdir(each, 0o700)
        if not stat.S_ISDIR(os.lstat(each).st_mode):
            raise InTheWayError(f"{os.fsdecode(each)} is no folder")
        made.add(each)


def _write(path: bytes, file: File, data: bytes) -> None:
    try:
        if stat.S_ISDIR(os.lstat(path).st_mode):
            raise InTheWayError(f"{os.fsdecode(path)} is a folder")
        os.unlink(path)
    except FileNotFoundError:
        pass
    if file.is_link:
        os.symlink(data, path)
        return
    mode = 0o700 if file.is_executable else 0o600
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode), "wb") as out:
        out.write(data)
