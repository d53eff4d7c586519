"""What two calls that belong together said otherwise: messages, parameters, output. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from ao_lsp.server import providers
from ao_lsp.server.model import Call, Exchange
from ao_lsp.server.providers import body as bodies

# What a prompt is made of: told as messages. Everything else in a request is a parameter.
_PROMPT = frozenset(
    {
        "messages", "input", "prompt", "contents", "content", "requests", "system", "instructions",
        "systemInstruction", "system_instruction",
    }
)  # fmt: skip

# Chosen anew for every call, and repeated in the requests that follow.
_IDS = frozenset(
    {"id", "call_id", "tool_call_id", "tool_use_id", "toolUseId", "previous_response_id", "item_id", "thoughtSignature"}
)

_MOST_MESSAGES = 2_000
"""Of longer conversations the end is compared."""


@dataclass(frozen=True, slots=True)
class MessageChange:
    """A message of each side; None where the other has no counterpart."""

    role: str
    a: str | None
    b: str | None


@dataclass(frozen=True, slots=True)
class Side:
    """A call as far as it is compared. `request` is its JSON, empty where it is none."""

    messages: tuple[providers.Message, ...]
    request: dict[str, Any]
    said: providers.Response | None

    @property
    def output(self) -> str | None:
        """The text that the call gave, and below it its tool calls; of a failed one the error."""
        if self.said is None:
            return None
        lines = [self.said.text] if self.said.text is not None else []
        lines += [f"{wanted.name}({wanted.arguments})" for wanted in self.said.tool_calls]
        return "\n".join(lines) if lines else self.said.error


def side(call: Call, exchange: Exchange) -> Side:
    """What `call` was asked and gave."""
    headers = exchange.request_headers
    asked = providers.read_request(call.endpoint, call.url, headers, exchange.request)
    said = None
    if exchange.response is not None:
        said = providers.read_response(call.endpoint, exchange.response_headers, exchange.response)
    return Side(asked.messages, providers.fields(headers, bodies.decoded(headers, exchange.request)), said)


def same_output(a: Side, b: Side) -> bool:
    """Whether two bodies that are not the same say the same: ids and times are of no interest."""
    if a.said is None or b.said is None or (a.said.text is None and not a.said.tool_calls):
        return False
    return _essence(a.said) == _essence(b.said)


def same_input(a: Side, b: Side) -> bool:
    """Whether two requests that are not the same ask the same: tool calls have new ids each time."""
    return bool(a.request) and _without_ids(a.request) == _without_ids(b.request)


def messages(a: Side, b: Side) -> list[MessageChange]:
    """The messages that are not the same, in order."""
    left, right = (_texts(one.messages) for one in (a, b))
    changes = []
    for verdict, a_from, a_to, b_from, b_to in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if verdict == "equal":
            continue
        gone, come = left[a_from:a_to], right[b_from:b_to]
        for index in range(max(len(gone), len(come))):
            old = gone[index] if index < len(gone) else None
            new = come[index] if index < len(come) else None
            if old and new and old[0] != new[0]:  # another role says something else, not the same otherwise
                changes += [MessageChange(old[0], old[1], None), MessageChange(new[0], None, new[1])]
            else:
                known = old or new or ("", "")
                changes.append(MessageChange(known[0], old and old[1], new and new[1]))
    return changes


def parameters(a: Side, b: Side) -> dict[str, tuple[Any, Any]]:
    """What was asked with other values, model included; None where one side does not say."""
    names = dict.fromkeys((*a.request, *b.request))
    return {
        name: (a.request.get(name), b.request.get(name))
        for name in names
        if name not in _PROMPT and a.request.get(name) != b.request.get(name)
    }


def _essence(said: providers.Response) -> tuple[object, ...]:
    calls = tuple((wanted.name, wanted.arguments) for wanted in said.tool_calls)
    return said.text, calls, said.finish_reason, said.error


def _without_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_ids(item) for key, item in value.items() if key not in _IDS}
    if isinstance(value, list):
        return [_without_ids(item) for item in value]
    return value


def _texts(found: Sequence[providers.Message]) -> list[tuple[str, str]]:
    """Role and text of each message, tool calls as lines of it."""
    return [
        (
            message.role,
            "\n".join(
                [*([message.text] if message.text else []), *(f"{c.name}({c.arguments})" for c in message.tool_calls)]
            ),
        )
        for message in found[-_MOST_MESSAGES:]
    ]
