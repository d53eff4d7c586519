"""Server-sent events: the bytes of a stream to events and back.

https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class Event:
    """One event; `name` is None where the stream names none. `data` is its text."""

    name: str | None
    data: str

    @classmethod
    def of(cls, name: str | None, data: dict[str, Any]) -> Event:
        return cls(name, json.dumps(data, ensure_ascii=False, separators=(",", ":")))

    @property
    def json(self) -> dict[str, Any]:
        """`data` as a JSON object; empty where it is none (`[DONE]`, or damaged)."""
        try:
            value = json.loads(self.data)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}

    def encode(self) -> bytes:
        head = f"event: {self.name}\n" if self.name is not None else ""
        # A lone surrogate that somebody wrote as an escape has no UTF-8.
        return f"{head}data: {self.data}\n\n".encode("utf-8", "replace")


def decode(body: bytes) -> list[Event]:
    """The events of a stream, the last one also where the stream broke off before its end."""
    events: list[Event] = []
    name: str | None = None
    data: list[str] = []
    for line in [*_LINE_END.split(body.decode("utf-8-sig", "replace")), ""]:
        if not line:
            if data:
                events.append(Event(name, "\n".join(data)))
            name, data = None, []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "event":
            name = value
    return events


def encode(events: Iterable[Event]) -> bytes:
    return b"".join(event.encode() for event in events)
