"""Ollama's own API: chat, generation from a prompt, and embeddings.

https://docs.ollama.com/api
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from ao_lsp.server.providers.shape import (
    CALLS_ONLY,
    VECTORS_ONLY,
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
    need_vectors,
    pieces,
    text_of,
)
from ao_lsp.server.providers.sse import Event


def is_response(given: Json) -> bool:
    if isinstance(given.get("done"), bool):
        return "message" in given or "response" in given
    return isinstance(given.get("model"), str) and "embeddings" in given


def prompt(request: Json) -> tuple[Message, ...]:
    found = [Message("system", flattened(request["system"]))] if request.get("system") else []
    for message in items(request.get("messages")):
        text = _with_images(flattened(message.get("content")), message.get("images"))
        found.append(Message(text_of(message.get("role")) or "?", text, _tool_calls(message)))
    if isinstance(request.get("prompt"), str):
        found.append(Message("user", _with_images(request["prompt"], request.get("images"))))
    asked = request.get("input")
    embedded = asked if isinstance(asked, list) else [asked]
    return (*found, *(Message("input", text) for text in embedded if isinstance(text, str)))


def _with_images(text: str, images: object) -> str:
    """`text`, with a line for each image beside it."""
    return "\n".join([*filter(None, [text]), *["[image]"] * (len(images) if isinstance(images, list) else 0)])


def output(response: Json) -> Response:
    message = mapping(response.get("message"))
    said = message if message else response
    return Response(
        model=text_of(response.get("model")),
        text=text_of(said.get("content" if message else "response")),
        reasoning=text_of(said.get("thinking")) or None,
        tool_calls=_tool_calls(message),
        input_tokens=count_of(response.get("prompt_eval_count")),
        output_tokens=count_of(response.get("eval_count")),
        finish_reason=text_of(response.get("done_reason")),
        error=error_of(response),
    )


def join(events: Sequence[Event]) -> Json | None:
    chunks = [chunk for chunk in (event.json for event in events) if chunk]
    if not chunks:
        return None
    response: Json = {}
    for chunk in chunks:
        for key, value in chunk.items():
            if key == "message" and isinstance(value, dict):
                response["message"] = _longer(mapping(response.get("message")), value)
            elif key not in ("response", "thinking", "logprobs"):
                response[key] = value
        response |= _longer(response, {key: chunk[key] for key in ("response", "thinking", "logprobs") if key in chunk})
    return response


def _longer(so_far: Json, piece: Json) -> Json:
    """Texts and lists go on; anything else is said anew."""
    longer = dict(so_far)
    for key, value in piece.items():
        old = so_far.get(key)
        if key == "role" or value is None:
            longer.setdefault(key, value)
        elif isinstance(old, str) and isinstance(value, str):
            longer[key] = old + value
        elif isinstance(old, list) and isinstance(value, list):
            longer[key] = [*old, *value]
        else:
            longer[key] = value
    return longer


def split(response: Json, recorded: Sequence[Event]) -> list[Event]:
    old = [mapping(chunk.get("message")) or chunk for chunk in (event.json for event in recorded)]
    head: Json = {key: response[key] for key in ("model", "created_at") if key in response}
    chat = isinstance(response.get("message"), dict)
    said = mapping(response.get("message")) if chat else response
    words = "content" if chat else "response"

    def chunk(piece: Json, end: Json | None = None) -> Event:
        filled = {words: "", **piece}
        inner = {"message": {"role": said.get("role", "assistant"), **filled}} if chat else filled
        return Event.of(None, {**head, **inner, **(end or {"done": False})})

    made = [
        chunk({key: text})
        for key in ("thinking", words)
        for text in pieces(text_of(said.get(key)) or "", [text_of(piece.get(key)) or "" for piece in old])
    ]
    made += [chunk({"tool_calls": [call]}) for call in items(said.get("tool_calls"))]
    # What else a message has (images that a model drew) comes with the end, as do the counts.
    rest = {k: v for k, v in said.items() if k not in ("role", "thinking", "tool_calls", words)} if chat else {}
    end = {k: v for k, v in response.items() if k not in ("message", "response", "thinking", *head)}
    return [*made, chunk(rest, {"done": True, **end})]


def with_text(response: Json, text: str) -> Json:
    message = response.get("message")
    changed = {key: value for key, value in response.items() if key != "logprobs"}  # they belong to the old words
    if isinstance(message, dict):
        if not message.get("content") and message.get("tool_calls"):
            raise EditError(CALLS_ONLY)
        return {**changed, "message": {**message, "content": text}}
    if isinstance(response.get("response"), str):
        return {**changed, "response": text}
    if "embeddings" in response or "embedding" in response:
        raise EditError(VECTORS_ONLY)
    raise EditError("the recorded response has no text that could be replaced")


def check(response: Json) -> None:
    if "embeddings" in response:
        need_vectors(response["embeddings"], "embeddings")
    elif "response" in response:
        if not isinstance(response["response"], str):
            raise EditError('"response" must be a string')
    else:
        message = response.get("message")
        if not isinstance(message, dict):
            raise EditError('"message" must be an object')
        need_text(message, "role", "message")
        need_text(message, "content", "message")
        if message.get("tool_calls") is not None:
            _check_tool_calls(message)


def _check_tool_calls(message: Json) -> None:
    for number, call in enumerate(need_list(message, "tool_calls", of="tool calls")):
        place = f"message.tool_calls[{number}].function"
        function = mapping(call.get("function"))
        need_text(function, "name", place)
        if not isinstance(function.get("arguments"), dict):
            raise EditError(f'"{place}.arguments" must be an object')


def _tool_calls(message: Json) -> tuple[ToolCall, ...]:
    found = []
    for call in items(message.get("tool_calls")):
        function = mapping(call.get("function"))
        arguments = json.dumps(function.get("arguments") or {})
        found.append(ToolCall(text_of(call.get("id")), text_of(function.get("name")) or "?", arguments))
    return tuple(found)
