"""What the URL of a call says: which shape of API it is, how that streams, whose it is, and of which model.

The table of what is recorded is ao_lsp/runner/endpoints.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias
from urllib.parse import unquote, urlsplit

from ao_lsp.server.model import Headers
from ao_lsp.server.providers import (
    audio,
    chat,
    completions,
    converse,
    embeddings,
    event_stream,
    gemini,
    images,
    json_array,
    json_lines,
    mcp,
    messages,
    ollama,
    responses,
    sse,
)
from ao_lsp.server.providers.body import header
from ao_lsp.server.providers.plain import is_plain
from ao_lsp.server.providers.shape import Json, Shape, text_of
from ao_lsp.server.providers.sse import Event

Streams: TypeAlias = Literal["if asked", "unless declined", "always", "never"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An API: how its path ends, what its requests cannot be without, whether it streams, and what
    those are called that offer it at hosts which we do not know."""

    ending: str
    shape: Shape
    required: tuple[str, ...]
    streams: Streams = "if asked"
    provider: str = "openai-compatible"
    plain_text: bool = False
    """Whether a response that is no JSON is the output's text."""

    def streamed(self, request: Json) -> bool:
        """Whether `request` asks for a stream."""
        if self.streams == "unless declined":
            return request.get("stream") is not False
        return self.streams == "always" or (self.streams == "if asked" and request.get("stream") is True)


# The longer ending first: every chat endpoint also ends in "/completions".
_ENDPOINTS = (
    Endpoint("/chat/completions", chat, ("model", "messages")),
    Endpoint("/completions", completions, ("model", "prompt")),
    Endpoint("/api/embeddings", ollama, ("model", "prompt"), "never", "ollama-compatible"),
    Endpoint("/embeddings", embeddings, ("model", "input"), "never"),
    Endpoint("/responses", responses, ("model", "input")),
    Endpoint("/messages", messages, ("model", "messages", "max_tokens"), "if asked", "anthropic-compatible"),
    Endpoint("/audio/transcriptions", audio, ("model", "file"), plain_text=True),
    Endpoint("/audio/translations", audio, ("model", "file"), "never", plain_text=True),
    Endpoint("/audio/speech", audio, ("model", "input", "voice")),
    Endpoint("/images/generations", images, ("prompt",)),
    Endpoint("/images/edits", images, ("prompt", "image")),
    Endpoint("/images/variations", images, ("image",), "never"),
    Endpoint("/api/chat", ollama, ("model", "messages"), "unless declined", "ollama-compatible"),
    Endpoint("/api/generate", ollama, ("model", "prompt"), "unless declined", "ollama-compatible"),
    Endpoint("/api/embed", ollama, ("model", "input"), "never", "ollama-compatible"),
    Endpoint(":generateContent", gemini, ("contents",), "never", "gemini-compatible"),
    Endpoint(":streamGenerateContent", gemini, ("contents",), "always", "gemini-compatible"),
    Endpoint(":embedContent", gemini, ("content",), "never", "gemini-compatible"),
    Endpoint(":batchEmbedContents", gemini, ("requests",), "never", "gemini-compatible"),
    Endpoint("/converse", converse, ("messages",), "never", "bedrock-compatible"),
    Endpoint("/converse-stream", converse, ("messages",), "always", "bedrock-compatible"),
)

TOOLS = "tools/call/"
"""What the endpoint of a tool call over MCP begins with; the tool's name follows. Paths begin with a slash."""
_TOOL = Endpoint(TOOLS, mcp, (), "never", "mcp")

_PROVIDERS = (
    ("openai.azure.com", "azure"),
    ("cognitiveservices.azure.com", "azure"),
    ("services.ai.azure.com", "azure"),
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
    ("ollama.com", "ollama"),
)


class Framing(Protocol):
    """How a stream is cut into events."""

    def decode(self, body: bytes) -> list[Event]:
        """The events that are whole; never raises."""

    def pieces(self, events: list[Event]) -> list[bytes]:
        """The bytes of each event; together they are the stream."""


_FRAMINGS: tuple[tuple[str, Framing], ...] = (
    ("text/event-stream", sse),
    ("application/vnd.amazon.eventstream", event_stream),
    ("application/x-ndjson", json_lines),
    ("application/ndjson", json_lines),
    ("application/jsonl", json_lines),
)


def of_path(path: str) -> Endpoint | None:
    """The endpoint that `path` ends in; None where we know none."""
    if path.startswith(TOOLS):
        return _TOOL
    if is_plain(path):
        return None
    path = path.rstrip("/")
    return next((endpoint for endpoint in _ENDPOINTS if path.endswith(endpoint.ending)), None)


def framing(path: str, headers: Headers) -> Framing | None:
    """How a response is cut into events; None where it is no stream."""
    kind = header(headers, "content-type").lower()
    found = next((framing for name, framing in _FRAMINGS if kind.startswith(name)), None)
    if found is None and path.rstrip("/").endswith(":streamGenerateContent"):
        return json_array
    return found


def provider(path: str, url: str) -> str | None:
    """Who is asked: by host where we know it, else by the shape of the API."""
    if path.startswith(TOOLS):
        return _TOOL.provider
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    for domain, name in _PROVIDERS:
        if host == domain or host.endswith("." + domain):
            return name
    # Others have hosts at Amazon, too.
    if host.startswith("bedrock") and host.endswith((".amazonaws.com", ".amazonaws.com.cn")):
        return "bedrock"
    if port == 11434:
        return "ollama"
    endpoint = of_path(path)
    return endpoint.provider if endpoint else None


def model(path: str, request: Json) -> str | None:
    """The model that is asked: named in the request, or else in the path. Of a tool call, the tool."""
    if path.startswith(TOOLS):
        return unquote(path.removeprefix(TOOLS)) or None
    named = text_of(request.get("model"))
    if named is not None:
        return named.removeprefix("models/")
    # /openai/deployments/NAME/chat/completions, of Azure
    if "/deployments/" in path:
        return path.partition("/deployments/")[2].partition("/")[0] or None
    # /model/ID/converse, of Bedrock; an ARN has slashes and colons of its own
    if "/model/" in path:
        return unquote(path.partition("/model/")[2].rstrip("/").rpartition("/")[0]) or None
    # /v1beta/models/NAME:generateContent, of Gemini
    name, colon, _ = path.rpartition("/")[2].rpartition(":")
    return unquote(name) or None if colon else None
