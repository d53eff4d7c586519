"""Server-sent events: the bytes of a stream to events and back.

https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ao_lsp.server.providers.body import json_text

_LINE_END = re.compile(r"\r\n|\n|\r")

# httpx, and so Ollama's SDK, also ends lines at these; JSON does not escape them by itself.
_ESCAPED = {ord(character): f"\\u{ord(character):04x}" for character in "\x85\u2028\u2029"}


@dataclass(frozen=True, slots=True)
class Event:
    """One event; `name` is None where the stream names none. `data` is its text."""

    name: str | None
    data: str

    @classmethod
    def of(cls, name: str | None, data: dict[str, Any]) -> Event:
        return cls(name, json_text(data).translate(_ESCAPED))

    @property
    def json(self) -> dict[str, Any]:
        """`data` as a JSON object; empty where it is none (`[DONE]`, or damaged)."""
        try:
            value = json.loads(self.data)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}


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


def pieces(events: Iterable[Event]) -> list[bytes]:
    """The bytes of each event."""
    return [_written(event) for event in events]


def _written(event: Event) -> bytes:
    head = f"event: {event.name}\n" if event.name is not None else ""
    # A lone surrogate that somebody wrote as an escape has no UTF-8.
    return f"{head}data: {event.data}\n\n".encode("utf-8", "replace")
