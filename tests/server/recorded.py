"""Responses as the APIs send them, to be read and edited by tests."""

from __future__ import annotations

import json
from typing import Any

from tests.server.recorded_natively import NATIVE

JSON = (("content-type", "application/json"), ("content-length", "1"))
STREAM = (("content-type", "text/event-stream; charset=utf-8"), ("transfer-encoding", "chunked"))

CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
COMPLETIONS, EMBEDDINGS = "/v1/completions", "/v1/embeddings"


def sse(*events: dict[str, Any] | str, named: bool = False) -> bytes:
    lines = []
    for event in events:
        name = f"event: {event['type']}\n" if named and isinstance(event, dict) else ""
        lines.append(f"{name}data: {event if isinstance(event, str) else json.dumps(event)}\n\n")
    return "".join(lines).encode()


# -- chat completions

TOOL_CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Porto"}'}}


def chat(content: str | None = "Hello there", tool_calls: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": None}
    if tool_calls:
        message["tool_calls"] = tool_calls
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "gpt-5-2026",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16},
        "system_fingerprint": "fp_1",
    }


def _chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000, "model": "gpt-5-2026"}
    return {**head, "system_fingerprint": "fp_1", "choices": [choice], "usage": None, "obfuscation": "xx", **more}


CHAT_STREAM = sse(
    _chunk({"role": "assistant", "content": "", "refusal": None}),
    _chunk({"content": "Hel"}),
    _chunk({"content": "lo "}),
    _chunk({"content": "there"}),
    _chunk(
        {
            "tool_calls": [
                {"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": ""}}
            ]
        }
    ),
    _chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"city": '}}]}),
    _chunk({"tool_calls": [{"index": 0, "function": {"arguments": '"Porto"}'}}]}),
    _chunk({}, "tool_calls"),
    {**_chunk({}), "choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16}},
    "[DONE]",
)

# -- legacy completions

COMPLETION = {
    "id": "cmpl-1",
    "object": "text_completion",
    "created": 1,
    "model": "davinci",
    "choices": [{"text": "Once upon", "index": 0, "logprobs": None, "finish_reason": "length"}],
    "usage": {"prompt_tokens": 2, "completion_tokens": 2, "total_tokens": 4},
}
COMPLETION_STREAM = sse(
    {**COMPLETION, "choices": [{"text": "Once ", "index": 0, "logprobs": None, "finish_reason": None}], "usage": None},
    {**COMPLETION, "choices": [{"text": "upon", "index": 0, "logprobs": None, "finish_reason": None}], "usage": None},
    {**COMPLETION, "choices": [{"text": "", "index": 0, "logprobs": None, "finish_reason": "length"}]},
    "[DONE]",
)

# -- embeddings

EMBEDDING = {
    "object": "list",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.5, -0.25]}],
    "model": "text-embedding-3-small",
    "usage": {"prompt_tokens": 3, "total_tokens": 3},
}

# -- responses

_TEXT_ITEM = {
    "id": "msg_1",
    "type": "message",
    "status": "completed",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "Hello there", "annotations": [], "logprobs": []}],
}
_CALL_ITEM = {
    "id": "fc_1",
    "type": "function_call",
    "status": "completed",
    "call_id": "call_1",
    "name": "weather",
    "arguments": '{"city": "Porto"}',
}
_REASONING_ITEM = {"id": "rs_1", "type": "reasoning", "summary": []}


def response(*items: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1700000000,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": "gpt-5-2026",
        "output": list(items or (_REASONING_ITEM, _TEXT_ITEM, _CALL_ITEM)),
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": {
            "input_tokens": 11,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 5,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 16,
        },
    }


def _numbered(*events: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


_BEGUN = {**response(), "status": "in_progress", "output": [], "usage": None}
_PLACE = {"item_id": "msg_1", "output_index": 1, "content_index": 0}
_CALLED = {"item_id": "fc_1", "output_index": 2}
_EMPTY_PART = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
RESPONSE_STREAM = sse(
    *_numbered(
        {"type": "response.created", "response": _BEGUN},
        {"type": "response.in_progress", "response": _BEGUN},
        {"type": "response.output_item.added", "output_index": 0, "item": _REASONING_ITEM},
        {"type": "response.output_item.done", "output_index": 0, "item": _REASONING_ITEM},
        {"type": "response.output_item.added", "output_index": 1, "item": {**_TEXT_ITEM, "content": []}},
        {"type": "response.content_part.added", **_PLACE, "part": _EMPTY_PART},
        {"type": "response.output_text.delta", **_PLACE, "delta": "Hello ", "logprobs": []},
        {"type": "response.output_text.delta", **_PLACE, "delta": "there", "logprobs": []},
        {"type": "response.output_text.done", **_PLACE, "text": "Hello there", "logprobs": []},
        {"type": "response.content_part.done", **_PLACE, "part": _TEXT_ITEM["content"][0]},
        {"type": "response.output_item.done", "output_index": 1, "item": _TEXT_ITEM},
        {"type": "response.output_item.added", "output_index": 2, "item": {**_CALL_ITEM, "arguments": ""}},
        {"type": "response.function_call_arguments.delta", **_CALLED, "delta": '{"city": '},
        {"type": "response.function_call_arguments.delta", **_CALLED, "delta": '"Porto"}'},
        {"type": "response.function_call_arguments.done", **_CALLED, "arguments": _CALL_ITEM["arguments"]},
        {"type": "response.output_item.done", "output_index": 2, "item": _CALL_ITEM},
        {"type": "response.completed", "response": response()},
    ),
    named=True,
)  # fmt: skip

# -- messages

_THINKING = {"type": "thinking", "thinking": "Let me see.", "signature": "sig"}
_TEXT = {"type": "text", "text": "Hello there"}
_TOOL_USE = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Porto"}}


def message(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": list(blocks or (_THINKING, _TEXT, _TOOL_USE)),
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {"input_tokens": 9, "output_tokens": 5, "cache_read_input_tokens": 2},
    }


def _delta(index: int, **delta: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": delta}


MESSAGE_STREAM = sse(
    {
        "type": "message_start",
        "message": {
            **message(),
            "content": [],
            "stop_reason": None,
            "usage": {"input_tokens": 9, "output_tokens": 1, "cache_read_input_tokens": 2},
        },
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}},
    {"type": "ping"},
    _delta(0, type="thinking_delta", thinking="Let me "),
    _delta(0, type="thinking_delta", thinking="see."),
    _delta(0, type="signature_delta", signature="sig"),
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
    _delta(1, type="text_delta", text="Hello "),
    _delta(1, type="text_delta", text="there"),
    {"type": "content_block_stop", "index": 1},
    {"type": "content_block_start", "index": 2, "content_block": {**_TOOL_USE, "input": {}}},
    _delta(2, type="input_json_delta", partial_json='{"city": '),
    _delta(2, type="input_json_delta", partial_json='"Porto"}'),
    {"type": "content_block_stop", "index": 2},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use", "stop_sequence": None},
        "usage": {"output_tokens": 5},
    },
    {"type": "message_stop"},
    named=True,
)

ALL = {
    "chat": (CHAT, JSON, json.dumps(chat(tool_calls=[TOOL_CALL])).encode()),
    "chat stream": (CHAT, STREAM, CHAT_STREAM),
    "completions": (COMPLETIONS, JSON, json.dumps(COMPLETION).encode()),
    "completions stream": (COMPLETIONS, STREAM, COMPLETION_STREAM),
    "embeddings": (EMBEDDINGS, JSON, json.dumps(EMBEDDING).encode()),
    "responses": (RESPONSES, JSON, json.dumps(response()).encode()),
    "responses stream": (RESPONSES, STREAM, RESPONSE_STREAM),
    "messages": (MESSAGES, JSON, json.dumps(message()).encode()),
    "messages stream": (MESSAGES, STREAM, MESSAGE_STREAM),
    **NATIVE,
}
"""Endpoint, headers and body of each kind of response."""
