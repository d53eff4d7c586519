"""A stream that is one JSON array, written element by element: how Gemini streams unless asked for events."""

from __future__ import annotations

import json
from collections.abc import Iterable

from ao_lsp.server.providers.sse import Event

_BETWEEN = " \t\r\n,["
_READER = json.JSONDecoder()


def decode(body: bytes) -> list[Event]:
    """The elements that are there, where the array broke off too; a lone object is one element, since
    errors come so."""
    text, events, at = body.decode("utf-8-sig", "replace"), list[Event](), 0
    while True:
        while at < len(text) and text[at] in _BETWEEN:
            at += 1
        try:
            _, end = _READER.raw_decode(text, at)
        except (ValueError, RecursionError):  # the end of the array, or of what arrived of it
            return events
        events.append(Event(None, text[at:end]))
        at = end


def pieces(events: Iterable[Event]) -> list[bytes]:
    """The bytes of each element, with the brackets and commas that belong to it."""
    made = [event.data for event in events]
    if not made:
        return [b"[]"]
    written = [("[" if number == 0 else ",\r\n") + data for number, data in enumerate(made)]
    written[-1] += "]"
    return [text.encode("utf-8", "replace") for text in written]
