"""Takes in the files to which runners wrote while there was no daemon (docs/wire.md, Spool files)."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from ao_lsp import protocol
from ao_lsp.server.ingest import Ingest, Stream

log = logging.getLogger(__name__)

_READ = 1 << 20
_PREAMBLE = 1 << 16

# A runner makes its file and then locks it. Who finds it empty and unlocked in between must not
# take it away; who finds it so later may.
_EMPTY_KEPT_S = 60.0


@dataclass(slots=True)
class _Reading:
    """How far a spool file has been read."""

    stream: Stream
    frames: protocol.Frames
    offset: int


class Spool:
    """The folder of spool files. `on_end` hears of each stream that has come to its end, and whether its writer was
    seen alive before."""

    def __init__(self, folder: str, ingest: Ingest, on_end: Callable[[Stream, bool], None]) -> None:
        self._folder, self._ingest, self._on_end = folder, ingest, on_end
        self._busy = asyncio.Lock()
        self._followed: dict[str, _Reading | None] = {}
        """Files whose writers live, by path; None where one cannot be read before it is whole."""
        self._unreadable: set[str] = set()
        """What has been complained of."""

    async def take_in(self) -> bool:
        """Take in what every file holds, and remove those whose writer is gone. Whether any file is left.

        Raises:
            StoreError: the database does not take it; the files stay.
        """
        async with self._busy:
            left = False
            paths = [os.path.join(self._folder, name) for name in self._names()]
            for path in self._followed.keys() - set(paths):  # its writer has removed it
                del self._followed[path]
            for path in paths:
                left = not await self._take_file(path) or left
            return left

    def is_written(self, run: str) -> bool:
        """Whether a program of this run lives and writes to a file."""
        return any(_is_held(os.path.join(self._folder, name)) for name in self._names() if name.startswith(f"{run}-"))

    def backlog(self) -> tuple[int, int]:
        """How many files there are, and their bytes."""
        sizes = []
        for name in self._names():
            with suppress(OSError):
                sizes.append(os.path.getsize(os.path.join(self._folder, name)))
        return len(sizes), sum(sizes)

    def _names(self) -> list[str]:
        try:
            names = [name for name in os.listdir(self._folder) if name.endswith(".spool")]
        except FileNotFoundError:
            return []
        return sorted(names)

    async def _take_file(self, path: str) -> bool:
        """Whether the file is gone now."""
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return True
        except OSError as error:
            # Nothing that waiting would help against: it is looked at again when something else happens.
            if path not in self._unreadable:
                self._unreadable.add(path)
                log.warning("spool file %s: %s", path, error)
            return True
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:  # its runner lives
                await self._follow(fd, path)
                return False
            was_alive = path in self._followed
            if not await self._take_whole(fd, path, was_alive):
                return False
            self._followed.pop(path, None)
            return True
        finally:
            os.close(fd)

    async def _take_whole(self, fd: int, path: str, was_alive: bool) -> bool:
        found = os.fstat(fd)
        if found.st_nlink == 0:  # another daemon was faster
            return True
        if found.st_size == 0 and time.time() - found.st_mtime < _EMPTY_KEPT_S:
            return False
        try:
            reading = await self._read(fd, None)
            os.unlink(path)
        except (protocol.ProtocolError, FileNotFoundError) as error:
            log.warning("spool file %s is damaged (%s); what could be read is stored", path, error)
            os.replace(path, path + ".damaged")
            run, _, stream = os.path.basename(path).removesuffix(".spool").rpartition("-")
            self._on_end(Stream(run, stream, None), was_alive)
            return True
        if reading is None:
            return True
        if len(reading.frames):  # killed while it wrote
            log.info("spool file %s: broke off in the middle of a frame", path)
        log.info("took in spool file %s", path)
        self._on_end(reading.stream, was_alive)
        return True

    async def _follow(self, fd: int, path: str) -> None:
        """Show what a program that lives has written: it may wait for long before it says more."""
        known = self._followed.get(path)
        if known is None and path in self._followed:
            return
        try:
            self._followed[path] = known = await self._read(fd, known)
            if known is None:  # it holds nothing yet
                del self._followed[path]
        except protocol.ProtocolError as error:
            # A writer takes back what a full disk took in part. In the end it is read from its beginning.
            log.info("spool file %s is not read before its program has ended: %s", path, error)
            self._followed[path] = None

    async def _read(self, fd: int, reading: _Reading | None) -> _Reading | None:
        """Take in what follows what has been read; None where the file is empty.

        Raises:
            protocol.ProtocolError: it is no spool file; what came before is taken in.
            StoreError: the database does not take it.
        """
        with os.fdopen(os.dup(fd), "rb") as file:
            if reading is None:
                line = file.readline(_PREAMBLE)
                if not line:
                    return None
                reading = _Reading(_stream_of(line), protocol.Frames(), file.tell())
            if os.fstat(fd).st_size < reading.offset:
                raise protocol.ProtocolError("shorter than it was")
            file.seek(reading.offset)
            while data := await asyncio.to_thread(file.read, _READ):
                reading.offset += len(data)
                await self._ingest.take(reading.stream, reading.frames, data)
        return reading


def _is_held(path: str) -> bool:
    """Whether the runner that writes to this file lives."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False


def _stream_of(preamble: bytes) -> Stream:
    said = protocol.loads(preamble)
    run, stream = (said.get(key) if isinstance(said, dict) else None for key in ("run", "stream"))
    if not isinstance(run, str) or not isinstance(stream, str):
        raise protocol.ProtocolError("no run and stream in its first line")
    return Stream(run, stream, None)
