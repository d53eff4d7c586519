"""Tool calls over MCP: the arguments of a `tools/call` request, and its result.

https://modelcontextprotocol.io/specification/2025-06-18/server/tools
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ao_lsp.server.providers.shape import (
    EditError,
    Json,
    Message,
    Response,
    error_of,
    flattened,
    items,
    need_list,
    need_text,
)
from ao_lsp.server.providers.sse import Event


def is_response(given: Json) -> bool:
    return isinstance(given.get("content"), list)


def prompt(request: Json) -> tuple[Message, ...]:
    return (Message("arguments", _json(request)),) if request else ()


def output(response: Json) -> Response:
    structured = response.get("structuredContent")
    text = flattened(response.get("content")) or (None if structured is None else _json(structured))
    failed = response.get("isError") is True
    # What a tool says of its failure is a result, which a model gets to read.
    return Response(text=text, finish_reason="error" if failed else None, error=error_of(response))


def join(events: Sequence[Event]) -> Json | None:  # noqa: ARG001 - results are never streamed
    return None


def split(response: Json, recorded: Sequence[Event]) -> list[Event]:  # noqa: ARG001 - see join
    return [Event.of(None, response)]


def with_text(response: Json, text: str) -> Json:
    blocks = items(response.get("content"))
    old = [block for block in blocks if block.get("type") == "text"]
    first = {**old[0], "text": text} if old else {"type": "text", "text": text}
    place = blocks.index(old[0]) if old else 0
    rest = [block for block in blocks if block.get("type") != "text"]
    made = {**response, "content": [*rest[:place], first, *rest[place:]]}
    if response.get("structuredContent") is not None:
        made["structuredContent"] = _structured(response["structuredContent"], flattened(old), text)
    return made


def _structured(recorded: Any, said: str, text: str) -> Any:
    """The structured form of the new text. Servers repeat it in the text, or the text in it.

    Raises:
        EditError: it cannot be known.
    """
    if recorded == {"result": said}:
        return {"result": text}
    if _parsed(said) == recorded and isinstance(_parsed(text), type(recorded)):
        return _parsed(text)
    raise EditError(
        'this result has "structuredContent", which would not say the new text: give the whole result as JSON'
    )


def check(response: Json) -> None:
    for number, block in enumerate(need_list(response, "content", of="content blocks")):
        if need_text(block, "type", f"content[{number}]") == "text":
            need_text(block, "text", f"content[{number}]")
    if not isinstance(response.get("structuredContent"), dict | None):
        raise EditError('"structuredContent" must be an object')
    if not isinstance(response.get("isError"), bool | None):
        raise EditError('"isError" must be true or false')


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
