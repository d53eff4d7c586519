"""File events where there is no inotify (macOS): watchdog's own observer, a whole tree at once."""

from __future__ import annotations

import asyncio
import os
import threading

from watchdog.events import EVENT_TYPE_CLOSED_NO_WRITE, EVENT_TYPE_OPENED, FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver, ObservedWatch

from ao_lsp.server.watch.inotify import Listener
from ao_lsp.server.workspace import is_below

_NO_CHANGE = (EVENT_TYPE_OPENED, EVENT_TYPE_CLOSED_NO_WRITE)


class Observed:
    """`Events` (inotify.py) of an observer."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._observer: BaseObserver = Observer()
        self._observer.start()
        self._lock = threading.Lock()
        self._watched: dict[tuple[Listener, str], ObservedWatch] = {}

    def watch(self, listener: Listener, folder: str) -> None:
        with self._lock:
            above = [place for one, place in self._watched if one is listener and is_below(folder, place)]
            if above and not os.path.islink(folder):  # into links, no observer goes
                return
            self._watched[listener, folder] = self._observer.schedule(
                _Handler(self._loop, listener, folder), folder, recursive=True
            )

    def forget(self, listener: Listener) -> None:
        with self._lock:
            for place in [place for place in self._watched if place[0] is listener]:
                self._observer.unschedule(self._watched.pop(place))

    def close(self) -> None:
        with self._lock:
            self._watched.clear()
        self._observer.stop()
        self._observer.join()


class _Handler(FileSystemEventHandler):
    """Of one listener, and one tree."""

    def __init__(self, loop: asyncio.AbstractEventLoop, listener: Listener, folder: str) -> None:
        self._loop, self._listener, self._folder = loop, listener, folder

    def on_any_event(self, event: FileSystemEvent) -> None:
        """In the observer's thread."""
        if event.event_type in _NO_CHANGE:
            return
        for path in (event.src_path, event.dest_path):
            if path:
                self._loop.call_soon_threadsafe(self._happened, os.fsdecode(path), event.is_directory)

    def _happened(self, path: str, is_folder: bool) -> None:
        if path == self._folder:
            if not os.path.isdir(path):
                self._listener.vanished(path)
            return
        self._listener.happened(os.path.dirname(path), os.path.basename(path), is_folder, is_new=False)
