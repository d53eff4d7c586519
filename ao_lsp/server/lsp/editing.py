"""Editing an output or input where it stands: a real file, whose saving is the edit.

Works in every editor. One that has the file open under this server says so when it is saved; others
(Neovim attaches servers by file type) are not waited for: the files that were opened from here are
looked at a few times a second for as long as the editor is there.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsprotocol import types as lsp

from ao_lsp.server import editor_files, refs
from ao_lsp.server.commands import execute
from ao_lsp.server.editable import edit_file, recorded
from ao_lsp.server.editor_files import EditOf
from ao_lsp.server.lsp import reruns, words
from ao_lsp.server.lsp.dispatch import AnswerError
from ao_lsp.server.lsp.documents import file_of
from ao_lsp.server.model import Call, Change, EditField
from ao_lsp.server.params import CommandError

if TYPE_CHECKING:
    from ao_lsp.server.lsp.editor import Editor

_LOOK_S = 0.3

_RERUN, _LATER = "Rerun from here", "Not now"


@dataclass(slots=True)
class _Watched:
    """An edit file that was opened from here: what it is of, its state, and the last text that was acted on."""

    edit: EditOf
    state: tuple[int, int] | None
    text: str | None


class Editing:
    """The edit files of one editor."""

    def __init__(self, editor: Editor) -> None:
        self._editor = editor
        self._watched: dict[str, _Watched] = {}
        self._looking = False
        # One read after the other: of two at once, the later one could be done first.
        self._reading = asyncio.Lock()

    async def open(self, run: str, call: str, field: EditField) -> str:
        """Open the file in which `field` of a call is edited, and return its path.

        Raises:
            CommandError: there is no such call, or nothing to edit.
            StoreError: the database fails.
        """
        file = await edit_file(self._editor.core, run, call, field)
        path, found = file.path, file.call
        self._watched[path] = _Watched(EditOf(found.run, found.id, field), _state(path), file.content)
        self._look_after()
        await self._editor.show(path, f"the {field} of {words.call_name(found)}")
        return path

    async def saved(self, uri: str) -> None:
        """The editor has saved a file: an edit, where it is an edit file."""
        path = file_of(uri)
        edit = editor_files.edit_of(path) if path is not None else None
        if path is None or edit is None:
            return
        async with self._reading:
            watched = self._watched.get(path)
            text = await asyncio.to_thread(editor_files.read_edit, path)
            if watched is not None:
                watched.state = _state(path)
                if text == watched.text:  # seen already
                    return
                watched.text = text
        await self._store(path, edit, text)

    def changed(self, changes: Iterable[Change]) -> None:
        """What was committed: an edit file of a run that is gone is no longer of interest."""
        deleted = {run for change in changes if change.kind == "run.deleted" for run in change.gone}
        for path in [path for path, watched in self._watched.items() if watched.edit.run in deleted]:
            del self._watched[path]

    # -- files that nobody tells of

    def _look_after(self) -> None:
        if not self._looking:
            self._looking = True
            self._editor.spawn(self._look())

    async def _look(self) -> None:
        try:
            while self._watched:
                await asyncio.sleep(_LOOK_S)
                for path, watched in list(self._watched.items()):
                    state = _state(path)
                    # A file that changes from one look to the next is being written.
                    if state is None or state == watched.state:
                        continue
                    async with self._reading:
                        watched.state = state
                        text = await asyncio.to_thread(editor_files.read_edit, path)
                        if text != watched.text and self._watched.get(path) is watched:
                            watched.text = text
                            self._editor.spawn(self._store(path, watched.edit, text))
        finally:
            self._looking = False

    # -- what a saved text means

    async def _store(self, path: str, edit: EditOf, text: str | None) -> None:
        """Store what was saved, or take the edit back where it is as it was recorded; then offer to rerun."""
        if text is None:
            self._editor.say(f"{path} cannot be read as UTF-8 text; the edit was not stored", lsp.MessageType.Error)
            return
        core, caller = self._editor.core, self._editor.caller
        try:
            graph = await refs.find_graph(core, edit.run)
            call = refs.find_call(graph, edit.call)
            known = {(one.call, one.field): one.content for one in await core.store.edits(edit.run)}
            before = known.get((edit.call, edit.field))
            params = {"run": edit.run, "call": edit.call, "field": edit.field}
            if text == before:
                return
            if text == await recorded(core, call, edit.field):
                if before is not None:
                    await execute(core, caller, "ao.unedit", {**params, "all": True})
                    self._editor.say(f"took back the edited {edit.field} of {words.call_name(call)}")
                return
            await execute(core, caller, "ao.edit", {**params, "content": text})
        except CommandError as error:
            hint = f" ({error.hint})" if error.hint and error.code != "refused" else ""
            self._editor.say(f"the edit was not stored: {error}{hint}", lsp.MessageType.Error)
            return
        await self._offer_rerun(call, edit.field)

    async def _offer_rerun(self, call: Call, field: EditField) -> None:
        told = f"stored the edited {field} of {words.call_name(call)}"
        try:
            params = {"run": call.run, "from": call.id, "dry_run": True}
            plan = await execute(self._editor.core, self._editor.caller, "ao.plan", params)
            question = f"{told}. Rerun from here? {plan['estimate']['summary']}"
        except CommandError:  # a question without a price is one, too
            question = f"{told}. Rerun from here?"
        try:
            chosen = await self._editor.choose(question, (_RERUN, _LATER))
        except AnswerError:  # a client that cannot ask
            self._editor.say(told)
            return
        if chosen == _RERUN:
            try:
                await reruns.start(self._editor, run=call.run, **{"from": call.id})
            except CommandError as error:
                self._editor.say(f"it cannot be rerun: {error}", lsp.MessageType.Error)


def _state(path: str) -> tuple[int, int] | None:
    """What changes when a file is saved, whether it is written anew or replaced; None where it is gone."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino
