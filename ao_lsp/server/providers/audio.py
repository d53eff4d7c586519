"""OpenAI's audio: transcribed and translated speech, and speech made of a text. The sound is opaque.

https://platform.openai.com/docs/api-reference/audio
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
    mapping,
    need_text,
    pieces,
    text_of,
)
from ao_lsp.server.providers.sse import Event


def is_response(given: Json) -> bool:
    return isinstance(given.get("text"), str)


def prompt(request: Json) -> tuple[Message, ...]:
    """Of speech its text, with how it is to be said before it; of a transcription the file, with its prompt."""
    found = []
    for key, role in (("instructions", "system"), ("prompt", "system"), ("input", "user"), ("file", "user")):
        text = text_of(request.get(key))
        if text:
            found.append(Message(role, text))
    return tuple(found)


def output(response: Json) -> Response:
    usage = mapping(response.get("usage"))
    return Response(
        text=text_of(response.get("text")),
        input_tokens=count_of(usage.get("input_tokens")),
        output_tokens=count_of(usage.get("output_tokens")),
        error=error_of(response),
    )


def join(events: Sequence[Event]) -> Json | None:
    found: Json = {}
    for json in (event.json for event in events):
        kind = str(json.get("type", ""))
        if kind == "transcript.text.delta":
            found["text"] = found.get("text", "") + (text_of(json.get("delta")) or "")
        elif kind == "transcript.text.done":
            found |= {key: value for key, value in json.items() if key in ("text", "usage", "logprobs")}
        elif kind == "speech.audio.done":
            found["usage"] = json.get("usage")
        elif "error" in json:
            found["error"] = json["error"]
    return found or None


def split(response: Json, recorded: Sequence[Event]) -> list[Event]:
    kinds = [str(event.json.get("type", "")) for event in recorded]
    if "transcript.text.done" not in kinds:
        raise EditError(_SOUND)
    deltas = [text_of(event.json.get("delta")) or "" for event in recorded]
    events = [
        Event.of(recorded[0].name, {"type": "transcript.text.delta", "delta": piece})
        for piece in pieces(response["text"], deltas)
    ]
    done = recorded[kinds.index("transcript.text.done")]
    last = {key: value for key, value in done.json.items() if key != "logprobs"}
    usage = {"usage": response["usage"]} if response.get("usage") is not None else {}
    return [*events, Event.of(done.name, {**last, "text": response["text"], **usage})]


_SOUND = "speech has no text that could be replaced"


def with_text(response: Json, text: str) -> Json:
    if not is_response(response):
        raise EditError(_SOUND)
    # What else it has (words, segments, probabilities) belongs to the old text.
    kept = {key: value for key, value in response.items() if key in ("usage", "language", "duration", "task")}
    return {**kept, "text": text}


def check(response: Json) -> None:
    need_text(response, "text", "response")
