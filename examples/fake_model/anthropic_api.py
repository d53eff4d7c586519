"""Anthropic's messages, token counts and models: requests in, bodies and events out.

Shapes follow the API reference and the types of the `anthropic` package, whose parsers the tests use.
"""

from __future__ import annotations

import json
from typing import Any

from .api import MODELS, Event, Exchange, Json, RequestError, digest, objects, plain, said
from .model import Ask, Reply, Turn, answer, count_input, tokens
from .tools import Tool

_FINISH = {"stop": "end_turn", "stop_sequence": "stop_sequence", "length": "max_tokens", "tools": "tool_use"}
_CHOICE = {"any": "required", "none": "none"}
_ERROR_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}


def error(status: int, message: str, _param: str | None = None, _code: str | None = None) -> Json:
    """The body of an error answer."""
    kind = _ERROR_TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
    return {"type": "error", "error": {"type": kind, "message": message}}


def stream_error(message: str) -> Event:
    """The event by which a stream says that it failed."""
    return "error", error(529, message)


def models() -> Json:
    """The list of models."""
    listed = [model(name) for name in MODELS]
    return {"data": listed, "has_more": False, "first_id": listed[0]["id"], "last_id": listed[-1]["id"]}


def model(name: str) -> Json:
    """One model."""
    created = "2026-01-01T00:00:00Z"
    return {"type": "model", "id": name, "display_name": name, "created_at": created, "lifecycle": "active"}


def messages(body: Json) -> Exchange:
    """`POST /v1/messages`."""
    _required(body, "max_tokens", int)
    reply = answer(_ask(body))
    message = {
        "id": f"msg_{digest(body)}",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": _content(body, reply),
        "stop_reason": _FINISH[reply.finish],
        "stop_sequence": reply.stop_sequence,
        "usage": {
            "input_tokens": reply.input_tokens - reply.cached_tokens,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": reply.cached_tokens,
            "output_tokens": reply.output_tokens,
            "output_tokens_details": {"thinking_tokens": reply.reasoning_tokens},
            "service_tier": "standard",
        },
    }
    text = "".join(block["text"] for block in message["content"] if block["type"] == "text")
    return Exchange(message, _events(message), said(body["model"], reply, _FINISH[reply.finish], text=text))


def count_tokens(body: Json) -> Exchange:
    """`POST /v1/messages/count_tokens`."""
    return Exchange({"input_tokens": count_input(_ask(body))})


def _required(body: Json, name: str, kind: type) -> Any:
    if name not in body:
        raise RequestError(400, f"{name}: Field required", name)
    if not isinstance(body[name], kind) or body[name] == []:
        raise RequestError(400, f"{name}: Input should be a valid {kind.__name__} with something in it", name)
    return body[name]


def _ask(body: Json) -> Ask:
    name = _required(body, "model", str)
    turns: list[Turn] = []
    system = [plain(body.get("system"))]
    called: dict[str, str] = {}
    for i, message in enumerate(objects(_required(body, "messages", list))):
        role = message.get("role")
        if role == "system":
            system.append(plain(_told(message)))
        elif role in ("user", "assistant"):
            turns += _turns(message, called)
        else:
            raise RequestError(400, f"messages.{i}.role: Input should be 'user', 'assistant' or 'system'")
    choice = body.get("tool_choice") or {}
    form = (body.get("output_config") or {}).get("format") or body.get("output_format") or {}
    return Ask(
        model=name,
        turns=turns,
        system="\n\n".join(filter(None, system)),
        tools=[
            Tool(tool["name"], tool.get("description") or "", tool["input_schema"])
            for tool in objects(body.get("tools"))
            if "input_schema" in tool
        ],
        tool_choice=choice.get("name") or _CHOICE.get(choice.get("type", ""), "auto"),
        parallel_tools=not choice.get("disable_parallel_tool_use"),
        max_tokens=body.get("max_tokens"),
        stop=body.get("stop_sequences") or (),
        schema=form.get("schema") if form.get("type") == "json_schema" else None,
        think=(body.get("thinking") or {}).get("type") in ("enabled", "adaptive"),
    )


def _turns(message: Json, called: dict[str, str]) -> list[Turn]:
    """One message as turns: results of tools come in messages of the user, beside or without text.

    `called` keeps the tools' names by the id of their call, from one message to the next.
    """
    blocks = _told(message)
    called.update((block["id"], block["name"]) for block in blocks if block.get("type") == "tool_use")
    results = [block for block in blocks if block.get("type") == "tool_result"]
    text = plain([block for block in blocks if block.get("type") not in ("tool_use", "tool_result", "thinking")])
    turns = []
    if text or not results:
        turns.append(Turn("user" if message["role"] == "user" else "assistant", text))
    for block in results:
        turns.append(Turn("tool", plain(block.get("content")), called.get(block.get("tool_use_id", ""), "tool")))
    return turns


def _told(message: Json) -> list[Json]:
    """The blocks of a message, but for those in which an agent's program tells of the day and the machine: answers
    are to be the same everywhere."""
    content = message.get("content")
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else objects(content)
    return [block for block in blocks if not str(block.get("text", "")).startswith("<system-reminder>")]


def _content(body: Json, reply: Reply) -> list[Json]:
    blocks: list[Json] = []
    if reply.thought:
        blocks.append({"type": "thinking", "thinking": reply.thought, "signature": digest(body, "thought")})
    # As the real models do, it says what it is about to call.
    blocks.append({"type": "text", "text": f"I will ask {reply.calls[0].name}." if reply.calls else reply.text})
    for i, call in enumerate(reply.calls):
        name = f"toolu_{digest(body, i)}"
        blocks.append({"type": "tool_use", "id": name, "name": call.name, "input": json.loads(call.arguments)})
    return blocks


def _events(message: Json) -> list[Event]:
    usage = message["usage"]
    begun = {**message, "content": [], "stop_reason": None, "stop_sequence": None}
    begun["usage"] = {**usage, "output_tokens": 1}
    events: list[Event] = []

    def add(kind: str, **data: object) -> None:
        events.append((kind, {"type": kind, **data}))

    add("message_start", message=begun)
    for index, block in enumerate(message["content"]):
        if block["type"] == "text":
            add("content_block_start", index=index, content_block={"type": "text", "text": ""})
            deltas = [{"type": "text_delta", "text": piece} for piece in tokens(block["text"])]
        elif block["type"] == "thinking":
            empty = {"type": "thinking", "thinking": "", "signature": ""}
            add("content_block_start", index=index, content_block=empty)
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in tokens(block["thinking"])]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        else:
            add("content_block_start", index=index, content_block={**block, "input": {}})
            pieces = tokens(json.dumps(block["input"], ensure_ascii=False))
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
        if index == 0:
            add("ping")
        for delta in deltas:
            add("content_block_delta", index=index, delta=delta)
        add("content_block_stop", index=index)
    stop = {"stop_reason": message["stop_reason"], "stop_sequence": message["stop_sequence"]}
    spent = {name: usage[name] for name in ("output_tokens", "output_tokens_details")}
    add("message_delta", delta=stop, usage=spent)
    add("message_stop")
    return events
