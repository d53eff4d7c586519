"""What a call says, text by text, as one would look for it. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from ao_lsp.server import providers
from ao_lsp.server.model import Exchange
from ao_lsp.server.providers import ToolCall

_DEPTH = 50


def said_by(endpoint: str, url: str, exchange: Exchange) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The texts that were asked, and those that were answered, each once."""
    asked = providers.read_request(endpoint, url, exchange.request_headers, exchange.request)
    texts = [text for message in asked.messages for text in (message.text, *_called(message.tool_calls))]
    answered: list[str] = []
    if exchange.response is not None:
        said = providers.read_response(endpoint, exchange.response_headers, exchange.response)
        answered = [said.text or "", said.reasoning or "", said.error or "", *_called(said.tool_calls)]
    return _once(texts), _once(answered)


def _once(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text))


def _called(calls: Iterable[ToolCall]) -> Iterator[str]:
    """Tool calls in words: what they say is searched as it is, not as JSON writes it."""
    for call in calls:
        try:
            arguments = json.loads(call.arguments)
        except (ValueError, RecursionError):
            yield f"{call.name} {call.arguments}"
        else:
            yield "\n".join((call.name, *_lines(arguments, _DEPTH)))


def _lines(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict) and depth:
        for key, item in value.items():
            first, *more = [*_lines(item, depth - 1)] or [""]
            yield f"{key}: {first}"
            yield from more
    elif isinstance(value, list) and depth:
        for item in value:
            yield from _lines(item, depth - 1)
    else:
        yield json.dumps(value)
