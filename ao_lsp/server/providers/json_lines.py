"""A stream of JSON values, one a line: how Ollama streams."""

from __future__ import annotations

from collections.abc import Iterable

from ao_lsp.server.providers.sse import Event


def decode(body: bytes) -> list[Event]:
    """The lines of a stream, the last one also where the stream broke off within it."""
    return [Event(None, line.strip()) for line in body.decode("utf-8-sig", "replace").split("\n") if line.strip()]


def pieces(events: Iterable[Event]) -> list[bytes]:
    """The bytes of each line."""
    return [f"{event.data}\n".encode("utf-8", "replace") for event in events]
