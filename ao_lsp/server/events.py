"""The changes of a session for whoever wants to follow it: from any number on, each once, in order (docs/wire.md).

The store numbers what it commits, without gaps, and keeps the newest. A client that remembers the number of the last
change that it has seen misses nothing, however often it, or the daemon, goes away in between. Where the changes after
its number are not all there any more, it gets a snapshot: how things stand, and the number to go on from.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any

from ao_lsp.server import command, refs, views
from ao_lsp.server.changes import Subscription
from ao_lsp.server.core import Core
from ao_lsp.server.model import Change
from ao_lsp.server.params import CommandError, param
from ao_lsp.server.results.events import ChangeJson, EventsJson
from ao_lsp.server.views import Json

_AT_ONCE = 1000
"""So many changes go into one message at most."""


@dataclass(frozen=True, slots=True)
class EventsParams:
    run: str | None = param(
        f"only changes of this run and its session: {command.RUN.removeprefix('which run: ')}", None
    )
    session: str | None = param("only changes of this session", None)
    after: int = param("only changes numbered higher than this, of a run or session", 0)
    follow: bool = param("go on with what is yet to come", True)


@dataclass(frozen=True, slots=True)
class Range:
    """Whose changes are wanted: those of a session, or only of the outermost run `run` in it."""

    session: str
    run: str | None = None

    def has(self, change: Change) -> bool:
        return change.session == self.session and self.run in (None, change.run)


async def find_range(core: Core, params: EventsParams) -> Range | None:
    """What `params` name; None: everything.

    Raises:
        CommandError: there is no such run or session, or it makes no sense.
        StoreError: the database fails.
    """
    if params.after < 0:
        raise CommandError("bad_params", "after must be at least 0")
    if params.run is not None:
        if params.session is not None:
            raise CommandError("bad_params", "either run or session")
        run = await core.store.run(await refs.find_run(core.store, params.run))
        if run is None:
            raise CommandError("not_found", f"run {params.run} has just been deleted")
        return Range(run.session, run.root or run.id)
    if params.session is None:
        if params.after:
            raise CommandError("bad_params", "numbers are those of one session; after needs a run or a session")
        return None
    if await core.store.session(params.session) is None:
        raise CommandError("not_found", f"no such session: {params.session}")
    return Range(params.session)


async def since(core: Core, wanted: Range, after: int) -> list[EventsJson]:
    """What follows the change numbered `after`, as messages with `session` and `seq` (where to go on) each.

    Raises:
        StoreError: the database fails.
    """
    found = await core.store.changes_since(wanted.session, after)
    if found is None:
        return [await snapshot(core, wanted)]
    return _messages(wanted, found)


def _messages(wanted: Range, changes: list[Change]) -> list[EventsJson]:
    made: list[EventsJson] = []
    for start in range(0, len(changes), _AT_ONCE):
        part = changes[start : start + _AT_ONCE]
        listed = [change_json(change) for change in part if wanted.has(change)]
        made.append({"session": wanted.session, "seq": part[-1].seq, "changes": listed})
    return made


async def snapshot(core: Core, wanted: Range) -> EventsJson:
    """How things stand. They may stand as they do after later changes than `seq`: to hear of those again changes
    nothing."""
    session = await core.store.session(wanted.session)
    outline = await core.store.outline(wanted.session)
    runs = [run for run in outline if wanted.run in (None, run.root or run.id)]
    return {
        "session": wanted.session,
        "seq": session.last_change if session is not None else 0,
        "snapshot": {
            "runs": [
                {
                    "id": run.id,
                    "subrun_of": run.subrun_of,
                    "status": run.status,
                    "calls": [{"id": call, "status": status} for call, status in run.calls],
                }
                for run in runs
            ]
        },
    }


async def follow(core: Core, wanted: Range | None, after: int) -> AsyncGenerator[Mapping[str, Any], None]:
    """What follows the change numbered `after`, and then what comes, for ever. Of everything (`wanted` is None) there
    is no number to go on from; where something of it was missed, `{"missed": true}` says so.

    Raises:
        StoreError: the database fails.
    """
    with core.changes.subscribe(None if wanted is None else wanted.session) as subscription:
        if wanted is None:
            async for news in _everything(subscription):
                yield news
            return
        read = True
        while True:
            if read:
                messages = await since(core, wanted, after)
            else:
                fresh = await subscription.next()
                fresh = [change for change in fresh if change.seq > after]
                # With a gap, or where nobody says what it was, the store is read.
                dense = not fresh or fresh[-1].seq - after == len(fresh)
                read = subscription.missed() or not dense
                if read:
                    continue
                messages = _messages(wanted, fresh)
            read = False
            for message in messages:
                after = message["seq"]
                if message.get("changes", True):
                    yield message


async def _everything(subscription: Subscription) -> AsyncGenerator[Json, None]:
    while True:
        fresh = await subscription.next()
        if subscription.missed():
            yield {"missed": True}
        for start in range(0, len(fresh), _AT_ONCE):
            yield {"changes": [change_json(change) for change in fresh[start : start + _AT_ONCE]]}


def change_json(change: Change) -> ChangeJson:
    return {
        "session": change.session,
        "seq": change.seq,
        "at": views.when(change.at),
        "kind": change.kind,
        "run": change.run,
        "call": change.call,
    }
