"""The file to which a process's events go where there is no daemon (docs/wire.md, Spool files)."""

from __future__ import annotations

import os

from ao_lsp import connect, paths
from ao_lsp.runner.descriptors import Held
from ao_lsp.taint.kept import keep

keep(__name__)


class SpoolFile:
    """A spool file that is ours for as long as we live.

    Raises:
        OSError, paths.UnsafeDirectory: it cannot be made.
    """

    def __init__(self, run: str, stream: str) -> None:
        from fcntl import LOCK_EX, LOCK_NB, flock

        self._name = os.path.join(paths.secure_dir(paths.spool_dir()), f"{run}-{stream}.spool")
        # Under a name that no daemon looks at until it is locked.
        private = self._name + ".new"
        self._held = Held(os.open(private, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600))
        try:
            flock(self._held.fd, LOCK_EX | LOCK_NB)
            self.append(connect.preamble("record", run=run, stream=stream))
            os.rename(private, self._name)
        except BaseException:
            # Left open, it would keep the lock from the next attempt.
            self._held.close()
            os.unlink(private)
            raise

    @property
    def is_there(self) -> bool:
        """Whether it is still a file that a daemon can find, and the program has not closed it."""
        return self._held.is_ours and os.fstat(self._held.fd).st_nlink > 0

    def append(self, data: bytes) -> None:
        """Append all of `data`, or nothing.

        Raises:
            OSError: the disk does not take it.
        """
        fd = self._held.fd
        start = os.lseek(fd, 0, os.SEEK_END)
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(fd, view) :]
        except OSError:
            os.ftruncate(fd, start)
            raise

    def close(self) -> None:
        """Leave it to the daemon."""
        self._held.close()

    def remove(self) -> None:
        """All that it holds has been acknowledged."""
        try:
            os.unlink(self._name)
        except OSError:
            pass
        self._held.close()
