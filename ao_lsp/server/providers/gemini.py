"""Google's Gemini: content generation and embeddings, of the Gemini API and of Vertex AI.

https://ai.google.dev/api/generate-content, .../embeddings
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

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
    items,
    mapping,
    need_list,
    need_text,
    need_vectors,
    pieces,
    sum_of,
    text_of,
)
from ao_lsp.server.providers.sse import Event

# What says something about the words of a candidate, and is wrong about others.
_ABOUT_WORDS = frozenset({"citationMetadata", "groundingMetadata", "avgLogprobs", "logprobsResult"})


def is_response(given: Json) -> bool:
    if isinstance(given.get("candidates"), list):
        # Models write about candidates, too.
        beside = any(key in given for key in ("usageMetadata", "modelVersion", "responseId", "promptFeedback"))
        return beside or any("content" in candidate for candidate in items(given["candidates"]))
    return "values" in mapping(given.get("embedding")) or any("values" in x for x in items(given.get("embeddings")))


def prompt(request: Json) -> tuple[Message, ...]:
    system = _field(request, "systemInstruction")
    found = [Message("system", _flattened(_parts(system)))] if system else []
    for content in items(request.get("contents")):
        parts = _parts(content)
        found.append(Message(text_of(content.get("role")) or "user", _flattened(parts), _tool_calls(parts)))
    for embedded in (request, *items(request.get("requests"))):
        if embedded.get("content"):
            found.append(Message("input", _flattened(_parts(embedded["content"]))))
    return tuple(found)


def output(response: Json) -> Response:
    candidates, usage = items(response.get("candidates")), mapping(response.get("usageMetadata"))
    first = candidates[0] if candidates else {}
    parts = _parts(first.get("content"))
    said = [part["text"] for part in parts if _is_text(part) and not part.get("thought")]
    thoughts = [part["text"] for part in parts if _is_text(part) and part.get("thought")]
    blocked = text_of(mapping(response.get("promptFeedback")).get("blockReason"))
    error = error_of(response)
    if blocked and not candidates and not error:
        error = f"the prompt was blocked: {blocked}"
    return Response(
        model=text_of(response.get("modelVersion")),
        text="".join(said) if said else None,
        reasoning="".join(thoughts) or None,
        tool_calls=_tool_calls(parts),
        # Gemini counts cached tokens in, but those of tools and of thoughts apart.
        input_tokens=sum_of(usage.get("promptTokenCount"), usage.get("toolUsePromptTokenCount")),
        cached_tokens=count_of(usage.get("cachedContentTokenCount")),
        output_tokens=_output_tokens(usage),
        reasoning_tokens=count_of(usage.get("thoughtsTokenCount")),
        finish_reason=text_of(first.get("finishReason")) or blocked,
        error=error,
    )


def _output_tokens(usage: Json) -> int | None:
    said, thought = count_of(usage.get("candidatesTokenCount")), count_of(usage.get("thoughtsTokenCount"))
    # Who used all of them up for thoughts has no candidates' tokens.
    return sum_of(said, thought) if said is not None else thought


def join(events: Sequence[Event]) -> Json | None:
    chunks = [chunk for chunk in (event.json for event in events) if chunk]
    if not chunks:
        return None
    response: Json = {}
    candidates: dict[int, Json] = {}
    for chunk in chunks:
        response |= {key: value for key, value in chunk.items() if key != "candidates"}
        for piece in items(chunk.get("candidates")):
            candidate = candidates.setdefault(count_of(piece.get("index")) or 0, {})
            content = mapping(piece.get("content"))
            if content:
                kept = candidate.setdefault("content", {"parts": []})
                kept |= {key: value for key, value in content.items() if key != "parts"}
                for part in _parts(content):
                    _add_part(kept["parts"], part)
            candidate |= {key: value for key, value in piece.items() if key != "content" and value is not None}
    if candidates:
        response["candidates"] = [candidates[index] for index in sorted(candidates)]
    return response


def _add_part(parts: list[Json], part: Json) -> None:
    """Add a part of a stream. Words go on where words stood, but not behind a signature: it ends a part."""
    last = parts[-1] if parts else {}
    words = _is_text(part) and _is_text(last) and bool(part.get("thought")) == bool(last.get("thought"))
    if words and "thoughtSignature" not in last:
        parts[-1] = {**last, **part, "text": last["text"] + part["text"]}
    elif part != {"text": ""} or not parts or last.get("thought"):  # an empty text also comes with the end
        parts.append(part)


def split(response: Json, recorded: Sequence[Event]) -> list[Event]:
    texts = [
        text_of(part.get("text")) or ""
        for event in recorded
        for candidate in items(event.json.get("candidates"))
        for part in _parts(candidate.get("content"))
    ]
    envelope = {key: value for key, value in response.items() if key not in ("candidates", "usageMetadata")}
    chunks = [
        {"candidates": [piece], **envelope}
        for candidate in items(response.get("candidates"))
        for piece in _candidate_pieces(candidate, texts)
    ] or [envelope]
    if "usageMetadata" in response:
        chunks[-1]["usageMetadata"] = response["usageMetadata"]
    return [Event.of(None, chunk) for chunk in chunks]


def _candidate_pieces(candidate: Json, recorded_texts: list[str]) -> Iterator[Json]:
    content = mapping(candidate.get("content"))
    place = {"index": candidate["index"]} if "index" in candidate else {}
    parts = [piece for part in _parts(content) for piece in _part_pieces(part, recorded_texts)]
    for part in parts[:-1]:
        yield {"content": {**content, "parts": [part]}, **place}
    yield {**candidate, **({"content": {**content, "parts": parts[-1:]}} if parts else {})}


def _part_pieces(part: Json, recorded_texts: list[str]) -> Iterator[Json]:
    if not _is_text(part):
        yield part
        return
    *heads, last = pieces(part["text"], recorded_texts) or [""]
    begun = {"thought": part["thought"]} if "thought" in part else {}
    for text in heads:
        yield {"text": text, **begun}
    yield {**part, "text": last}


def with_text(response: Json, text: str) -> Json:
    candidates = items(response.get("candidates"))
    if not candidates:
        if "embedding" in response or "embeddings" in response:
            raise EditError(VECTORS_ONLY)
        raise EditError("the recorded response has no candidates whose text could be replaced")
    content = mapping(candidates[0].get("content"))
    parts = _parts(content)
    places = [index for index, part in enumerate(parts) if _is_text(part) and not part.get("thought")]
    if not places:
        if _tool_calls(parts):
            raise EditError(CALLS_ONLY)
        if not all(part.get("thought") for part in parts):
            raise EditError("the recorded response has no text that could be replaced")
        # It got no further than its thoughts.
        parts, places = [*parts, {"text": ""}], [len(parts)]
    changed = [
        {**part, "text": text} if index == places[0] else part
        for index, part in enumerate(parts)
        if index not in places[1:]
    ]
    first = {key: value for key, value in candidates[0].items() if key not in _ABOUT_WORDS}
    first["content"] = {"role": "model", **content, "parts": changed}
    return {**response, "candidates": [first, *candidates[1:]]}


def check(response: Json) -> None:
    if "candidates" not in response:
        several = "embeddings" in response
        vectors = need_list(response, "embeddings", of="objects") if several else [mapping(response.get("embedding"))]
        need_vectors([vector.get("values") for vector in vectors], "embeddings" if several else "embedding")
        return
    for number, candidate in enumerate(need_list(response, "candidates", of="objects")):
        content = candidate.get("content", {})
        if not isinstance(content, dict):
            raise EditError(f'"candidates[{number}].content" must be an object')
        if content.get("parts") is None:
            continue  # what was cut off before its first word has none
        place = f"candidates[{number}].content.parts"
        if not isinstance(content["parts"], list):
            raise EditError(f'"{place}" must be a list of objects')
        for index, part in enumerate(content["parts"]):
            if not isinstance(part, dict):
                raise EditError(f'"{place}[{index}]" must be an object')
            _check_part(part, f"{place}[{index}]")


def _check_part(part: Json, where: str) -> None:
    if "text" in part:
        need_text(part, "text", where)
    if "functionCall" in part:
        call = mapping(part["functionCall"])
        need_text(call, "name", f"{where}.functionCall")
        if not isinstance(call.get("args", {}), dict):
            raise EditError(f'"{where}.functionCall.args" must be an object')


def _field(value: Json, name: str) -> Any:
    """A field of a request: the API takes `functionCall` and `function_call` alike."""
    return value[name] if name in value else value.get(re.sub("[A-Z]", lambda big: "_" + big[0].lower(), name))


def _parts(content: object) -> list[Json]:
    return items(mapping(content).get("parts"))


def _is_text(part: Json) -> bool:
    return isinstance(part.get("text"), str)


def _flattened(parts: list[Json]) -> str:
    return "\n".join(filter(None, map(_part_text, parts)))


def _part_text(part: Json) -> str:
    if _is_text(part):
        return str(part["text"])
    answer = _field(part, "functionResponse")
    if isinstance(answer, dict):
        return json.dumps(answer.get("response"), ensure_ascii=False)
    code, result = mapping(_field(part, "executableCode")), mapping(_field(part, "codeExecutionResult"))
    written = text_of(code.get("code")) or text_of(result.get("output"))
    if written is not None or _field(part, "functionCall") is not None:
        return written or ""
    kind = next((key for key in part if key not in ("thought", "thoughtSignature", "thought_signature")), "part")
    return f"[{kind}]"


def _tool_calls(parts: list[Json]) -> tuple[ToolCall, ...]:
    calls = [mapping(_field(part, "functionCall")) for part in parts]
    return tuple(
        ToolCall(text_of(call.get("id")), text_of(call.get("name")) or "?", json.dumps(call.get("args") or {}))
        for call in calls
        if call
    )
