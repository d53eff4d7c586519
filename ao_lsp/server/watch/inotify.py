"""File events on Linux, folder by folder: watchdog's binding to inotify, without its threads and its walk.

`watchdog.Observer` watches every folder below one, environments with their tens of thousands among them, and has no
way to leave any out. Here whoever walks says which folders; events are read by the event loop, so many at a time.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import fcntl
import os
import struct
import threading
from typing import Any, Protocol

from watchdog.observers.inotify_c import InotifyConstants, inotify_add_watch, inotify_init, inotify_rm_watch

_MASK = (
    InotifyConstants.IN_CLOSE_WRITE
    | InotifyConstants.IN_MOVE
    | InotifyConstants.IN_CREATE
    | InotifyConstants.IN_DELETE
    | InotifyConstants.IN_DELETE_SELF
    | InotifyConstants.IN_MOVE_SELF
    | InotifyConstants.IN_ATTRIB
    | InotifyConstants.IN_ONLYDIR
    | InotifyConstants.IN_EXCL_UNLINK
)
# Descriptors are numbers; newer watchdogs have a type of their own for them, which 6 lacks.
_remove: Any = inotify_rm_watch

_GONE = InotifyConstants.IN_DELETE_SELF | InotifyConstants.IN_MOVE_SELF | InotifyConstants.IN_UNMOUNT
_EVENT = struct.Struct("iIII")

# About 2,000 events, which take some ms: the loop has other things to do.
_READ = 1 << 16


class Listener(Protocol):
    """Who is told of what happens in its folders; `root` is the one that all of them are in."""

    @property
    def root(self) -> str: ...

    def happened(self, folder: str, name: str, is_folder: bool, is_new: bool) -> None:
        """Something happened to an entry of a folder; `is_new`: it has just been made, and may still be written."""

    def vanished(self, folder: str) -> None:
        """A folder was deleted, moved or unmounted, and is watched no more."""

    def overflowed(self) -> None:
        """Events were lost."""


class Events(Protocol):
    """A source of file events. `watch` and `forget` may be called from any thread."""

    def watch(self, listener: Listener, folder: str) -> None:
        """Tell `listener` of what happens to entries of `folder`.

        Raises:
            OSError: it cannot be watched: ENOSPC where no more folders can be.
        """

    def forget(self, listener: Listener) -> None:
        """Watch nothing for `listener` any more."""

    def close(self) -> None: ...


class Inotify:
    """`Events` of one inotify instance on the running loop.

    Raises:
        OSError: there are no more instances to be had.
    """

    def __init__(self) -> None:
        self._fd = inotify_init()
        if self._fd < 0:
            raise _error("no more inotify instances (fs.inotify.max_user_instances)")
        os.set_inheritable(self._fd, False)
        fcntl.fcntl(self._fd, fcntl.F_SETFL, os.O_NONBLOCK)
        self._lock = threading.Lock()
        # A folder may be reached by several paths (links), and each of them be of several listeners.
        self._places: dict[int, set[tuple[Listener, str]]] = {}
        self._numbers: dict[tuple[Listener, str], int] = {}
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._fd, self._read)

    def __len__(self) -> int:
        return len(self._places)

    def watch(self, listener: Listener, folder: str) -> None:
        with self._lock:
            if self._fd < 0 or (listener, folder) in self._numbers:
                return
            number = inotify_add_watch(self._fd, os.fsencode(folder), _MASK)
            if number < 0:
                raise _error("no more folders can be watched (fs.inotify.max_user_watches)")
            self._places.setdefault(number, set()).add((listener, folder))
            self._numbers[listener, folder] = number

    def forget(self, listener: Listener) -> None:
        with self._lock:
            self._forget(listener, "")

    def close(self) -> None:
        with self._lock:
            if self._fd < 0:
                return
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1
            self._places.clear()
            self._numbers.clear()

    def _read(self) -> None:
        try:
            data = os.read(self._fd, _READ)
        except BlockingIOError:
            return
        at = 0
        while at < len(data):
            number, mask, _, length = _EVENT.unpack_from(data, at)
            at += _EVENT.size
            self._happened(number, mask, data[at : at + length].rstrip(b"\0"))
            at += length

    def _happened(self, number: int, mask: int, name: bytes) -> None:
        if mask & InotifyConstants.IN_Q_OVERFLOW:
            with self._lock:
                listeners = {listener for listener, _ in self._numbers}
            for listener in listeners:
                listener.overflowed()
            return
        with self._lock:
            places = list(self._places.get(number, ()))
            if mask & InotifyConstants.IN_IGNORED:
                for place in self._places.pop(number, ()):
                    self._numbers.pop(place, None)
            elif mask & _GONE:
                for listener, folder in places:
                    # What is in a folder that was moved is still watched, by paths that are its own no more.
                    self._forget(listener, folder + os.sep if mask & InotifyConstants.IN_MOVE_SELF else None, folder)
        for listener, folder in places:
            if mask & (InotifyConstants.IN_IGNORED | _GONE):
                listener.vanished(folder)
            elif name:
                is_folder, is_new = bool(mask & InotifyConstants.IN_ISDIR), bool(mask & InotifyConstants.IN_CREATE)
                listener.happened(folder, os.fsdecode(name), is_folder, is_new)

    def _forget(self, listener: Listener, prefix: str | None, folder: str = "") -> None:
        """Forget a folder, and those whose paths begin with `prefix`."""
        if prefix is None:
            found = [(listener, folder)] if (listener, folder) in self._numbers else []
        else:
            found = [p for p in self._numbers if p[0] is listener and (p[1] == folder or p[1].startswith(prefix))]
        for place in found:
            number = self._numbers.pop(place)
            places = self._places.get(number)
            if places is not None:
                places.discard(place)
                if not places:
                    del self._places[number]
                    _remove(self._fd, number)  # where it is gone already, it says so


def _error(limit: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, limit if number in (errno.ENOSPC, errno.EMFILE) else os.strerror(number))
