"""Amazon Bedrock's Converse, the one API in front of all its models.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html, …_ConverseStream.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

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
    items,
    mapping,
    need_list,
    need_text,
    pieces,
    sum_of,
    text_of,
)
from ao_lsp.server.providers.sse import Event


def is_response(given: Json) -> bool:
    return isinstance(given.get("output"), dict) and ("message" in given["output"] or "stopReason" in given)


def prompt(request: Json) -> tuple[Message, ...]:
    found = [Message("system", _flattened(items(request["system"])))] if items(request.get("system")) else []
    for message in items(request.get("messages")):
        blocks = items(message.get("content"))
        found.append(Message(text_of(message.get("role")) or "?", _flattened(blocks), _tool_calls(blocks)))
    return tuple(found)


def output(response: Json) -> Response:
    blocks, usage = _blocks(response), mapping(response.get("usage"))
    texts = [text for text in map(_said, blocks) if text is not None]
    return Response(
        text="".join(texts) if texts else None,
        reasoning="".join(_thought(block) or "" for block in blocks) or None,
        tool_calls=_tool_calls(blocks),
        # Bedrock counts cached tokens apart, where OpenAI includes them.
        input_tokens=sum_of(
            *(usage.get(key) for key in ("inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens"))
        ),
        cached_tokens=count_of(usage.get("cacheReadInputTokens")),
        cache_write_tokens=count_of(usage.get("cacheWriteInputTokens")),
        output_tokens=count_of(usage.get("outputTokens")),
        finish_reason=text_of(response.get("stopReason")),
        error=error_of(response),
    )


def join(events: Sequence[Event]) -> Json | None:
    response: Json = {}
    blocks: dict[int, Json] = {}
    role = None
    for name, data in ((event.name, event.json) for event in events):
        index = count_of(data.get("contentBlockIndex")) or 0
        if name == "messageStart":
            role = text_of(data.get("role")) or "assistant"
        elif name == "contentBlockStart":
            for kind, begun in mapping(data.get("start")).items():
                blocks.setdefault(index, {})[kind] = dict(mapping(begun))
        elif name == "contentBlockDelta":
            _add_delta(blocks.setdefault(index, {}), mapping(data.get("delta")))
        elif name in ("messageStop", "metadata"):
            # "p" is padding, against listeners who count bytes.
            response |= {key: value for key, value in data.items() if key != "p"}
        elif name != "contentBlockStop" and error_of(data):
            response["error"] = {"type": name, "message": error_of(data)}
    if role is None and not blocks:
        return response or None
    content = [_whole(blocks[index]) for index in sorted(blocks)]
    return {"output": {"message": {"role": role or "assistant", "content": content}}, **response}


def _add_delta(block: Json, delta: Json) -> None:
    for kind, piece in delta.items():
        if kind == "text":
            block["text"] = (text_of(block.get("text")) or "") + (text_of(piece) or "")
        elif kind == "citation":
            block["citations"] = [*block.get("citations", ()), piece]
        elif kind == "toolResult":
            result = block.setdefault(kind, {})
            result["content"] = [*items(result.get("content")), *items(piece)]
        else:
            so_far = block.setdefault(kind, {})
            for key, value in mapping(piece).items():
                old = so_far.get(key)
                so_far[key] = old + value if isinstance(old, str) and isinstance(value, str) else value


def _whole(block: Json) -> Json:
    """A block, put together, as it stands in a whole response."""
    if "citations" in block:
        said = [{"text": block["text"]}] if "text" in block else []
        return {"citationsContent": {"content": said, "citations": block["citations"]}}
    if "toolUse" in block:
        # Its input arrives as pieces of JSON text.
        written = (text_of(block["toolUse"].get("input")) or "").encode("utf-8", "replace")
        return {"toolUse": {**block["toolUse"], "input": mapping(parsed(written))}}
    thought = block.get("reasoningContent")
    if thought and "redactedContent" not in thought:
        return {"reasoningContent": {"reasoningText": thought}}
    return block


def split(response: Json, recorded: Sequence[Event]) -> list[Event]:
    texts = [text_of(mapping(event.json.get("delta")).get("text")) or "" for event in recorded]
    message = mapping(mapping(response.get("output")).get("message"))
    made = [Event.of("messageStart", {"role": message.get("role", "assistant")})]
    for index, block in enumerate(items(message.get("content"))):
        for name, field, data in _block_events(block, texts, f"output.message.content[{index}]"):
            made.append(Event.of(name, {field: data, "contentBlockIndex": index}))
        made.append(Event.of("contentBlockStop", {"contentBlockIndex": index}))
    stop: Json = {key: response[key] for key in ("stopReason", "additionalModelResponseFields") if key in response}
    made.append(Event.of("messageStop", stop))
    rest = {key: value for key, value in response.items() if key not in ("output", "error", *stop)}
    return [*made, Event.of("metadata", rest)] if rest else made


def _block_events(block: Json, recorded_texts: list[str], where: str) -> Iterator[tuple[str, str, Json]]:
    """Name, field and data of each event that makes a block."""
    kind = next(iter(block), "")
    inner = mapping(block.get(kind))
    deltas: list[Json] = []
    if kind == "text":
        deltas = [{"text": text} for text in pieces(text_of(block["text"]) or "", recorded_texts) or [""]]
    elif kind == "citationsContent":
        said = _said(block) or ""
        deltas = [{"text": text} for text in pieces(said, recorded_texts)]
        deltas += [{"citation": citation} for citation in items(inner.get("citations"))]
    elif kind == "reasoningContent":
        thought = mapping(inner.get("reasoningText"))
        deltas = [{kind: {"text": text}} for text in pieces(text_of(thought.get("text")) or "", recorded_texts)]
        deltas += [
            {kind: {key: part[key]}}
            for part, key in ((thought, "signature"), (inner, "redactedContent"))
            if key in part
        ]
    elif kind == "toolUse":
        yield "contentBlockStart", "start", {kind: {key: value for key, value in inner.items() if key != "input"}}
        deltas = [{kind: {"input": text}} for text in pieces(packed(mapping(inner.get("input"))).decode(), ())]
    elif kind == "image":
        yield "contentBlockStart", "start", {kind: {"format": inner.get("format")}}
        deltas = [{kind: {key: value for key, value in inner.items() if key != "format"}}]
    else:
        raise EditError(f'a stream cannot carry "{where}.{kind}"')
    for delta in deltas:
        yield "contentBlockDelta", "delta", delta


def with_text(response: Json, text: str) -> Json:
    blocks = _blocks(response)
    places = [index for index, block in enumerate(blocks) if _said(block) is not None]
    if not places:
        if _tool_calls(blocks):
            raise EditError(CALLS_ONLY)
        raise EditError("the recorded response has no text that could be replaced")
    # The new text stands where the first one stood; citations belong to the old words.
    content = [
        {"text": text} if index == places[0] else block for index, block in enumerate(blocks) if index not in places[1:]
    ]
    return {
        **response,
        "output": {**response["output"], "message": {**response["output"]["message"], "content": content}},
    }


def check(response: Json) -> None:
    message = mapping(response.get("output")).get("message")
    if not isinstance(message, dict):
        raise EditError('"output.message" must be an object')
    if message.get("role") != "assistant":
        raise EditError('"output.message.role" must be "assistant"')
    if not isinstance(message.get("content"), list):
        raise EditError('"output.message.content" must be a list of blocks')
    need_text(response, "stopReason", "response")
    for number, block in enumerate(need_list(message, "content", of="blocks")):
        place = f"output.message.content[{number}]"
        if len(block) != 1:
            raise EditError(f'"{place}" must have one field, which says what it is')
        if "text" in block:
            need_text(block, "text", place)
        if "toolUse" in block:
            use = mapping(block["toolUse"])
            for key in ("toolUseId", "name"):
                need_text(use, key, f"{place}.toolUse")
            if not isinstance(use.get("input"), dict):
                raise EditError(f'"{place}.toolUse.input" must be an object')
    uses = [mapping(block.get("toolUse")) for block in message["content"]]
    each_its_own(uses, "toolUseId", "output.message.content")


def _blocks(response: Json) -> list[Json]:
    return items(mapping(mapping(response.get("output")).get("message")).get("content"))


def _said(block: Json) -> str | None:
    """What a block says to the user; None where it is no text."""
    if "citationsContent" in block:
        parts = items(mapping(block["citationsContent"]).get("content"))
        return "".join(text_of(part.get("text")) or "" for part in parts)
    return text_of(block.get("text"))


def _thought(block: Json) -> str | None:
    return text_of(mapping(mapping(block.get("reasoningContent")).get("reasoningText")).get("text"))


def _flattened(blocks: list[Json]) -> str:
    return "\n".join(filter(None, map(_block_text, blocks)))


def _block_text(block: Json) -> str:
    said = _said(block)
    said = _thought(block) if said is None else said
    if said is not None:
        return said
    if "toolResult" in block:
        return _flattened(items(mapping(block["toolResult"]).get("content")))
    if "json" in block:
        return json.dumps(block["json"], ensure_ascii=False)
    guarded = text_of(mapping(mapping(block.get("guardContent")).get("text")).get("text"))
    kind = next(iter(block), "part")
    # A cache point is an instruction, and tool calls are told apart.
    return guarded or ("" if kind in ("toolUse", "cachePoint") else f"[{kind}]")


def _tool_calls(blocks: list[Json]) -> tuple[ToolCall, ...]:
    calls = [mapping(block.get("toolUse")) for block in blocks]
    return tuple(
        ToolCall(text_of(call.get("toolUseId")), text_of(call.get("name")) or "?", json.dumps(call.get("input") or {}))
        for call in calls
        if call
    )
