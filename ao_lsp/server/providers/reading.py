"""What the requests and responses of recorded calls say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ao_lsp.server.model import Headers
from ao_lsp.server.providers import body as bodies
from ao_lsp.server.providers import endpoint as endpoints
from ao_lsp.server.providers.shape import Request, Response


def read_request(endpoint: str, url: str, headers: Headers, body: bytes) -> Request:
    """What a request asks for. `endpoint` is the path, `body` as sent."""
    request = bodies.parsed(bodies.decoded(headers, body))
    request = request if isinstance(request, dict) else {}
    known = endpoints.of_path(endpoint)
    return Request(
        provider=endpoints.provider(endpoint, url),
        model=endpoints.model(endpoint, request),
        streamed=known.streamed(request) if known else request.get("stream") is True,
        messages=known.shape.prompt(request) if known else (),
    )


def read_response(endpoint: str, headers: Headers, body: bytes) -> Response:
    """What a response says. `body` as received, still content-encoded."""
    streamed = endpoints.framing(endpoint, headers) is not None
    known, whole = endpoints.of_path(endpoint), whole_response(endpoint, headers, body)
    if isinstance(whole, list) and len(whole) == 1:  # how Google wraps the errors of its OpenAI-compatible API
        whole = whole[0]
    if known is None or not isinstance(whole, dict):
        return Response(streamed=streamed)
    return replace(known.shape.output(whole), streamed=streamed)


def whole_response(endpoint: str, headers: Headers, body: bytes) -> Any:
    """A response as one JSON value, a stream put together; None where it is neither."""
    plain, framing = bodies.decoded(headers, body), endpoints.framing(endpoint, headers)
    if plain is None or framing is None:
        return bodies.parsed(plain)
    known = endpoints.of_path(endpoint)
    return known.shape.join(framing.decode(plain)) if known else None
