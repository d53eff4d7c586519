"""The private repository of code versions: bare, in git's format, and nobody else's.

Objects and refs only, by their path: nothing here asks for git's configuration or environment, or for the user's own
repositories. Whoever uses it holds its lock, so that there is one writer, in whatever process. Objects are written
before what names them, each whole or not at all, so that a process that is killed leaves at most objects that nobody
names.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
import zlib
from contextlib import suppress
from types import TracebackType
from typing import TypeVar

from dulwich.errors import ApplyDeltaError, ChecksumMismatch, FileFormatException
from dulwich.object_store import DiskObjectStore
from dulwich.objects import Blob, Commit, ObjectID, ShaFile, Tree
from dulwich.refs import DiskRefsContainer, Ref

from ao_lsp import paths

_Kind = TypeVar("_Kind", bound=ShaFile)

_HEADS = b"refs/heads/"
_LOCK_S = 15.0

DAMAGE = (LookupError, ValueError, AssertionError, EOFError, zlib.error, FileFormatException, ChecksumMismatch,
           ApplyDeltaError)  # fmt: skip
"""What reading an object raises that is not there, or not whole."""

_CONFIG = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n"


class DamagedError(Exception):
    """What should be in the repository is not there, or cannot be read."""


class GoneError(Exception):
    """A version is not there (any more): it was forgotten, or put aside with a damaged repository."""


class BusyError(Exception):
    """Another process has the lock, and does not give it back in time."""


class Repository:
    """The repository in `folder`, made where it is not there. A context manager: the lock is held within.

    Raises:
        BusyError: another process holds the lock.
        OSError: it cannot be made or written.
        paths.UnsafeDirectory: others could write to it.
    """

    def __init__(self, folder: str | None = None) -> None:
        self.folder = folder or paths.git_dir()
        self._lock = -1

    def __enter__(self) -> Repository:
        os.makedirs(os.path.dirname(self.folder), 0o700, exist_ok=True)
        # Beside the folder, which may be set aside.
        self._lock = os.open(self.folder + ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            _wait_for(self._lock)
            self._open()
        except BaseException:
            os.close(self._lock)
            raise
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._store.close()
        os.close(self._lock)

    def _open(self) -> None:
        paths.secure_dir(self.folder)
        self._objects = os.path.join(self.folder, "objects")
        for name in ("objects", "objects/info", "objects/pack", "refs", "refs/heads"):
            with suppress(FileExistsError):
                os.mkdir(os.path.join(self.folder, name), 0o700)
        for name, text in (("config", _CONFIG), ("HEAD", "ref: refs/heads/none\n")):
            if not os.path.exists(os.path.join(self.folder, name)):
                self._write(os.path.join(self.folder, name), text.encode())
        self._store = DiskObjectStore(self._objects)
        self._refs = DiskRefsContainer(self.folder)

    def set_aside(self) -> str:
        """Put all of it out of the way, in place of what had been put there before, and begin anew. Gives the folder
        in which it is now."""
        import shutil

        self._store.close()
        aside = self.folder + ".damaged"
        shutil.rmtree(aside, ignore_errors=True)
        os.rename(self.folder, aside)
        self._open()
        return aside

    # -- objects

    def put(self, kind: bytes, data: bytes) -> str:
        """Have an object (`blob`, `tree`, `commit`), and give its id."""
        whole = b"%s %d\0" % (kind, len(data)) + data
        name = hashlib.sha1(whole, usedforsecurity=False).hexdigest()
        folder = os.path.join(self._objects, name[:2])
        path = os.path.join(folder, name[2:])
        try:
            if os.stat(path).st_size:  # a machine that lost its power may have left an empty one
                return name
        except FileNotFoundError:
            if self._store.contains_packed(ObjectID(name.encode())):
                return name
            with suppress(FileExistsError):
                os.mkdir(folder, 0o700)
        # The fastest level: a quarter of the time of the default, for a seventh more bytes of source.
        self._write(path, zlib.compress(whole, 1))
        return name

    def has(self, name: str) -> bool:
        """Whether there is an object of this id."""
        try:
            return ObjectID(name.encode("ascii")) in self._store
        except ValueError:  # this is no id
            return False

    def blob(self, name: str) -> bytes:
        return self._get(name, Blob).as_raw_string()

    def tree(self, name: str) -> list[tuple[bytes, int, str]]:
        """What is in a folder: name, mode and id of each file and folder.

        Raises:
            DamagedError: it cannot be read.
        """
        return [
            (entry.path or b"", entry.mode or 0, (entry.sha or b"").decode()) for entry in self._get(name, Tree).items()
        ]

    def commit(self, name: str) -> Commit:
        return self._get(name, Commit)

    def _get(self, name: str, kind: type[_Kind]) -> _Kind:
        try:
            found = self._store[ObjectID(name.encode("ascii"))]
        except DAMAGE as error:
            raise DamagedError(f"object {name} is not there, or not whole") from error
        if not isinstance(found, kind):
            raise DamagedError(f"object {name} is no {kind.__name__}")
        return found

    # -- projects

    def projects(self) -> list[str]:
        """The names of the projects of which there are versions."""
        return [os.fsdecode(name) for name in self._refs.subkeys(Ref(_HEADS))]

    def head(self, project: str) -> str | None:
        """The last commit of a project; None where there is none."""
        found = self._refs.read_loose_ref(Ref(_HEADS + project.encode()))
        return found.decode("ascii") if found else None

    def set_head(self, project: str, commit: str | None) -> None:
        """Make `commit` the last one of a project; None: forget the project."""
        path = os.path.join(self.folder, "refs", "heads", project)
        if commit is not None:
            self._write(path, commit.encode() + b"\n")
        else:
            with suppress(FileNotFoundError):
                os.unlink(path)

    def index(self, project: str) -> str:
        """The file in which is kept what the files of a project were like."""
        return os.path.join(self.folder, f"{project}.index")

    def _write(self, path: str, data: bytes) -> None:
        """Write a file, whole or not at all."""
        private = os.path.join(self.folder, "half")  # there is only one writer
        with open(os.open(private, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(data)
        os.replace(private, path)

    def write_index(self, project: str, data: bytes) -> None:
        self._write(self.index(project), data)


def _wait_for(lock: int) -> None:
    """Take the lock. Not by waiting in the kernel: whoever has it may be stopped."""
    deadline = time.monotonic() + _LOCK_S
    while not _is_free(lock):
        if time.monotonic() > deadline:
            raise BusyError("another process works on the versions, and does not come to an end")
        time.sleep(0.01)


def _is_free(lock: int) -> bool:
    """Whether the lock could be taken, and has been."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
