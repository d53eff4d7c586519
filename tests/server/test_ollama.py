"""Ollama's requests and responses: what is read out of them, and how they are edited."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ao_lsp.server import providers
from tests.server import recorded_natively as recorded
from tests.server.recorded_natively import JSON, LINES, OLLAMA, OLLAMA_CALL, OLLAMA_EMBED, OLLAMA_GENERATE, lines

NEW = "Καλημέρα,\n“new” text\u2028with \x85 line ends. " * 5


def asked(request: dict[str, Any], endpoint: str = OLLAMA) -> list[tuple[str, str, list[str]]]:
    found = providers.read_request(endpoint, "", (), json.dumps(request).encode()).messages
    return [(message.role, message.text, [call.name for call in message.tool_calls]) for message in found]


@pytest.mark.parametrize("kind", ["ollama", "ollama stream", "generate", "generate stream"])
def test_thinking_counts_and_the_reason_of_the_end_are_read(kind: str) -> None:
    found = providers.read_response(*recorded.NATIVE[kind])
    assert (found.text, found.reasoning, found.finish_reason) == ("Hello there", "Let me see.", "stop")
    assert (found.input_tokens, found.output_tokens, found.model) == (11, 5, "qwen3:8b")
    assert found.streamed == kind.endswith("stream")


def test_a_stream_put_together_is_the_whole_response() -> None:
    assert providers.whole_response(*recorded.NATIVE["generate stream"]) == recorded.generated()
    whole = recorded.ollama("Hello there", OLLAMA_CALL)
    assert providers.whole_response(*recorded.NATIVE["ollama stream"]) == whole


def test_tool_calls_that_come_one_by_one_are_all_kept() -> None:
    calls: list[dict[str, Any]] = [{"function": {"name": name, "arguments": {}}} for name in ("f", "g")]
    body = lines(*({"message": {"content": "", "tool_calls": [call]}} for call in calls))
    found = providers.read_response(OLLAMA, LINES, body)
    assert [call.name for call in found.tool_calls] == ["f", "g"]


def test_a_stream_that_broke_off_or_failed_gives_what_came_before() -> None:
    cut = recorded.OLLAMA_STREAM.partition(b"there")[0]
    found = providers.read_response(OLLAMA, LINES, cut)
    assert (found.text, found.finish_reason) == ("Hello ", None)
    whole_lines = b"".join(recorded.OLLAMA_STREAM.splitlines(keepends=True)[:3])
    failed = providers.read_response(OLLAMA, LINES, whole_lines + b'{"error": "model runner has stopped"}\n')
    assert (failed.text, failed.error) == ("Hello ", "model runner has stopped")


def test_the_message_of_an_error_is_read() -> None:
    assert providers.read_response(OLLAMA, JSON, b'{"error": "model \'x\' not found"}').error == "model 'x' not found"


def test_embeddings_have_usage_and_no_text() -> None:
    found = providers.read_response(OLLAMA_EMBED, JSON, json.dumps(recorded.OLLAMA_EMBEDDING).encode())
    assert (found.text, found.input_tokens, found.model) == (None, 3, "embeddinggemma")


def test_prompts_are_flattened_and_images_are_opaque() -> None:
    messages = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "look:", "images": ["aGk=", "aG8="]},
        {"role": "assistant", "content": "", "tool_calls": [OLLAMA_CALL]},
        {"role": "tool", "tool_name": "weather", "content": "19 °C"},
    ]
    assert asked({"messages": messages}) == [
        ("system", "be brief", []),
        ("user", "look:\n[image]\n[image]", []),
        ("assistant", "", ["weather"]),
        ("tool", "19 °C", []),
    ]
    generate = {"system": "be brief", "prompt": "why?", "images": ["aGk="]}
    assert asked(generate, OLLAMA_GENERATE) == [("system", "be brief", []), ("user", "why?\n[image]", [])]
    assert asked({"input": ["a", "b"]}, OLLAMA_EMBED) == [("input", "a", []), ("input", "b", [])]
    assert asked({"input": "a"}, OLLAMA_EMBED) == [("input", "a", [])]


@pytest.mark.parametrize("kind", ["ollama stream", "generate stream"])
def test_an_edited_stream_stays_a_stream_of_lines(kind: str) -> None:
    endpoint, headers, body = recorded.NATIVE[kind]
    made, made_headers, chunks = providers.edited_response(endpoint, headers, body, (), NEW)
    # As httpx splits lines: also where Unicode ends them.
    written = [json.loads(line) for line in made.decode().splitlines()]
    assert [chunk["done"] for chunk in written] == [False] * (len(written) - 1) + [True]
    assert len(written) == len(chunks) > 10
    found = providers.read_response(endpoint, made_headers, made)
    assert (found.text, found.reasoning, found.output_tokens) == (NEW, "Let me see.", 5)
    assert len(found.tool_calls) == (1 if kind == "ollama stream" else 0)


def test_a_whole_response_replaces_a_stream() -> None:
    call = {"function": {"name": "search", "arguments": {"q": ["a", {"b": None}]}}}
    whole = json.dumps(recorded.ollama("", call, thinking=""))
    made, headers, _ = providers.edited_response(OLLAMA, LINES, recorded.OLLAMA_STREAM, (), whole)
    (found,) = providers.read_response(OLLAMA, headers, made).tool_calls
    assert (found.name, json.loads(found.arguments)) == ("search", {"q": ["a", {"b": None}]})


def test_a_text_with_a_message_in_it_is_a_text() -> None:
    said = '{"message": {"content": "hi"}, "model": "x"}'
    body = json.dumps(recorded.ollama()).encode()
    made = json.loads(providers.edited_response(OLLAMA, JSON, body, (), said)[0])
    assert made["message"]["content"] == said


@pytest.mark.parametrize(
    ("response", "content", "reason"),
    [
        (recorded.ollama("", OLLAMA_CALL), "new", "tool calls without a text"),
        (recorded.OLLAMA_EMBEDDING, "new", "an embedding has no text"),
        ({"error": "no such model"}, "new", "this call failed"),
        ({"done": True}, "new", "no text that could be replaced"),
        (recorded.ollama(), {"done": True, "message": "hi"}, '"message" must be an object'),
        (recorded.ollama(), {"done": True, "message": {"role": "assistant"}}, '"message.content" must be a string'),
        (recorded.generated(), {"done": True, "response": 1}, '"response" must be a string'),
        (
            recorded.ollama(),
            recorded.ollama("", {"function": {"name": "f", "arguments": "{}"}}),
            r'"message.tool_calls\[0\].function.arguments" must be an object',
        ),
        (recorded.OLLAMA_EMBEDDING, {"model": "m", "embeddings": [["a"]]}, r'"embeddings\[0\]" must be a list of numb'),
    ],
)
def test_an_output_that_cannot_be_made_is_refused_with_the_reason(
    response: dict[str, Any], content: Any, reason: str
) -> None:
    given = content if isinstance(content, str) else json.dumps(content)
    with pytest.raises(providers.EditError, match=reason):
        providers.edited_response(OLLAMA, JSON, json.dumps(response).encode(), (), given)


@pytest.mark.parametrize(
    ("endpoint", "sent", "given", "reason"),
    [
        (OLLAMA, {"model": "m", "messages": [1]}, {"model": "m"}, 'must have "messages"'),
        (OLLAMA_GENERATE, {"model": "m", "prompt": "p"}, {"prompt": "p"}, 'must have "model"'),
        (OLLAMA_EMBED, {"model": "m", "input": "p"}, {"model": "m"}, 'must have "input"'),
        (OLLAMA_GENERATE, {"prompt": "p"}, {"prompt": "q", "stream": False}, '"stream" must stay true'),
        (OLLAMA_GENERATE, {"prompt": "p", "stream": False}, {"prompt": "q"}, '"stream" must stay false'),
    ],
)
def test_an_input_that_ollama_or_the_program_would_not_expect_is_refused(
    endpoint: str, sent: dict[str, Any], given: dict[str, Any], reason: str
) -> None:
    with pytest.raises(providers.EditError, match=reason):
        providers.edited_request(endpoint, (), json.dumps(sent).encode(), json.dumps(given))


def test_a_stream_may_be_asked_for_by_saying_nothing() -> None:
    assert providers.edited_request(OLLAMA_GENERATE, (), b'{"prompt": "p"}', '{"prompt": "q", "stream": true}')


def test_what_was_said_about_the_old_words_goes_with_them() -> None:
    body = json.dumps({**recorded.ollama(), "logprobs": [{"token": "Hello", "logprob": -0.1}]}).encode()
    assert "logprobs" not in json.loads(providers.edited_response(OLLAMA, JSON, body, (), "new")[0])
