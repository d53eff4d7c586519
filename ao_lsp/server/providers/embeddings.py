"""OpenAI embeddings.

https://platform.openai.com/docs/api-reference/embeddings
"""

from __future__ import annotations

from collections.abc import Sequence

from ao_lsp.server.providers.shape import (
    VECTORS_ONLY,
    EditError,
    Json,
    Message,
    Response,
    count_of,
    error_of,
    mapping,
    need_list,
    text_of,
)
from ao_lsp.server.providers.sse import Event


def is_response(given: Json) -> bool:
    return given.get("object") == "list" or isinstance(given.get("data"), list)


def prompt(request: Json) -> tuple[Message, ...]:
    asked = request.get("input")
    texts = asked if isinstance(asked, list) else [asked]
    return tuple(Message("input", text) for text in texts if isinstance(text, str))


def output(response: Json) -> Response:
    usage = mapping(response.get("usage"))
    return Response(
        model=text_of(response.get("model")),
        input_tokens=count_of(usage.get("prompt_tokens")),
        error=error_of(response),
    )


def join(events: Sequence[Event]) -> Json | None:  # noqa: ARG001 - embeddings are never streamed
    return None


def split(response: Json, recorded: Sequence[Event]) -> list[Event]:  # noqa: ARG001 - see join
    return [Event.of(None, response)]


def with_text(response: Json, text: str) -> Json:  # noqa: ARG001 - every shape is asked
    raise EditError(VECTORS_ONLY)


def check(response: Json) -> None:
    for number, entry in enumerate(need_list(response, "data", of="embeddings")):
        vector = entry.get("embedding")
        numbers = isinstance(vector, list) and all(isinstance(x, int | float) for x in vector)
        if not numbers and not isinstance(vector, str):
            raise EditError(f'"data[{number}].embedding" must be a list of numbers, or base64 text')
