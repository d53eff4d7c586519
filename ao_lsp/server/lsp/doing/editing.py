"""Editing an output or input where it stands: a real file, whose saving is the edit.

Works in every editor. One that has the file open under this server says so when it is saved; others
(Neovim attaches servers by file type) are not waited for: the files that were opened from here are
looked at a few times a second for as long as the editor is there.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from lsprotocol import types as lsp

from ao_lsp.server import editor_files, refs
from ao_lsp.server.commands import execute
from ao_lsp.server.editable import edit_file, recorded
from ao_lsp.server.editor_files import EditOf
from ao_lsp.server.lsp.buffers.uris import file_of, uri_of
from ao_lsp.server.lsp.connection.dispatch import AnswerError
from ao_lsp.server.lsp.doing import reruns
from ao_lsp.server.lsp.recorded import words
from ao_lsp.server.mistakes import mistake
from ao_lsp.server.model import Call, Change, EditField
from ao_lsp.server.params import CommandError
from ao_lsp.server.store import StoreError

if TYPE_CHECKING:
    from ao_lsp.server.lsp.editor import Editor

_LOOK_S = 0.3

_WRITTEN_S, _TRIES = 0.05, 3
"""How long a file that is empty may be just being written, and how often it is read."""

_RERUN, _LATER = "Rerun from here", "Not now"


_POSITION = re.compile(r": line \d+ column \d+ \(char \d+\)$")
"""With which Python's reasons why something is no JSON end."""

_State: TypeAlias = "tuple[int, int, int]"


@dataclass(slots=True)
class _Watched:
    """An edit file that was opened from here: what it is of, its state, the last text that was acted on, and the state
    in which it was seen last."""

    edit: EditOf
    state: _State | None
    text: str | None
    seen: _State | None = None
    unstored: int = 0
    """How many texts were read of it and are not stored yet."""


class Editing:
    """The edit files of one editor."""

    def __init__(self, editor: Editor) -> None:
        self._editor = editor
        self._watched: dict[str, _Watched] = {}
        self._looking = False
        # One after the other: of two at once, the later one could be done first.
        self._reading, self._storing = asyncio.Lock(), asyncio.Lock()
        self._asking: set[EditOf] = set()
        self._marked: set[str] = set()

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
            text = await _read_whole(path)
            if watched is not None:
                watched.state = _state(path)
                if text == watched.text:  # seen already
                    return
                watched.text = text
                watched.unstored += 1
        await self._store(path, edit, text)

    def changed(self, changes: Iterable[Change]) -> None:
        """What was committed: an edit file of a run that is gone is no longer of interest."""
        deleted = {run for change in changes if change.kind == "run.deleted" for run in change.gone}
        for path in [path for path, watched in self._watched.items() if watched.edit.run in deleted]:
            del self._watched[path]
        edited = {(change.run, change.call) for change in changes if change.kind in ("edit.stored", "edit.removed")}
        for path, watched in self._watched.items():
            if (watched.edit.run, watched.edit.call) in edited:
                self._editor.spawn(self._bring_up_to_date(path, watched))

    async def _bring_up_to_date(self, path: str, watched: _Watched) -> None:
        """What counts has changed, here or elsewhere: the file says it, if nobody has written something else to it."""
        async with self._reading, self._storing:
            text = await asyncio.to_thread(editor_files.read_edit, path)
            if text is None or text != watched.text or watched.unstored or self._watched.get(path) is not watched:
                return
            try:
                edit = watched.edit
                graph = await refs.find_graph(self._editor.core, edit.run)
                was = await recorded(self._editor.core, refs.find_call(graph, edit.call), edit.field)
                now = await self._edited(edit)
                content = was if now is None else now
                if editor_files.as_meant(text, [content]) != content:
                    await asyncio.to_thread(editor_files.write_edit, path, content, (text,))
                    watched.state, watched.text = _state(path), content
            except (CommandError, StoreError, OSError):
                return  # it stays as it is; saved, it is an edit

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
                    seen, watched.seen = watched.seen, state
                    if state is None or state == watched.state or state != seen:
                        continue
                    async with self._reading:
                        watched.state = state
                        text = await asyncio.to_thread(editor_files.read_edit, path)
                        if text != watched.text and self._watched.get(path) is watched:
                            watched.text = text
                            watched.unstored += 1
                            self._editor.spawn(self._store(path, watched.edit, text))
        finally:
            self._looking = False

    # -- what a saved text means

    async def _store(self, path: str, edit: EditOf, text: str | None) -> None:
        """Store what was saved, or take the edit back where it is as it was recorded; then offer to rerun."""
        if text is None:
            if path in self._watched:
                self._watched[path].unstored = 0
            self._editor.say(f"{path} cannot be read as UTF-8 text; the edit was not stored", lsp.MessageType.Error)
            return
        try:
            call = await self._stored_in_turn(path, edit, text)
        except CommandError as error:
            self._refused(path, text, error)
            return
        except StoreError as error:
            self._refused(path, text, CommandError(error.code, str(error), error.hint))
            return
        self._mark(path, None)
        if call is not None and edit not in self._asking:  # one question is enough
            self._asking.add(edit)
            try:
                await self._offer_rerun(call, edit.field)
            finally:
                self._asking.discard(edit)

    async def _stored_in_turn(self, path: str, edit: EditOf, text: str) -> Call | None:
        try:
            async with self._storing:
                return await self._stored(edit, text)
        finally:
            if path in self._watched:
                self._watched[path].unstored = max(0, self._watched[path].unstored - 1)

    async def _stored(self, edit: EditOf, text: str) -> Call | None:
        """The call, where there is an edit of it that has not been there before.

        Raises:
            CommandError: it is refused, or there is no such call.
            StoreError: the database fails.
        """
        core, caller = self._editor.core, self._editor.caller
        graph = await refs.find_graph(core, edit.run)
        call = refs.find_call(graph, edit.call)
        was, before = await recorded(core, call, edit.field), await self._edited(edit)
        text = editor_files.as_meant(text, [one for one in (before, was) if one is not None])
        if text == before:
            return None
        params = {"run": edit.run, "call": edit.call, "field": edit.field}
        if text != was:
            await execute(core, caller, "ao.edit", {**params, "content": text})
            return call
        if before is not None:
            await execute(core, caller, "ao.unedit", {**params, "all": True})
            self._editor.say(f"took back the edited {edit.field} of {words.call_name(call)}")
        return None

    async def _edited(self, edit: EditOf) -> str | None:
        """The edit that counts; None where there is none."""
        edits = await self._editor.core.store.edits(edit.run)
        return next((one.content for one in edits if (one.call, one.field) == (edit.call, edit.field)), None)

    def _refused(self, path: str, text: str, error: CommandError) -> None:
        """Say why an edit was not stored, and where in the file that is."""
        hint = f" ({error.hint})" if error.hint and error.code != "refused" else ""
        at = mistake(text, str(error)) if error.code == "refused" else None
        reason = str(error) if at is None else _POSITION.sub("", str(error))
        # In front: some editors show no more than the beginning.
        where = "" if at is None else f"line {at[0] + 1}, column {at[1] + 1}: "
        self._editor.say(f"the edit was not stored: {where}{reason}{hint}", lsp.MessageType.Error)
        if error.code != "refused":
            if path in self._watched:
                self._watched[path].text = None  # saved once more as it is, it may be stored
        else:
            line, column = at or (0, 0)
            content = text.split("\n")[line]
            start, end = (self._editor.units.from_column(content, one) for one in (column, len(content)))
            extent = lsp.Range(lsp.Position(line, start), lsp.Position(line, max(start, end)))
            self._mark(path, lsp.Diagnostic(extent, reason, lsp.DiagnosticSeverity.Error, source="ao"))

    def _mark(self, path: str, mark: lsp.Diagnostic | None) -> None:
        """Show what is wrong with an edit file where it is wrong; None: nothing is."""
        if mark is None and path not in self._marked:
            return
        (self._marked.discard if mark is None else self._marked.add)(path)
        shown = lsp.PublishDiagnosticsParams(uri_of(path), [] if mark is None else [mark])
        self._editor.protocol.tell(lsp.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS, shown)

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
            if await self._edited(EditOf(call.run, call.id, field)) is None:
                self._editor.say("the edit was taken back meanwhile: nothing is rerun")
                return
            try:
                await reruns.start(self._editor, run=call.run, **{"from": call.id})
            except CommandError as error:
                self._editor.say(f"it cannot be rerun: {error}", lsp.MessageType.Error)


async def _read_whole(path: str) -> str | None:
    """The text of a file that may be written again just now, by an editor that empties it first."""
    for _ in range(_TRIES):
        before = _state(path)
        text = await asyncio.to_thread(editor_files.read_edit, path)
        if text and _state(path) == before:
            break
        await asyncio.sleep(_WRITTEN_S)
    return text


def _state(path: str) -> _State | None:
    """What changes when a file is saved, whether it is written anew or replaced; None where it is gone."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
