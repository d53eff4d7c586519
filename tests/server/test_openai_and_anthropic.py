"""What OpenAI's APIs and Anthropic's say beside text and tool calls: tokens that were cached or thought, reasoning,
refusals, sound and images."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ao_lsp.server import providers
from tests.server import recorded
from tests.server.recorded import CHAT, COMPLETIONS, JSON, MESSAGES, RESPONSES, STREAM, sse

USAGE = {
    "prompt_tokens": 20,
    "prompt_tokens_details": {"cached_tokens": 16, "audio_tokens": 0},
    "completion_tokens": 9,
    "completion_tokens_details": {"reasoning_tokens": 6},
}


def read(endpoint: str, response: Any) -> providers.Response:
    return providers.read_response(endpoint, JSON, json.dumps(response).encode())


def chat(usage: dict[str, Any] | None = None, **message: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": None, **message}, "finish_reason": "stop"}
    return {"object": "chat.completion", "model": "m", "choices": [choice], "usage": usage or USAGE}


def streamed(*deltas: dict[str, Any]) -> tuple[str, tuple[tuple[str, str], ...], bytes]:
    return CHAT, STREAM, sse(*({"choices": [{"index": 0, "delta": delta}]} for delta in deltas), "[DONE]")


def edited(endpoint: str, response: Any, content: str) -> Any:
    return json.loads(providers.edited_response(endpoint, JSON, json.dumps(response).encode(), (), content)[0])


@pytest.mark.parametrize(
    ("endpoint", "usage", "counts"),
    [
        (CHAT, USAGE, (20, 16, 9, 6)),
        (CHAT, {"prompt_tokens": 5, "completion_tokens": 2}, (5, None, 2, None)),
        (CHAT, {"prompt_tokens": 5, "prompt_cache_hit_tokens": 4, "prompt_cache_miss_tokens": 1}, (5, 4, None, None)),
        (CHAT, {"prompt_tokens": 5, "prompt_tokens_details": None}, (5, None, None, None)),
        (COMPLETIONS, USAGE, (20, 16, 9, 6)),
        (
            RESPONSES,
            {
                "input_tokens": 20, "input_tokens_details": {"cached_tokens": 16},
                "output_tokens": 9, "output_tokens_details": {"reasoning_tokens": 6},
            },
            (20, 16, 9, 6),
        ),
        # Anthropic counts what was read from the cache, and what was written to it, beside the rest.
        (
            MESSAGES,
            {
                "input_tokens": 3, "cache_read_input_tokens": 16, "cache_creation_input_tokens": 1,
                "output_tokens": 9, "output_tokens_details": {"thinking_tokens": 6},
            },
            (20, 16, 9, 6),
        ),
        (MESSAGES, {"input_tokens": 3, "output_tokens": 9}, (3, None, 9, None)),
    ],
)  # fmt: skip
def test_cached_tokens_are_a_part_of_the_input_and_reasoning_tokens_of_the_output(
    endpoint: str, usage: dict[str, Any], counts: tuple[int | None, ...]
) -> None:
    found = read(endpoint, {"usage": usage})
    assert (found.input_tokens, found.cached_tokens, found.output_tokens, found.reasoning_tokens) == counts


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_of_compatible_hosts_is_read_whole_and_streamed(field: str) -> None:
    assert read(CHAT, chat(None, content="hi", **{field: "hm so"})).reasoning == "hm so"
    found = providers.read_response(*streamed({field: "hm"}, {field: " so"}, {"content": "hi"}))
    assert (found.reasoning, found.text) == ("hm so", "hi")


@pytest.mark.parametrize("kind", ["messages", "messages stream"])
def test_thinking_is_reasoning(kind: str) -> None:
    assert providers.read_response(*recorded.ALL[kind]).reasoning == "Let me see."


def test_reasoning_of_a_response_is_its_thoughts_or_else_their_summary() -> None:
    summary = [{"type": "summary_text", "text": "I looked."}, {"type": "summary_text", "text": "I saw."}]
    item = {"type": "reasoning", "id": "rs_1", "summary": summary}
    assert read(RESPONSES, recorded.response(item)).reasoning == "I looked.\nI saw."
    open_model = {**item, "content": [{"type": "reasoning_text", "text": "hm"}]}
    assert read(RESPONSES, recorded.response(open_model)).reasoning == "hm"
    asked = json.dumps({"input": [item, {"type": "image_generation_call", "id": "ig_1", "result": "aGk="}]}).encode()
    assert [(m.role, m.text) for m in providers.read_request(RESPONSES, "", (), asked).messages] == [
        ("reasoning", "I looked.\nI saw."),
        ("image_generation_call", "[image_generation_call]"),
    ]


def test_refusals_are_what_was_said() -> None:
    assert read(CHAT, chat(refusal="I will not.")).text == "I will not."
    assert providers.read_response(*streamed({"refusal": "I will"}, {"refusal": " not."})).text == "I will not."
    item = {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "I will not."}]}
    assert read(RESPONSES, recorded.response(item)).text == "I will not."
    assert read(MESSAGES, {**recorded.message(), "stop_reason": "refusal"}).finish_reason == "refusal"


def test_a_new_text_takes_the_place_of_a_refusal() -> None:
    message = edited(CHAT, chat(refusal="I will not."), "Gladly.")["choices"][0]["message"]
    assert (message["content"], message["refusal"]) == ("Gladly.", None)
    item = {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "I will not."}]}
    (new,) = edited(RESPONSES, recorded.response(item), "Gladly.")["output"]
    assert [(part["type"], part["text"]) for part in new["content"]] == [("output_text", "Gladly.")]


def test_of_sound_the_transcript_is_read_and_its_pieces_are_put_together() -> None:
    audio = {"id": "audio_1", "data": "AAAABBBB", "transcript": "Hello there", "expires_at": 9}
    assert read(CHAT, chat(audio=audio)).text == "Hello there"
    stream = streamed(
        {"role": "assistant", "audio": {"id": "audio_1", "transcript": "Hello"}},
        {"audio": {"data": "AAAA", "transcript": " there"}},
        {"audio": {"data": "BBBB", "expires_at": 9}},
    )
    assert providers.whole_response(*stream)["choices"][0]["message"]["audio"] == audio
    assert providers.read_response(*stream).text == "Hello there"


def test_sound_cannot_be_made_to_say_another_text() -> None:
    with pytest.raises(providers.EditError, match="this output is sound"):
        edited(CHAT, chat(audio={"id": "a", "data": "AAAA", "transcript": "Hello"}), "Bye")


def test_images_sound_and_files_of_prompts_are_opaque() -> None:
    requests: dict[str, list[dict[str, Any]]] = {
        CHAT: [
            {"type": "image_url", "image_url": {"url": "data:x"}},
            {"type": "input_audio", "input_audio": {"data": "x"}},
        ],
        RESPONSES: [{"type": "input_image", "image_url": "data:x"}, {"type": "input_file", "file_id": "f"}],
        MESSAGES: [{"type": "image", "source": {"data": "x"}}, {"type": "document", "source": {"data": "x"}}],
    }
    for endpoint, parts in requests.items():
        turn = {"role": "user", "content": parts}
        asked = json.dumps({"messages": [turn], "input": [turn]}).encode()
        (message,) = providers.read_request(endpoint, "", (), asked).messages
        assert message.text == "\n".join(f"[{part['type']}]" for part in parts)


def test_custom_tools_and_the_old_function_calls_are_tool_calls() -> None:
    custom = {"type": "custom_tool_call", "call_id": "c", "name": "shell", "input": "ls -l"}
    assert read(RESPONSES, recorded.response(custom)).tool_calls == (providers.ToolCall("c", "shell", "ls -l"),)
    old = providers.ToolCall(None, "f", '{"a": 1}')
    assert read(CHAT, chat(function_call={"name": "f", "arguments": '{"a": 1}'})).tool_calls == (old,)
    pieces = [{"name": "f", "arguments": ""}, {"arguments": '{"a":'}, {"arguments": " 1}"}]
    found = providers.read_response(*streamed(*({"function_call": piece} for piece in pieces)))
    assert found.tool_calls == (old,)


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "max_output_tokens"),
        ({"status": "completed"}, "completed"),
    ],
)
def test_why_a_response_ended_is_read(response: dict[str, Any], reason: str) -> None:
    assert read(RESPONSES, {**recorded.response(), **response}).finish_reason == reason


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"object": "error", "message": "context too long", "code": 400}, "context too long"),
        ({"detail": "Not Found"}, "Not Found"),
        ([{"error": {"code": 400, "message": "API key not valid"}}], "API key not valid"),
        ({"statusCode": 401, "message": "Access denied due to invalid subscription key"}, "Access denied due to inv"),
    ],
)
def test_errors_of_gateways_and_compatible_hosts_are_read(body: Any, message: str) -> None:
    assert (read(CHAT, body).error or "").startswith(message)


@pytest.mark.parametrize("nested", [False, True])
def test_an_error_event_of_a_response_stream_is_its_error(nested: bool) -> None:
    said = {"code": "server_error", "message": "Oh no", "param": None}
    event = {"type": "error", "sequence_number": 1, **({"error": said} if nested else said)}
    begun = {"type": "response.created", "response": {**recorded.response(), "output": []}}
    assert providers.read_response(RESPONSES, STREAM, sse(begun, event, named=True)).error == "Oh no"


def test_a_failed_response_stream_gives_its_error() -> None:
    failed = {**recorded.response(), "status": "failed", "error": {"code": "server_error", "message": "Oh no"}}
    found = providers.read_response(RESPONSES, STREAM, sse({"type": "response.failed", "response": failed}, named=True))
    assert (found.error, found.finish_reason) == ("Oh no", "failed")


@pytest.mark.parametrize(
    "path",
    [
        "/openai/deployments/my-gpt/chat/completions",
        "/openai/v1/chat/completions",
        "/openai/deployments/my-gpt/completions",
        "/openai/responses",
        "/openai/v1/responses",
        "/anthropic/v1/messages",
    ],
)
def test_azures_paths_are_read_and_edited_as_those_of_others(path: str) -> None:
    kind = {"chat/completions": "chat", "responses": "responses", "messages": "messages"}
    name = next((kind for ending, kind in kind.items() if path.endswith(ending)), "completions")
    _, headers, body = recorded.ALL[name]
    assert providers.read_response(path, headers, body).text == (
        "Once upon" if name == "completions" else "Hello there"
    )
    made, made_headers, _ = providers.edited_response(path, headers, body, (), "new")
    assert providers.read_response(path, made_headers, made).text == "new"


def test_lists_that_a_stream_gives_in_pieces_are_put_together() -> None:
    details = [{"type": "reasoning.text", "text": text} for text in ("hm", " so")]
    stream = streamed({"reasoning_details": details[:1]}, {"reasoning_details": details[1:]}, {"content": "hi"})
    assert providers.whole_response(*stream)["choices"][0]["message"]["reasoning_details"] == details
