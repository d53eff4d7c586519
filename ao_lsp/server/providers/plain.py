"""Requests of any kind (`ao-record --http`), of whose bodies nothing is known but what their headers say."""

from __future__ import annotations

from urllib.parse import urlsplit

from ao_lsp.server.model import Chunks, Headers
from ao_lsp.server.providers import body as bodies
from ao_lsp.server.providers.shape import EditError, Message, Request, Response

_STREAMS = ("text/event-stream", "application/x-ndjson", "application/ndjson", "application/jsonl")


def is_plain(endpoint: str) -> bool:
    """Whether an endpoint is that of such a request: method and path, where others have a path."""
    return " /" in endpoint and not endpoint.startswith("/")


def read_request(endpoint: str, url: str, headers: Headers, body: bytes) -> Request:
    """What is asked for. In place of a model stand method and host."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        host = ""
    said = _text(headers, bodies.decoded(headers, body))
    messages = (Message("request", said),) if said else ()
    return Request(
        provider=None, model=f"{endpoint.partition(' ')[0]} {host}".strip(), streamed=False, messages=messages
    )


def read_response(headers: Headers, body: bytes) -> Response:
    """What is answered, as text where it is one."""
    return Response(streamed=_kind(headers).startswith(_STREAMS), text=_text(headers, bodies.decoded(headers, body)))


def edited_response(headers: Headers, body: bytes, chunks: Chunks, content: str) -> tuple[bytes, Headers, Chunks]:
    """The response whose body is `content`: body, headers and chunks to serve.

    Raises:
        EditError: the recorded one was JSON, and this is none; or it was no text at all.
    """
    made = _replaced(headers, bodies.decoded(headers, body), content)
    return made, bodies.refitted(headers, len(made)), ((len(made), chunks[-1][1] if chunks else 0.0),)


def edited_request(headers: Headers, body: bytes, content: str) -> bytes:
    """The body to send instead.

    Raises:
        EditError: as above, or none was sent.
    """
    if not body:
        raise EditError("this request has no body that could be edited")
    return _replaced(headers, bodies.decoded(headers, body), content)


def _replaced(headers: Headers, recorded: bytes | None, content: str) -> bytes:
    if recorded and _decoded(headers, recorded) is None:
        raise EditError("the recorded body is no text, so it cannot be edited")
    if bodies.parsed(recorded) is not None:
        try:
            bodies.parsed_strictly(content)
        except ValueError as error:
            raise EditError(f"the recorded body is JSON, and this is not: {error}") from None
    return content.encode(_charset(headers), "replace")


def _text(headers: Headers, body: bytes | None) -> str | None:
    if not body:
        return None
    said = _decoded(headers, body)
    return f"[{len(body):,} bytes of {_kind(headers).partition(';')[0] or 'something'}]" if said is None else said


def _decoded(headers: Headers, body: bytes) -> str | None:
    """A body as text; None where it is none."""
    try:
        said = body.decode(_charset(headers))
    except ValueError:
        return None
    return None if "\0" in said else said


def _kind(headers: Headers) -> str:
    return bodies.header(headers, "content-type").lower()


def _charset(headers: Headers) -> str:
    """How a body is encoded: as its headers say, where that is an encoding that we know."""
    named = _kind(headers).partition("charset=")[2].partition(";")[0].strip("\"' ")
    try:
        "".encode(named or "utf-8")
    except LookupError:
        return "utf-8"
    return named or "utf-8"
