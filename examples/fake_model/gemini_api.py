"""Gemini's content generation and embeddings: requests in, bodies and events out.

Shapes follow the API reference (https://ai.google.dev/api/generate-content) and the types of `google-genai`.
"""

from __future__ import annotations

import json
from typing import Any

from .api import Event, Exchange, Json, RequestError, digest, objects, said, said_of_vectors
from .model import Ask, Reply, Turn, answer, tokens
from .openai_api import vector
from .tools import Tool

_FINISH = {"stop": "STOP", "stop_sequence": "STOP", "length": "MAX_TOKENS", "tools": "STOP"}
_CHOICE = {"ANY": "required", "NONE": "none"}
_STATUS = {401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED"}
_DIMENSIONS = 64


def error(status: int, message: str, _param: str | None = None, _code: str | None = None) -> Json:
    """The body of an error answer."""
    kind = _STATUS.get(status, "INTERNAL" if status >= 500 else "INVALID_ARGUMENT")
    return {"error": {"code": status, "message": message, "status": kind}}


def stream_error(message: str) -> Event:
    """The event by which a stream says that it failed."""
    return "", error(503, message)


def generate(body: Json) -> Exchange:
    """`POST …:generateContent` and `…:streamGenerateContent?alt=sse`; `body` has `model` from the path."""
    reply = answer(_ask(body))
    used = {
        "promptTokenCount": reply.input_tokens,
        "candidatesTokenCount": reply.output_tokens - reply.reasoning_tokens,
        "totalTokenCount": reply.input_tokens + reply.output_tokens,
    }
    # Where there are none of them, it does not say so.
    cached, thought = reply.cached_tokens or None, reply.reasoning_tokens or None
    used |= {"cachedContentTokenCount": cached} if cached else {}
    used |= {"thoughtsTokenCount": thought} if thought else {}
    head = {"modelVersion": body["model"], "responseId": digest(body)}
    parts = _parts(body, reply)
    whole = {"candidates": [_candidate(parts, _FINISH[reply.finish])], "usageMetadata": used, **head}
    pieces = [piece for part in parts for piece in _pieces(part)]
    events: list[Event] = [("", {"candidates": [_candidate([piece])], **head}) for piece in pieces]
    events.append(("", {**whole, "candidates": [_candidate([{"text": ""}], _FINISH[reply.finish])]}))
    shown = reply.thought if any("thought" in part for part in parts) else ""
    differs: Json = {"reasoning": shown, "cached_tokens": cached, "reasoning_tokens": thought}
    return Exchange(whole, events, said(body["model"], reply, _FINISH[reply.finish], **differs))


def embed(body: Json) -> Exchange:
    """`POST …:embedContent` and `…:batchEmbedContents`."""
    asked = objects(body["requests"]) if "requests" in body else [body]
    found = [{"values": vector(_text(each.get("content") or {}), _DIMENSIONS)} for each in asked]
    told = said_of_vectors(None, None)
    return Exchange({"embeddings": found} if "requests" in body else {"embedding": found[0]}, said=told)


def _candidate(parts: list[Json], finish: str | None = None) -> Json:
    candidate: Json = {"content": {"role": "model", "parts": parts}, "index": 0}
    return candidate if finish is None else {**candidate, "finishReason": finish}


def _parts(body: Json, reply: Reply) -> list[Json]:
    calls: list[Json] = [
        {"functionCall": {"id": digest(body, i), "name": call.name, "args": json.loads(call.arguments)}}
        for i, call in enumerate(reply.calls)
    ]
    text: Json = {"text": reply.text}
    parts = calls or [text]
    if reply.thought and _thinking(body).get("includeThoughts"):
        parts = [{"text": reply.thought, "thought": True}, *parts]
    return parts


def _thinking(body: Json) -> Json:
    return (body.get("generationConfig") or {}).get("thinkingConfig") or {}


def _pieces(part: Json) -> list[Json]:
    """A part as a stream has it: texts come word by word."""
    return [{**part, "text": piece} for piece in tokens(part["text"])] if "text" in part else [part]


def _text(content: Json) -> str:
    return "\n".join(str(part["text"]) for part in objects(content.get("parts")) if "text" in part)


def _ask(body: Json) -> Ask:
    contents = objects(body.get("contents"))
    if not contents:
        raise RequestError(400, "* GenerateContentRequest.contents: contents is not specified")
    turns: list[Turn] = []
    for content in contents:
        results = [part["functionResponse"] for part in objects(content.get("parts")) if "functionResponse" in part]
        if not results:
            turns.append(Turn("assistant" if content.get("role") == "model" else "user", _text(content)))
        turns += [Turn("tool", _result(result.get("response")), result["name"]) for result in results]
    config = body.get("generationConfig") or {}
    calling = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    declared = [each for tool in objects(body.get("tools")) for each in objects(tool.get("functionDeclarations"))]
    return Ask(
        model=body["model"],
        turns=turns,
        system=_text(body.get("systemInstruction") or {}),
        tools=[
            Tool(
                each["name"],
                each.get("description") or "",
                _schema(_either(each, "parametersJsonSchema", "parameters_json_schema", "parameters") or {}),
            )
            for each in declared
        ],
        tool_choice=_CHOICE.get(calling.get("mode", ""), "auto"),
        max_tokens=config.get("maxOutputTokens"),
        stop=config.get("stopSequences") or (),
        schema=_schema(_either(config, "responseJsonSchema", "response_json_schema", "responseSchema")),
        json_object=config.get("responseMimeType") == "application/json",
        think=bool(_thinking(body)) and _thinking(body).get("thinkingBudget") != 0,
    )


def _either(given: Json, *names: str) -> Any:
    """A field under one of its names: Google's servers take those with underscores, too."""
    return next((given[name] for name in names if given.get(name)), None)


def _result(response: Any) -> str:
    """What a function gave; the SDK wraps it as `{"result": …}`."""
    if isinstance(response, dict) and list(response) == ["result"]:
        return _result(response["result"])
    return response if isinstance(response, str) else json.dumps(response, ensure_ascii=False)


def _schema(given: Any) -> Any:
    """A schema with the names of types as JSON schema has them: Gemini's own are in capitals."""
    if isinstance(given, list):
        return [_schema(each) for each in given]
    if not isinstance(given, dict):
        return given
    return {
        key: part.lower() if key == "type" and isinstance(part, str) else _schema(part) for key, part in given.items()
    }
