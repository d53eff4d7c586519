"""Anthropic messages.

https://docs.claude.com/en/api/messages, .../streaming
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from ao_lsp.server.providers.body import packed, parsed
from ao_lsp.server.providers.expect import each_its_own
from ao_lsp.server.providers.shape import (
    CALLS_ONLY,
    EditError,
    Json,
    Message,
    Response,
    ToolCall,
    count_of,
    error_of,
    flattened,
    items,
    mapping,
    need_list,
    need_text,
    pieces,
    sum_of,
    text_of,
)
from ao_lsp.server.providers.sse import Event

# Delta type → (field of the block it adds to, field of the delta).
_DELTAS = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "signature_delta": ("signature", "signature"),
    "input_json_delta": ("input", "partial_json"),
}


def is_response(given: Json) -> bool:
    return given.get("type") == "message" or (
        given.get("role") == "assistant" and isinstance(given.get("content"), list)
    )


def prompt(request: Json) -> tuple[Message, ...]:
    found = [Message("system", flattened(request["system"]))] if request.get("system") else []
    for message in items(request.get("messages")):
        content = message.get("content")
        found.append(Message(text_of(message.get("role")) or "?", flattened(content), _tool_calls(items(content))))
    return tuple(found)


def output(response: Json) -> Response:
    blocks, usage = items(response.get("content")), mapping(response.get("usage"))
    texts = [text_of(block.get("text")) or "" for block in blocks if block.get("type") == "text"]
    cached = usage.get("cache_read_input_tokens")
    return Response(
        model=text_of(response.get("model")),
        text="".join(texts) if texts else None,
        reasoning="".join(text_of(block.get("thinking")) or "" for block in blocks) or None,
        tool_calls=_tool_calls(blocks),
        # Anthropic counts cached tokens apart, where OpenAI includes them.
        input_tokens=sum_of(usage.get("input_tokens"), usage.get("cache_creation_input_tokens"), cached),
        cached_tokens=count_of(cached),
        cache_write_tokens=count_of(usage.get("cache_creation_input_tokens")),
        output_tokens=count_of(usage.get("output_tokens")),
        reasoning_tokens=count_of(mapping(usage.get("output_tokens_details")).get("thinking_tokens")),
        finish_reason=text_of(response.get("stop_reason")),
        error=error_of(response),
    )


def join(events: Sequence[Event]) -> Json | None:
    response: Json = {}
    blocks: dict[int, Json] = {}
    for data in (event.json for event in events):
        kind, index = data.get("type"), count_of(data.get("index")) or 0
        if kind == "message_start":
            response = dict(mapping(data.get("message")))
        elif kind == "content_block_start":
            blocks[index] = dict(mapping(data.get("content_block")))
        elif kind == "content_block_delta":
            _add_delta(blocks.setdefault(index, {"type": "text", "text": ""}), mapping(data.get("delta")))
        elif kind == "message_delta":
            response |= mapping(data.get("delta"))
            response["usage"] = {**mapping(response.get("usage")), **mapping(data.get("usage"))}
        elif kind == "error":
            response |= {"type": "error", "error": data.get("error")}
    if not response and not blocks:
        return None
    for block in blocks.values():
        # Tool input arrives as pieces of JSON text.
        if isinstance(block.get("input"), str):
            block["input"] = mapping(parsed(block["input"].encode("utf-8", "replace")))
    return {**response, "content": [blocks[index] for index in sorted(blocks)]} if blocks else response


def _add_delta(block: Json, delta: Json) -> None:
    kind = text_of(delta.get("type")) or ""
    if kind == "citations_delta":
        block["citations"] = [*(block.get("citations") or []), delta.get("citation")]
    elif kind in _DELTAS:
        field, source = _DELTAS[kind]
        block[field] = (text_of(block.get(field)) or "") + (text_of(delta.get(source)) or "")


def split(response: Json, recorded: Sequence[Event]) -> list[Event]:
    old = [event.json for event in recorded]
    start = next((mapping(data.get("message")) for data in old if data.get("type") == "message_start"), {})
    texts = [text_of(mapping(data.get("delta")).get("text")) or "" for data in old]
    usage = mapping(response.get("usage"))
    first_usage = mapping(start.get("usage")) or {**usage, "output_tokens": 1}
    head = {**response, "content": [], "stop_reason": None, "stop_sequence": None, "usage": first_usage}
    made: list[Json] = [{"type": "message_start", "message": head}]
    for index, block in enumerate(items(response.get("content"))):
        made += _block_events(index, block, texts)
    if any(data.get("type") == "ping" for data in old):
        made.insert(1, {"type": "ping"})
    ending = {key: response.get(key) for key in ("stop_reason", "stop_sequence")}
    made.append({"type": "message_delta", "delta": ending, "usage": {"output_tokens": 0, **usage}})
    made.append({"type": "message_stop"})
    return [Event.of(data["type"], data) for data in made]


def _block_events(index: int, block: Json, recorded_texts: list[str]) -> Iterator[Json]:
    def delta(kind: str, **fields: Any) -> Json:
        return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}}

    kind, empty, deltas = block.get("type"), dict(block), []
    if kind == "text":
        empty["text"] = ""
        deltas = [delta("text_delta", text=text) for text in pieces(text_of(block.get("text")) or "", recorded_texts)]
        if block.get("citations"):
            empty["citations"] = []
            deltas += [delta("citations_delta", citation=citation) for citation in items(block["citations"])]
    elif kind in ("tool_use", "server_tool_use"):
        empty["input"] = {}
        written = packed(mapping(block.get("input"))).decode()
        deltas = [delta("input_json_delta", partial_json=text) for text in pieces(written, ())]
    elif kind == "thinking":
        empty |= {"thinking": "", "signature": ""}
        thought = text_of(block.get("thinking")) or ""
        deltas = [delta("thinking_delta", thinking=text) for text in pieces(thought, recorded_texts)]
        deltas.append(delta("signature_delta", signature=text_of(block.get("signature")) or ""))
    yield {"type": "content_block_start", "index": index, "content_block": empty}
    yield from deltas
    yield {"type": "content_block_stop", "index": index}


def with_text(response: Json, text: str) -> Json:
    blocks = items(response.get("content"))
    places = [index for index, block in enumerate(blocks) if block.get("type") == "text"]
    if not places:
        if any(block.get("type") == "tool_use" for block in blocks):
            raise EditError(CALLS_ONLY)
        raise EditError("the recorded response has no text that could be replaced")
    # The new text stands where the first one stood; citations belong to the old words.
    changed: list[Json] = []
    for index, block in enumerate(blocks):
        if index == places[0]:
            changed.append({**block, "text": text, **({"citations": None} if "citations" in block else {})})
        elif index not in places:
            changed.append(block)
    return {**response, "content": changed}


def check(response: Json) -> None:
    if response.get("role", "assistant") != "assistant":
        raise EditError('"role" must be "assistant"')
    for number, block in enumerate(need_list(response, "content", of="blocks")):
        place = f"content[{number}]"
        kind = need_text(block, "type", place)
        if kind == "text":
            need_text(block, "text", place)
        elif kind == "tool_use":
            need_text(block, "id", place)
            need_text(block, "name", place)
            if not isinstance(block.get("input"), dict):
                raise EditError(f'"{place}.input" must be an object')
    each_its_own([block if block["type"] == "tool_use" else {} for block in response["content"]], "id", "content")


def _tool_calls(blocks: list[Json]) -> tuple[ToolCall, ...]:
    return tuple(
        ToolCall(text_of(block.get("id")), text_of(block.get("name")) or "?", json.dumps(block.get("input")))
        for block in blocks
        if block.get("type") == "tool_use"
    )
