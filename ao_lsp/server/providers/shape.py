"""What every shape of API offers, and how its modules look at JSON that anybody may have sent.

A shape is a module: `chat`, `completions`, `responses`, `messages`, `embeddings`, `audio`, `images`,
`gemini`, `ollama`, `converse`. Its functions take parsed JSON and give parsed JSON, and never raise on what they are
given, but for `EditError`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from ao_lsp.server.providers.sse import Event

Json: TypeAlias = "dict[str, Any]"


class EditError(ValueError):
    """An edit that the program's SDK would choke on; the message is the reason, for the user."""


CALLS_ONLY = "this output is tool calls without a text: give the whole response as JSON"
VECTORS_ONLY = "an embedding has no text: give the whole response as JSON"
"""Why a text cannot take the place of an output."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """What a model wants called; `arguments` is JSON text, as the model wrote it."""

    id: str | None
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a prompt, its content flattened to text."""

    role: str
    text: str
    tool_calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    provider: str | None
    model: str | None
    streamed: bool
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Response:
    """`text` is None where there is none (a tool call, an embedding, an error); `reasoning` is what
    of the model's thoughts the API shows.

    Tokens count the same in every API: `cached_tokens`, read from a cache, and `cache_write_tokens`,
    written to one (None where an API does not tell), are a part of `input_tokens`; `reasoning_tokens`
    are a part of `output_tokens`.
    """

    streamed: bool = False
    model: str | None = None
    text: str | None = None
    reasoning: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    input_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    finish_reason: str | None = None
    error: str | None = None


class Shape(Protocol):
    """The functions of a shape module."""

    def is_response(self, given: Json) -> bool:
        """Whether `given` is meant as a whole response, and not as a text that happens to be JSON."""

    def prompt(self, request: Json) -> tuple[Message, ...]:
        """The messages of a request."""

    def output(self, response: Json) -> Response:
        """What a whole response says."""

    def join(self, events: Sequence[Event]) -> Json | None:
        """The whole response that a stream adds up to; None where there is nothing of it."""

    def split(self, response: Json, recorded: Sequence[Event]) -> list[Event]:
        """The stream that adds up to `response`, with what the recorded one had besides.

        Raises:
            EditError: it has something that a stream of this API cannot carry.
        """

    def with_text(self, response: Json, text: str) -> Json:
        """`response` with another text.

        Raises:
            EditError: it has no text that could be replaced.
        """

    def check(self, response: Json) -> None:
        """Make sure that an SDK can parse `response`.

        Raises:
            EditError: it cannot.
        """


def mapping(value: object) -> Json:
    """`value` where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Json]:
    """The objects in `value`, where it is a list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text_of(value: object) -> str | None:
    return value if isinstance(value, str) else None


def count_of(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62 else None


def sum_of(*counts: object) -> int | None:
    """Counts that belong together; None where the first, without which the others say nothing, is none."""
    known = [count_of(count) for count in counts]
    return None if known[0] is None else sum(count or 0 for count in known)


def error_of(response: Json) -> str | None:
    """The message of an error body, whichever of the usual ways it is written."""
    error = response.get("error")
    if isinstance(error, dict):
        return text_of(error.get("message")) or text_of(error.get("type")) or text_of(error.get("code"))
    if error is not None:
        return text_of(error)
    # Bedrock, gateways and vLLM have the message on the top; web frameworks call it `detail`. No
    # response has one of these as a text.
    return next(filter(None, (text_of(response.get(key)) for key in ("message", "Message", "detail"))), None)


def flattened(content: object) -> str:
    """Message content as text: a string, or parts of which those that are no text are named."""
    if isinstance(content, str):
        return content
    if isinstance(content, dict):
        content = [content]
    if not isinstance(content, list):
        return ""
    return "\n".join(filter(None, map(_part, content)))


def _part(part: object) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, dict):
        return ""
    for key in ("text", "refusal", "thinking"):
        if isinstance(part.get(key), str):
            return str(part[key])
    kind = str(part.get("type", "part"))
    if kind in ("tool_result", "function_call_output"):
        return flattened(part.get("content", part.get("output")))
    if kind in ("tool_use", "function_call"):
        return ""
    return f"[{kind}]"


# A piece travels with some hundred bytes around it.
_MOST_PIECES = 5000


def pieces(text: str, recorded: Sequence[str]) -> list[str]:
    """`text` cut into pieces about as long as the recorded ones, of a very long text longer; they add up to it."""
    lengths = [len(piece) for piece in recorded if piece]
    size = max(1, round(sum(lengths) / len(lengths))) if lengths else 16
    size = max(size, -(-len(text) // _MOST_PIECES))
    return [text[start : start + size] for start in range(0, len(text), size)]


def need_list(response: Json, key: str, *, of: str) -> list[Json]:
    """`response[key]` as a list of objects.

    Raises:
        EditError: it is something else.
    """
    value = response.get(key)
    if not isinstance(value, list):
        raise EditError(f'"{key}" must be a list of {of}')
    for index, item in enumerate(value):
        if not isinstance(item, dict):
            raise EditError(f'"{key}[{index}]" must be an object')
    return value


def need_vectors(vectors: object, where: str) -> None:
    """Make sure that `vectors` is a list of lists of numbers.

    Raises:
        EditError: it is something else.
    """
    if not isinstance(vectors, list):
        raise EditError(f'"{where}" must be a list of vectors')
    for number, vector in enumerate(vectors):
        if not isinstance(vector, list) or not all(isinstance(x, int | float) for x in vector):
            raise EditError(f'"{where}[{number}]" must be a list of numbers')


def need_text(value: Json, key: str, where: str) -> str:
    """`value[key]` as text.

    Raises:
        EditError: it is something else.
    """
    found = value.get(key)
    if not isinstance(found, str):
        raise EditError(f'"{where}.{key}" must be a string')
    return found
