"""Edits of recorded calls, as the bytes that a rerun sends or serves."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ao_lsp.server.model import Chunks, Headers
from ao_lsp.server.providers import blank, endings, functions, inputs, multipart, plain
from ao_lsp.server.providers import body as bodies
from ao_lsp.server.providers import endpoint as endpoints
from ao_lsp.server.providers.reading import whole_response
from ao_lsp.server.providers.shape import EditError, Json, Shape, error_of

# What a response has around what it says.
_ENVELOPE = ("id", "object", "type", "role", "model", "created", "created_at")

_KEY = re.compile(r'"(\w+)"\s*:')


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
    if plain.is_plain(endpoint):
        return plain.edited_response(headers, body, chunks, content)
    if functions.is_function(endpoint):
        return functions.edited(headers, body, chunks, content)
    known, recorded = endpoints.of_path(endpoint), whole_response(endpoint, headers, body)
    if known is None:
        raise EditError(f"responses of {endpoint or 'this endpoint'} cannot be edited")
    if not isinstance(recorded, dict):
        raise EditError("the recorded response cannot be read, so it cannot be edited")
    shape = known.shape
    if error_of(recorded) and not shape.is_response(recorded):
        raise EditError("this call failed: it has no output to edit")
    response = _changed(shape, recorded, content)
    framing = endpoints.framing(endpoint, headers)
    if framing is None:
        spoken = bodies.parsed(bodies.decoded(headers, body)) is None  # a response that is nothing but its text
        made = response["text"].encode("utf-8", "replace") if spoken else bodies.packed(response)
        return made, bodies.refitted(headers, len(made)), ((len(made), chunks[-1][1] if chunks else 0.0),)
    old = framing.decode(bodies.decoded(headers, body) or b"")
    pieces = framing.pieces(shape.split(response, old))
    made = b"".join(pieces)
    return made, bodies.refitted(headers, len(made)), _paced([len(piece) for piece in pieces], chunks)


def failed(endpoint: str, status: int | None, headers: Headers, body: bytes | None) -> bool:
    """Whether a call got no output: no response (`body` None), an HTTP error, or a stream that ended in one."""
    if body is None or status is None or status >= 400:
        return True
    found = whole_response(endpoint, headers, body)
    return isinstance(found, dict) and bool(found.get("error"))


def made_response(
    endpoint: str, url: str, headers: Headers, request: bytes, content: str
) -> tuple[bytes, Headers, Chunks]:
    """The response that says `content` to a call that failed, as `edited_response` gives it. `headers` are the
    request's: what it asked for says whether there is to be a stream.

    Raises:
        EditError: the program's SDK could not parse it, or its API has no text.
    """
    known, asked = endpoints.of_path(endpoint), bodies.parsed(bodies.decoded(headers, request))
    asked = asked if isinstance(asked, dict) else {}
    empty = blank.response(known.ending, endpoints.model(endpoint, asked)) if known else None
    if known is None or empty is None:
        raise EditError("this call failed, and its API has no text that could take the place of an output")
    response = _changed(known.shape, empty, content)
    made_headers = blank.headers(known.ending, url, known.streamed(asked))
    framing = endpoints.framing(endpoint, made_headers)
    pieces = framing.pieces(known.shape.split(response, [])) if framing else [bodies.packed(response)]
    made = b"".join(pieces)
    made_headers = (*made_headers, ("content-length", str(len(made))))
    return made, made_headers, tuple((len(piece), 0.0) for piece in pieces)


def _changed(shape: Shape, recorded: Json, content: str) -> Json:
    """The response that `content` means in the place of the `recorded` one.

    Raises:
        EditError: see `edited_response`.
    """
    given = _whole(shape, content, recorded)
    if given is None:
        return shape.with_text(recorded, content)
    if given == recorded:
        return given
    response = endings.settled({**_envelope(recorded, given), **given}, recorded)
    shape.check(response)
    return response


def _whole(shape: Shape, content: str, recorded: Json) -> Json | None:
    """`content` where it is meant as a whole response; None where it is a text, which may happen to be JSON.

    Raises:
        EditError: it is meant as one, and cannot be read.
    """
    if not content.lstrip().startswith("{"):
        return None
    try:
        given = bodies.parsed_strictly(content)
    except ValueError as error:
        if _alike(_KEY.findall(content), recorded):
            raise EditError(f"this looks like a whole response, and is not JSON: {error}") from None
        return None
    return given if shape.is_response(given) or _alike(given, recorded) else None


def _alike(keys: Iterable[str], recorded: Json) -> bool:
    """Whether these keys are those of a response like `recorded`: no text has them by chance."""
    common = recorded.keys() & set(keys)
    return len(common) >= 3 and 2 * len(common) >= len(recorded)


def _envelope(recorded: Json, given: Json) -> Json:
    """What SDKs find a response by, where it was left out of a new one."""
    return {key: recorded[key] for key in _ENVELOPE if key in recorded and key not in given}


def edited_request(endpoint: str, headers: Headers, body: bytes, content: str) -> bytes:
    """The request body to send instead. `content` is a whole request (a JSON object), other messages for the
    recorded one (a JSON list), or another text for its last message of the user's.

    Raises:
        EditError: the API would not take it, or it asks for a stream where the program expects none
            (or the other way round).
    """
    if plain.is_plain(endpoint):
        return plain.edited_request(headers, body, content)
    if functions.is_function(endpoint):
        raise EditError("the arguments of a function come from your code: edit that, or the output of the call")
    known = endpoints.of_path(endpoint)
    if known is None:
        raise EditError(f"requests to {endpoint or 'this endpoint'} cannot be edited")
    if multipart.is_form(headers):
        raise EditError("this request is a form with files: it has no JSON that could be edited")
    recorded = bodies.parsed(bodies.decoded(headers, body))
    recorded = recorded if isinstance(recorded, dict) else {}
    request = inputs.written(content, recorded)
    inputs.check(known, request, recorded)
    return bodies.packed(request)


def _paced(lengths: list[int], recorded: Chunks) -> Chunks:
    """New pieces at the old pace: spread evenly over the time that the recorded ones took."""
    first, last = (recorded[0][1], recorded[-1][1]) if recorded else (0.0, 0.0)
    steps = max(1, len(lengths) - 1)
    return tuple((length, first + (last - first) * index / steps) for index, length in enumerate(lengths))
