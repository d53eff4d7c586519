"""What the bodies of LLM calls say, and how to change them: pure functions on bytes.

Which shape of API a call has is decided by the path of its URL, on any host. What is malformed,
unknown or encoded in a way that we cannot undo gives None fields, never an exception; only the two
functions that make an edit raise, `EditError`, with a reason for the user.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from ao_lsp.server.model import Chunks, Headers
from ao_lsp.server.providers import body as bodies
from ao_lsp.server.providers import chat, completions, embeddings, messages, responses, sse
from ao_lsp.server.providers.shape import EditError, Message, Request, Response, Shape, ToolCall

__all__ = [
    "EditError",
    "Message",
    "Request",
    "Response",
    "ToolCall",
    "edited_request",
    "edited_response",
    "read_request",
    "read_response",
    "whole_response",
]

# The longer path first: every chat endpoint also ends in "/completions".
_SHAPES: tuple[tuple[str, Shape], ...] = (
    ("/chat/completions", chat),
    ("/completions", completions),
    ("/embeddings", embeddings),
    ("/responses", responses),
    ("/messages", messages),
)

_PROVIDERS = (
    ("openai.azure.com", "azure"),
    ("cognitiveservices.azure.com", "azure"),
    ("openai.com", "openai"),
    ("anthropic.com", "anthropic"),
    ("openrouter.ai", "openrouter"),
    ("googleapis.com", "google"),
    ("mistral.ai", "mistral"),
    ("groq.com", "groq"),
    ("deepseek.com", "deepseek"),
    ("together.xyz", "together"),
    ("fireworks.ai", "fireworks"),
    ("x.ai", "xai"),
)


def read_request(endpoint: str, url: str, headers: Headers, body: bytes) -> Request:
    """What a request asks for. `endpoint` is the path, `body` as sent."""
    request = bodies.parsed(bodies.decoded(headers, body))
    request = request if isinstance(request, dict) else {}
    shape = _shape(endpoint)
    model = request.get("model")
    return Request(
        provider=_provider(endpoint, url),
        model=model if isinstance(model, str) else _deployment(endpoint),
        streamed=request.get("stream") is True,
        messages=shape.prompt(request) if shape else (),
    )


def read_response(endpoint: str, headers: Headers, body: bytes) -> Response:
    """What a response says. `body` as received, still content-encoded."""
    streamed = _streamed(headers)
    shape, whole = _shape(endpoint), whole_response(endpoint, headers, body)
    if shape is None or not isinstance(whole, dict):
        return Response(streamed=streamed)
    return replace(shape.output(whole), streamed=streamed)


def whole_response(endpoint: str, headers: Headers, body: bytes) -> Any:
    """A response as one JSON value, a stream put together; None where it is neither."""
    plain = bodies.decoded(headers, body)
    if plain is None or not _streamed(headers):
        return bodies.parsed(plain)
    shape = _shape(endpoint)
    return shape.join(sse.decode(plain)) if shape else None


def edited_response(
    endpoint: str, headers: Headers, body: bytes, chunks: Chunks, content: str
) -> tuple[bytes, Headers, Chunks]:
    """The response that says `content` instead: body, headers and chunks to serve.

    `content` is a whole response where it is a JSON object of the recorded kind (`ao call
    --response` prints one), else the new text. A recorded stream stays a stream, its new text cut
    like the old one, at the old pace.

    Raises:
        EditError: the program's SDK could not parse it, or there is nothing to replace.
    """
    shape, recorded = _shape(endpoint), whole_response(endpoint, headers, body)
    if shape is None:
        raise EditError(f"responses of {endpoint or 'this endpoint'} cannot be edited")
    if not isinstance(recorded, dict):
        raise EditError("the recorded response cannot be read, so it cannot be edited")
    if recorded.get("error") and recorded.get(shape.MARK[0]) != shape.MARK[1]:
        raise EditError("this call failed: it has no output to edit")
    given = bodies.parsed(content.encode("utf-8", "replace"))
    if _is_response(given, shape):
        shape.check(given)
        response = given
    else:
        response = shape.with_text(recorded, content)
    if not _streamed(headers):
        made = bodies.packed(response)
        return made, bodies.refitted(headers, len(made)), ((len(made), chunks[-1][1] if chunks else 0.0),)
    old = sse.decode(bodies.decoded(headers, body) or b"")
    pieces = [event.encode() for event in shape.split(response, old)]
    made = b"".join(pieces)
    return made, bodies.refitted(headers, len(made)), _paced([len(piece) for piece in pieces], chunks)


def edited_request(endpoint: str, headers: Headers, body: bytes, content: str) -> bytes:
    """The request body to send instead.

    Raises:
        EditError: it is no JSON object, lacks a field that its endpoint demands, or asks for a
            stream where the program expects none (or the other way round).
    """
    shape = _shape(endpoint)
    if shape is None:
        raise EditError(f"requests to {endpoint or 'this endpoint'} cannot be edited")
    try:
        given = bodies.parsed_strictly(content)
    except ValueError as error:
        raise EditError(f"an input is edited as the whole request, and this is not JSON: {error}") from None
    if not isinstance(given, dict):
        raise EditError("an input is edited as the whole request: a JSON object")
    recorded = bodies.parsed(bodies.decoded(headers, body))
    recorded = recorded if isinstance(recorded, dict) else {}
    for field in shape.REQUIRED:
        # What the program itself left out (Azure names the model in the URL) is not demanded.
        if given.get(field) in (None, "", []) and (field in recorded or not recorded):
            raise EditError(f'the request must have "{field}"')
    if "messages" in given and not (
        isinstance(given["messages"], list)
        and all(isinstance(message, dict) and isinstance(message.get("role"), str) for message in given["messages"])
    ):
        raise EditError('"messages" must be a list of objects, each with a "role"')
    if bool(given.get("stream")) != bool(recorded.get("stream")):
        raise EditError(
            f'"stream" must stay {"true" if recorded.get("stream") else "false"}: the program expects it so'
        )
    return bodies.packed(given)


def _shape(endpoint: str) -> Shape | None:
    path = endpoint.rstrip("/")
    return next((shape for suffix, shape in _SHAPES if path.endswith(suffix)), None)


def _is_response(given: Any, shape: Shape) -> bool:
    """Whether `given` is meant as a whole response, and not as a text that happens to be JSON."""
    if not isinstance(given, dict):
        return False
    key, value = shape.MARK
    return given.get(key) == value or (shape is chat and isinstance(given.get("choices"), list))


def _streamed(headers: Headers) -> bool:
    return bodies.header(headers, "content-type").lower().startswith("text/event-stream")


def _provider(endpoint: str, url: str) -> str | None:
    """Who is asked: by host where we know it, else by the shape of the API."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    for domain, name in _PROVIDERS:
        if host == domain or host.endswith("." + domain):
            return name
    if port == 11434:
        return "ollama"
    shape = _shape(endpoint)
    if shape is None:
        return None
    return "anthropic-compatible" if shape is messages else "openai-compatible"


def _deployment(endpoint: str) -> str | None:
    """Azure names the model in the path: /openai/deployments/NAME/chat/completions."""
    return endpoint.partition("/deployments/")[2].split("/")[0] or None


def _paced(lengths: list[int], recorded: Chunks) -> Chunks:
    """New pieces at the old pace: spread evenly over the time that the recorded ones took."""
    first, last = (recorded[0][1], recorded[-1][1]) if recorded else (0.0, 0.0)
    steps = max(1, len(lengths) - 1)
    return tuple((length, first + (last - first) * index / steps) for index, length in enumerate(lengths))
