"""Events for a store, as if a runner had sent them, and a look at its tables."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from ao_lsp.server import graph
from ao_lsp.server.model import Edit
from ao_lsp.server.store import Arrival
from ao_lsp.server.store.sql import SqlStore
from tests.recorder import CHAT, SITE, chat_request, chat_response


def arrivals(run: str, events: Sequence[tuple[dict[str, Any], dict[str, bytes]]], first: int = 1) -> list[Arrival]:
    found = []
    for seq, (event, parts) in enumerate(events, first):
        fact = graph.read({"at": time.time(), **event}, parts, run)
        if isinstance(fact, graph.CallEnded):
            fact = graph.summarised(fact, CHAT)
        found.append(Arrival(run, "s1", seq, None, fact))
    return found


def started(session: str = "session1", **more: Any) -> tuple[dict[str, Any], dict[str, bytes]]:
    return {"type": "run.start", "session": session, "name": "a.py", "argv": ["a.py"], **more}, {}


def called(call: str, text: str = "hi", **more: Any) -> list[tuple[dict[str, Any], dict[str, bytes]]]:
    url = {"endpoint": CHAT, "url": f"https://api.openai.com{CHAT}", "site": SITE}
    headers = [["content-type", "application/json"]]
    return [
        ({"type": "call.start", "call": call, **url, **more}, {"request": chat_request(call)}),
        (
            {"type": "call.end", "call": call, "status": "ok", "http_status": 200, "headers": headers},
            {"response": chat_response(text)},
        ),
    ]


def valued(file: str = "/project/agent.py") -> tuple[dict[str, Any], dict[str, bytes]]:
    return {"type": "values", "file": file}, {"made": b'[[12, 4, 12, 30, "work", [[["c1", [12]]]]]]'}


def ended() -> tuple[dict[str, Any], dict[str, bytes]]:
    return {"type": "run.end", "status": "finished", "exit_code": 0}, {}


async def record(store: SqlStore, run: str, *calls: str, session: str = "session1") -> None:
    events = [started(session), *(event for call in calls for event in called(call)), ended()]
    await store.record(arrivals(run, events))


def an_edit(text: str, call: str = "c1") -> Edit:
    return Edit("run1", call, "output", 1.0, text, text.encode(), (("a", "b"),), ((1, 2.0),))


async def asked(store: SqlStore, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """What a statement in the words of the store gives."""
    async with store._driver.read() as db:
        return [tuple(row) for row in await db.fetch(statement, *values)]
