"""OpenAI responses.

https://platform.openai.com/docs/api-reference/responses, .../responses-streaming
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ao_lsp.server.providers.expect import each_its_own, json_object
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
    text_of,
)
from ao_lsp.server.providers.sse import Event

# Kinds of items that are tool calls, and the field of what they are called with.
_CALLS = {"function_call": "arguments", "custom_tool_call": "input"}

_FINAL = ("response.completed", "response.incomplete", "response.failed")


def is_response(given: Json) -> bool:
    return given.get("object") == "response" or any("type" in item for item in items(given.get("output")))


def prompt(request: Json) -> tuple[Message, ...]:
    found = [Message("system", flattened(request["instructions"]))] if request.get("instructions") else []
    asked = request.get("input")
    if isinstance(asked, str):
        return (*found, Message("user", asked))
    for item in items(asked):
        kind = item.get("type")
        if isinstance(kind, str) and kind in _CALLS:
            found.append(Message("assistant", "", _tool_calls([item])))
        elif kind in ("function_call_output", "custom_tool_call_output"):
            found.append(Message("tool", flattened(item.get("output"))))
        elif kind == "reasoning":
            found.append(Message("reasoning", _thought(item)))
        else:
            # What a model made with tools of OpenAI's (images, searches) has no content.
            text = flattened(item["content"]) if "content" in item else f"[{kind}]"
            found.append(Message(text_of(item.get("role")) or text_of(kind) or "?", text))
    return tuple(found)


def output(response: Json) -> Response:
    parts = [part for item in _messages(response) for part in items(item.get("content"))]
    texts = [text for text in (text_of(part.get("text")) or text_of(part.get("refusal")) for part in parts) if text]
    usage = mapping(response.get("usage"))
    why = text_of(mapping(response.get("incomplete_details")).get("reason"))
    return Response(
        model=text_of(response.get("model")),
        text="".join(texts) if parts else None,
        reasoning="\n".join(filter(None, map(_thought, items(response.get("output"))))) or None,
        tool_calls=_tool_calls(items(response.get("output"))),
        input_tokens=count_of(usage.get("input_tokens")),
        cached_tokens=count_of(mapping(usage.get("input_tokens_details")).get("cached_tokens")),
        output_tokens=count_of(usage.get("output_tokens")),
        reasoning_tokens=count_of(mapping(usage.get("output_tokens_details")).get("reasoning_tokens")),
        finish_reason=why or text_of(response.get("status")),
        error=error_of(response),
    )


def join(events: Sequence[Event]) -> Json | None:
    begun: Json = {}
    done: dict[int, Json] = {}
    for data in (event.json for event in events):
        kind = data.get("type")
        if kind in _FINAL:
            return mapping(data.get("response")) or None
        if kind == "response.created":
            begun = mapping(data.get("response"))
        elif kind == "response.output_item.done":
            done[count_of(data.get("output_index")) or 0] = mapping(data.get("item"))
        elif kind == "error":
            said = mapping(data.get("error")) or data
            begun = {**begun, "error": {key: said.get(key) for key in ("code", "message", "param")}}
    # It broke off: what is finished is all that there is.
    return {**begun, "output": [done[index] for index in sorted(done)]} if begun else None


def split(response: Json, recorded: Sequence[Event]) -> list[Event]:
    old = [event.json for event in recorded]
    texts = [text_of(data.get("delta")) or "" for data in old if data.get("type") == "response.output_text.delta"]
    begun = {**response, "status": "in_progress", "output": [], "usage": None}
    made: list[Json] = [{"type": "response.created", "response": begun}]
    if not old or any(data.get("type") == "response.in_progress" for data in old):
        made.append({"type": "response.in_progress", "response": begun})
    for index, item in enumerate(items(response.get("output"))):
        made += _item_events(index, item, texts)
    status = response.get("status")
    final = f"response.{status}" if f"response.{status}" in _FINAL else "response.completed"
    made.append({"type": final, "response": response})
    return [Event.of(data["type"], {**data, "sequence_number": number}) for number, data in enumerate(made)]


def _item_events(index: int, item: Json, recorded_texts: list[str]) -> Iterator[Json]:
    def event(kind_: str, **fields: Any) -> Json:
        return {"type": f"response.{kind_}", "output_index": index, **fields}

    kind = item.get("type")
    added = {**item, **({"status": "in_progress"} if "status" in item else {})}
    if kind == "message":
        added["content"] = []
    elif kind == "function_call":
        added["arguments"] = ""
    yield event("output_item.added", item=added)
    if kind == "message":
        for number, part in enumerate(items(item.get("content"))):
            yield from _part_events(event, {"item_id": item.get("id"), "content_index": number}, part, recorded_texts)
    elif kind == "function_call":
        written, where = text_of(item.get("arguments")) or "", {"item_id": item.get("id")}
        for text in pieces(written, ()):
            yield event("function_call_arguments.delta", delta=text, **where)
        yield event("function_call_arguments.done", arguments=written, name=item.get("name"), **where)
    yield event("output_item.done", item=item)


def _part_events(event: Callable[..., Json], where: Json, part: Json, recorded_texts: list[str]) -> Iterator[Json]:
    field = "refusal" if part.get("type") == "refusal" else "text"
    name = "refusal" if field == "refusal" else "output_text"
    more: Json = {} if field == "refusal" else {"logprobs": []}
    text = text_of(part.get(field)) or ""
    empty = {**part, field: "", **({"annotations": []} if "annotations" in part else {})}
    yield event("content_part.added", part=empty, **where)
    for piece in pieces(text, recorded_texts):
        yield event(f"{name}.delta", delta=piece, **more, **where)
    yield event(f"{name}.done", **{field: text}, **more, **where)
    yield event("content_part.done", part=part, **where)


def with_text(response: Json, text: str) -> Json:
    messages = _messages(response)
    if not messages:
        if _tool_calls(items(response.get("output"))):
            raise EditError(CALLS_ONLY)
        raise EditError("the recorded response has no text that could be replaced")
    parts = items(messages[0].get("content"))
    old = next((part for part in parts if part.get("type") == "output_text"), {"type": "output_text"})
    # Annotations and logprobs belong to the old words.
    new = {**old, "text": text, "annotations": [], **({"logprobs": []} if "logprobs" in old else {})}
    changed = {**messages[0], "content": [new]}
    kept = [item for item in items(response.get("output")) if not any(item is other for other in messages[1:])]
    return {**response, "output": [changed if item is messages[0] else item for item in kept]}


def check(response: Json) -> None:
    for number, item in enumerate(need_list(response, "output", of="items")):
        place = f"output[{number}]"
        kind = need_text(item, "type", place)
        if kind == "message":
            if not isinstance(item.get("content"), list):
                raise EditError(f'"{place}.content" must be a list of parts')
            for index, part in enumerate(need_list(item, "content", of="parts")):
                need_text(part, "refusal" if part.get("type") == "refusal" else "text", f"{place}.content[{index}]")
        elif kind == "function_call":
            for key in ("call_id", "name"):
                need_text(item, key, place)
            json_object(item.get("arguments"), f"{place}.arguments")
    each_its_own(items(response["output"]), "call_id", "output")


def _messages(response: Json) -> list[Json]:
    return [item for item in items(response.get("output")) if item.get("type") == "message"]


def _thought(item: Json) -> str:
    """What an item of reasoning shows: the thoughts themselves, of open models, or their summary."""
    if item.get("type") != "reasoning":
        return ""
    return flattened(item.get("content")) or flattened(item.get("summary"))


def _tool_calls(output_items: list[Json]) -> tuple[ToolCall, ...]:
    return tuple(
        ToolCall(
            text_of(item.get("call_id")),
            text_of(item.get("name")) or "?",
            text_of(item.get(_CALLS[item["type"]])) or "",
        )
        for item in output_items
        if isinstance(item.get("type"), str) and item["type"] in _CALLS
    )
