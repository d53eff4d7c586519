"""Edited requests: what the user wrote, in its short or its long form, checked as the API would.

What the program sent itself is not questioned: hosts that are compatible take more than the API they are
compatible with. Only what the edit has made otherwise is looked at.
"""

from __future__ import annotations

from typing import Any

from ao_lsp.server.providers import body as bodies
from ao_lsp.server.providers.endpoint import Endpoint
from ao_lsp.server.providers.expect import ListOf
from ao_lsp.server.providers.input_fields import FIELDS
from ao_lsp.server.providers.shape import EditError, Json, items, mapping
from ao_lsp.server.providers.turns import unanswered

# Where requests have what the model is asked, the first that is there.
_ASKED = ("messages", "contents", "input", "prompt", "content", "requests")

# APIs that have the model in the URL, which an edit of the body leaves as it is.
_MODEL_IN_URL = (":generateContent", ":streamGenerateContent", ":embedContent", "/converse", "/converse-stream")


def written(content: str, recorded: Json) -> Json:
    """The request that `content` means: a whole one (a JSON object), other messages for the recorded one (a
    JSON list), or another text for its last message of the user's (anything else).

    Raises:
        EditError: it begins like JSON and is none, or there is nothing that it could replace.
    """
    start = content.lstrip()
    if start.startswith("{") or (start.startswith("[") and start[1:].lstrip()[:1] in ("{", '"', "]")):
        try:
            given = bodies.parsed_strictly(content)
        except ValueError as error:
            raise EditError(f"this begins like a whole request, and is not JSON: {error}") from None
        return given if isinstance(given, dict) else _with_list(given, recorded)
    return _with_text(content, recorded)


def _with_list(given: Any, recorded: Json) -> Json:
    name = next((name for name in _ASKED if isinstance(recorded.get(name), list)), None)
    if name is None:
        raise EditError("an input is edited as the whole request, a JSON object: this one has no list of messages")
    return {**recorded, name: given}


def _with_text(text: str, recorded: Json) -> Json:
    name = next((name for name in _ASKED if name in recorded), None)
    asked = recorded.get(name) if name else None
    if name is None:
        raise EditError("an input is edited as the whole request: a JSON object")
    if isinstance(asked, str):
        return {**recorded, name: text}
    if isinstance(asked, list):
        if all(isinstance(one, str) for one in asked) and len(asked) == 1:
            return {**recorded, name: [text]}
        for index in reversed(range(len(asked))):
            turn = asked[index]
            said = _turn_with_text(turn, text) if mapping(turn).get("role", "user") == "user" else None
            if said is not None:
                return {**recorded, name: [*asked[:index], said, *asked[index + 1 :]]}
    raise EditError("this request has no message of the user's with a text: give the whole request as JSON")


def _turn_with_text(turn: Json, text: str) -> Json | None:
    """`turn` with another text, images and results of tools as they were; None where it has no text."""
    for field in ("content", "parts"):
        found = turn.get(field)
        if isinstance(found, str):
            return {**turn, field: text}
        places = [index for index, part in enumerate(items(found)) if isinstance(part.get("text"), str)]
        if isinstance(found, list) and len(items(found)) == len(found) and places:
            first, more = places[0], places[1:]
            kept = [{**part, "text": text} if at == first else part for at, part in enumerate(found) if at not in more]
            return {**turn, field: kept}
    return None


def check(endpoint: Endpoint, request: Json, recorded: Json) -> None:
    """Make sure that the API takes `request`, where it is otherwise than the `recorded` one.

    Raises:
        EditError: it does not; the message says where, and what would be right.
    """
    for field in endpoint.required:
        # What the program itself left out (Azure names the model in the URL) is not demanded.
        if request.get(field) in (None, "", []) and (field in recorded or not recorded):
            raise EditError(f'the request must have "{field}"')
    if endpoint.ending in _MODEL_IN_URL and "model" in request and "model" not in recorded:
        raise EditError('"model" is in the URL of this API, which an edit of the request does not change')
    for field, check_field in FIELDS.get(endpoint.ending, {}).items():
        value, before = request.get(field), recorded.get(field)
        if value == before:
            continue
        if isinstance(check_field, ListOf):
            check_field(value, field, before if isinstance(before, list) else ())
        else:
            check_field(value, field)
    expected = endpoint.streamed(recorded)
    if endpoint.streamed(request) != expected:
        raise EditError(f'"stream" must stay {"true" if expected else "false"}: the program expects it so')
    problem = unanswered(request)
    if problem and not unanswered(recorded):
        raise EditError(problem)
