"""Gemini's requests and responses: what is read out of them, and how they are edited."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ao_lsp.server import providers
from tests.server import recorded_natively as recorded
from tests.server.recorded_natively import EVENTS, GEMINI, GEMINI_EMBED, GEMINI_STREAM, JSON


def read(response: Any, endpoint: str = GEMINI) -> providers.Response:
    return providers.read_response(endpoint, JSON, json.dumps(response).encode())


def asked(request: dict[str, Any], endpoint: str = GEMINI) -> list[tuple[str, str, list[str]]]:
    found = providers.read_request(endpoint, "", (), json.dumps(request).encode()).messages
    return [(message.role, message.text, [call.name for call in message.tool_calls]) for message in found]


def edited(response: dict[str, Any], content: str) -> Any:
    return json.loads(providers.edited_response(GEMINI, JSON, json.dumps(response).encode(), (), content)[0])


CALL = {"functionCall": {"name": "weather", "args": {"city": "Porto"}}}
NEW = "Καλημέρα,\n“new” text. " * 5


@pytest.mark.parametrize("kind", ["gemini", "gemini stream", "gemini array stream"])
def test_thoughts_are_reasoning_and_tokens_are_counted_as_those_of_others(kind: str) -> None:
    found = providers.read_response(*recorded.NATIVE[kind])
    assert (found.text, found.reasoning) == ("Hello there", "Let me see.")
    # Gemini counts tokens of tools and thoughts beside those of the prompt and of the answer.
    assert (found.input_tokens, found.cached_tokens) == (8 + 3, 4)
    assert (found.output_tokens, found.reasoning_tokens) == (3 + 2, 2)
    assert (found.model, found.finish_reason) == ("gemini-3-flash-001", "STOP")


def test_a_stream_put_together_is_the_whole_response() -> None:
    for kind in ("gemini stream", "gemini array stream"):
        assert providers.whole_response(*recorded.NATIVE[kind]) == recorded.gemini(), kind


def test_an_array_that_broke_off_is_read_as_far_as_it_goes() -> None:
    whole = recorded.GEMINI_ARRAY
    for within, text, reasoning in (
        (b"Let", None, None),
        (b"see.", None, "Let me "),
        (b"there", "Hello ", "Let me see."),
    ):
        found = providers.read_response(GEMINI_STREAM, JSON, whole[: whole.index(within)])
        assert (found.text, found.reasoning) == (text, reasoning)


def test_a_signature_ends_a_text() -> None:
    chunks = [recorded.gemini({"text": "a", "thoughtSignature": "s"}), recorded.gemini({"text": "b"})]
    whole = providers.whole_response(GEMINI_STREAM, JSON, json.dumps(chunks).encode())
    assert whole["candidates"][0]["content"]["parts"] == [{"text": "a", "thoughtSignature": "s"}, {"text": "b"}]


def test_candidates_of_a_stream_are_told_apart() -> None:
    chunks = [
        {"candidates": [{"index": index, "content": {"parts": [{"text": text}]}}]}
        for index, text in ((0, "a"), (1, "x"), (0, "b"), (1, "y"))
    ]
    whole = providers.whole_response(GEMINI_STREAM, JSON, json.dumps(chunks).encode())
    assert [candidate["content"]["parts"] for candidate in whole["candidates"]] == [[{"text": "ab"}], [{"text": "xy"}]]


def test_all_tokens_used_up_for_thoughts_are_output() -> None:
    found = read({"candidates": [{"finishReason": "MAX_TOKENS"}], "usageMetadata": {"thoughtsTokenCount": 9}})
    assert (found.text, found.output_tokens, found.finish_reason) == (None, 9, "MAX_TOKENS")


def test_a_blocked_prompt_is_an_error_with_its_reason() -> None:
    found = read({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 4}})
    assert (found.error, found.finish_reason) == ("the prompt was blocked: SAFETY", "SAFETY")
    assert (found.text, found.input_tokens) == (None, 4)


@pytest.mark.parametrize("endpoint", [GEMINI, GEMINI_STREAM])
@pytest.mark.parametrize("wrapped", [False, True])
def test_the_message_of_an_error_is_read_also_in_an_array(endpoint: str, wrapped: bool) -> None:
    error = {"error": {"code": 429, "message": "Quota exceeded", "status": "RESOURCE_EXHAUSTED"}}
    assert read([error] if wrapped else error, endpoint).error == "Quota exceeded"


def test_prompts_are_flattened() -> None:
    turns = [
        {"role": "user", "parts": [{"text": "look:"}, {"inlineData": {"mimeType": "image/png", "data": "aGk="}}]},
        {"role": "model", "parts": [{"text": "hm", "thought": True}, CALL]},
        {"role": "user", "parts": [{"functionResponse": {"name": "weather", "response": {"celsius": 19}}}]},
        {"parts": [{"fileData": {"fileUri": "gs://x"}}, {"executableCode": {"code": "1+1"}}]},
    ]
    expected = [
        ("system", "be brief", []),
        ("user", "look:\n[inlineData]", []),
        ("model", "hm", ["weather"]),
        ("user", '{"celsius": 19}', []),
        ("user", "[fileData]\n1+1", []),
    ]
    assert asked({"systemInstruction": {"parts": [{"text": "be brief"}]}, "contents": turns}) == expected


def test_the_names_of_fields_may_be_in_snake_case() -> None:
    turns = [
        {"role": "model", "parts": [{"function_call": {"name": "f", "args": {}}}]},
        {"role": "user", "parts": [{"function_response": {"name": "f", "response": {"x": 1}}}, {"inline_data": {}}]},
    ]
    request = {"system_instruction": {"parts": [{"text": "be brief"}]}, "contents": turns}
    assert asked(request) == [("system", "be brief", []), ("model", "", ["f"]), ("user", '{"x": 1}\n[inline_data]', [])]


def test_what_is_embedded_is_the_input() -> None:
    single, several = [{"parts": [{"text": text}]} for text in "ab"], GEMINI_EMBED
    assert asked({"content": single[0]}, "/v1/models/e:embedContent") == [("input", "a", [])]
    assert asked({"requests": [{"content": content} for content in single]}, several) == [
        ("input", "a", []),
        ("input", "b", []),
    ]


@pytest.mark.parametrize("kind", ["gemini", "gemini stream", "gemini array stream"])
def test_a_new_text_leaves_thoughts_and_tool_calls_where_they_were(kind: str) -> None:
    endpoint, headers, body = recorded.NATIVE[kind]
    made, made_headers, chunks = providers.edited_response(endpoint, headers, body, (), NEW)
    found = providers.read_response(endpoint, made_headers, made)
    assert (found.text, found.reasoning, [call.name for call in found.tool_calls]) == (NEW, "Let me see.", ["weather"])
    assert (found.finish_reason, found.output_tokens) == ("STOP", 5)
    assert len(chunks) > 10 or kind == "gemini", "the new text came in one piece"


def test_a_stream_of_an_array_stays_one() -> None:
    made, _, chunks = providers.edited_response(GEMINI_STREAM, JSON, recorded.GEMINI_ARRAY, (), NEW)
    assert len(json.loads(made)) == len(chunks)


def test_a_stream_of_events_stays_one_and_tells_its_end_once() -> None:
    made = providers.edited_response(GEMINI_STREAM, EVENTS, recorded.GEMINI_EVENTS, (), NEW)[0].decode()
    assert (made.count("data: {"), made.count("finishReason")) == (len(made.split("\n\n")) - 1, 1)


def test_what_was_said_about_the_old_words_goes_with_them() -> None:
    sources = {"citationMetadata": {}, "groundingMetadata": {}, "avgLogprobs": -0.1, "logprobsResult": {}}
    found = edited(recorded.gemini({"text": "old"}, **sources), "new")
    assert set(found["candidates"][0]) == {"content", "finishReason", "index"}


def test_what_was_cut_off_in_its_thoughts_can_be_given_a_text() -> None:
    found = edited(recorded.gemini({"text": "hm", "thought": True}), "new")
    assert found["candidates"][0]["content"]["parts"] == [{"text": "hm", "thought": True}, {"text": "new"}]


def test_a_text_about_candidates_is_a_text() -> None:
    said = '{"candidates": [{"name": "Ada"}, {"name": "Grace"}]}'
    assert edited(recorded.gemini({"text": "old"}), said)["candidates"][0]["content"]["parts"] == [{"text": said}]


def test_an_embedding_can_be_replaced_as_a_whole_only() -> None:
    body = json.dumps(recorded.GEMINI_EMBEDDING).encode()
    new = {"embeddings": [{"values": [0.25]}]}
    assert json.loads(providers.edited_response(GEMINI_EMBED, JSON, body, (), json.dumps(new))[0]) == new
    for content, reason in (("new", "has no text"), ('{"embeddings": [{"values": ["a"]}]}', "list of numbers")):
        with pytest.raises(providers.EditError, match=reason):
            providers.edited_response(GEMINI_EMBED, JSON, body, (), content)


@pytest.mark.parametrize(
    ("response", "content", "reason"),
    [
        (recorded.gemini(CALL), "new", "tool calls without a text"),
        (recorded.gemini({"inlineData": {"data": "aGk="}}), "new", "no text that could be replaced"),
        ({"promptFeedback": {"blockReason": "SAFETY"}}, "new", "no candidates"),
        ({"error": {"message": "x"}}, "new", "this call failed"),
        (recorded.gemini(), {"candidates": [1], "modelVersion": "x"}, r'"candidates\[0\]" must be an object'),
        (recorded.gemini(), {"candidates": [{"content": []}]}, r'"candidates\[0\].content" must be an object'),
        (recorded.gemini(), recorded.gemini({"text": 1}), r'parts\[0\].text" must be a string'),
        (recorded.gemini(), recorded.gemini({"functionCall": {}}), r'functionCall.name" must be a string'),
        (recorded.gemini(), recorded.gemini({"functionCall": {"name": "f", "args": "{}"}}), "args. must be an object"),
    ],
)
def test_an_output_that_cannot_be_made_is_refused_with_the_reason(
    response: dict[str, Any], content: Any, reason: str
) -> None:
    with pytest.raises(providers.EditError, match=reason):
        edited(response, content if isinstance(content, str) else json.dumps(content))


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("{}", 'must have "contents"'),
        ('{"contents": ["hi"]}', r'"contents\[0\]" must be an object'),
        ('{"contents": [{"role": "user", "text": "hi"}]}', '"parts"'),
    ],
)
def test_an_input_that_gemini_would_refuse_is_refused(given: str, reason: str) -> None:
    sent = b'{"contents": [{"parts": [{"text": "hi"}]}]}'
    with pytest.raises(providers.EditError, match=reason):
        providers.edited_request(GEMINI_STREAM, (), sent, given)
    whole = '{"contents":[{"parts":[{"text":"other"}]}]}'
    assert providers.edited_request(GEMINI_STREAM, (), sent, whole).decode() == whole
