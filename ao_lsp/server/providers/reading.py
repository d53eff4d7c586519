"""What the requests and responses of recorded calls say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ao_lsp.server.model import Headers
from ao_lsp.server.providers import body as bodies
from ao_lsp.server.providers import endpoint as endpoints
from ao_lsp.server.providers import functions, multipart
from ao_lsp.server.providers import plain as plain_requests
from ao_lsp.server.providers.shape import Json, Request, Response


def read_request(endpoint: str, url: str, headers: Headers, body: bytes) -> Request:
    """What a request asks for. `endpoint` is the path, `body` as sent."""
    if plain_requests.is_plain(endpoint):
        return plain_requests.read_request(endpoint, url, headers, body)
    if functions.is_function(endpoint):
        return functions.request(endpoint, body)
    request = fields(headers, bodies.decoded(headers, body))
    known = endpoints.of_path(endpoint)
    return Request(
        provider=endpoints.provider(endpoint, url),
        model=endpoints.model(endpoint, request),
        streamed=known.streamed(request) if known else request.get("stream") is True,
        messages=known.shape.prompt(request) if known else (),
    )


def fields(headers: Headers, plain: bytes | None) -> Json:
    """The fields of a request without its content encoding; empty where it has none."""
    if plain and multipart.is_form(headers):
        return multipart.fields(headers, plain)
    request = bodies.parsed(plain)
    return request if isinstance(request, dict) else {}


def read_response(endpoint: str, headers: Headers, body: bytes) -> Response:
    """What a response says. `body` as received, still content-encoded."""
    if plain_requests.is_plain(endpoint):
        return plain_requests.read_response(headers, body)
    if functions.is_function(endpoint):
        return functions.response(headers, body)
    streamed = endpoints.framing(endpoint, headers) is not None
    known, whole = endpoints.of_path(endpoint), whole_response(endpoint, headers, body)
    if isinstance(whole, list) and len(whole) == 1:  # how Google wraps the errors of its OpenAI-compatible API
        whole = whole[0]
    if known is None or not isinstance(whole, dict):
        return Response(streamed=streamed)
    return replace(known.shape.output(whole), streamed=streamed)


def whole_response(endpoint: str, headers: Headers, body: bytes) -> Any:
    """A response as one JSON value, a stream put together; None where it is neither."""
    if plain_requests.is_plain(endpoint):
        return bodies.parsed(bodies.decoded(headers, body))
    plain, framing = bodies.decoded(headers, body), endpoints.framing(endpoint, headers)
    known = endpoints.of_path(endpoint)
    if plain is None or framing is None:
        whole = bodies.parsed(plain)
        if whole is None and plain and known is not None and known.plain_text:
            return {"text": plain.decode("utf-8", "replace")}
        return whole
    return known.shape.join(framing.decode(plain)) if known else None
