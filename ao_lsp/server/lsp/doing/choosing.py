"""Asks the user which run, which subrun, which call, of those that were made at one place."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from ao_lsp.server import subruns
from ao_lsp.server.commands.choosing import MOST_RUNS
from ao_lsp.server.lsp.connection.dispatch import AnswerError
from ao_lsp.server.lsp.recorded import words
from ao_lsp.server.lsp.recorded.places import Place, Visit, find_places, spots
from ao_lsp.server.lsp.recorded.recordings import Record
from ao_lsp.server.model import Call
from ao_lsp.server.params import CommandError
from ao_lsp.server.render import labels

if TYPE_CHECKING:
    from ao_lsp.server.lsp.editor import Editor

T = TypeVar("T")

MOST_CHOICES = 9
_MORE, _OTHER_RUN = "more…", "another run…"
_PREVIEW = 40


async def pick(
    editor: Editor, question: str, choices: Sequence[tuple[str, T]], last: tuple[str, T] | None = None
) -> T | None:
    """What the user picks, of pages of at most nine; None where they pick nothing. `last` ends each page.

    Raises:
        AnswerError: the client cannot ask.
    """
    left = _distinct(choices)
    room = MOST_CHOICES - (last is not None)
    while True:
        page = left if len(left) <= room else left[: room - 1]
        left = left[len(page) :]
        offered = [title for title, _ in page] + ([_MORE] if left else []) + ([last[0]] if last else [])
        chosen = await editor.choose(question, offered)
        if chosen == _MORE and left:
            continue
        return next((value for title, value in [*page, *([last] if last else [])] if title == chosen), None)


def _distinct(choices: Sequence[tuple[str, T]]) -> list[tuple[str, T]]:
    """What looks the same gets a number: answers come as titles."""
    seen: dict[str, int] = {}
    found = []
    for title, value in choices:
        seen[title] = seen.get(title, 0) + 1
        found.append((title if seen[title] == 1 else f"{title} ({seen[title]})", value))
    return found


async def choose_call(editor: Editor, question: str, run: str, call: Call, runs_first: bool = False) -> Call | None:
    """One of the calls at the place where `call` of `run` stands now, of an open buffer; None where the user chooses
    nothing. `runs_first`: which run is asked first, else only when the user wants another one.

    Raises:
        StoreError: the database fails.
        CommandError: the run has just been deleted.
    """
    visits = await _visits(editor, run, call)
    try:
        return await _asked(editor, question, visits, runs_first and len(visits) > 1)
    except AnswerError:
        name = words.call_name(call)
        told = f"{editor.client.name} cannot ask which call is meant; taken was {name} of run {run}"
        editor.say(f"{told}. From now on the menu of code actions names each")
        return call


async def _asked(editor: Editor, question: str, visits: Sequence[Visit], runs_first: bool) -> Call | None:
    visit = await _choose_run(editor, visits) if runs_first else visits[0]
    while visit is not None:
        chosen = await _choose_of(editor, question, visit, len(visits) > 1 and not runs_first)
        if not isinstance(chosen, Visit):
            return chosen
        visit = await _choose_run(editor, visits)
    return None


async def _choose_run(editor: Editor, visits: Sequence[Visit]) -> Visit | None:
    newest_first = sorted(visits, key=lambda visit: visit.record.run.started, reverse=True)
    return await pick(editor, "Which run?", [(_told_run(visit), visit) for visit in newest_first])


def _told_run(visit: Visit) -> str:
    run = visit.record.run
    at = datetime.fromtimestamp(run.started).astimezone().strftime("%d %b %H:%M:%S")
    edited = any((call.id, field) in visit.record.edits for call in visit.calls for field in ("output", "input"))
    return words.joined(
        [at, labels.clean(run.name), run.status, words.counted(len(visit.calls), "call"), "edited" if edited else ""]
    )


async def _choose_of(editor: Editor, question: str, visit: Visit, other_runs: bool) -> Call | Visit | None:
    """A call of a run; the run itself where another one is wanted."""
    calls = visit.calls
    last: tuple[str, Call | Visit] | None = (_OTHER_RUN, visit) if other_runs else None
    names = subruns.names(visit.record.graph)
    inside = list(dict.fromkeys(call.run for call in calls))
    if len(inside) > 1 and len(calls) > MOST_CHOICES - other_runs:
        named: list[tuple[str, tuple[Call, ...] | Visit]] = []
        for one in inside:
            own = tuple(call for call in calls if call.run == one)
            named.append((words.joined([names.get(one) or "outside of subruns", words.counted(len(own), "call")]), own))
        found = await pick(editor, "Which subrun?", named, (_OTHER_RUN, visit) if other_runs else None)
        if found is None or isinstance(found, Visit):
            return found
        calls, last = found, None
    if len(calls) == 1 and last is None:
        return calls[0]
    told: list[tuple[str, Call | Visit]] = [
        (_told_call(call, visit.record, names.get(call.run)), call) for call in calls
    ]
    return await pick(editor, question, told, last)


def _told_call(call: Call, record: Record, subrun: str | None) -> str:
    said = words.output(call, record.run, None, record.edits.get((call.id, "output")))
    return words.joined([words.call_name(call), subrun or "", words.shortened(said.removeprefix("→ "), _PREVIEW)])


async def _visits(editor: Editor, run: str, call: Call) -> list[Visit]:
    """The calls at the place of `call`: of `run` first, then of the others that came there, newest first."""
    record = await editor.recordings.of_run(run)
    if record is None:
        raise CommandError("not_found", f"run {run} has just been deleted")
    for uri in list(editor.documents):
        attached = await editor.attached(uri)
        for place in attached.places if attached is not None else ():
            known = _known(place)
            own = next((visit for visit in known if any(one.id == call.id for one in visit.calls)), None)
            if attached is None or own is None:
                continue
            found = {visit.record.run.id: visit for visit in known}
            for other in await editor.core.store.runs_in_files(list(attached.names), MOST_RUNS):
                if other in found or other in {one.run.id for one in attached.records}:
                    continue
                older = await editor.recordings.of_run(other)
                again = find_places(attached.follower, spots(attached.names, [older])) if older is not None else ()
                found.update(
                    (other, Visit(one.record, one.calls))
                    for one in again
                    if one.extent == place.extent and one.record is not None and one.calls
                )
            rest = sorted(found.values(), key=lambda visit: visit.record.run.started, reverse=True)
            return [own, *(visit for visit in rest if visit.record.run.id != own.record.run.id)]
    at_site = tuple(one for one in record.graph.calls if one.site == call.site)
    return [Visit(record, at_site or (call,))]


def _known(place: Place) -> list[Visit]:
    newest = [Visit(place.record, place.calls)] if place.record is not None and place.calls else []
    return [*newest, *place.earlier]
