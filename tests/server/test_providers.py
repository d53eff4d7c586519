"""What is read out of the bodies of LLM calls, and what is made of bodies that are none."""

from __future__ import annotations

import gzip
import json
import random
import zlib
from contextlib import suppress
from typing import Any

import pytest

from ao_lsp.server import providers
from ao_lsp.server.model import Headers
from ao_lsp.server.providers import ToolCall
from ao_lsp.server.providers import body as bodies
from tests.server import recorded
from tests.server.recorded import ALL, CHAT, EMBEDDINGS, JSON, MESSAGES, RESPONSES, STREAM
from tests.server.recorded_natively import (
    CONVERSE_EVENTS,
    CONVERSE_STREAM,
    FRAMES,
    GEMINI_CHUNKS,
    GEMINI_EMBED,
    GEMINI_STREAM,
    LINES,
    OLLAMA,
    OLLAMA_EMBED,
    OLLAMA_STREAM,
    frames,
    lines,
)


def read(kind: str) -> providers.Response:
    return providers.read_response(*ALL[kind])


@pytest.mark.parametrize(
    "kind", [kind for kind in ALL if kind.split()[0] not in ("completions", "embeddings", "generate")]
)
def test_text_tool_calls_and_usage_are_read_the_same_from_json_and_from_a_stream(kind: str) -> None:
    found = read(kind)
    assert found.text == "Hello there"
    (call,) = found.tool_calls
    assert (call.id, call.name, json.loads(call.arguments)) == (ALL_IDS[kind.split()[0]], "weather", {"city": "Porto"})
    assert (found.input_tokens, found.output_tokens) == (11, 5)
    assert found.streamed == kind.endswith("stream")
    assert found.error is None


ALL_IDS = {
    "chat": "call_1",
    "responses": "call_1",
    "messages": "toolu_1",
    "gemini": "call_1",
    "ollama": "call_1",
    "converse": "tooluse_1",
}


@pytest.mark.parametrize("kind", ["completions", "completions stream"])
def test_legacy_completions_are_read(kind: str) -> None:
    found = read(kind)
    assert (found.text, found.finish_reason, found.output_tokens) == ("Once upon", "length", 2)


def test_embeddings_have_usage_and_no_text() -> None:
    found = read("embeddings")
    assert (found.text, found.input_tokens, found.model) == (None, 3, "text-embedding-3-small")


@pytest.mark.parametrize("kind", [kind for kind in ALL if kind.endswith("stream")])
def test_a_stream_put_together_is_what_the_api_would_have_sent_at_once(kind: str) -> None:
    whole = providers.whole_response(*ALL[kind])
    plain = providers.whole_response(*ALL[kind.split()[0]])
    for key in ("id", "object", "type", "model", "role", "output", "content", "candidates", "message", "response"):
        assert whole.get(key) == plain.get(key), key
    if "choices" in plain:
        assert [_without_null(choice.get("message")) for choice in whole["choices"]] == [
            _without_null(choice.get("message")) for choice in plain["choices"]
        ]


def _without_null(message: Any) -> Any:
    return {key: value for key, value in message.items() if value is not None} if message else message


def test_a_response_that_is_compressed_is_read_through_its_encoding() -> None:
    endpoint, headers, body = ALL["chat stream"]
    raw_deflate = zlib.compressobj(wbits=-15)
    encoded = {
        "gzip": gzip.compress(body),
        "deflate": zlib.compress(body),
        "Deflate": raw_deflate.compress(body) + raw_deflate.flush(),
        "gzip, deflate": zlib.compress(gzip.compress(body)),
        "identity": body,
    }
    for encoding, packed in encoded.items():
        found = providers.read_response(endpoint, (*headers, ("Content-Encoding", encoding)), packed)
        assert found.text == "Hello there", encoding


def test_a_compressed_response_that_broke_off_is_read_as_far_as_it_goes() -> None:
    endpoint, headers, body = ALL["chat stream"]
    packed = gzip.compress(body)
    found = providers.read_response(endpoint, (*headers, ("content-encoding", "gzip")), packed[:-20])
    assert (found.text or "").startswith("Hel")


def test_an_encoding_that_we_cannot_undo_gives_nothing_and_no_error() -> None:
    found = providers.read_response(CHAT, (*JSON, ("content-encoding", "br")), b"\x0b\x02\x80")
    assert (found.text, found.input_tokens) == (None, None)


def test_a_small_body_that_unpacks_to_a_gigantic_one_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "_LIMIT", 1000)
    found = providers.read_response(CHAT, (*JSON, ("content-encoding", "gzip")), gzip.compress(bytes(100_000)))
    assert found.text is None


@pytest.mark.parametrize(
    ("endpoint", "body", "message"),
    [
        (CHAT, {"error": {"message": "no such model", "type": "invalid_request_error"}}, "no such model"),
        (MESSAGES, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "Overloaded"),
        (RESPONSES, {"error": {"message": "", "type": "server_error"}}, "server_error"),
        (CHAT, {"error": "model not found"}, "model not found"),
    ],
)
def test_the_message_of_an_error_is_read(endpoint: str, body: dict[str, Any], message: str) -> None:
    assert providers.read_response(endpoint, JSON, json.dumps(body).encode()).error == message


def test_a_stream_that_ends_in_an_error_gives_its_text_and_the_error() -> None:
    broken = recorded.MESSAGE_STREAM.partition(
        b'event: content_block_stop\ndata: {"type": "content_block_stop", "index": 1}'
    )[0]
    broken += recorded.sse(
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, named=True
    )
    found = providers.read_response(MESSAGES, STREAM, broken)
    assert (found.text, found.error) == ("Hello there", "Overloaded")


@pytest.mark.parametrize(
    ("url", "provider"),
    [
        ("https://api.openai.com/v1/chat/completions", "openai"),
        ("https://me.openai.azure.com/openai/deployments/gpt-5/chat/completions?api-version=1", "azure"),
        ("https://api.anthropic.com/v1/messages", "anthropic"),
        ("https://openrouter.ai/api/v1/chat/completions", "openrouter"),
        ("http://localhost:11434/v1/chat/completions", "ollama"),
        ("http://127.0.0.1:8000/v1/chat/completions", "openai-compatible"),
        ("http://proxy.example/v1/messages", "anthropic-compatible"),
        ("https://notopenai.com/v1/chat/completions", "openai-compatible"),
        ("http://localhost:11434/api/chat", "ollama"),
        ("https://ollama.com/api/chat", "ollama"),
        ("http://gpu.example/api/generate", "ollama-compatible"),
        ("https://generativelanguage.googleapis.com/v1beta/models/g:generateContent", "google"),
        ("https://eu-aiplatform.googleapis.com/v1/publishers/google/models/g:streamGenerateContent?alt=sse", "google"),
        ("http://proxy.example/v1beta/models/g:generateContent", "gemini-compatible"),
        ("https://bedrock-runtime.eu-west-1.amazonaws.com/model/m/converse-stream", "bedrock"),
        ("https://lb-1.elb.amazonaws.com/v1/chat/completions", "openai-compatible"),
        ("http://proxy.example/model/m/converse", "bedrock-compatible"),
        ("https://me.services.ai.azure.com/openai/v1/responses", "azure"),
        ("https://me.services.ai.azure.com/anthropic/v1/messages", "azure"),
        ("https://example.org/api/other", None),
        ("http://[broken/v1/chat/completions", "openai-compatible"),
    ],
)
def test_a_provider_is_known_by_its_host_else_by_the_shape_of_its_api(url: str, provider: str | None) -> None:
    endpoint = "/" + url.partition("://")[2].partition("/")[2].partition("?")[0]
    assert providers.read_request(endpoint, url, (), b"{}").provider == provider


@pytest.mark.parametrize(
    ("path", "body", "model"),
    [
        ("/openai/deployments/my-gpt/chat/completions", "{}", "my-gpt"),
        ("/openai/deployments/my-ada/embeddings", "{}", "my-ada"),
        ("/openai/v1/responses", '{"model": "my-gpt"}', "my-gpt"),
        ("/openai/v1/chat/completions", "{}", None),
        ("/v1beta/models/gemini-3-flash:generateContent", "{}", "gemini-3-flash"),
        ("/v1/projects/p/locations/eu/publishers/google/models/gemini-3:streamGenerateContent", "{}", "gemini-3"),
        ("/v1beta/tunedModels/mine:generateContent", "{}", "mine"),
        ("/v1beta/models/e:embedContent", '{"model": "models/gemini-embedding-001"}', "gemini-embedding-001"),
        ("/model/eu.amazon.nova-pro-v1%3A0/converse", "{}", "eu.amazon.nova-pro-v1:0"),
        ("/model/arn%3Aaws%3Abedrock%3Aeu%3A1%3Ainference-profile%2Fx/converse-stream", "{}",
         "arn:aws:bedrock:eu:1:inference-profile/x"),
        ("/model/arn:aws:bedrock:eu:1:prompt/x/converse", "{}", "arn:aws:bedrock:eu:1:prompt/x"),
        ("/api/chat", '{"model": "qwen3:8b"}', "qwen3:8b"),
        ("/v1/chat/completions", '{"model": 1}', None),
    ],
)  # fmt: skip
def test_the_model_is_named_in_the_request_or_in_the_path(path: str, body: str, model: str | None) -> None:
    assert providers.read_request(path, "", (), body.encode()).model == model


@pytest.mark.parametrize(
    ("path", "body", "streamed"),
    [
        ("/v1/chat/completions", "{}", False),
        ("/v1/chat/completions", '{"stream": true}', True),
        ("/api/chat", "{}", True),
        ("/api/generate", '{"stream": false}', False),
        ("/api/embed", "{}", False),
        ("/v1beta/models/g:generateContent", "{}", False),
        ("/v1beta/models/g:streamGenerateContent", "{}", True),
        ("/model/m/converse", "{}", False),
        ("/model/m/converse-stream", "{}", True),
    ],
)
def test_whether_a_stream_is_asked_for_is_said_as_each_api_says_it(path: str, body: str, streamed: bool) -> None:
    assert providers.read_request(path, "", (), body.encode()).streamed is streamed


def test_prompts_are_flattened_to_roles_and_texts() -> None:
    parts = [{"type": "text", "text": "look:"}, {"type": "image_url", "image_url": {"url": "data:…"}}]
    tool_result = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "19 °C"}]}
    tool_use = {"type": "tool_use", "id": "t", "name": "weather", "input": {"city": "Porto"}}
    requests: dict[str, tuple[str, dict[str, Any]]] = {
        "chat": (
            CHAT,
            {
                "messages": [
                    {"role": "user", "content": parts},
                    {"role": "assistant", "content": None, "tool_calls": [recorded.TOOL_CALL]},
                    {"role": "tool", "tool_call_id": "call_1", "content": "19 °C"},
                ]
            },
        ),
        "messages": (
            MESSAGES,
            {
                "system": [{"type": "text", "text": "be brief"}],
                "messages": [{"role": "assistant", "content": [tool_use]}, {"role": "user", "content": [tool_result]}],
            },
        ),
        "responses": (
            RESPONSES,
            {
                "instructions": "be brief",
                "input": [
                    {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
                    {"type": "function_call", "call_id": "c", "name": "weather", "arguments": "{}"},
                    {"type": "function_call_output", "call_id": "c", "output": "19 °C"},
                ],
            },
        ),
        "plain": (RESPONSES, {"input": "hi"}),
        "embeddings": (EMBEDDINGS, {"input": ["a", "b"]}),
    }
    found = {
        name: [
            (message.role, message.text, [call.name for call in message.tool_calls])
            for message in providers.read_request(endpoint, "", (), json.dumps(body).encode()).messages
        ]
        for name, (endpoint, body) in requests.items()
    }
    assert found == {
        "chat": [("user", "look:\n[image_url]", []), ("assistant", "", ["weather"]), ("tool", "19 °C", [])],
        "messages": [("system", "be brief", []), ("assistant", "", ["weather"]), ("user", "19 °C", [])],
        "responses": [
            ("system", "be brief", []),
            ("user", "hi", []),
            ("assistant", "", ["weather"]),
            ("tool", "19 °C", []),
        ],
        "plain": [("user", "hi", [])],
        "embeddings": [("input", "a", []), ("input", "b", [])],
    }


def test_streams_with_other_line_ends_comments_and_several_data_lines_are_read() -> None:
    body = (
        b'\xef\xbb\xbf: hello\r\n\r\ndata: {"choices": [{"delta":\r\ndata: {"content": "x"}}]}\r\n\r\ndata:[DONE]\r\r'
    )
    assert providers.read_response(CHAT, STREAM, body).text == "x"


def test_tool_calls_of_a_stream_without_indexes_are_told_apart() -> None:
    deltas = [{"id": f"c{n}", "function": {"name": f"f{n}", "arguments": "{}"}} for n in range(2)]
    body = recorded.sse({"choices": [{"delta": {"tool_calls": deltas}}]})
    assert providers.read_response(CHAT, STREAM, body).tool_calls == (
        ToolCall("c0", "f0", "{}"),
        ToolCall("c1", "f1", "{}"),
    )


# -- bodies that nobody should send

JUNK: list[Any] = [
    None,
    True,
    0,
    -1,
    1e400,
    "",
    "x",
    [],
    [None],
    {},
    {"type": 1},
    [[]],
    {"index": "x"},
    [{"index": -1}],
]
KEYS = (
    "choices", "message", "delta", "content", "text", "usage", "prompt_tokens", "tool_calls", "function", "arguments",
    "index", "type", "output", "error", "object", "response", "item", "content_block", "messages", "input", "system",
    "role", "name", "id", "data", "model", "citations", "refusal", "finish_reason", "output_index", "audio",
    "candidates", "parts", "functionCall", "thought", "usageMetadata", "embeddings", "done", "thinking", "toolUse",
    "reasoningContent", "delta", "start", "contentBlockIndex", "citationsContent", "stopReason",
)  # fmt: skip
TYPES = (
    "message_start", "content_block_start", "content_block_delta", "message_delta", "response.completed",
    "response.created", "response.output_item.done", "text_delta", "text", "message", "tool_use", "error",
)  # fmt: skip


ENDPOINTS = [*dict.fromkeys(endpoint for endpoint, _, _ in ALL.values()), GEMINI_EMBED, OLLAMA_EMBED, "/unknown", ""]


def junk(dice: random.Random, depth: int = 0) -> Any:
    if depth > 4 or dice.random() < 0.25:
        return dice.choice([*JUNK, *TYPES])
    if dice.random() < 0.4:
        return [junk(dice, depth + 1) for _ in range(dice.randrange(3))]
    return {dice.choice(KEYS): junk(dice, depth + 1) for _ in range(dice.randrange(6))}


def mangled(dice: random.Random, value: Any) -> Any:
    """`value` with something in it replaced by junk."""
    if dice.random() < 0.12:
        return junk(dice)
    if isinstance(value, dict):
        return {key: mangled(dice, item) for key, item in value.items() if dice.random() > 0.03}
    if isinstance(value, list):
        return [mangled(dice, item) for item in value]
    return value


@pytest.mark.parametrize("seed", range(30))
def test_no_body_however_malformed_makes_a_provider_raise(seed: int) -> None:
    dice = random.Random(seed)
    whole = [json.loads(body) for kind, (_, _, body) in ALL.items() if "stream" not in kind]
    events = [
        json.loads(line[6:])
        for _, headers, body in ALL.values()
        if headers == STREAM
        for line in body.decode().split("\n")
        if line.startswith("data: {")
    ]
    for endpoint in ENDPOINTS:
        for base in (*whole, junk(dice)):
            body = json.dumps(mangled(dice, base)).encode()
            answered(endpoint, JSON, body)
            asked(endpoint, body)
        stream = recorded.sse(*(mangled(dice, event) for event in dice.sample(events, 12)), named=False)
        answered(endpoint, STREAM, stream)
        answered(endpoint, STREAM, stream[: dice.randrange(len(stream))])


@pytest.mark.parametrize("seed", range(30))
def test_no_stream_of_another_framing_makes_a_provider_raise(seed: int) -> None:
    dice = random.Random(seed)
    chunks = [json.loads(line) for line in OLLAMA_STREAM.splitlines()]
    events = [(name, mangled(dice, data)) for name, data in CONVERSE_EVENTS]
    events = [(name, data) for name, data in events if isinstance(data, dict)]
    streams = [
        (OLLAMA, LINES, lines(*(mangled(dice, chunk) for chunk in chunks))),
        (GEMINI_STREAM, JSON, json.dumps([mangled(dice, chunk) for chunk in GEMINI_CHUNKS]).encode()),
        (CONVERSE_STREAM, FRAMES, frames(*dice.sample(events, len(events)))),
    ]
    for endpoint, headers, stream in streams:
        answered(endpoint, headers, stream)
        answered(endpoint, headers, stream[: dice.randrange(len(stream) + 1)])
        damaged = bytearray(stream)
        for _ in range(3):
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        answered(endpoint, headers, bytes(damaged))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"{",
        b"[" * 100_000,
        b'{"choices": ' * 50_000,
        b"data: ",
        b"data: {\n\n",
        b"null",
        b"\x1f\x8b\x08",
    ],
    ids=lambda body: repr(body[:12]),
)
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_no_bytes_make_a_provider_raise(endpoint: str, body: bytes) -> None:
    for headers in (
        JSON,
        STREAM,
        LINES,
        FRAMES,
        (*JSON, ("content-encoding", "gzip")),
        (("content-encoding", "deflate,,gzip"),),
    ):
        answered(endpoint, headers, body)
    asked(endpoint, body)


def answered(endpoint: str, headers: Headers, body: bytes) -> None:
    found = providers.read_response(endpoint, headers, body)
    assert found.text is None or isinstance(found.text, str)
    assert found.input_tokens is None or isinstance(found.input_tokens, int)
    wholes = (
        recorded.message(),
        {"candidates": [1], "modelVersion": 1},
        {"done": True, "message": 1},
        {"output": {"message": 1}},
    )
    for content in ("new text", '{"object": "chat.completion", "choices": [1]}', *map(json.dumps, wholes)):
        try:
            made, _, chunks = providers.edited_response(endpoint, headers, body, (), content)
        except providers.EditError:
            continue
        assert sum(length for length, _ in chunks) == len(made)


def asked(endpoint: str, body: bytes) -> None:
    for message in providers.read_request(endpoint, "", (), body).messages:
        assert isinstance(message.text, str)
    with suppress(providers.EditError):
        providers.edited_request(endpoint, (), body, body.decode("utf-8", "replace"))
