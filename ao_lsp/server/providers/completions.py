"""OpenAI's legacy text completions.

https://platform.openai.com/docs/api-reference/completions
"""

from __future__ import annotations

from collections.abc import Sequence

from ao_lsp.server.providers.shape import (
    EditError,
    Json,
    Message,
    Response,
    count_of,
    error_of,
    items,
    mapping,
    need_list,
    need_text,
    pieces,
    text_of,
)
from ao_lsp.server.providers.sse import Event


def is_response(given: Json) -> bool:
    return given.get("object") == "text_completion" or any("text" in choice for choice in items(given.get("choices")))


def prompt(request: Json) -> tuple[Message, ...]:
    asked = request.get("prompt")
    texts = asked if isinstance(asked, list) else [asked]
    return tuple(Message("user", text) for text in texts if isinstance(text, str))


def output(response: Json) -> Response:
    choices = items(response.get("choices"))
    first = choices[0] if choices else {}
    usage = mapping(response.get("usage"))
    return Response(
        model=text_of(response.get("model")),
        text=text_of(first.get("text")),
        input_tokens=count_of(usage.get("prompt_tokens")),
        cached_tokens=count_of(mapping(usage.get("prompt_tokens_details")).get("cached_tokens")),
        output_tokens=count_of(usage.get("completion_tokens")),
        reasoning_tokens=count_of(mapping(usage.get("completion_tokens_details")).get("reasoning_tokens")),
        finish_reason=text_of(first.get("finish_reason")),
        error=error_of(response),
    )


def join(events: Sequence[Event]) -> Json | None:
    chunks = [chunk for chunk in (event.json for event in events) if chunk]
    if not chunks:
        return None
    response: Json = {}
    choices: dict[int, Json] = {}
    for chunk in chunks:
        response |= {k: v for k, v in chunk.items() if k != "choices" and (v is not None or k not in response)}
        for piece in items(chunk.get("choices")):
            index = count_of(piece.get("index")) or 0
            choice = choices.setdefault(index, {"index": index, "text": "", "finish_reason": None})
            choice["text"] += text_of(piece.get("text")) or ""
            choice["finish_reason"] = piece.get("finish_reason") or choice["finish_reason"]
    if choices:
        response["choices"] = [choices[index] for index in sorted(choices)]
    return response


def split(response: Json, recorded: Sequence[Event]) -> list[Event]:
    chunks = [chunk for chunk in (event.json for event in recorded) if chunk]
    envelope = {key: value for key, value in response.items() if key not in ("choices", "usage")}
    texts = [text_of(choice.get("text")) or "" for chunk in chunks for choice in items(chunk.get("choices"))]
    events = []
    for choice in items(response.get("choices")):
        for text in pieces(text_of(choice.get("text")) or "", texts):
            piece = {**choice, "text": text, "finish_reason": None}
            events.append(Event.of(None, {**envelope, "choices": [piece]}))
        events.append(Event.of(None, {**envelope, "choices": [{**choice, "text": ""}]}))
    if response.get("usage"):
        events.append(Event.of(None, {**envelope, "choices": [], "usage": response["usage"]}))
    return [*events, Event(None, "[DONE]")]


def with_text(response: Json, text: str) -> Json:
    choices = items(response.get("choices"))
    if not choices:
        raise EditError("the recorded response has no choices whose text could be replaced")
    changed = {**choices[0], "text": text}
    if "logprobs" in changed:
        changed["logprobs"] = None  # they belong to the tokens of the old text
    return {**response, "choices": [changed, *choices[1:]]}


def check(response: Json) -> None:
    choices = need_list(response, "choices", of="objects")
    if not choices:
        raise EditError('"choices" must not be empty')
    for number, choice in enumerate(choices):
        need_text(choice, "text", f"choices[{number}]")
