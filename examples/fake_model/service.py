"""Which API answers which path, in whose shape errors are told, and the failures that can be asked for.

No sockets here: `Service.respond` takes a request and says what to send, and how to misbehave.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal
from urllib.parse import unquote

from . import anthropic_api, bedrock_api, gemini_api, ollama_api, openai_api, openai_responses
from .api import Event, Exchange, Json, RequestError, digest

FAILURES = {
    "fail-STATUS": "that HTTP status, in the API's own shape: fail-500, fail-401, fail-529",
    "rate-limit-then-ok": "429 at first; the answer when the same request comes again",
    "fail-drop": "the connection is closed without an answer",
    "fail-cut": "half the answer, then the connection is closed",
    "fail-hang": "no answer for as long as the client waits",
    "fail-stall": "half the answer, then nothing for as long as the client waits",
    "fail-event": "half the stream, then an event that tells of an error (not streamed: status 500)",
    "fail-garbage": "status 200 and a body that no parser reads",
}
"""Model names that ask for a failure, and which one."""


@dataclass(frozen=True)
class Response:
    """What to send for one request."""

    status: int
    body: bytes = b""
    events: tuple[bytes, ...] = ()
    """The events of a stream, to be sent in place of `body` one by one; empty: no stream."""
    media_type: str = "text/event-stream; charset=utf-8"
    """Of the stream."""
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: Literal["", "drop", "cut", "hang", "stall"] = ""
    """How to send it badly, see `FAILURES`."""
    request: Json | None = None
    """The request's body, for the log."""
    said: Json | None = None
    """What the answer says, in no API's shape, for the log: see `api.said`; `{"error": message}` of an error; None
    where it does not arrive whole."""


@dataclass(frozen=True)
class _Api:
    """How an API speaks where it is not an answer."""

    error: Callable[[int, str, str | None, str | None], Json]
    stream_error: Callable[[str], Event]
    id_header: str
    frame: Callable[[Event], bytes]
    media_type: str = Response.media_type


def _event(event: Event) -> bytes:
    """A server-sent event."""
    name, data = event
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return (f"event: {name}\n" if name else "").encode() + f"data: {text}\n\n".encode()


def _line(event: Event) -> bytes:
    return json.dumps(event[1], ensure_ascii=False).encode() + b"\n"


_CHAT = _Api(openai_api.error, openai_api.stream_error, "x-request-id", _event)
_RESPONSES = replace(_CHAT, stream_error=openai_responses.stream_error)
_ANTHROPIC = _Api(anthropic_api.error, anthropic_api.stream_error, "request-id", _event)
_GEMINI = _Api(gemini_api.error, gemini_api.stream_error, "x-request-id", _event)
_OLLAMA = _Api(ollama_api.error, ollama_api.stream_error, "x-request-id", _line, "application/x-ndjson")
_BEDROCK = _Api(
    bedrock_api.error,
    bedrock_api.stream_error,
    "x-amzn-requestid",
    bedrock_api.frame,
    "application/vnd.amazon.eventstream",
)

# Where the path names the model and says whether to stream, and the body does not.
_IN_PATH: tuple[tuple[str, _Api, Callable[[Json], Exchange], bool], ...] = (
    (r"/v1(?:beta)?/models/([^/]+):generateContent", _GEMINI, gemini_api.generate, False),
    (r"/v1(?:beta)?/models/([^/]+):streamGenerateContent", _GEMINI, gemini_api.generate, True),
    (r"/v1(?:beta)?/models/([^/]+):(?:embedContent|batchEmbedContents)", _GEMINI, gemini_api.embed, False),
    (r"/model/([^/]+)/converse", _BEDROCK, bedrock_api.converse, False),
    (r"/model/([^/]+)/converse-stream", _BEDROCK, bedrock_api.converse, True),
)


class Service:
    """Answers requests; any number of threads may ask at once."""

    def __init__(self) -> None:
        self._posts: dict[str, tuple[_Api, Callable[[Json], Exchange]]] = {
            "/v1/chat/completions": (_CHAT, openai_api.chat),
            "/v1/responses": (_RESPONSES, openai_responses.Responses()),
            "/v1/embeddings": (_CHAT, openai_api.embeddings),
            "/v1/messages": (_ANTHROPIC, anthropic_api.messages),
            "/v1/messages/count_tokens": (_ANTHROPIC, anthropic_api.count_tokens),
            "/api/chat": (_OLLAMA, ollama_api.chat),
            "/api/generate": (_OLLAMA, ollama_api.generate),
            "/api/embed": (_OLLAMA, ollama_api.embed),
        }
        self._limited: set[str] = set()
        self._lock = threading.Lock()

    def respond(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Response:
        """The answer to one request.

        Args:
            method: `GET` or `POST`.
            path: with or without a query, which is not looked at.
            headers: by name in lower case.
            body: as received.
        """
        path = unquote(path.partition("?")[0]).rstrip("/")
        anthropic = "anthropic-version" in headers or path.startswith("/v1/messages")
        api, post, more = self._route(path, anthropic)
        request: Json | None = None
        try:
            if method == "POST" and post is not None:
                request = _parsed(body)
                # Ollama streams unless it is told not to.
                asked = {**({"stream": True} if api is _OLLAMA else {}), **request, **more}
                self._fail(asked)
                response = replace(_sent(_post(post, asked), api, asked), request=request)
            else:
                response = _sent(_models(method, path, anthropic), api, {})
        except RequestError as problem:
            told = api.error(problem.status, problem.message, problem.param, problem.code)
            said = {"error": problem.message}
            response = Response(problem.status, json.dumps(told).encode(), request=request, said=said)
            if problem.status == 429:
                response = replace(response, headers={"retry-after-ms": "10", "retry-after": "1"})
            if api is _BEDROCK:
                kind = {"x-amzn-errortype": bedrock_api.error_type(problem.status)}
                response = replace(response, headers={**response.headers, **kind})
        name = f"req_{digest(request or {}, path)}"
        return replace(response, headers={**response.headers, api.id_header: name})

    def _route(self, path: str, anthropic: bool) -> tuple[_Api, Callable[[Json], Exchange] | None, Json]:
        """Who answers a path, and what the path says beside the body."""
        for pattern, api, post, stream in _IN_PATH:
            if found := re.fullmatch(pattern, path):
                return api, post, {"model": found[1], "stream": stream}
        api, known = self._posts.get(path, (_ANTHROPIC if anthropic else _CHAT, None))
        return api, known, {}

    def _fail(self, request: Json) -> None:
        model = request.get("model")
        if model == "rate-limit-then-ok":
            name = digest(request)
            with self._lock:
                again = name in self._limited
                (self._limited.discard if again else self._limited.add)(name)
            if not again:
                raise RequestError(429, "Rate limit reached. Please try again.", code="rate_limit_exceeded")
        elif isinstance(model, str) and (status := re.fullmatch(r"fail-([45]\d\d)", model)):
            raise RequestError(int(status[1]), f"Failed, as the model name '{model}' asks for.", "model", model)
        elif model == "fail-event" and not request.get("stream"):
            raise RequestError(500, "Failed, as the model name 'fail-event' asks for.", "model", "fail-event")


def _models(method: str, path: str, anthropic: bool) -> Exchange:
    name = path.removeprefix("/v1/models").lstrip("/")
    if method != "GET" or not path.startswith("/v1/models") or "/" in name:
        raise RequestError(404, f"Invalid URL ({method} {path})", code="unknown_url")
    if anthropic:
        return Exchange(anthropic_api.model(name) if name else anthropic_api.models())
    return Exchange(openai_api.model(name) if name else openai_api.models())


def _parsed(body: bytes) -> Json:
    try:
        request = json.loads(body)
    except ValueError as error:
        raise RequestError(400, f"We could not parse the JSON body of your request: {error}") from None
    if not isinstance(request, dict):
        raise RequestError(400, "The body of a request has to be a JSON object.")
    return request


def _post(post: Callable[[Json], Exchange], request: Json) -> Exchange:
    try:
        return post(request)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # What is checked by name has its own message; this is for all that is not.
        raise RequestError(400, f"A field of the request has the wrong shape: {error!r}") from error


def _sent(answer: Exchange, api: _Api, asked: Json) -> Response:
    """An answer as bytes, streamed where it is asked for and the API can."""
    model = asked.get("model")
    faults: dict[object, Literal["drop", "cut", "hang", "stall"]] = {
        "fail-drop": "drop",
        "fail-cut": "cut",
        "fail-hang": "hang",
        "fail-stall": "stall",
    }
    events = answer.events if asked.get("stream") else ()
    if events and model == "fail-event":
        events = [*events[: len(events) // 2], api.stream_error("Overloaded, as the model name 'fail-event' asks for.")]
    body = json.dumps(answer.body, ensure_ascii=False).encode()
    chunks = tuple(map(api.frame, events))
    if model == "fail-garbage":
        body, chunks = b"<html>502</html>", (b"data: <html>502</html>\n\n",) if chunks else ()
    said = None if model in (*faults, "fail-event", "fail-garbage") else answer.said
    return Response(200, body, chunks, media_type=api.media_type, fault=faults.get(model, ""), said=said)
