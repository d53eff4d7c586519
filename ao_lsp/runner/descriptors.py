"""Descriptors of ours in a process whose program may do with descriptors what it likes."""

from __future__ import annotations

from os import close, fstat

from ao_lsp.taint.kept import keep

keep(__name__)

# Where a program does not look for its next file, and most do not close: the usual limits are 1024 and, on
# macOS, 256.
_HIGH = (1000, 240)


class Held:
    """One of our descriptors. A program may close it, and its number then be that of a file of its own."""

    __slots__ = ("_file", "fd")

    def __init__(self, fd: int) -> None:
        """Takes `fd` over, and moves it out of the way."""
        self.fd = _moved(fd)
        found = fstat(self.fd)
        self._file = found.st_dev, found.st_ino

    @property
    def is_ours(self) -> bool:
        """Whether it is still what it was."""
        try:
            found = fstat(self.fd)
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self._file

    def close(self) -> None:
        """Close it, unless it is not ours any more."""
        if self.is_ours:
            close(self.fd)


def _moved(fd: int) -> int:
    """The descriptor under a high number; as it is where there is none."""
    from fcntl import F_DUPFD_CLOEXEC, fcntl

    for lowest in _HIGH:
        try:
            moved = fcntl(fd, F_DUPFD_CLOEXEC, lowest)
        except OSError:  # beyond the limit, or all are taken
            continue
        close(fd)
        return moved
    return fd
