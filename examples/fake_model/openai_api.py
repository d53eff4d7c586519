"""OpenAI's chat completions, embeddings and models: requests in, bodies and events out.

Shapes follow the API reference and the types of the `openai` package, whose parsers the tests use.
"""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any

from .api import CREATED, MODELS, Event, Exchange, Json, RequestError, digest, objects, plain, said, said_of_vectors
from .model import Ask, Reply, Turn, answer, tokens
from .prompt import keywords
from .tools import Tool

_FINISH = {"stop": "stop", "stop_sequence": "stop", "length": "length", "tools": "tool_calls"}
_DIMENSIONS = 256
_ERROR_TYPES = {429: "requests", 401: "authentication_error", 403: "permission_error"}


def error(status: int, message: str, param: str | None = None, code: str | None = None) -> Json:
    """The body of an error answer."""
    kind = _ERROR_TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def stream_error(message: str) -> Event:
    """The event by which a chat stream says that it failed."""
    return "", error(500, message)


def models() -> Json:
    """The list of models."""
    return {"object": "list", "data": [model(name) for name in MODELS]}


def model(name: str) -> Json:
    """One model."""
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "loopback"}


def required(body: Json, name: str, *kinds: type) -> Any:
    """A field that has to be there, of one of `kinds` (`str`, `list`), and no empty list.

    Raises:
        RequestError: it is not.
    """
    if name not in body:
        raise RequestError(400, f"Missing required parameter: '{name}'.", name, "missing_required_parameter")
    value = body[name]
    if not isinstance(value, kinds) or value == []:
        wanted = " or ".join("a string" if kind is str else "a list with something in it" for kind in kinds)
        raise RequestError(400, f"Invalid type for '{name}': expected {wanted}.", name, "invalid_type")
    return value


def _number(body: Json, name: str, default: int, most: int) -> int:
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, int) or not 1 <= value <= most:
        raise RequestError(400, f"Invalid '{name}': expected a whole number from 1 to {most}.", name, "invalid_value")
    return value


# Chat completions


def chat(body: Json) -> Exchange:
    """`POST /v1/chat/completions`."""
    ask = _chat_ask(body)
    wanted = _number(body, "n", 1, 128)
    # A further choice is a further answer: the model's name is part of what an answer depends on.
    asks = [replace(ask, model=f"{ask.model}#{index}" if index else ask.model) for index in range(wanted)]
    replies = [answer(each) for each in asks]
    spent = sum(reply.output_tokens for reply in replies)
    thought = sum(reply.reasoning_tokens for reply in replies)
    usage = {
        "prompt_tokens": replies[0].input_tokens,
        "completion_tokens": spent,
        "total_tokens": replies[0].input_tokens + spent,
        "prompt_tokens_details": {"cached_tokens": replies[0].cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": thought, "audio_tokens": 0},
    }
    head = {
        "id": f"chatcmpl-{digest(body)}",
        "created": CREATED,
        "model": ask.model,
        "service_tier": "default",
        "system_fingerprint": None,
    }
    choices = [
        {
            "index": index,
            "message": _chat_message(body, reply),
            "logprobs": None,
            "finish_reason": _FINISH[reply.finish],
        }
        for index, reply in enumerate(replies)
    ]
    include_usage = bool((body.get("stream_options") or {}).get("include_usage"))
    # This API counts thoughts, and does not show them.
    differs: Json = {"reasoning": "", "output_tokens": spent, "reasoning_tokens": thought}
    if body.get("stream") and not include_usage:
        differs |= dict.fromkeys(("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens"))
    return Exchange(
        {**head, "object": "chat.completion", "choices": choices, "usage": usage},
        _chat_events(body, replies, {**head, "object": "chat.completion.chunk"}, usage if include_usage else None),
        said(ask.model, replies[0], _FINISH[replies[0].finish], **differs),
    )


def _chat_ask(body: Json) -> Ask:
    name = required(body, "model", str)
    messages = objects(required(body, "messages", list))
    system: list[str] = []
    turns: list[Turn] = []
    called: dict[object, str] = {}
    for i, message in enumerate(messages):
        role, text = message.get("role"), plain(message.get("content"))
        if role in ("system", "developer"):
            system.append(text)
        elif role in ("tool", "function"):
            caller = called.get(message.get("tool_call_id")) or message.get("name") or "tool"
            turns.append(Turn("tool", text, caller))
        elif role == "user":
            turns.append(Turn("user", text))
        elif role == "assistant":
            called.update((call.get("id"), call["function"]["name"]) for call in objects(message.get("tool_calls")))
            turns.append(Turn("assistant", text))
        else:
            raise RequestError(400, f"Invalid value: '{role}'.", f"messages[{i}].role", "invalid_value")
    stop = body.get("stop") or []
    form = body.get("response_format") or {}
    choice = body.get("tool_choice") or "auto"
    return Ask(
        model=name,
        turns=turns,
        system="\n\n".join(system),
        tools=[tool(item["function"]) for item in objects(body.get("tools")) if "function" in item],
        tool_choice=choice if isinstance(choice, str) else choice.get("function", {}).get("name", "auto"),
        parallel_tools=body.get("parallel_tool_calls") is not False,
        max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
        stop=[stop] if isinstance(stop, str) else stop,
        schema=form["json_schema"].get("schema") if form.get("type") == "json_schema" else None,
        json_object=form.get("type") == "json_object",
        think=body.get("reasoning_effort") not in (None, "none"),
    )


def tool(function: Json) -> Tool:
    """A function as both of OpenAI's APIs describe it."""
    return Tool(function["name"], function.get("description") or "", function.get("parameters") or {})


def _chat_message(body: Json, reply: Reply) -> Json:
    message: Json = {"role": "assistant", "content": None if reply.calls else reply.text, "refusal": None}
    if reply.calls:
        message["tool_calls"] = [
            {
                "id": f"call_{digest(body, i)}",
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for i, call in enumerate(reply.calls)
        ]
    return message | {"annotations": []}


def _chat_events(body: Json, replies: Sequence[Reply], head: Json, usage: Json | None) -> list[Event]:
    # With `include_usage`, every chunk has the field, and only the last one has numbers in it.
    counted = {} if usage is None else {"usage": None}

    def chunk(index: int, delta: Json, finish: str | None = None) -> Event:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
        return "", {**head, "choices": [choice], **counted}

    events = []
    for index, reply in enumerate(replies):
        message = _chat_message(body, reply)
        start = {"role": "assistant", "content": None if reply.calls else "", "refusal": None}
        events.append(chunk(index, start))
        for i, call in enumerate(message.get("tool_calls", [])):
            function = call["function"]
            begun = {**call, "index": i, "function": {"name": function["name"], "arguments": ""}}
            events.append(chunk(index, {"tool_calls": [begun]}))
            for piece in tokens(function["arguments"]):
                events.append(chunk(index, {"tool_calls": [{"index": i, "function": {"arguments": piece}}]}))
        events += [chunk(index, {"content": piece}) for piece in tokens(reply.text)]
        events.append(chunk(index, {}, _FINISH[reply.finish]))
    if usage is not None:
        events.append(("", {**head, "choices": [], "usage": usage}))
    return [*events, ("", "[DONE]")]


# Embeddings


def embeddings(body: Json) -> Exchange:
    """`POST /v1/embeddings`: texts that share words get vectors that are near each other."""
    name = required(body, "model", str)
    given = required(body, "input", str, list)
    # A string, a list of strings, a list of token numbers, or a list of such lists.
    alone = isinstance(given, str) or all(isinstance(item, int) for item in given)
    texts = [item if isinstance(item, str) else str(item) for item in ([given] if alone else given)]
    dimensions = _number(body, "dimensions", _DIMENSIONS, 4096)
    vectors = [vector(text, dimensions) for text in texts]
    packed = body.get("encoding_format") == "base64"
    data = [
        {
            "object": "embedding",
            "index": i,
            "embedding": base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode() if packed else vector,
        }
        for i, vector in enumerate(vectors)
    ]
    spent = sum(len(tokens(text)) for text in texts)
    usage = {"prompt_tokens": spent, "total_tokens": spent}
    told = said_of_vectors(name, spent)
    return Exchange({"object": "list", "data": data, "model": name, "usage": usage}, said=told)


def vector(text: str, dimensions: int) -> list[float]:
    """An embedding: the sum of one direction a word, of length 1."""
    total = [0.0] * dimensions
    for word in [word.lower() for word in keywords(text)] or [text]:
        for start in range(0, dimensions, 64):
            direction = blake2b(word.encode(), salt=start.to_bytes(4, "big")).digest()
            for i, byte in enumerate(direction[: dimensions - start], start):
                total[i] += byte - 127.5
    length = math.hypot(*total)
    return [value / length for value in total]
