"""What a user can do at a place: each offer is a command with its one argument."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ao_lsp.server.lsp.recorded import words
from ao_lsp.server.lsp.recorded.places import Place
from ao_lsp.server.lsp.recorded.recordings import MOST_RUNS
from ao_lsp.server.model import Call

ACTION_KIND = "refactor.rewrite.ao"
SOURCE_KIND = "source.ao"

_MOST_EDITS = _MOST_CALLS = 9


@dataclass(frozen=True, slots=True)
class Offer:
    """`title` is for a lens, which is at the call; `label` for a menu, which is not."""

    title: str
    label: str
    command: str
    argument: dict[str, Any]

    @property
    def kind(self) -> str:
        """Of the code action."""
        return f"{ACTION_KIND}.{self.command.removeprefix('ao.')}"


def offers(place: Place, file: str, records: bool = False, asks: bool = True) -> list[Offer]:
    """The offers at a place in `file`, in the order in which they are shown. `records`: the client records programs by
    itself; others are told how. `asks`: it can ask its user which of several calls is meant; for others there is an
    offer for each."""
    if place.record is None:
        said = (
            ("▶ record", "ao: record this program") if records else ("not recorded yet", "ao: how to record this call")
        )
        return [Offer(*said, "ao.record", {"file": file})]
    run, calls = place.record.run, place.calls
    ended = [call for call in calls if call.status != "running"]
    answered = [call for call in ended if call.status == "ok"]
    found: list[Offer] = []
    if ended:
        found += of_calls("▶ rerun from here", "rerun from", "ao.rerunFrom", run.id, ended[0], ended, asks)
    if answered:
        found += of_calls("✎ output", "edit the output of", "ao.editOutput", run.id, answered[-1], answered, asks)
    if ended:
        found += of_calls("✎ input", "edit the input of", "ao.editInput", run.id, ended[-1], ended, asks)
    edited = [(call, field) for call in calls for field in ("output", "input") if _is_edited(place, call, field)]
    for call, field in edited[:_MOST_EDITS]:
        argument = {"run": run.id, "call": call.id, "field": field}
        which = f" of {call.number}" if len(calls) > 1 else ""
        label = f"ao: take back the edited {field} of {words.call_name(call)}"
        found.append(Offer(f"↶ edited {field}{which}", label, "ao.unedit", argument))
    shown = {"run": run.id, "format": "text", "open": True}
    found.append(Offer("graph", f"ao: graph of {run.name}", "ao.graph", shown))
    last = {"run": run.id, "call": calls[-1].id, "open": True}
    found.append(Offer(words.summary(calls, run), f"ao: show {words.call_name(calls[-1])} whole", "ao.call", last))
    if place.earlier:  # last: it is what a narrow window cuts off
        count = 1 + len(place.earlier)
        least = f"{count}{'+' if count >= MOST_RUNS else ''} runs…"
        argument = {"run": run.id, "call": calls[-1].id}
        found.append(Offer(least, f"ao: choose a call of {least}", "ao.chooseCall", argument))
    return found


def _is_edited(place: Place, call: Call, field: str) -> bool:
    return place.record is not None and (call.id, field) in place.record.edits


def of_calls(
    title: str, verb: str, command: str, run: str, call: Call, among: list[Call], asks: bool = True
) -> list[Offer]:
    """What can be done with one of the calls `among`: an offer that asks which, or, where nobody can be asked, one for
    each of the last calls. `call` is what is meant where asking fails."""
    if len(among) == 1 or not asks:
        return [
            Offer(title, f"ao: {verb} {words.call_name(one)}", command, {"run": run, "call": one.id})
            for one in among[-_MOST_CALLS:]
        ]
    label = f"ao: {verb} {words.call_name(among[0])} or {words.counted(len(among) - 1, 'more call')}…"
    return [Offer(title, label, command, {"run": run, "call": call.id, "here": True})]


def file_offers(places: Sequence[Place], file: str) -> list[tuple[str, Offer]]:
    """What can be done with a whole file, with the kind of each action; nothing where it is no business of ours."""
    if not places:
        return []
    found = []
    last = max((place.record.run for place in places if place.record), key=lambda run: run.started, default=None)
    if last is not None:
        shown = {"run": last.id, "format": "text", "open": True}
        found.append(
            (f"{SOURCE_KIND}.graph", Offer("", f"ao: graph of the last run of {last.name}", "ao.graph", shown))
        )
    record = Offer("", "ao: record this file", "ao.record", {"file": file})
    return [*found, (f"{SOURCE_KIND}.record", record)]
