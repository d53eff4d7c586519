"""`ao events`: what was committed of a run and its session, and what comes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from ao_lsp.cli import client, terminal

_TRIES = 5
"""So often in a row a daemon may hang up without having said anything."""


def events(run: str | None, after: int, *, follow: bool, as_json: bool) -> None:
    """Print changes, one a line, until there are no more, or for ever."""
    for message in stream({"run": run} if run is not None else {}, after, follow):
        if as_json:
            for line in _documents(message):
                print(json.dumps(line))
        else:
            for text in _lines(message):
                print(terminal.printable(text))
        if follow:
            print(end="", flush=True)


def stream(whose: dict[str, Any], after: int, follow: bool) -> Iterator[dict[str, Any]]:
    """Messages of `events.subscribe`; one that follows goes on with the next daemon where one goes away.

    Raises:
        CommandError: there is no such run, or the daemon cannot tell.
        DaemonUnavailable: there is none.
    """
    tries = 0
    while True:
        connection = client.connected()
        try:
            for message in connection.events({**whose, "after": after, "follow": follow}):
                tries = 0
                after = message.get("seq", after)
                yield message
        except client.HungUpError:
            tries += 1
            if not follow or tries > _TRIES:
                raise
            time.sleep(0.05 * tries)
        else:
            return
        finally:
            connection.close()
        if not whose:  # what came meanwhile has no number to ask from
            yield {"missed": True}


def _documents(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "changes" in message:
        yield from message["changes"]
    else:
        yield message


def _lines(message: dict[str, Any]) -> Iterator[str]:
    for change in message.get("changes", ()):
        clock = change["at"][11:23]
        yield f"{change['seq']:>6}  {clock}  {change['kind']:<14} {change['run']} {change['call'] or ''}".rstrip()
    if "snapshot" in message:
        yield f"{message['seq']:>6}  earlier changes are not kept any more; so it stood then:"
        for run in message["snapshot"]["runs"]:
            yield f"        run {run['id']} {run['status']}, {len(run['calls'])} calls"
    if "missed" in message:
        yield "        something was missed here"
