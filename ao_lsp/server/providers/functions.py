"""What calls of a program's own functions say (`ao_lsp.tool`). Their bodies are what the runner wrote: the arguments
as a JSON object; the result as JSON, or as the repr of what is none."""

from __future__ import annotations

import json
from typing import Any

from ao_lsp.server.model import Chunks, Headers
from ao_lsp.server.providers import body as bodies
from ao_lsp.server.providers.shape import EditError, Message, Request, Response

_PREFIX = "tool:"


def is_function(endpoint: str) -> bool:
    """Whether a call is one of a function."""
    return endpoint.startswith(_PREFIX)


def request(endpoint: str, body: bytes) -> Request:
    """A call: its name in place of a model, its arguments in place of a prompt."""
    given = bodies.parsed(body)
    if isinstance(given, dict):
        text = "\n".join(f"{name}: {_text(value)}" for name, value in given.items())
    else:
        text = body.decode("utf-8", "replace")
    return Request(None, endpoint.removeprefix(_PREFIX), False, (Message("arguments", text),))


def response(headers: Headers, body: bytes) -> Response:
    """What it returned."""
    text = body.decode("utf-8", "replace")
    return Response(text=_text(json.loads(body)) if _is_json(headers, body) else text)


def edited(headers: Headers, body: bytes, chunks: Chunks, content: str) -> tuple[bytes, Headers, Chunks]:
    """The result that is `content` instead. Of a text, the new one as it is; of anything else, JSON.

    Raises:
        EditError: it is no JSON, or the result was none.
    """
    if not _is_json(headers, body):
        raise EditError("this function returned an object that is no JSON: it cannot be made from a text")
    new: Any = content
    if not isinstance(json.loads(body), str):
        try:
            new = bodies.parsed_strictly(content)
        except ValueError as error:
            raise EditError(f"the result of this function is JSON, and this is not: {error}") from None
    made = json.dumps(new, ensure_ascii=True).encode("ascii")
    return made, headers, ((len(made), chunks[-1][1] if chunks else 0.0),)


def _is_json(headers: Headers, body: bytes) -> bool:
    if not any(name == "content-type" and value == "application/json" for name, value in headers):
        return False
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
