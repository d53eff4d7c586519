"""Ollama's chat, generation and embeddings: requests in, bodies and lines out.

Shapes follow https://github.com/ollama/ollama/blob/main/docs/api.md and the types of the `ollama` package.
"""

from __future__ import annotations

import json

from .api import Event, Exchange, Json, RequestError, objects
from .model import Ask, Reply, Turn, answer, tokens
from .openai_api import tool, vector

_CREATED = "2026-01-01T00:00:00.000000Z"
_DIMENSIONS = 64


def error(_status: int, message: str, _param: str | None = None, _code: str | None = None) -> Json:
    """The body of an error answer."""
    return {"error": message}


def stream_error(message: str) -> Event:
    """The line by which a stream says that it failed."""
    return "", {"error": message}


def chat(body: Json) -> Exchange:
    """`POST /api/chat`; streamed unless it says not to be."""
    turns, system = [], []
    for message in objects(body.get("messages")):
        role, text = message.get("role"), str(message.get("content") or "")
        if role == "system":
            system.append(text)
        elif role in ("user", "assistant", "tool"):
            turns.append(Turn(role, text, message.get("tool_name") or "tool"))
    tools = [tool(item["function"]) for item in objects(body.get("tools"))]
    reply = answer(Ask(**_common(body), turns=turns, system="\n\n".join(system), tools=tools))
    calls = [{"function": {"name": call.name, "arguments": json.loads(call.arguments)}} for call in reply.calls]
    said: list[Json] = [{"content": piece} for piece in tokens(reply.text)]
    if calls:
        said = [{"content": "", "tool_calls": calls}]
    head = _head(body)
    events: list[Event] = [("", {**head, "message": {"role": "assistant", **piece}, "done": False}) for piece in said]
    end = _end(reply)
    events.append(("", {**head, "message": {"role": "assistant", "content": ""}, **end}))
    message = {"role": "assistant", "content": reply.text, **({"tool_calls": calls} if calls else {})}
    return Exchange({**head, "message": message, **end}, events)


def generate(body: Json) -> Exchange:
    """`POST /api/generate`; streamed unless it says not to be."""
    turns = [Turn("user", str(body.get("prompt") or ""))]
    reply = answer(Ask(**_common(body), turns=turns, system=str(body.get("system") or "")))
    head, end = _head(body), _end(reply)
    events: list[Event] = [("", {**head, "response": piece, "done": False}) for piece in tokens(reply.text)]
    events.append(("", {**head, "response": "", **end}))
    return Exchange({**head, "response": reply.text, **end}, events)


def embed(body: Json) -> Exchange:
    """`POST /api/embed`."""
    given = body.get("input")
    texts = given if isinstance(given, list) else [given]
    return Exchange(
        {
            "model": body["model"],
            "embeddings": [vector(str(text), _DIMENSIONS) for text in texts],
            "total_duration": 14_000_000,
            "load_duration": 1_000_000,
            "prompt_eval_count": sum(len(tokens(str(text))) for text in texts),
        }
    )


def _common(body: Json) -> Json:
    if not isinstance(body.get("model"), str):
        raise RequestError(400, "model is required")
    options, form = body.get("options") or {}, body.get("format")
    return {
        "model": body["model"],
        "max_tokens": options.get("num_predict"),
        "stop": options.get("stop") or (),
        "schema": form if isinstance(form, dict) else None,
        "json_object": form == "json",
    }


def _head(body: Json) -> Json:
    return {"model": body["model"], "created_at": _CREATED}


def _end(reply: Reply) -> Json:
    return {
        "done": True,
        "done_reason": "length" if reply.finish == "length" else "stop",
        "total_duration": 5_000_000_000,
        "load_duration": 1_000_000,
        "prompt_eval_count": reply.input_tokens,
        "prompt_eval_duration": 2_000_000,
        "eval_count": reply.output_tokens,
        "eval_duration": 3_000_000,
    }
