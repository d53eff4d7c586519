"""What an edit of an output may change, API by API, plain and streamed, as the SDKs make of it.

OpenAI's and Anthropic's SDKs read what is served; of the other APIs it is what their reference says that
a response is (tests/server/test_gemini.py, test_ollama.py, test_converse.py have their streams).
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from ao_lsp.server import providers
from tests.server import recorded, recorded_natively
from tests.server.recorded import ALL
from tests.server.test_edited_by_sdk import MESSAGES, anthropic_client, openai_client

SEARCH = {"id": "call_9", "type": "function", "function": {"name": "search", "arguments": '{"q": "a"}'}}
SEARCH_USE = {"type": "tool_use", "id": "toolu_9", "name": "search", "input": {"q": "a"}}


def edited(kind: str, content: Any) -> Any:
    """The edited response as a whole; a stream put together."""
    endpoint, headers, body = ALL[kind]
    text = content if isinstance(content, str) else json.dumps(content)
    made, made_headers, _ = providers.edited_response(endpoint, headers, body, (), text)
    return providers.whole_response(endpoint, made_headers, made)


def whole(kind: str) -> Any:
    endpoint, headers, body = ALL[kind]
    return providers.whole_response(endpoint, headers, body)


# -- tool calls: one more, one less, in place of a text and back


@pytest.mark.parametrize("calls", [[recorded.TOOL_CALL, SEARCH], [SEARCH]], ids=["added", "replaced"])
def test_openai_gets_more_or_other_tool_calls(calls: list[Any]) -> None:
    content = whole("chat stream")
    content["choices"][0]["message"]["tool_calls"] = calls
    with (
        openai_client("chat stream", json.dumps(content)) as client,
        client.chat.completions.stream(model="m", messages=MESSAGES) as stream,
    ):
        choice = stream.get_final_completion().choices[0]
    assert [call.id for call in choice.message.tool_calls or ()] == [call["id"] for call in calls]
    assert choice.finish_reason == "tool_calls"
    with openai_client("chat", json.dumps(content)) as client:
        message = client.chat.completions.create(model="m", messages=MESSAGES).choices[0].message
    assert [call.id for call in message.tool_calls or ()] == [call["id"] for call in calls]


@pytest.mark.parametrize("kind", ["chat", "chat stream"])
def test_a_chat_completion_whose_calls_are_taken_away_stopped_and_did_not_call(kind: str) -> None:
    content = whole(kind)
    del content["choices"][0]["message"]["tool_calls"]
    content["choices"][0]["message"]["content"] = "No need."
    choice = edited(kind, content)["choices"][0]
    assert (choice["finish_reason"], choice["message"]["content"]) == ("stop", "No need.")
    assert "tool_calls" not in choice["message"]


def test_a_chat_completion_that_gets_calls_in_place_of_its_text_ended_for_them() -> None:
    endpoint, headers = recorded.CHAT, recorded.JSON
    body = json.dumps(recorded.chat("Hello")).encode()

    def reason(finish: Any) -> Any:
        content = recorded.chat(None, [SEARCH])
        content["choices"][0]["finish_reason"] = finish
        made, _, _ = providers.edited_response(endpoint, headers, body, (), json.dumps(content))
        return json.loads(made)["choices"][0]["finish_reason"]

    assert reason("stop") == reason(None) == "tool_calls", "it was left as it was recorded, or left out"
    assert reason("length") == "length", "it was chosen"


@pytest.mark.parametrize("kind", ["messages", "messages stream"])
def test_anthropic_gets_a_text_in_place_of_a_tool_call_and_calls_in_place_of_a_text(kind: str) -> None:
    text = {"type": "text", "text": "No need."}
    for blocks, reason in (([text], "end_turn"), ([SEARCH_USE, {**SEARCH_USE, "id": "toolu_10"}], "tool_use")):
        with anthropic_client(kind, json.dumps({**whole(kind), "content": blocks})) as client:
            if kind == "messages":
                found = client.messages.create(model="m", max_tokens=9, messages=MESSAGES)
            else:
                with client.messages.stream(model="m", max_tokens=9, messages=MESSAGES) as stream:
                    found = stream.get_final_message()
        assert [block.type for block in found.content] == [block["type"] for block in blocks]
        assert found.stop_reason == reason


@pytest.mark.parametrize("kind", ["responses", "responses stream"])
def test_openai_gets_items_that_were_added_to_a_response_and_none_that_were_taken_out(kind: str) -> None:
    calls = [
        {"id": f"fc_{n}", "type": "function_call", "call_id": f"call_{n}", "name": "search", "arguments": '{"q": 1}'}
        for n in (8, 9)
    ]
    content = json.dumps({**whole(kind), "output": calls})
    with openai_client(kind, content) as client:
        if kind == "responses":
            found = client.responses.create(model="m", input="hi")
        else:
            with client.responses.stream(model="m", input="hi") as stream:
                found = stream.get_final_response()
    assert [(item.type, getattr(item, "call_id", None)) for item in found.output] == [
        ("function_call", "call_8"),
        ("function_call", "call_9"),
    ]


@pytest.mark.parametrize("kind", [kind for kind in ALL if kind.startswith("converse")])
def test_converse_gets_a_text_in_place_of_a_tool_call_and_calls_in_place_of_a_text(kind: str) -> None:
    use = {"toolUse": {"toolUseId": "t9", "name": "search", "input": {"q": "a"}}}
    for blocks, reason in (([{"text": "No need."}], "end_turn"), ([use], "tool_use")):
        content = whole(kind)
        content["output"]["message"]["content"] = blocks
        made = edited(kind, content)
        assert made["output"]["message"]["content"] == blocks
        recorded_reason = whole(kind)["stopReason"]
        assert made["stopReason"] == (reason if recorded_reason in ("tool_use", "end_turn") else recorded_reason)


@pytest.mark.parametrize("kind", [kind for kind in ALL if kind.startswith("gemini") and "embed" not in kind])
def test_gemini_gets_added_and_removed_parts(kind: str) -> None:
    call = {"functionCall": {"id": "c9", "name": "search", "args": {"q": "a"}}}
    for parts in ([call, {"functionCall": {"name": "search", "args": {}}}], [{"text": "No need."}]):
        content = whole(kind)
        content["candidates"][0]["content"]["parts"] = parts
        assert edited(kind, content)["candidates"][0]["content"]["parts"] == parts


@pytest.mark.parametrize("kind", [kind for kind in ALL if "ollama" in kind and "embed" not in kind])
def test_ollama_gets_added_and_removed_tool_calls(kind: str) -> None:
    content = whole(kind)
    call = recorded_natively.OLLAMA_CALL
    for calls in ([call, {"function": {"name": "search", "arguments": {"q": "a"}}}], []):
        message = {"role": "assistant", "content": "So.", **({"tool_calls": calls} if calls else {})}
        assert edited(kind, {**content, "message": message})["message"] == message


def test_openai_gets_a_second_choice_in_its_place() -> None:
    content = whole("chat stream")
    content["choices"].append({"message": {"role": "assistant", "content": "Or so."}})
    with openai_client("chat stream", json.dumps(content)) as client:
        chunks = list(client.chat.completions.create(model="m", messages=MESSAGES, stream=True))
    said = ["", ""]
    for choice in (choice for chunk in chunks for choice in chunk.choices):
        said[choice.index] += choice.delta.content or ""
    assert said == ["Hello there", "Or so."]


def test_openai_gets_an_embedding_with_other_vectors() -> None:
    vectors = [{"object": "embedding", "index": n, "embedding": [float(n)]} for n in range(2)]
    with openai_client("embeddings", json.dumps({**recorded.EMBEDDING, "data": vectors})) as client:
        found = client.embeddings.create(model="m", input=["a", "b"], encoding_format="float")
    assert [vector.embedding for vector in found.data] == [[0.0], [1.0]]


# -- what is left out, and what is wrong


@pytest.mark.parametrize("kind", ["chat", "completions", "responses", "messages", "embeddings"])
def test_a_response_keeps_what_sdks_find_it_by_where_that_was_left_out(kind: str) -> None:
    content = whole(kind)
    bare = {key: value for key, value in content.items() if key in ("choices", "output", "content", "data", "role")}
    made = edited(kind, bare)
    for key in ("id", "object", "type", "model"):
        assert made.get(key) == content.get(key)
    assert "usage" not in made, "what was taken out on purpose is gone"


@pytest.mark.parametrize("kind", [kind for kind in ALL if "embed" not in kind])
def test_a_whole_response_with_a_slip_in_its_json_is_refused_and_no_text(kind: str) -> None:
    endpoint, headers, body = ALL[kind]
    broken = json.dumps(whole(kind), indent=2)[:-2]
    with pytest.raises(providers.EditError, match="looks like a whole response, and is not JSON"):
        providers.edited_response(endpoint, headers, body, (), broken)


def test_a_text_with_braces_is_a_text() -> None:
    for text in ("{not json", '{"id": 1, "model": oops}', "{}", '{"role": "assistant"}'):
        assert edited("chat", text)["choices"][0]["message"]["content"] == text


REFUSED: dict[str, tuple[str, Any, str]] = {
    "arguments that are no JSON": (
        "chat",
        recorded.chat(None, [{**SEARCH, "function": {"name": "f", "arguments": "q=1"}}]),
        '"choices[0].message.tool_calls[0].function.arguments" must be a string that holds a JSON object',
    ),
    "arguments that are a list": (
        "responses",
        recorded.response({"type": "function_call", "call_id": "c", "name": "f", "arguments": "[1]"}),
        '"output[0].arguments" must be a string that holds a JSON object',
    ),
    "two calls with one id": (
        "chat stream",
        recorded.chat(None, [SEARCH, SEARCH]),
        '"choices[0].message.tool_calls[1].id" is that of choices[0].message.tool_calls[0], too: each needs its own',
    ),
    "two blocks with one id": ("messages", recorded.message(SEARCH_USE, SEARCH_USE), '"content[1].id" is that of'),
    "a whole response without its main field": (
        "messages",
        {key: value for key, value in recorded.message().items() if key not in ("content", "type")},
        '"content" must be a list',
    ),
    "a number that is none": ("chat", '{"object": "chat.completion", "id": "", "choices": [NaN], "model": ""}', "NaN"),
}


@pytest.mark.parametrize("name", list(REFUSED))
def test_what_a_program_would_choke_on_is_refused_with_the_place(name: str) -> None:
    kind, content, reason = REFUSED[name]
    with pytest.raises(providers.EditError) as raised:
        edited(kind, content)
    assert reason in str(raised.value)


def test_what_a_model_itself_wrote_may_stay() -> None:
    body = json.dumps(recorded.chat("x", [{**SEARCH, "function": {"name": "f", "arguments": '{"cut'}}])).encode()
    made, _, _ = providers.edited_response(recorded.CHAT, recorded.JSON, body, (), "other text")
    assert '{\\"cut' in made.decode()
    providers.edited_response(recorded.CHAT, recorded.JSON, body, (), body.decode())


# -- texts of every kind


@pytest.mark.parametrize("kind", [kind for kind in ALL if "embed" not in kind])
@pytest.mark.parametrize("text", ["", "\N{GRINNING FACE}" * 3, "half \ud83d of a pair", "a\x00b\u2028c"], ids=ascii)
def test_any_text_arrives_as_it_is(kind: str, text: str) -> None:
    endpoint, headers, body = ALL[kind]
    made, made_headers, _ = providers.edited_response(endpoint, headers, body, (), text)
    assert providers.read_response(endpoint, made_headers, made).text == text
    made.decode("utf-8", "strict" if "converse" not in kind else "replace")


def test_a_very_long_text_is_streamed_in_pieces_that_are_not_too_many() -> None:
    text = "word " * 200_000
    with openai_client("chat stream", text) as client:
        chunks = list(client.chat.completions.create(model="m", messages=MESSAGES, stream=True))
    said = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(said) == text
    assert 100 < len(said) < 6000


# -- calls that failed

FAILED_STREAMS = {
    "chat": (recorded.CHAT, {"stream": True}),
    "completions": (recorded.COMPLETIONS, {"stream": True}),
    "responses": (recorded.RESPONSES, {"stream": True}),
    "messages": (recorded.MESSAGES, {"stream": True}),
    "gemini": (recorded_natively.GEMINI_STREAM, {}),
    "ollama": (recorded_natively.OLLAMA, {}),
    "generate": (recorded_natively.OLLAMA_GENERATE, {}),
    "converse": (recorded_natively.CONVERSE_STREAM, {}),
}
FAILED = {
    **{f"{name} stream": asked for name, asked in FAILED_STREAMS.items()},
    **{name: (path, {"stream": False}) for name, (path, _) in FAILED_STREAMS.items()},
    "gemini": (recorded_natively.GEMINI, {}),
    "converse": (recorded_natively.CONVERSE, {}),
}


@pytest.mark.parametrize("name", list(FAILED))
def test_a_call_that_failed_can_be_given_an_output_as_its_api_would_say_it(name: str) -> None:
    path, more = FAILED[name]
    request = json.dumps({"model": "m-1", **more}).encode()
    url = f"https://x{path}" + ("?alt=sse" if "Generate" in path else "")
    made, headers, chunks = providers.made_response(path, url, recorded.JSON, request, "It went well.")
    said = providers.read_response(path, headers, made)
    assert (said.text, said.streamed, said.error) == ("It went well.", name.endswith("stream"), None)
    assert sum(length for length, _ in chunks) == len(made)


@pytest.mark.parametrize("name", ["chat", "chat stream", "messages", "messages stream"])
def test_a_call_that_failed_can_be_given_a_whole_response(name: str) -> None:
    path, more = FAILED[name]
    content = recorded.chat(None, [SEARCH]) if name.startswith("chat") else recorded.message(SEARCH_USE)
    made, headers, _ = providers.made_response(path, "", recorded.JSON, json.dumps(more).encode(), json.dumps(content))
    assert providers.read_response(path, headers, made).tool_calls[0].name == "search"
    broken = json.dumps({"object": "chat.completion", "type": "message", "choices": 1, "content": 1})
    with pytest.raises(providers.EditError, match="must"):
        providers.made_response(path, "", recorded.JSON, b"{}", broken)


def test_what_has_no_text_cannot_be_made_up() -> None:
    with pytest.raises(providers.EditError, match="has no text"):
        providers.made_response(recorded.EMBEDDINGS, "", recorded.JSON, b"{}", "x")
