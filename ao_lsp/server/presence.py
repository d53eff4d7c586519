"""How a daemon is found, and how there is only one: a held lock and a published socket.

The lock (flock) is liveness; the process id written into it is for people. The socket is bound under
a private name, made ours alone and set to listen before it is renamed into place, so a client finds
either no socket or one that answers. Neither lock file is ever unlinked.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from contextlib import suppress
from glob import escape, glob

from ao_lsp import __version__, paths
from ao_lsp.connect import is_locked

_BACKLOG = 128

_GLANCE_S = 0.1
"""Whoever looks whether there is a daemon holds the lock, shared, for a moment."""


class DaemonBusyError(Exception):
    """Another daemon holds the lock."""


def daemon_runs() -> bool:
    """Whether another process is the daemon."""
    return is_locked(paths.lock_path())


def _tidy() -> None:
    """Remove the sockets of those who were killed before they had published them. With the lock held: nobody else is
    about to."""
    for path in (paths.socket_path(), paths.status_path()):
        for name in glob(f"{escape(path)}.*"):
            with suppress(OSError):
                os.unlink(name)


class Presence:
    """The lock and the socket of this daemon."""

    def __init__(self) -> None:
        self._lock: int | None = None
        self._inode: int | None = None
        self.listener: socket.socket | None = None

    def lock(self) -> None:
        """Become the daemon.

        Raises:
            DaemonBusyError: there is one.
            paths.UnsafeDirectory: the runtime folder cannot be trusted.
            OSError: it cannot be made.
        """
        paths.secure_dir(paths.runtime_dir())
        lock = os.open(paths.lock_path(), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        deadline = time.monotonic() + _GLANCE_S
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > deadline:
                    os.close(lock)
                    raise DaemonBusyError from None
                time.sleep(0.01)
        _tidy()
        os.ftruncate(lock, 0)
        os.write(lock, json.dumps({"pid": os.getpid(), "version": __version__}).encode() + b"\n")
        self._lock = lock

    def publish(self) -> socket.socket:
        """Listen where clients look. Replaces the socket that a killed daemon left.

        Raises:
            OSError: it cannot be bound.
        """
        path = paths.socket_path()
        private = f"{path}.{os.getpid()}"
        with suppress(FileNotFoundError):
            os.unlink(private)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.setblocking(False)
            listener.bind(private)
            os.chmod(private, 0o600)
            listener.listen(_BACKLOG)
            self._inode = os.stat(private).st_ino
            try:
                os.rename(private, path)
            except OSError as error:
                raise OSError(f"cannot listen at {path}: {error.strerror}; move away what is there") from None
        except BaseException:
            listener.close()
            with suppress(OSError):
                os.unlink(private)
            raise
        self.listener = listener
        return listener

    def withdraw(self) -> None:
        """Take the socket away, if it is still ours, so that nobody new comes. Those who have
        connected are still to be accepted from `listener`."""
        with suppress(FileNotFoundError):
            if self._inode is not None and os.stat(paths.socket_path()).st_ino == self._inode:
                os.unlink(paths.socket_path())
        self._inode = None

    def stop_listening(self) -> None:
        if self.listener is not None:
            self.listener.close()
            self.listener = None

    def unlock(self) -> None:
        """Let another daemon start."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
