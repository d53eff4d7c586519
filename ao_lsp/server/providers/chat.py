"""OpenAI chat completions, and everybody who speaks them.

https://platform.openai.com/docs/api-reference/chat, .../chat-streaming
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    pieces,
    text_of,
)
from ao_lsp.server.providers.sse import Event

# Objects of a stream's deltas, and those fields of theirs that arrive in pieces.
_PIECEWISE = {"audio": ("data", "transcript"), "function_call": ("name", "arguments")}


def is_response(given: Json) -> bool:
    return given.get("object") == "chat.completion" or isinstance(given.get("choices"), list)


def prompt(request: Json) -> tuple[Message, ...]:
    return tuple(
        Message(
            role=text_of(message.get("role")) or "?",
            text=flattened(message.get("content")),
            tool_calls=_tool_calls(message),
        )
        for message in items(request.get("messages"))
    )


def output(response: Json) -> Response:
    choices = items(response.get("choices"))
    first = choices[0] if choices else {}
    message = mapping(first.get("message"))
    usage = mapping(response.get("usage"))
    cached = mapping(usage.get("prompt_tokens_details")).get("cached_tokens")
    return Response(
        model=text_of(response.get("model")),
        text=_text(message),
        # DeepSeek's and vLLM's name for it, and that of OpenRouter, Groq and newer vLLMs.
        reasoning=text_of(message.get("reasoning_content")) or text_of(message.get("reasoning")) or None,
        tool_calls=_tool_calls(message),
        input_tokens=count_of(usage.get("prompt_tokens")),
        # DeepSeek counts hits of its cache on the top.
        cached_tokens=count_of(usage.get("prompt_cache_hit_tokens") if cached is None else cached),
        output_tokens=count_of(usage.get("completion_tokens")),
        reasoning_tokens=count_of(mapping(usage.get("completion_tokens_details")).get("reasoning_tokens")),
        finish_reason=text_of(first.get("finish_reason")),
        error=error_of(response),
    )


def _text(message: Json) -> str | None:
    """What a message says; of spoken words, what was said."""
    content = message.get("content")
    spoken = text_of(mapping(message.get("audio")).get("transcript"))
    return flattened(content) or text_of(message.get("refusal")) or spoken or text_of(content)


def join(events: Sequence[Event]) -> Json | None:
    chunks = [chunk for chunk in (event.json for event in events) if chunk]
    if not chunks:
        return None
    response: Json = {}
    choices: dict[int, Json] = {}
    for chunk in chunks:
        for key, value in chunk.items():
            # The first chunk that says something keeps the word, but for what comes at the end.
            if key not in ("choices", "obfuscation") and (value is not None or key not in response):
                response[key] = value
        for piece in items(chunk.get("choices")):
            index = count_of(piece.get("index")) or 0
            _add_piece(choices.setdefault(index, {"index": index, "message": {"role": "assistant"}}), piece)
    if "error" in response and not choices:
        return response
    response["object"] = "chat.completion"
    response["choices"] = [choices[index] for index in sorted(choices)]
    for choice in response["choices"]:
        for call in choice["message"].get("tool_calls", ()):
            del call["index"]
        choice["message"].setdefault("content", None)
        choice.setdefault("finish_reason", None)
    return response


def _add_piece(choice: Json, piece: Json) -> None:
    message = choice["message"]
    for key, value in mapping(piece.get("delta")).items():
        if key == "tool_calls":
            _add_tool_calls(message.setdefault("tool_calls", []), items(value))
        elif key in _PIECEWISE and isinstance(value, dict):
            message[key] = _longer(mapping(message.get(key)), value, _PIECEWISE[key])
        elif key != "role" and isinstance(value, str) and isinstance(message.get(key), str):
            message[key] += value
        elif isinstance(value, list) and isinstance(message.get(key), list):
            message[key] = message[key] + value
        elif value is not None or key not in message:
            message[key] = value
    for key, value in piece.items():
        if key not in ("index", "delta", "message") and (value is not None or key not in choice):
            choice[key] = value


def _longer(so_far: Json, piece: Json, fields: tuple[str, ...]) -> Json:
    """`so_far` with what a piece adds to it or says anew."""
    longer = {**so_far, **piece}
    for field in fields:
        if isinstance(so_far.get(field), str):
            longer[field] = so_far[field] + (text_of(piece.get(field)) or "")
    return longer


def _add_tool_calls(calls: list[Json], deltas: list[Json]) -> None:
    """Add to each call what came for it. `index` tells them apart until `join` takes it off."""
    for delta in deltas:
        index, function = delta.get("index", len(calls)), mapping(delta.get("function"))
        call = next((call for call in calls if call["index"] == index), None)
        if call is None:
            call = {"index": index, "id": None, "type": "function", "function": {"name": "", "arguments": ""}}
            calls.append(call)
        for key in ("id", "type"):
            call[key] = text_of(delta.get(key)) or call[key]
        for key in ("name", "arguments"):
            call["function"][key] += text_of(function.get(key)) or ""


def split(response: Json, recorded: Sequence[Event]) -> list[Event]:
    chunks = [chunk for chunk in (event.json for event in recorded) if chunk]
    envelope = {key: value for key, value in (chunks[0] if chunks else {}).items() if key not in ("choices", "usage")}
    envelope.pop("obfuscation", None)  # padding of one chunk
    envelope |= {key: response[key] for key in ("id", "created", "model") if key in response}
    envelope["object"] = "chat.completion.chunk"
    texts = [
        text_of(mapping(choice.get("delta")).get("content")) or ""
        for chunk in chunks
        for choice in items(chunk.get("choices"))
    ]
    made = [
        {**envelope, "choices": [piece]}
        for choice in items(response.get("choices"))
        for piece in _choice_pieces(choice, texts)
    ]
    usage = next((chunk for chunk in chunks if chunk.get("usage")), None)
    if usage is not None and response.get("usage"):
        if usage.get("choices") or not made:  # it came with the last piece
            made[-1:] = [{**last, "usage": response["usage"]} for last in made[-1:]]
        else:
            made.append({**envelope, "choices": [], "usage": response["usage"]})
    events = [Event.of(None, chunk) for chunk in made]
    if not chunks or any(event.data.strip() == "[DONE]" for event in recorded):
        events.append(Event(None, "[DONE]"))
    return events


def _choice_pieces(choice: Json, recorded_texts: list[str]) -> Iterator[Json]:
    index, message = choice.get("index", 0), mapping(choice.get("message"))

    def piece(delta: Json, finish: Any = None) -> Json:
        return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}

    rest = {k: v for k, v in message.items() if k not in ("role", "content", "tool_calls")}
    content = message.get("content")
    yield piece({"role": message.get("role", "assistant"), "content": None if content is None else "", **rest})
    for text in pieces(flattened(content), recorded_texts):
        yield piece({"content": text})
    for number, call in enumerate(items(message.get("tool_calls"))):
        function = mapping(call.get("function"))
        head = {**call, "index": number, "function": {**function, "arguments": ""}}
        yield piece({"tool_calls": [head]})
        for text in pieces(text_of(function.get("arguments")) or "", ()):
            yield piece({"tool_calls": [{"index": number, "function": {"arguments": text}}]})
    yield piece({}, choice.get("finish_reason"))


def with_text(response: Json, text: str) -> Json:
    choices = items(response.get("choices"))
    if not choices:
        raise EditError("the recorded response has no choices whose text could be replaced")
    message = mapping(choices[0].get("message"))
    if message.get("audio"):
        raise EditError("this output is sound, which would not say the new text: give the whole response as JSON")
    if not flattened(message.get("content")) and message.get("tool_calls"):
        raise EditError(CALLS_ONLY)
    changed = {**choices[0], "message": {**message, "content": text}}
    if message.get("refusal"):
        changed["message"]["refusal"] = None  # it was what the message said
    changed.pop("logprobs", None)  # they belong to the tokens of the old text
    if "logprobs" in choices[0]:
        changed["logprobs"] = None
    return {**response, "choices": [changed, *choices[1:]]}


def check(response: Json) -> None:
    choices = need_list(response, "choices", of="objects")
    if not choices:
        raise EditError('"choices" must not be empty')
    for number, choice in enumerate(choices):
        message = choice.get("message")
        if not isinstance(message, dict):
            raise EditError(f'"choices[{number}].message" must be an object')
        if not isinstance(message.get("content"), str | list | None):
            raise EditError(f'"choices[{number}].message.content" must be a string or null')
        if message.get("tool_calls") is not None:
            _check_tool_calls(message, f"choices[{number}].message")


def _check_tool_calls(message: Json, where: str) -> None:
    for number, call in enumerate(need_list(message, "tool_calls", of="tool calls")):
        place = f"{where}.tool_calls[{number}]"
        if not isinstance(call.get("id"), str):
            raise EditError(f'"{place}.id" must be a string')
        if call.get("type", "function") != "function":
            continue  # custom tools carry free text
        function = call.get("function")
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise EditError(f'"{place}.function.name" must be a string')
        json_object(function.get("arguments"), f"{place}.function.arguments")
    each_its_own(message["tool_calls"], "id", f"{where}.tool_calls")


def _tool_calls(message: Json) -> tuple[ToolCall, ...]:
    found = []
    # `function_call` is what they were before there could be several.
    before = [{"function": message["function_call"]}] if isinstance(message.get("function_call"), dict) else []
    for call in items(message.get("tool_calls")) or before:
        function = mapping(call.get("function")) or mapping(call.get("custom"))
        arguments = text_of(function.get("arguments")) or text_of(function.get("input")) or ""
        found.append(ToolCall(text_of(call.get("id")), text_of(function.get("name")) or "?", arguments))
    return tuple(found)
