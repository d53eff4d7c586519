"""One watched folder: what changes in it is found, by events or by looking, and handed on.

Two tasks do it: one takes up the files that something is said to have happened to, one looks at the whole folder, which
may take a while. Both ask the file system in threads. Events are only noted down by the loop: a file that changes a
thousand times until its turn comes is one file.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import stat
import time
from collections.abc import Callable, Iterable, Sequence

from ao_lsp.server.watch import looking
from ao_lsp.server.watch.compiling import State, Wanted
from ao_lsp.server.watch.inotify import Events
from ao_lsp.server.watch.looking import Eyes, Look
from ao_lsp.server.watch.mounts import mounts, polled_kind
from ao_lsp.server.watch.polling import Pace
from ao_lsp.server.watch.threads import Turns, in_thread

log = logging.getLogger(__name__)

MOST_SAVED = 20
"""So many files that change at once were saved by a person; more, by a tool."""

MOST_AT_FIRST = 2_000
"""Of a folder that is new to us, so many files are compiled, the last written first."""

_SETTLE_S = 0.02
"""An editor that saves a file writes, renames and sets rights within a moment."""

_LOOK_SETTLE_S = 0.1
_BESIDE_EVENTS_S = 15.0
"""Most of what happens is heard of; what happens unseen is not in a hurry."""

_CHECK_S = 60.0
"""When a folder around the root is moved, no event tells."""

# As many as take the loop a few ms.
_AT_ONCE = 200

# What decides which folders and files count.
_RULES = (".gitignore", "pyvenv.cfg")

Handler = Callable[["Folder", Sequence[Wanted], bool], None]
"""Is handed files that changed, and whether somebody has just saved them."""


class Folder:
    """Watches `root`, a path without links in it, from `begin` on. `names` are other paths of it."""

    def __init__(
        self, root: str, names: Iterable[str], events: Events | None, handler: Handler, turns: Turns | None = None
    ) -> None:
        self.root, self.names = root, set(names)
        self.polls = False
        """Whether it is looked at now and then, because not all that happens is heard of."""
        self._eyes, self._quick_eyes = Eyes(root), Eyes(root)  # one for each task
        self._events, self._handler, self._turns = events, handler, turns or Turns(1)
        self._known: dict[str, State] = {}
        self._links: dict[str, tuple[str, ...]] = {}
        self._touched: dict[str, bool] = {}
        """Files that something happened to, and whether somebody says that they saved them."""
        self._look_wanted, self._all_wanted = True, True
        self._is_there, self._was_whole = True, True
        self._pace, self._pause = Pace(), 0.0
        self._took = 0.0
        self._root_identity: tuple[int, int] | None = None
        self._stirred, self._woken = asyncio.Event(), asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._closed = False

    def begin(self) -> None:
        self._tasks = [asyncio.create_task(self._keep_taking()), asyncio.create_task(self._keep_looking())]

    async def close(self) -> None:
        self._closed = True
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._events is not None:
            self._events.forget(self)

    @property
    def files(self) -> int:
        """How many source files were seen."""
        return len(self._known)

    def add_program(self, path: str) -> None:
        """Count a script as source, whatever its name is, and what stands beside it, whatever rules say of it."""
        if path not in self._eyes.programs:
            for eyes in (self._eyes, self._quick_eyes):
                eyes.programs.add(path)
            self.look_soon()

    def hand_on_everything(self) -> None:
        """Hand on all files, as those of a folder that is new: somebody wants them for another interpreter."""
        self._all_wanted = self._look_wanted = True
        self._woken.set()

    def touched(self, path: str, saved: bool = False) -> None:
        """Something may have happened to the file `path`, below the root; `saved`: somebody says that they did it."""
        self._touched[path] = self._touched.pop(path, False) or saved  # it is the last one now
        self._pace.stirred()
        self._stirred.set()

    def look_soon(self) -> None:
        self._look_wanted = True
        self._woken.set()

    # -- events

    def happened(self, folder: str, name: str, is_folder: bool, is_new: bool) -> None:
        path = os.path.join(folder, name)
        if is_folder or name in _RULES:
            if name in _RULES or not (name.startswith(".") or name == "__pycache__"):
                self.look_soon()
            return
        is_source = self._eyes.is_source(path)
        if is_new:
            kind = _kind_of_new(path)
            if kind == "file":
                return  # it is still to be written
            if kind == "link":
                self.look_soon()
        if is_source:
            self.touched(path)

    def vanished(self, folder: str) -> None:  # noqa: ARG002 - which one it was, the look tells
        self.look_soon()

    def overflowed(self) -> None:
        log.warning("%s: events were lost; looking at everything", self.root)
        self.look_soon()

    # -- the tasks

    async def _keep_taking(self) -> None:
        while True:
            if not self._touched:
                self._stirred.clear()
                await self._stirred.wait()
                await asyncio.sleep(_SETTLE_S)
            # Of many, the last ones first, not too many at a time: one of them may be what somebody has just saved.
            paths = dict([self._touched.popitem() for _ in range(min(_AT_ONCE, len(self._touched)))])
            eyes = self._quick_eyes
            try:
                states = await in_thread(lambda: {path: eyes.state(path) for path in paths})  # noqa: B023 - awaited
            except Exception:
                log.exception("%s: %d files were not looked at", self.root, len(paths))
                continue
            changed = {path: state for path, (counts, state) in states.items() if counts}
            for path, state in changed.items():
                if state is not None:
                    self._known[path] = state
                else:
                    self._known.pop(path, None)
            said = {path: changed.pop(path) for path, saved in paths.items() if saved and path in changed}
            await self._hand_on(said, saved=True)
            await self._hand_on(changed, saved=len(changed) + len(self._touched) <= MOST_SAVED)

    async def _keep_looking(self) -> None:
        try:
            kind = await in_thread(lambda: polled_kind(self.root, mounts()))
            if kind is not None:
                self._poll(f"it lies on {kind}", with_events=kind == "overlay")
            elif self._events is None:
                self._poll("there are no file events")
            while True:
                await self._look()
                await self._until_next_look()
        except Exception:
            log.exception("%s is looked at no more", self.root)

    async def _until_next_look(self) -> None:
        while not self._look_wanted:
            is_due = self.polls or not self._is_there
            waking = asyncio.ensure_future(self._woken.wait())
            try:
                await asyncio.wait({waking}, timeout=self._pause if is_due else _CHECK_S)
            finally:
                waking.cancel()
            if is_due:
                break
            if await in_thread(lambda: _identity(self.root)) != self._root_identity:
                self._look_wanted = True
                if self._events is not None:
                    self._events.forget(self)  # what is watched is elsewhere by now
        if self._is_there and self._look_wanted:
            # Folders come in numbers; and whoever makes some all the time does not keep us busy.
            await asyncio.sleep(max(_LOOK_SETTLE_S, 5 * self._took))

    async def _look(self) -> None:
        self._woken.clear()
        self._look_wanted = False
        look, changed = await self._turns.in_thread(self._looked)
        self._say_whether_there(look)
        saved = 0 < len(changed) <= MOST_SAVED
        if self._all_wanted and look.is_there:
            self._all_wanted = saved = False
            gone = {path: state for path, state in changed.items() if state is None}
            changed = {**dict(list(look.files.items())[:MOST_AT_FIRST]), **gone}
            log.info("watching %s: %d source files", self.root, len(look.files))
        self._known, self._links = look.files, look.links
        self._quick_eyes.follow(look.folders)
        if changed:
            self._pace.stirred()
        self._pause = self._pace.pause(self._took)
        await self._hand_on(changed, saved)

    def _looked(self) -> tuple[Look, dict[str, State | None]]:
        """What is there, and what has changed. In a thread; meanwhile files may be taken up."""
        began, self._root_identity = time.monotonic(), _identity(self.root)
        look = self._eyes.look(self._enter)
        changed = looking.changes(self._known.copy(), look, self._eyes)
        self._took = time.monotonic() - began
        return look, changed

    def _say_whether_there(self, look: Look) -> None:
        if look.is_there != self._is_there:
            self._is_there = look.is_there
            log.info("%s is %s", self.root, "there again" if look.is_there else "not there; waiting for it")
            if not look.is_there:
                self._all_wanted = True
                if self._events is not None:
                    self._events.forget(self)
        if look.is_there and look.is_whole != self._was_whole:
            self._was_whole = look.is_whole
            if not look.is_whole:
                log.warning("%s: there is too much in it, or some cannot be read; the rest is watched", self.root)

    def _enter(self, folder: str) -> None:
        """Before a folder is looked at, so that nothing happens in between. In a thread."""
        events = self._events
        if events is None:
            return
        try:
            events.watch(self, folder)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EMFILE, errno.ENOMEM):
                self._poll(str(error.strerror))
            # Else it is gone already, or not ours to read, which the look will tell.
        if self._closed:
            events.forget(self)

    def _poll(self, why: str, with_events: bool = False) -> None:
        self.polls = True
        if with_events:
            self._pace = Pace(_BESIDE_EVENTS_S)
        log.info("%s is polled: %s", self.root, why)
        events = self._events
        if not with_events and events is not None:
            self._events = None
            events.forget(self)

    # -- handing on

    async def _hand_on(self, changed: dict[str, State | None], saved: bool) -> None:
        listed = list(changed.items())
        # The last ones first: whoever takes them puts what comes last to the front.
        for start in reversed(range(0, len(listed), _AT_ONCE)):
            part = listed[start : start + _AT_ONCE]
            self._handler(self, [Wanted(path, state, self._names(path)) for path, state in part], saved)
            await asyncio.sleep(0)  # others have their turn

    def _names(self, path: str) -> tuple[str, ...]:
        """The other paths of a file: where the root has other names, and where links to it stand."""
        linked = self._links.get(path, ())
        inner = [path, *(link for link in linked if link != path)]
        outer = [name + one[len(self.root) :] for name in self.names for one in inner]
        return tuple(dict.fromkeys([*inner[1:], *outer]))


def _kind_of_new(path: str) -> str:
    """What has just been made: a link has its contents already, by whatever other name."""
    try:
        found = os.lstat(path)
    except OSError:
        return "file"
    return "link" if stat.S_ISLNK(found.st_mode) else "linked" if found.st_nlink > 1 else "file"


def _identity(folder: str) -> tuple[int, int] | None:
    try:
        found = os.stat(folder)
    except OSError:
        return None
    return found.st_dev, found.st_ino
