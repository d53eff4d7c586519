"""The file watcher as the daemon and its editors know it. What it takes to watch is imported when it begins."""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ao_lsp import paths
from ao_lsp.server.changes import Changes
from ao_lsp.server.configuration import of_daemon
from ao_lsp.server.results.daemon import WatchedJson
from ao_lsp.server.store import Store

if TYPE_CHECKING:
    from ao_lsp.server.watch.folders import Folders

log = logging.getLogger(__name__)

_BEGIN_S = 1.0
"""Who has started the daemon is served first."""

_CLEAN_AFTER_S, _CLEAN_EVERY_S = 60.0, 6 * 3600.0

MOST_SAVED_FOLDERS = 8
"""Of an editor, so many projects of files that it saved outside of its own folders."""


@dataclass(slots=True)
class EditorFolders:
    """The folders of one editor, the projects of other files that it saved, and the environment that it runs in."""

    folders: tuple[str, ...]
    env: Mapping[str, str]
    saved: list[str] = field(default_factory=list)

    @property
    def all(self) -> list[str]:
        return [*self.folders, *self.saved]

    @property
    def shows(self) -> bool:
        """Whether the rewritten source is wanted beside each file."""
        return self.env.get("DEBUG_AST_REWRITES") == "1"


class Watcher:
    """Begins with `begin`, ends with `close`. What goes wrong in it is logged, and costs warm starts only."""

    def __init__(self, store: Store, changes: Changes, busy: Callable[[], None] = lambda: None) -> None:
        """`busy` is called when there is something to compile, and when there is no more."""
        self._store, self._changes, self.busy = store, changes, busy
        self.editors: dict[Hashable, EditorFolders] = {}
        self.stirred = asyncio.Event()
        self.unclaimed: dict[str, Hashable] = {}
        """Files that were saved where nothing is watched yet, with the editor that did."""
        self._folders: Folders | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self) -> None:
        if is_wanted():
            self._tasks = [asyncio.create_task(self._watch()), asyncio.create_task(self._keep_clean())]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def status(self) -> list[WatchedJson]:
        """What is watched."""
        return self._folders.status() if self._folders is not None else []

    def editor_has(self, editor: Hashable, folders: Iterable[str], env: Mapping[str, str] | None) -> None:
        """An editor has come, or has other folders than before."""
        before = self.editors.get(editor)
        listed = tuple(dict.fromkeys(folders))
        self.editors[editor] = EditorFolders(listed, env or {}, before.saved if before is not None else [])
        self.stirred.set()

    def editor_left(self, editor: Hashable) -> None:
        if self.editors.pop(editor, None) is not None:
            self.stirred.set()

    def saved(self, editor: Hashable, path: str) -> None:
        """An editor has saved a file."""
        if not self._tasks or not path.endswith(".py"):
            return
        if self._folders is None or not self._folders.saved(path):
            self.unclaimed[path] = editor
            self.stirred.set()

    def waiting(self, editor: Hashable | None = None) -> int:
        """How many files wait to be compiled, or are at it: all, or those in the folders of an editor."""
        if self._folders is None:
            return 0
        return self._folders.waiting(None if editor is None else self.editors.get(editor))

    def leave_out(self, editor: Hashable) -> None:
        """An editor's user does not want to wait for what is to be compiled in its folders. What is saved from now on
        is compiled all the same, and what is run is compiled then."""
        if self._folders is not None and editor in self.editors:
            self._folders.leave_out(self.editors[editor])

    async def _watch(self) -> None:
        # Not `wait_for`: before Python 3.12 it can forget that it is cancelled.
        stirring = asyncio.ensure_future(self.stirred.wait())
        try:
            await asyncio.wait({stirring}, timeout=_BEGIN_S)
        finally:
            stirring.cancel()
        try:
            module = await asyncio.to_thread(importlib.import_module, "ao_lsp.server.watch.folders")
            self._folders = module.Folders(self, self._store)
            with self._changes.subscribe() as changes:
                await self._folders.keep(changes)
        except Exception:
            log.exception("nothing is compiled ahead of time")
        finally:
            if self._folders is not None:
                await self._folders.close()

    async def _keep_clean(self) -> None:
        await asyncio.sleep(_CLEAN_AFTER_S)
        module = await asyncio.to_thread(importlib.import_module, "ao_lsp.server.watch.cleaning")
        while True:
            await module.keep_small(paths.pyc_dir())
            await asyncio.sleep(_CLEAN_EVERY_S)


def is_wanted() -> bool:
    """Whether files are to be watched: the setting `watch`."""
    return bool(of_daemon("watch", True))
