"""Responses that say nothing yet, for calls that got none: what an edit makes of a failure is built on them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from ao_lsp.server.model import Headers
from ao_lsp.server.providers.shape import Json

_ID = "edited"


def _chat(model: str) -> Json:
    choice = {"index": 0, "message": {"role": "assistant", "content": ""}, "logprobs": None, "finish_reason": "stop"}
    return {"id": _ID, "object": "chat.completion", "created": int(time.time()), "model": model, "choices": [choice]}


def _completion(model: str) -> Json:
    choice = {"index": 0, "text": "", "logprobs": None, "finish_reason": "stop"}
    return {"id": _ID, "object": "text_completion", "created": int(time.time()), "model": model, "choices": [choice]}


def _response(model: str) -> Json:
    part = {"type": "output_text", "text": "", "annotations": []}
    message = {"id": _ID, "type": "message", "status": "completed", "role": "assistant", "content": [part]}
    return {
        "id": _ID, "object": "response", "created_at": int(time.time()), "status": "completed", "model": model,
        "output": [message], "error": None, "incomplete_details": None, "instructions": None, "metadata": {},
        "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
    }  # fmt: skip


def _message(model: str) -> Json:
    return {
        "id": _ID, "type": "message", "role": "assistant", "model": model, "content": [{"type": "text", "text": ""}],
        "stop_reason": "end_turn", "stop_sequence": None, "usage": {"input_tokens": 0, "output_tokens": 0},
    }  # fmt: skip


def _gemini(model: str) -> Json:
    candidate = {"content": {"role": "model", "parts": [{"text": ""}]}, "finishReason": "STOP", "index": 0}
    return {"candidates": [candidate], "modelVersion": model}


def _ollama(model: str) -> Json:
    return {"model": model, "created_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "done": True,
            "done_reason": "stop"}  # fmt: skip


def _ollama_chat(model: str) -> Json:
    return {**_ollama(model), "message": {"role": "assistant", "content": ""}}


def _ollama_generate(model: str) -> Json:
    return {**_ollama(model), "response": ""}


def _converse(_: str) -> Json:
    message = {"role": "assistant", "content": [{"text": ""}]}
    return {"output": {"message": message}, "stopReason": "end_turn"}


_BLANK: Mapping[str, Callable[[str], Json]] = {
    "/chat/completions": _chat,
    "/completions": _completion,
    "/responses": _response,
    "/messages": _message,
    "/api/chat": _ollama_chat,
    "/api/generate": _ollama_generate,
    ":generateContent": _gemini,
    ":streamGenerateContent": _gemini,
    "/converse": _converse,
    "/converse-stream": _converse,
}

_STREAMS = {
    "/api/chat": "application/x-ndjson",
    "/api/generate": "application/x-ndjson",
    "/converse-stream": "application/vnd.amazon.eventstream",
}


def response(ending: str, model: str | None) -> Json | None:
    """A response of the API whose paths end like this, which says nothing; None where it has no text."""
    make = _BLANK.get(ending)
    return make(model or "unknown") if make else None


def headers(ending: str, url: str, streamed: bool) -> Headers:
    """The headers of a response, `streamed` or not."""
    kind = "application/json"
    if streamed and (ending != ":streamGenerateContent" or "alt=sse" in url):
        kind = _STREAMS.get(ending, "text/event-stream")
    return (("content-type", kind),)
