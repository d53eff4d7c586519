"""All watched folders: those of editors, and the projects of recorded programs, as they come and go."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from ao_lsp.server.changes import Subscription
from ao_lsp.server.results.daemon import WatchedJson
from ao_lsp.server.store import Store, StoreError
from ao_lsp.server.watch.compiling import Compiling, Wanted
from ao_lsp.server.watch.folder import Folder
from ao_lsp.server.watch.targets import Recorded, interpreter_of, recorded
from ao_lsp.server.watch.threads import Turns, in_thread
from ao_lsp.server.watch.watcher import MOST_SAVED_FOLDERS, EditorFolders
from ao_lsp.server.watch.worker import Interpreter
from ao_lsp.server.workspace import is_below, project_root

if TYPE_CHECKING:
    from ao_lsp.server.watch.inotify import Events
    from ao_lsp.server.watch.watcher import Watcher

log = logging.getLogger(__name__)

MOST_PROJECTS = 8
"""Of recorded programs, so many projects are watched: those that ran last; and of each, as many folders elsewhere."""

_RECENT_RUNS = 50
_RESOLVE_S = 5.0
_INSTALLED = ("/site-packages/", "/dist-packages/")


class Folders:
    """Watches what `watcher` says, and what is recorded in `store`, as long as `keep` runs; then `close` it."""

    def __init__(self, watcher: Watcher, store: Store) -> None:
        self._watcher, self._store = watcher, store
        self._recorded: list[Recorded] = []
        self._real: dict[str, str] = {}
        self._folders: dict[str, Folder] = {}
        self._pythons: dict[str, Interpreter] = {}
        self._events = _file_events()
        self._compiling, self._turns = Compiling(watcher.busy), Turns(2)

    def status(self) -> list[WatchedJson]:
        """What is watched."""
        return [
            {
                "folder": folder.root,
                "files": folder.files,
                "polled": folder.polls,
                "python": str(self._pythons[folder.root]),
            }
            for folder in self._folders.values()
        ]

    def saved(self, path: str) -> bool:
        """Somebody has saved a file. Whether it lies in a folder that is watched."""
        inside = self._places(path)
        for folder, place in inside:
            folder.touched(place, saved=True)
        return bool(inside)

    def waiting(self, editor: EditorFolders | None) -> int:
        """How many files wait to be compiled: all, or those in the folders of an editor."""
        return self._compiling.waiting if editor is None else self._compiling.waiting_below(self._resolved(*editor.all))

    def leave_out(self, editor: EditorFolders) -> None:
        """Nobody waits for what is to be compiled in the folders of an editor."""
        self._compiling.leave_out(self._resolved(*editor.all))

    async def keep(self, changes: Subscription) -> None:
        """Watch what is to be watched, whatever that is from time to time."""
        following = asyncio.create_task(self._follow(changes))
        try:
            while True:
                self._watcher.stirred.clear()
                await self._settle()
                await self._watcher.stirred.wait()
        finally:
            following.cancel()

    async def close(self) -> None:
        await asyncio.gather(*(folder.close() for folder in self._folders.values()))
        self._folders.clear()
        if self._events is not None:
            self._events.close()
        await self._compiling.close()

    # -- recorded programs

    async def _follow(self, changes: Subscription) -> None:
        """Watch the projects of the programs that were recorded, and of those that will be."""
        try:
            names = await self._store.run_names()
            for run, _ in reversed(names[:_RECENT_RUNS]):
                await self._started(run)
            for run, _ in names[:MOST_PROJECTS]:
                await self._ended(run)
            while True:
                self._watcher.stirred.set()
                for change in await changes.next():
                    if change.kind == "run.started":
                        await self._started(change.run)
                    elif change.kind == "run.ended":
                        await self._ended(change.run)
        except StoreError:
            pass  # it has said why
        except Exception:
            log.exception("recorded programs are not watched any more")

    async def _started(self, name: str) -> None:
        found = await self._project_of(name)
        if found is not None:
            before = [one for one in self._recorded if one.root == found.root]
            others = [*found.others, *(before[0].others if before else ())]
            found = replace(found, others=tuple(dict.fromkeys(others))[:MOST_PROJECTS])
            self._recorded = [found, *(one for one in self._recorded if one not in before)][:MOST_PROJECTS]

    async def _ended(self, name: str) -> None:
        """The files that calls of a run named are worth watching, too, wherever they lie."""
        found = await self._project_of(name)
        for index, one in enumerate(self._recorded):
            if found is not None and one.root == found.root:
                files = [file for file in await self._store.files_of([name]) if os.path.isabs(file)]
                places = {os.path.dirname(file) for file in files if not _is_installed(file)}
                elsewhere = [place for place in places if not is_below(place, one.root)]
                roots = await in_thread(partial(_roots_of, elsewhere))
                others = tuple(dict.fromkeys([*roots, *one.others]))[:MOST_PROJECTS]
                self._recorded[index] = replace(one, others=others)
                return

    async def _project_of(self, name: str) -> Recorded | None:
        run = await self._store.run(name)
        return await in_thread(partial(recorded, run)) if run is not None else None

    # -- which folders

    async def _settle(self) -> None:
        """Watch what is to be watched now, and nothing else."""
        wanted = await self._wanted()
        for real in [real for real in self._folders if real not in wanted]:
            log.info("%s is watched no more", real)
            await self._folders.pop(real).close()
            del self._pythons[real]
        for real, names in wanted.items():
            await self._have(real, names)
        for one in self._recorded:
            for folder, place in self._places(one.script) if one.script is not None else ():
                folder.add_program(place)
        await self._claim()

    async def _claim(self) -> None:
        """Watch the projects of files that were saved where nothing was watched."""
        unclaimed, self._watcher.unclaimed = self._watcher.unclaimed, {}
        for path, name in unclaimed.items():
            editor = self._watcher.editors.get(name)
            if editor is not None and not self.saved(path) and not _is_installed(path):
                editor.saved += await in_thread(partial(_roots_of, [os.path.dirname(path)]))
                del editor.saved[:-MOST_SAVED_FOLDERS]
                self._watcher.stirred.set()

    async def _wanted(self) -> dict[str, set[str]]:
        """The folders to watch, by their real paths, with the other paths of each."""
        named = [folder for editor in self._watcher.editors.values() for folder in editor.all]
        named += [root for one in self._recorded for root in (one.root, *one.others)]
        named = list(dict.fromkeys(named))
        # Each time: a link may lead elsewhere by now.
        asked = {folder: asyncio.ensure_future(in_thread(partial(os.path.realpath, folder))) for folder in named}
        if asked:
            await asyncio.wait(asked.values(), timeout=_RESOLVE_S)
        for folder, answer in asked.items():
            if answer.done() and answer.exception() is None:
                self._real[folder] = answer.result()
            else:
                answer.cancel()
                self._real.pop(folder, None)
                log.warning("%s does not answer; it is not watched", folder)
        found: dict[str, set[str]] = {}
        for folder in named:
            if folder in self._real:
                found.setdefault(self._real[folder], set()).add(folder)
        return {real: names - {real} for real, names in found.items()}

    async def _have(self, real: str, names: set[str]) -> None:
        env = next((editor.env for editor in self._editors_of(real)), {})
        runs = [
            replace(one, root=self._resolved(one.root)[0], others=self._resolved(*one.others)) for one in self._recorded
        ]
        python = await in_thread(partial(interpreter_of, real, runs, env))
        before, self._pythons[real] = self._pythons.get(real), python
        folder = self._folders.get(real)
        if folder is None:
            folder = self._folders[real] = Folder(real, names, self._events, self._changed, self._turns)
            folder.begin()
        elif before != python or not names <= folder.names:
            folder.names |= names
            folder.hand_on_everything()

    def _resolved(self, *folders: str) -> tuple[str, ...]:
        return tuple(self._real.get(folder, folder) for folder in folders)

    def _editors_of(self, real: str) -> list[EditorFolders]:
        """The editors that have a folder open."""
        editors = self._watcher.editors.values()
        return [editor for editor in editors if any(self._real.get(name) == real for name in editor.all)]

    def _places(self, path: str) -> list[tuple[Folder, str]]:
        """The folders that a file lies in, by whichever of their paths, and its path by their real one."""
        found = []
        for folder in self._folders.values():
            for root in (folder.root, *folder.names):
                if is_below(path, root) and path != root:
                    found.append((folder, folder.root.rstrip(os.sep) + path[len(root.rstrip(os.sep)) :]))
                    break
        return found

    def _changed(self, folder: Folder, files: Sequence[Wanted], saved: bool) -> None:
        if any(editor.shows for editor in self._editors_of(folder.root)):
            files = [replace(file, show=True) for file in files]
        self._compiling.add(self._pythons[folder.root], files, saved)


def _is_installed(path: str) -> bool:
    return any(part in path for part in _INSTALLED)


def _roots_of(folders: Sequence[str]) -> list[str]:
    return [project_root(folder) for folder in folders]


def _file_events() -> Events | None:
    """The source of file events; None where there is none."""
    try:
        if sys.platform == "linux":
            from ao_lsp.server.watch.inotify import Inotify

            return Inotify()
        from ao_lsp.server.watch.observer import Observed

        return Observed()
    except Exception as error:
        log.warning("no file events, everything is polled: %s", getattr(error, "strerror", None) or error)
        return None
