"""Takes in the files to which runners wrote while there was no daemon (docs/wire.md, Spool files)."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import time
from collections.abc import Callable

from ao_lsp import protocol
from ao_lsp.server.ingest import Ingest, Stream

log = logging.getLogger(__name__)

_READ = 1 << 20
_PREAMBLE = 1 << 16

# A runner makes its file and then locks it. Who finds it empty and unlocked in between must not
# take it away; who finds it so later may.
_EMPTY_KEPT_S = 60.0


class Spool:
    """The folder of spool files. `on_end` hears of each stream that was taken in."""

    def __init__(self, folder: str, ingest: Ingest, on_end: Callable[[Stream], None]) -> None:
        self._folder, self._ingest, self._on_end = folder, ingest, on_end
        self._busy = asyncio.Lock()

    async def take_in(self) -> bool:
        """Take in every file whose writer is gone. Whether any file is left.

        Raises:
            StoreError: the database does not take it; the files stay.
        """
        async with self._busy:
            left = False
            for name in self._names():
                left = not await self._take_file(os.path.join(self._folder, name)) or left
            return left

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
            log.warning("spool file %s: %s", path, error)
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # its runner lives
            os.close(fd)
            return False
        try:
            found = os.fstat(fd)
            if found.st_nlink == 0:  # another daemon was faster
                return True
            if found.st_size == 0 and time.time() - found.st_mtime < _EMPTY_KEPT_S:
                return False
            stream = await self._take_events(fd, path)
            os.unlink(path)
        except (protocol.ProtocolError, FileNotFoundError) as error:
            log.warning("spool file %s is damaged (%s); what could be read is stored", path, error)
            os.replace(path, path + ".damaged")
            return True
        finally:
            os.close(fd)
        if stream is not None:
            log.info("took in spool file %s", path)
            self._on_end(stream)
        return True

    async def _take_events(self, fd: int, path: str) -> Stream | None:
        """The stream that a file held; None where the file was empty."""
        with os.fdopen(os.dup(fd), "rb") as file:
            line = file.readline(_PREAMBLE)
            if not line:
                return None
            preamble = protocol.loads(line)
            run, stream_id = (preamble.get(key) if isinstance(preamble, dict) else None for key in ("run", "stream"))
            if not isinstance(run, str) or not isinstance(stream_id, str):
                raise protocol.ProtocolError("no run and stream in its first line")
            stream, frames = Stream(run, stream_id, None), protocol.Frames()
            while data := await asyncio.to_thread(file.read, _READ):
                await self._ingest.take(stream, frames, data)
        if len(frames):  # killed while it wrote
            log.info("spool file %s: broke off in the middle of a frame", path)
        return stream
