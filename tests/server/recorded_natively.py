"""Responses of the APIs that are nobody else's: Gemini's, Ollama's and Bedrock's."""

from __future__ import annotations

import json
from typing import Any

from ao_lsp.server.providers import event_stream

JSON = (("content-type", "application/json; charset=UTF-8"),)
EVENTS = (("content-type", "text/event-stream"), ("transfer-encoding", "chunked"))
LINES = (("Content-Type", "application/x-ndjson"), ("Transfer-Encoding", "chunked"))
FRAMES = (("Content-Type", "application/vnd.amazon.eventstream"), ("Transfer-Encoding", "chunked"))

# -- Gemini

GEMINI = "/v1beta/models/gemini-3-flash:generateContent"
GEMINI_STREAM = "/v1beta/models/gemini-3-flash:streamGenerateContent"
GEMINI_EMBED = "/v1beta/models/gemini-embedding-001:batchEmbedContents"

_USED = {
    "promptTokenCount": 8,
    "toolUsePromptTokenCount": 3,
    "cachedContentTokenCount": 4,
    "candidatesTokenCount": 3,
    "thoughtsTokenCount": 2,
    "totalTokenCount": 16,
}
_GEMINI_PARTS: list[dict[str, Any]] = [
    {"text": "Let me see.", "thought": True},
    {"text": "Hello there"},
    {"functionCall": {"id": "call_1", "name": "weather", "args": {"city": "Porto"}}, "thoughtSignature": "c2ln"},
]


def gemini(*parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    candidate = {
        "content": {"role": "model", "parts": list(parts or _GEMINI_PARTS)},
        "finishReason": "STOP",
        "index": 0,
    }
    return {
        "candidates": [{**candidate, **more}],
        "usageMetadata": _USED,
        "modelVersion": "gemini-3-flash-001",
        "responseId": "r1",
    }


def _gemini_chunk(*parts: dict[str, Any]) -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    return {
        "candidates": [candidate],
        "usageMetadata": {"promptTokenCount": 8, "totalTokenCount": 8},
        "modelVersion": "gemini-3-flash-001",
        "responseId": "r1",
    }


GEMINI_CHUNKS = [
    _gemini_chunk({"text": "Let me ", "thought": True}),
    _gemini_chunk({"text": "see.", "thought": True}),
    _gemini_chunk({"text": "Hello "}),
    _gemini_chunk({"text": "there"}),
    _gemini_chunk(_GEMINI_PARTS[2]),
    gemini({"text": ""}),
]
GEMINI_EVENTS = "".join(f"data: {json.dumps(chunk)}\r\n\r\n" for chunk in GEMINI_CHUNKS).encode()
GEMINI_ARRAY = json.dumps(GEMINI_CHUNKS, indent=2).replace("},\n  {", "}\n,\r\n  {").encode()
GEMINI_EMBEDDING = {"embeddings": [{"values": [0.5, -0.25]}, {"values": [1, 0]}]}

# -- Ollama

OLLAMA, OLLAMA_GENERATE, OLLAMA_EMBED = "/api/chat", "/api/generate", "/api/embed"

_OLLAMA_HEAD = {"model": "qwen3:8b", "created_at": "2026-01-02T03:04:05.678Z"}
_OLLAMA_END = {
    "done": True,
    "done_reason": "stop",
    "total_duration": 5_000_000_000,
    "load_duration": 1_000_000,
    "prompt_eval_count": 11,
    "prompt_eval_duration": 2_000_000,
    "eval_count": 5,
    "eval_duration": 3_000_000,
}
OLLAMA_CALL = {"id": "call_1", "function": {"index": 0, "name": "weather", "arguments": {"city": "Porto"}}}


def ollama(content: str = "Hello there", *tool_calls: dict[str, Any], thinking: str = "Let me see.") -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": content, "thinking": thinking}
    if tool_calls:
        message["tool_calls"] = list(tool_calls)
    return {**_OLLAMA_HEAD, "message": message, **_OLLAMA_END}


def generated(text: str = "Hello there") -> dict[str, Any]:
    return {**_OLLAMA_HEAD, "response": text, "thinking": "Let me see.", **_OLLAMA_END, "context": [1, 2, 3]}


def lines(*chunks: dict[str, Any]) -> bytes:
    return "".join(json.dumps(chunk) + "\n" for chunk in chunks).encode()


def _ollama_chunk(**message: Any) -> dict[str, Any]:
    return {**_OLLAMA_HEAD, "message": {"role": "assistant", "content": "", **message}, "done": False}


OLLAMA_STREAM = lines(
    _ollama_chunk(thinking="Let me "),
    _ollama_chunk(thinking="see."),
    _ollama_chunk(content="Hello "),
    _ollama_chunk(content="there"),
    _ollama_chunk(tool_calls=[OLLAMA_CALL]),
    {**_ollama_chunk(), **_OLLAMA_END},
)
GENERATED_STREAM = lines(
    {**_OLLAMA_HEAD, "response": "", "thinking": "Let me see.", "done": False},
    {**_OLLAMA_HEAD, "response": "Hello ", "done": False},
    {**_OLLAMA_HEAD, "response": "there", "done": False},
    {**_OLLAMA_HEAD, "response": "", **_OLLAMA_END, "context": [1, 2, 3]},
)
OLLAMA_EMBEDDING = {
    "model": "embeddinggemma",
    "embeddings": [[0.5, -0.25]],
    "total_duration": 14_000_000,
    "load_duration": 1_000_000,
    "prompt_eval_count": 3,
}

# -- Bedrock

CONVERSE = "/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse"
CONVERSE_STREAM = CONVERSE + "-stream"

_USE = {"toolUseId": "tooluse_1", "name": "weather", "input": {"city": "Porto"}}
_CONVERSE_BLOCKS: list[dict[str, Any]] = [
    {"reasoningContent": {"reasoningText": {"text": "Let me see.", "signature": "sig"}}},
    {"text": "Hello there"},
    {"toolUse": _USE},
]
_CONVERSE_USED = {
    "inputTokens": 5,
    "outputTokens": 5,
    "totalTokens": 16,
    "cacheReadInputTokens": 4,
    "cacheWriteInputTokens": 2,
}


def converse(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {
        "output": {"message": {"role": "assistant", "content": list(blocks or _CONVERSE_BLOCKS)}},
        "stopReason": "tool_use",
        "usage": _CONVERSE_USED,
        "metrics": {"latencyMs": 1200},
    }


def frames(*events: tuple[str, dict[str, Any]]) -> bytes:
    return b"".join(
        event_stream.frame(
            {":event-type": name, ":content-type": "application/json", ":message-type": "event"},
            json.dumps(data).encode(),
        )
        for name, data in events
    )


def exception(name: str, data: dict[str, Any]) -> bytes:
    headers = {":exception-type": name, ":content-type": "application/json", ":message-type": "exception"}
    return event_stream.frame(headers, json.dumps(data).encode())


def delta(index: int, **delta: Any) -> tuple[str, dict[str, Any]]:
    return "contentBlockDelta", {"contentBlockIndex": index, "delta": delta, "p": "abcdefgh"}


def stopped(index: int) -> tuple[str, dict[str, Any]]:
    return "contentBlockStop", {"contentBlockIndex": index, "p": "abc"}


CONVERSE_EVENTS: list[tuple[str, dict[str, Any]]] = [
    ("messageStart", {"role": "assistant", "p": "abcd"}),
    delta(0, reasoningContent={"text": "Let me "}),
    delta(0, reasoningContent={"text": "see."}),
    delta(0, reasoningContent={"signature": "sig"}),
    stopped(0),
    delta(1, text="Hello "),
    delta(1, text="there"),
    stopped(1),
    (
        "contentBlockStart",
        {"contentBlockIndex": 2, "start": {"toolUse": {"toolUseId": "tooluse_1", "name": "weather"}}, "p": "ab"},
    ),
    delta(2, toolUse={"input": '{"city": '}),
    delta(2, toolUse={"input": '"Porto"}'}),
    stopped(2),
    ("messageStop", {"stopReason": "tool_use", "p": "abcdefghij"}),
    ("metadata", {"usage": _CONVERSE_USED, "metrics": {"latencyMs": 1200}, "p": "a"}),
]
CONVERSE_FRAMES = frames(*CONVERSE_EVENTS)

NATIVE = {
    "gemini": (GEMINI, JSON, json.dumps(gemini()).encode()),
    "gemini stream": (GEMINI_STREAM, EVENTS, GEMINI_EVENTS),
    "gemini array stream": (GEMINI_STREAM, JSON, GEMINI_ARRAY),
    "ollama": (OLLAMA, JSON, json.dumps(ollama("Hello there", OLLAMA_CALL)).encode()),
    "ollama stream": (OLLAMA, LINES, OLLAMA_STREAM),
    "generate": (OLLAMA_GENERATE, JSON, json.dumps(generated()).encode()),
    "generate stream": (OLLAMA_GENERATE, LINES, GENERATED_STREAM),
    "converse": (CONVERSE, JSON, json.dumps(converse()).encode()),
    "converse stream": (CONVERSE_STREAM, FRAMES, CONVERSE_FRAMES),
}
"""Endpoint, headers and body of each kind of response, but for embeddings."""
