"""What recorded calls say, as texts to compare."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ao_lsp.server import providers
from ao_lsp.server.matching.compare import Spoken
from ao_lsp.server.model import Call, Exchange
from ao_lsp.server.providers import body as bodies

# Fields of requests that make up the input, in one API or another.
_INPUT = frozenset(
    {"messages", "input", "prompt", "system", "instructions", "contents", "content", "requests", "systemInstruction",
     "system_instruction"}
)  # fmt: skip

_DEPTH = 50


class Reader:
    """Reads the calls of one run. Texts that are said again and again are kept once."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def all_spoken(self, exchanges: Iterable[tuple[Call, Exchange]]) -> list[Spoken]:
        """Several calls in words."""
        return [self.spoken(call, exchange) for call, exchange in exchanges]

    def spoken(self, call: Call, exchange: Exchange) -> Spoken:
        """`call` in words."""
        asked = providers.read_request(call.endpoint, call.url, exchange.request_headers, exchange.request)
        request = bodies.parsed(bodies.decoded(exchange.request_headers, exchange.request))
        request = request if isinstance(request, dict) else {}
        beside = {key: value for key, value in request.items() if key not in _INPUT}
        if call.kind in ("mcp", "tool"):  # a tool's arguments, all of them input
            beside = {}
        return Spoken(
            call=call.id,
            began=call.started,
            ended=None if call.duration is None else call.started + call.duration,
            asked=self._kept(text for message in asked.messages for text in texts_of(message)),
            beside=self._kept(_strings(beside, _DEPTH)),
            said=self._kept(said(call, exchange)),
        )

    def _kept(self, texts: Iterator[str]) -> tuple[str, ...]:
        return tuple(self._texts.setdefault(text, text) for text in texts if text)


def texts_of(said: providers.Message | providers.Response) -> Iterator[str]:
    """The texts of a message or of an output: what it says, and what it wants called."""
    if said.text:
        yield said.text
    for wanted in said.tool_calls:
        yield wanted.arguments


def said(call: Call, exchange: Exchange) -> Iterator[str]:
    """The texts of a call's output; none where it was not answered."""
    if exchange.response is not None:
        yield from texts_of(providers.read_response(call.endpoint, exchange.response_headers, exchange.response))


def _strings(value: Any, depth: int) -> Iterator[str]:
    """Every string in a JSON value, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict) and depth:
        for key, item in value.items():
            yield key
            yield from _strings(item, depth - 1)
    elif isinstance(value, list) and depth:
        for item in value:
            yield from _strings(item, depth - 1)
