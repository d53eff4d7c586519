"""What the APIs have in common: requests that are checked, answers that can be streamed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, TypeAlias

from .model import Reply

Json: TypeAlias = dict[str, Any]
Event: TypeAlias = "tuple[str, Json | str]"
"""A server-sent event: its name ("" for none) and its data; a string is sent as it is."""

CREATED = 1767225600
"""When every answer was made (2026-01-01): the same request has to get the same bytes."""

MODELS = ("gpt-5.4", "gpt-5.4-mini", "text-embedding-3-small", "claude-sonnet-5", "claude-haiku-4-5")
"""The models that are listed. Any other name is served, too."""


@dataclass(frozen=True)
class Exchange:
    """The answer to one request, whole and as the stream that adds up to it."""

    body: Json
    events: Sequence[Event] = ()
    said: Json | None = None
    """The same in no API's shape, see `said`."""


class RequestError(Exception):
    """The request cannot be answered. `param` is the field at fault, `code` a name that programs test for."""

    def __init__(self, status: int, message: str, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code


def said(model: str | None, reply: Reply, finish: str, **differs: object) -> Json:
    """What an answer says, in no API's shape: for the log, so that whoever reads answers can be held to it.

    Args:
        model: as the answer names it.
        finish: why it ended, in the API's words.
        differs: what this API tells otherwise; None for what it does not tell.
    """
    return {
        "model": model,
        "text": reply.text,
        "reasoning": reply.thought,
        "tool_calls": [{"name": call.name, "arguments": json.loads(call.arguments)} for call in reply.calls],
        "finish_reason": finish,
        "input_tokens": reply.input_tokens,
        "cached_tokens": reply.cached_tokens,
        "output_tokens": reply.output_tokens,
        "reasoning_tokens": reply.reasoning_tokens,
        **differs,
    }


def said_of_vectors(model: str | None, spent: int | None) -> Json:
    """The same of embeddings; `spent` are the tokens of the input."""
    return {"model": model, "input_tokens": spent}


def digest(request: Json, *parts: object) -> str:
    """24 hex digits for an id: the same for the same request, streamed or not."""
    asked = {name: value for name, value in request.items() if name not in ("stream", "stream_options")}
    return blake2b(json.dumps([asked, parts], sort_keys=True).encode(), digest_size=12).hexdigest()


def plain(content: object) -> str:
    """The text of a message's content: a string, or a list of parts of which some are text."""
    if not isinstance(content, list):
        return content if isinstance(content, str) else ""
    parts = [part if isinstance(part, dict) else {"text": str(part)} for part in content]
    return "\n".join(part["text"] if isinstance(part.get("text"), str) else f"[{part.get('type')}]" for part in parts)


def objects(value: object) -> list[Json]:
    """The objects in a list; nothing where it is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
