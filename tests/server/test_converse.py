"""Bedrock's Converse: what is read out of its requests and responses, and how they are edited."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ao_lsp.server import providers
from ao_lsp.server.providers import event_stream
from tests.server import recorded_natively as recorded
from tests.server.recorded_natively import CONVERSE, CONVERSE_STREAM, FRAMES, JSON, delta, frames, stopped

NEW = "Καλημέρα,\n“new” text. " * 5
USE = {"toolUse": {"toolUseId": "tooluse_9", "name": "search", "input": {"q": ["a", {"b": None}]}}}
CITED = {"citationsContent": {"content": [{"text": "So they say."}], "citations": [{"title": "x"}]}}


def streamed(*events: tuple[str, dict[str, Any]]) -> providers.Response:
    return providers.read_response(CONVERSE_STREAM, FRAMES, frames(*events))


def edited(kind: str, content: str) -> tuple[providers.Response, Any, bytes]:
    endpoint, headers, body = recorded.NATIVE[kind]
    made, made_headers, chunks = providers.edited_response(endpoint, headers, body, (), content)
    assert sum(length for length, _ in chunks) == len(made)
    whole = providers.whole_response(endpoint, made_headers, made)
    return providers.read_response(endpoint, made_headers, made), whole, made


@pytest.mark.parametrize("kind", ["converse", "converse stream"])
def test_reasoning_is_read_and_cached_tokens_count_as_input(kind: str) -> None:
    found = providers.read_response(*recorded.NATIVE[kind])
    assert (found.text, found.reasoning, found.finish_reason) == ("Hello there", "Let me see.", "tool_use")
    # Bedrock counts those that were read from a cache, or written to it, beside the others.
    assert (found.input_tokens, found.cached_tokens, found.output_tokens) == (5 + 4 + 2, 4, 5)


def test_a_stream_put_together_is_the_whole_response() -> None:
    assert providers.whole_response(*recorded.NATIVE["converse stream"]) == recorded.converse()


def test_redacted_thoughts_and_citations_are_put_together() -> None:
    events = [
        ("messageStart", {"role": "assistant"}),
        delta(0, reasoningContent={"redactedContent": "aGk="}),
        delta(1, text="So they "),
        delta(1, text="say."),
        delta(1, citation={"title": "x"}),
        ("messageStop", {"stopReason": "end_turn"}),
    ]
    whole = providers.whole_response(CONVERSE_STREAM, FRAMES, frames(*events))
    content = [{"reasoningContent": {"redactedContent": "aGk="}}, CITED]
    assert whole == {"output": {"message": {"role": "assistant", "content": content}}, "stopReason": "end_turn"}
    assert streamed(*events).text == "So they say."


def test_tool_input_that_broke_off_is_empty() -> None:
    (call,) = streamed(*recorded.CONVERSE_EVENTS[:10]).tool_calls
    assert (call.name, call.arguments) == ("weather", "{}")


def test_a_stream_that_ends_in_an_exception_gives_its_text_and_the_error() -> None:
    body = frames(*recorded.CONVERSE_EVENTS[:7]) + recorded.exception("throttlingException", {"message": "Slow down"})
    found = providers.read_response(CONVERSE_STREAM, FRAMES, body)
    assert (found.text, found.error) == ("Hello there", "Slow down")


def test_a_damaged_frame_ends_the_stream() -> None:
    body = bytearray(recorded.CONVERSE_FRAMES)
    body[body.index(b"there")] ^= 1
    found = providers.read_response(CONVERSE_STREAM, FRAMES, bytes(body))
    assert (found.text, found.finish_reason) == ("Hello ", None)


@pytest.mark.parametrize("endpoint", [CONVERSE, CONVERSE_STREAM])
@pytest.mark.parametrize("key", ["message", "Message"])
def test_the_message_of_an_error_is_read(endpoint: str, key: str) -> None:
    found = providers.read_response(endpoint, JSON, json.dumps({key: "no access to this model"}).encode())
    assert (found.error, found.text) == ("no access to this model", None)


def test_prompts_are_flattened_and_media_are_opaque() -> None:
    result = {"toolUseId": "t", "content": [{"text": "19 °C"}, {"json": {"wind": 3}}], "status": "success"}
    messages = [
        {"role": "user", "content": [{"text": "look:"}, {"image": {}}, {"document": {}}, {"cachePoint": {}}]},
        {"role": "assistant", "content": [{"reasoningContent": {"reasoningText": {"text": "hm"}}}, USE]},
        {"role": "user", "content": [{"toolResult": result}, {"guardContent": {"text": {"text": "guarded"}}}]},
        {"role": "assistant", "content": [CITED, {"audio": {}}]},
    ]
    request = {"system": [{"text": "be brief"}, {"cachePoint": {"type": "default"}}], "messages": messages}
    found = providers.read_request(CONVERSE, "", (), json.dumps(request).encode()).messages
    assert [(message.role, message.text, [call.name for call in message.tool_calls]) for message in found] == [
        ("system", "be brief", []),
        ("user", "look:\n[image]\n[document]", []),
        ("assistant", "hm", ["search"]),
        ("user", '19 °C\n{"wind": 3}\nguarded', []),
        ("assistant", "So they say.\n[audio]", []),
    ]


@pytest.mark.parametrize("kind", ["converse", "converse stream"])
def test_a_new_text_leaves_reasoning_and_tool_calls_where_they_were(kind: str) -> None:
    found, whole, made = edited(kind, NEW)
    assert (found.text, found.reasoning, [call.name for call in found.tool_calls]) == (NEW, "Let me see.", ["weather"])
    assert [*map(list, whole["output"]["message"]["content"])] == [["reasoningContent"], ["text"], ["toolUse"]]
    assert whole["usage"] == recorded.converse()["usage"]
    assert kind == "converse" or len(event_stream.decode(made)) > 20, "the new text came in one piece"


def test_an_edited_stream_has_the_events_that_sdks_wait_for() -> None:
    names = [event.name for event in event_stream.decode(edited("converse stream", "new")[2])]
    assert names == [
        "messageStart", "contentBlockDelta", "contentBlockDelta", "contentBlockDelta", "contentBlockStop",
        "contentBlockDelta", "contentBlockStop", "contentBlockStart", "contentBlockDelta", "contentBlockStop",
        "messageStop", "metadata",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["converse", "converse stream"])
def test_a_whole_response_replaces_the_recorded_one(kind: str) -> None:
    drawn = {"image": {"format": "png", "source": {"bytes": "aGk="}}}
    hidden = {"reasoningContent": {"redactedContent": "aGk="}}
    for new in (recorded.converse(USE), recorded.converse(hidden, CITED, drawn, USE), recorded.converse()):
        assert edited(kind, json.dumps(new))[1] == new


def test_citations_go_with_the_words_that_they_belong_to() -> None:
    body = json.dumps(recorded.converse(CITED, {"text": "more"})).encode()
    made = providers.edited_response(CONVERSE, JSON, body, (), "new")[0]
    assert json.loads(made)["output"]["message"]["content"] == [{"text": "new"}]


def test_a_block_that_no_stream_can_carry_is_refused_in_streams_only() -> None:
    whole = json.dumps(recorded.converse({"text": "see"}, {"video": {"format": "mp4", "source": {}}}))
    assert edited("converse", whole)
    with pytest.raises(providers.EditError, match=r'a stream cannot carry "output.message.content\[1\].video"'):
        edited("converse stream", whole)


@pytest.mark.parametrize(
    ("response", "content", "reason"),
    [
        (recorded.converse(USE), "new", "tool calls without a text"),
        (recorded.converse({"image": {}}), "new", "no text that could be replaced"),
        ({"message": "no access"}, "new", "this call failed"),
        (recorded.converse(), {"output": {"message": 1}}, '"output.message" must be an object'),
        (recorded.converse(), {"output": {"message": {"role": "user", "content": []}}}, 'role" must be "assistant"'),
        (recorded.converse(), {"output": {"message": {"role": "assistant"}}}, "content. must be a list"),
        (
            recorded.converse(),
            {"output": {"message": {"role": "assistant", "content": []}}, "stopReason": 1},
            "stopReason",
        ),
        (recorded.converse(), recorded.converse({"text": "a", "image": {}}), "one field"),
        (recorded.converse(), recorded.converse({"text": 1}), r'content\[0\].text" must be a string'),
        (recorded.converse(), recorded.converse({"toolUse": {"name": "f"}}), 'toolUseId" must be a string'),
        (
            recorded.converse(),
            recorded.converse({"toolUse": {"toolUseId": "t", "name": "f", "input": "{}"}}),
            'toolUse.input" must be an object',
        ),
    ],
)
def test_an_output_that_cannot_be_made_is_refused_with_the_reason(
    response: dict[str, Any], content: Any, reason: str
) -> None:
    given = content if isinstance(content, str) else json.dumps(content)
    with pytest.raises(providers.EditError, match=reason):
        providers.edited_response(CONVERSE, JSON, json.dumps(response).encode(), (), given)


def test_an_input_without_turns_is_refused() -> None:
    sent = b'{"messages": [{"role": "user", "content": [{"text": "hi"}]}]}'
    with pytest.raises(providers.EditError, match='must have "messages"'):
        providers.edited_request(CONVERSE_STREAM, (), sent, "{}")
    with pytest.raises(providers.EditError, match='"role"'):
        providers.edited_request(CONVERSE_STREAM, (), sent, '{"messages": [{"content": []}]}')


def test_the_texts_of_several_blocks_are_one() -> None:
    found = streamed(("messageStart", {"role": "assistant"}), delta(0, text="a"), stopped(0), delta(1, text="b"))
    assert found.text == "ab"
