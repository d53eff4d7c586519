"""Edited requests: what is taken, in which forms, and what is refused, with the place and what would be right."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ao_lsp.server import providers
from tests.server import recorded
from tests.server.recorded import CHAT, JSON, MESSAGES, RESPONSES
from tests.server.recorded_natively import CONVERSE, GEMINI, OLLAMA, OLLAMA_GENERATE

EMBED, COMPLETIONS = recorded.EMBEDDINGS, recorded.COMPLETIONS


def said(role: str, text: Any, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": text, **more}


CALL = {"id": "call_1", "type": "function", "function": {"name": "search", "arguments": '{"q": 1}'}}
CHAT_SENT: dict[str, Any] = {
    "model": "gpt-5",
    "temperature": 0.5,
    "messages": [
        said("system", "Be brief."),
        said("user", "Find the harbour."),
        said("assistant", None, tool_calls=[CALL]),
        said("tool", "It is in the west.", tool_call_id="call_1"),
    ],
}
USE = {"type": "tool_use", "id": "toolu_1", "name": "search", "input": {"q": 1}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "west"}
MESSAGES_SENT: dict[str, Any] = {
    "model": "claude",
    "max_tokens": 100,
    "system": "Be brief.",
    "messages": [
        said("user", [{"type": "text", "text": "Find it."}, {"type": "text", "text": "Now."}]),
        said("assistant", [USE]),
        said("user", [RESULT]),
    ],
}
RESPONSES_SENT = {
    "model": "gpt-5",
    "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "Find it."}]},
        {"type": "function_call", "call_id": "c1", "name": "search", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "west"},
    ],
}
GEMINI_SENT = {
    "contents": [
        {"role": "user", "parts": [{"text": "hi"}, {"inlineData": {"mimeType": "image/png", "data": "aaaa"}}]}
    ],
    "generationConfig": {"temperature": 1},
}
CONVERSE_SENT = {"messages": [said("user", [{"text": "hi"}])], "inferenceConfig": {"maxTokens": 10}}
OLLAMA_SENT = {"model": "qwen3", "messages": [said("user", "hi")], "options": {"temperature": 0.1}, "stream": False}

SENT: dict[str, Any] = {
    CHAT: CHAT_SENT,
    MESSAGES: MESSAGES_SENT,
    RESPONSES: RESPONSES_SENT,
    GEMINI: GEMINI_SENT,
    CONVERSE: CONVERSE_SENT,
    OLLAMA: OLLAMA_SENT,
    EMBED: {"model": "e", "input": ["one"]},
    COMPLETIONS: {"model": "d", "prompt": "Once"},
    OLLAMA_GENERATE: {"model": "q", "prompt": "Once"},
}


def edited(endpoint: str, content: Any) -> Any:
    text = content if isinstance(content, str) else json.dumps(content)
    return json.loads(providers.edited_request(endpoint, JSON, json.dumps(SENT[endpoint]).encode(), text))


def with_field(request: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with another value at `path`, whose steps are separated by dots."""
    changed: dict[str, Any] = json.loads(json.dumps(request))
    *way, last = [int(step) if step.isdecimal() else step for step in path.split(".")]
    inner: Any = changed
    for step in way:
        inner = inner[step]
    if isinstance(inner, list) and last == len(inner):
        inner.append(value)
    elif value is ...:
        del inner[last]
    else:
        inner[last] = value
    return changed


# -- what is taken


@pytest.mark.parametrize(
    ("endpoint", "path", "value"),
    [
        (CHAT, "model", "another"),
        (CHAT, "temperature", 2),
        (CHAT, "temperature", None),
        (CHAT, "messages.1.content", "grüße \N{GRINNING FACE}"),
        (CHAT, "messages.1.content", [{"type": "image_url", "image_url": {"url": "data:"}}]),
        (CHAT, "messages.4", said("user", "Thanks. And the ferry?")),
        (CHAT, "messages.0", ...),
        (CHAT, "tools", [{"type": "function", "function": {"name": "f"}}]),
        (CHAT, "response_format", {"type": "json_object"}),
        (CHAT, "anything_that_a_host_may_add", {"x": [1]}),
        (MESSAGES, "system", [{"type": "text", "text": "Be long.", "cache_control": {"type": "ephemeral"}}]),
        (MESSAGES, "messages.2.content.0.content", [{"type": "text", "text": "east"}]),
        (MESSAGES, "thinking", {"type": "enabled", "budget_tokens": 2048}),
        (RESPONSES, "input", "only a text"),
        (RESPONSES, "input.2.output", "east"),
        (GEMINI, "contents.0.parts.0.text", "other"),
        (GEMINI, "generationConfig.maxOutputTokens", 5),
        (CONVERSE, "inferenceConfig.temperature", 0),
        (OLLAMA, "options.num_predict", -1),
        (EMBED, "input.1", "two"),
        (EMBED, "input", [[1, 2], [3]]),
        (COMPLETIONS, "prompt", ["a", "b"]),
        (OLLAMA_GENERATE, "prompt", "Twice"),
    ],
)
def test_what_the_api_takes_is_sent_as_it_was_written(endpoint: str, path: str, value: Any) -> None:
    given = with_field(SENT[endpoint], path, value)
    assert edited(endpoint, given) == given


def test_characters_are_sent_as_they_are_and_what_has_no_utf_8_is_escaped() -> None:
    given = with_field(CHAT_SENT, "messages.1.content", "grüße \N{GRINNING FACE}")
    assert "grüße \N{GRINNING FACE}".encode() in providers.edited_request(CHAT, JSON, b"{}", json.dumps(given))
    half = with_field(CHAT_SENT, "messages.1.content", "half \ud83d")
    assert edited(CHAT, half) == half


def test_what_the_program_sent_itself_is_not_questioned() -> None:
    odd = {"model": 5, "messages": [said("ipython", 1), said("user", "x")], "temperature": "hot"}
    given = with_field(odd, "messages.1.content", "y")
    made = providers.edited_request(CHAT, JSON, json.dumps(odd).encode(), json.dumps(given))
    assert json.loads(made) == given
    # Azure names the model in the URL.
    azure = "/openai/deployments/gpt/chat/completions"
    given = {"messages": [said("user", "x")]}
    assert json.loads(providers.edited_request(azure, JSON, b'{"messages": [1]}', json.dumps(given))) == given


# -- the short forms


@pytest.mark.parametrize(
    ("endpoint", "path"),
    [
        (CHAT, "messages.1.content"),
        (RESPONSES, "input.0.content.0.text"),
        (GEMINI, "contents.0.parts.0.text"),
        (CONVERSE, "messages.0.content.0.text"),
        (OLLAMA, "messages.0.content"),
        (EMBED, "input.0"),
        (COMPLETIONS, "prompt"),
        (OLLAMA_GENERATE, "prompt"),
    ],
)
@pytest.mark.parametrize("text", ["Find the ferry,\n“today”.", "[1] cite this", "7"])
def test_a_text_is_another_text_for_the_last_message_of_the_users(endpoint: str, path: str, text: str) -> None:
    assert edited(endpoint, text) == with_field(SENT[endpoint], path, text)


def test_a_text_takes_the_place_of_all_the_text_of_a_message_and_of_nothing_else_in_it() -> None:
    image = {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}}
    sent = with_field(MESSAGES_SENT, "messages.0.content.2", image)
    made = json.loads(providers.edited_request(MESSAGES, JSON, json.dumps(sent).encode(), "Look."))
    assert made["messages"][0]["content"] == [{"type": "text", "text": "Look."}, image]
    assert made["messages"][1:] == MESSAGES_SENT["messages"][1:]


def test_a_list_is_other_messages() -> None:
    given = [said("user", "one"), said("assistant", "two"), said("user", "three")]
    assert edited(CHAT, given) == {**CHAT_SENT, "messages": given}
    assert edited(EMBED, ["a", "b"]) == {"model": "e", "input": ["a", "b"]}


def test_where_there_is_no_text_of_the_users_a_short_form_is_refused() -> None:
    sent = json.dumps({"model": "m", "messages": [said("assistant", "x")]}).encode()
    with pytest.raises(providers.EditError, match="no message of the user's"):
        providers.edited_request(CHAT, JSON, sent, "text")


# -- what is refused

REFUSED: list[tuple[str, str, Any, str]] = [
    (CHAT, "messages.1.role", "usr", '"messages[1].role" must be "system", "developer", "user", "assistant", "tool" or'
     ' "function", not "usr"'),
    (CHAT, "messages.1.role", ..., '"messages[1]" must have "role"'),
    (CHAT, "messages.1", "hi", '"messages[1]" must be an object, not "hi"'),
    (CHAT, "messages.1.content", 7, '"messages[1].content" must be a string or a list of parts, not 7'),
    (CHAT, "messages.1.content", None, '"messages[1]" must have "content"'),
    (CHAT, "messages.1.content", [{"text": "x"}], '"messages[1].content[0]" must have "type"'),
    (CHAT, "messages.1.content", [{"type": "text"}], '"messages[1].content[0]" must have "text"'),
    (CHAT, "messages.2.tool_calls", ..., '"messages[2]" must have "content" or "tool_calls"'),
    (CHAT, "messages.2.tool_calls.0.function.arguments", {"q": 1},
     '"messages[2].tool_calls[0].function.arguments" must be a string that holds a JSON object'),
    (CHAT, "messages.2.tool_calls.0.function.arguments", "q=1", "must be a string that holds a JSON object"),
    (CHAT, "messages.3.tool_call_id", ..., '"messages[3]" must have "tool_call_id": the id of the tool call'),
    (CHAT, "messages.3.tool_call_id", "call_2", '"messages[3].tool_call_id" is "call_2", which is the id of no tool'),
    (CHAT, "messages.2", ..., '"messages[2].tool_call_id" is "call_1", which is the id of no tool call'),
    (CHAT, "messages.3", ..., '"messages[2].tool_calls[0]" is a tool call without an answer'),
    (CHAT, "messages", [], 'must have "messages"'),
    (CHAT, "messages", {}, '"messages" must be a list of messages'),
    (CHAT, "model", 5, '"model" must be a string, not 5'),
    (CHAT, "model", ..., 'must have "model"'),
    (CHAT, "temperature", 3, '"temperature" must be a number from 0 to 2, not 3'),
    (CHAT, "temperature", "1", '"temperature" must be a number from 0 to 2, not "1"'),
    (CHAT, "max_tokens", 0, '"max_tokens" must be a whole number, 1 or more, not 0'),
    (CHAT, "n", 1.5, '"n" must be a whole number from 1 to 128, not 1.5'),
    (CHAT, "parallel_tool_calls", "yes", '"parallel_tool_calls" must be true or false, not "yes"'),
    (CHAT, "stop", [1], '"stop[0]" must be a string, not 1'),
    (CHAT, "stream", True, '"stream" must stay false: the program expects it so'),
    (MESSAGES, "messages.0.role", "system", '"messages[0].role" must be "user" or "assistant", not "system"'),
    (MESSAGES, "messages.1.content.0.input", "{}", '"messages[1].content[0].input" must be an object, not "{}"'),
    (MESSAGES, "messages.1", ..., '"messages[1].content[0].tool_use_id" is "toolu_1", which is the id of no tool call'),
    (MESSAGES, "messages.2.content.0", {"type": "text", "text": "no"}, '"messages[1].content[0]" is a tool call'),
    (MESSAGES, "max_tokens", ..., 'must have "max_tokens"'),
    (MESSAGES, "max_tokens", "9", '"max_tokens" must be a whole number, 1 or more, not "9"'),
    (MESSAGES, "temperature", 1.5, '"temperature" must be a number from 0 to 1, not 1.5'),
    (MESSAGES, "system", 5, '"system" must be a string or a list of blocks of text, not 5'),
    (RESPONSES, "input.0.role", "tool", '"input[0].role" must be "system", "developer", "user" or "assistant"'),
    (RESPONSES, "input.1", ..., '"input[1].call_id" is "c1", which is the id of no tool call'),
    (RESPONSES, "input.2", ..., '"input[1]" is a tool call without an answer'),
    (RESPONSES, "input.1.arguments", "[]", '"input[1].arguments" must be a string that holds a JSON object'),
    (RESPONSES, "input.0", {"text": "x"}, '"input[0]" must have "type", or be a message'),
    (RESPONSES, "input", "", 'must have "input"'),
    (GEMINI, "contents.0.role", "assistant", '"contents[0].role" must be "user", "model"'),
    (GEMINI, "contents.0.parts", "hi", '"contents[0].parts" must be a list of parts, not "hi"'),
    (GEMINI, "generationConfig.topP", 2, '"generationConfig.topP" must be a number from 0 to 1, not 2'),
    (GEMINI, "model", "gemini-3", '"model" is in the URL of this API'),
    (CONVERSE, "messages.0.content", "hi", '"messages[0].content" must be a list of blocks, not "hi"'),
    (CONVERSE, "messages.0.content.0", {"text": "a", "image": {}}, '"messages[0].content[0]" must be an object with'),
    (CONVERSE, "inferenceConfig.maxTokens", "many", '"inferenceConfig.maxTokens" must be a whole number'),
    (OLLAMA, "messages.0.content", ["hi"], '"messages[0].content" must be a string'),
    (OLLAMA, "options.temperature", -1, '"options.temperature" must be a number, 0 or more, not -1'),
    (OLLAMA, "stream", True, '"stream" must stay false'),
    (EMBED, "input", 5, '"input" must be a string or a list of strings, not 5'),
    (EMBED, "dimensions", 0, '"dimensions" must be a whole number, 1 or more'),
    (COMPLETIONS, "prompt", ..., 'must have "prompt"'),
]  # fmt: skip


@pytest.mark.parametrize(
    ("endpoint", "path", "value", "reason"),
    REFUSED,
    ids=[f"{case[0]} {case[1]} {number}" for number, case in enumerate(REFUSED)],
)
def test_what_the_api_would_refuse_is_refused_with_the_place(endpoint: str, path: str, value: Any, reason: str) -> None:
    with pytest.raises(providers.EditError) as raised:
        edited(endpoint, with_field(SENT[endpoint], path, value))
    assert reason in str(raised.value)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ('{"model": "m", "messages": [}', "is not JSON: Expecting value: line 1 column 29"),
        ('{"model": "m", "temperature": NaN}', "NaN is no number in JSON"),
        ('[{"role": "user", "content": "x"}', "is not JSON"),
        ("{" * 100_000, "is not JSON"),
    ],
)
def test_what_begins_as_json_and_is_none_is_refused_and_no_text(given: str, reason: str) -> None:
    with pytest.raises(providers.EditError) as raised:
        edited(CHAT, given)
    assert reason in str(raised.value)
