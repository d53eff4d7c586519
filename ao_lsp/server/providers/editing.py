"""Edits of recorded calls, as the bytes that a rerun sends or serves."""

from __future__ import annotations

from ao_lsp.server.model import Chunks, Headers
from ao_lsp.server.providers import body as bodies
from ao_lsp.server.providers import endpoint as endpoints
from ao_lsp.server.providers import multipart
from ao_lsp.server.providers.reading import whole_response
from ao_lsp.server.providers.shape import EditError, Json, error_of


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
    known, recorded = endpoints.of_path(endpoint), whole_response(endpoint, headers, body)
    if known is None:
        raise EditError(f"responses of {endpoint or 'this endpoint'} cannot be edited")
    if not isinstance(recorded, dict):
        raise EditError("the recorded response cannot be read, so it cannot be edited")
    shape = known.shape
    if error_of(recorded) and not shape.is_response(recorded):
        raise EditError("this call failed: it has no output to edit")
    given = bodies.parsed(content.encode("utf-8", "replace"))
    # A text may happen to be JSON.
    if isinstance(given, dict) and shape.is_response(given):
        shape.check(given)
        response = given
    else:
        response = shape.with_text(recorded, content)
    framing = endpoints.framing(endpoint, headers)
    if framing is None:
        spoken = bodies.parsed(bodies.decoded(headers, body)) is None  # a response that is nothing but its text
        made = response["text"].encode("utf-8", "replace") if spoken else bodies.packed(response)
        return made, bodies.refitted(headers, len(made)), ((len(made), chunks[-1][1] if chunks else 0.0),)
    old = framing.decode(bodies.decoded(headers, body) or b"")
    pieces = framing.pieces(shape.split(response, old))
    made = b"".join(pieces)
    return made, bodies.refitted(headers, len(made)), _paced([len(piece) for piece in pieces], chunks)


def edited_request(endpoint: str, headers: Headers, body: bytes, content: str) -> bytes:
    """The request body to send instead.

    Raises:
        EditError: it is no JSON object, lacks a field that its endpoint demands, or asks for a
            stream where the program expects none (or the other way round).
    """
    known = endpoints.of_path(endpoint)
    if known is None:
        raise EditError(f"requests to {endpoint or 'this endpoint'} cannot be edited")
    if multipart.is_form(headers):
        raise EditError("this request is a form with files: it has no JSON that could be edited")
    try:
        given = bodies.parsed_strictly(content)
    except ValueError as error:
        raise EditError(f"an input is edited as the whole request, and this is not JSON: {error}") from None
    if not isinstance(given, dict):
        raise EditError("an input is edited as the whole request: a JSON object")
    recorded = bodies.parsed(bodies.decoded(headers, body))
    recorded = recorded if isinstance(recorded, dict) else {}
    for field in known.required:
        # What the program itself left out (Azure names the model in the URL) is not demanded.
        if given.get(field) in (None, "", []) and (field in recorded or not recorded):
            raise EditError(f'the request must have "{field}"')
    _check_turns(given)
    if known.streamed(given) != known.streamed(recorded):
        raise EditError(
            f'"stream" must stay {"true" if known.streamed(recorded) else "false"}: the program expects it so'
        )
    return bodies.packed(given)


def _check_turns(request: Json) -> None:
    """Make sure that the turns of a conversation, where it has some, are such.

    Raises:
        EditError: they are not.
    """
    turns = request.get("messages", [])
    if not isinstance(turns, list) or not all(
        isinstance(turn, dict) and isinstance(turn.get("role"), str) for turn in turns
    ):
        raise EditError('"messages" must be a list of objects, each with a "role"')
    turns = request.get("contents", [])
    if not isinstance(turns, list) or not all(
        isinstance(turn, dict) and isinstance(turn.get("parts"), list) for turn in turns
    ):
        raise EditError('"contents" must be a list of objects, each with a list of "parts"')


def _paced(lengths: list[int], recorded: Chunks) -> Chunks:
    """New pieces at the old pace: spread evenly over the time that the recorded ones took."""
    first, last = (recorded[0][1], recorded[-1][1]) if recorded else (0.0, 0.0)
    steps = max(1, len(lengths) - 1)
    return tuple((length, first + (last - first) * index / steps) for index, length in enumerate(lengths))
