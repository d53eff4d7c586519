"""Ollama's chat, generation and embeddings: requests in, bodies and lines out.

Shapes follow https://github.com/ollama/ollama/blob/main/docs/api.md and the types of the `ollama` package.
"""

from __future__ import annotations

import json

from .api import Event, Exchange, Json, RequestError, objects, said, said_of_vectors
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
    pieces: list[Json] = [{"content": "", "thinking": piece} for piece in tokens(reply.thought)]
    pieces += [{"content": "", "tool_calls": calls}] if calls else [{"content": piece} for piece in tokens(reply.text)]
    head = _head(body)
    events: list[Event] = [("", {**head, "message": {"role": "assistant", **piece}, "done": False}) for piece in pieces]
    end = _end(reply)
    events.append(("", {**head, "message": {"role": "assistant", "content": ""}, **end}))
    message = {"role": "assistant", "content": reply.text, **_thought(reply)}
    message |= {"tool_calls": calls} if calls else {}
    return Exchange({**head, "message": message, **end}, events, _said(body, reply))


def generate(body: Json) -> Exchange:
    """`POST /api/generate`; streamed unless it says not to be."""
    turns = [Turn("user", str(body.get("prompt") or ""))]
    reply = answer(Ask(**_common(body), turns=turns, system=str(body.get("system") or "")))
    head, end = _head(body), _end(reply)
    pieces: list[Json] = [{"response": "", "thinking": piece} for piece in tokens(reply.thought)]
    pieces += [{"response": piece} for piece in tokens(reply.text)]
    events: list[Event] = [("", {**head, **piece, "done": False}) for piece in pieces]
    events.append(("", {**head, "response": "", **end}))
    return Exchange({**head, "response": reply.text, **_thought(reply), **end}, events, _said(body, reply))


def embed(body: Json) -> Exchange:
    """`POST /api/embed`."""
    given = body.get("input")
    texts = given if isinstance(given, list) else [given]
    spent = sum(len(tokens(str(text))) for text in texts)
    return Exchange(
        {
            "model": body["model"],
            "embeddings": [vector(str(text), _DIMENSIONS) for text in texts],
            "total_duration": 14_000_000,
            "load_duration": 1_000_000,
            "prompt_eval_count": spent,
        },
        said=said_of_vectors(body["model"], spent),
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
        "think": bool(body.get("think")),
    }


def _head(body: Json) -> Json:
    return {"model": body["model"], "created_at": _CREATED}


def _thought(reply: Reply) -> Json:
    return {"thinking": reply.thought} if reply.thought else {}


def _said(body: Json, reply: Reply) -> Json:
    return said(body["model"], reply, _why(reply), cached_tokens=None, reasoning_tokens=None)


def _why(reply: Reply) -> str:
    return "length" if reply.finish == "length" else "stop"


def _end(reply: Reply) -> Json:
    return {
        "done": True,
        "done_reason": _why(reply),
        "total_duration": 5_000_000_000,
        "load_duration": 1_000_000,
        "prompt_eval_count": reply.input_tokens,
        "prompt_eval_duration": 2_000_000,
        "eval_count": reply.output_tokens,
        "eval_duration": 3_000_000,
    }
