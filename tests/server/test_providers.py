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


def read(kind: str) -> providers.Response:
    return providers.read_response(*ALL[kind])


@pytest.mark.parametrize(
    "kind", ["chat", "chat stream", "responses", "responses stream", "messages", "messages stream"]
)
def test_text_tool_calls_and_usage_are_read_the_same_from_json_and_from_a_stream(kind: str) -> None:
    found = read(kind)
    assert found.text == "Hello there"
    (call,) = found.tool_calls
    assert (call.id, call.name, json.loads(call.arguments)) == (ALL_IDS[kind.split()[0]], "weather", {"city": "Porto"})
    assert (found.input_tokens, found.output_tokens) == (11, 5)
    assert found.streamed == kind.endswith("stream")
    assert found.error is None


ALL_IDS = {"chat": "call_1", "responses": "call_1", "messages": "toolu_1"}


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
    plain = providers.whole_response(*ALL[kind.removesuffix(" stream")])
    for key in ("id", "object", "type", "model", "role", "output", "content"):
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
        ("https://example.org/api/generate", None),
        ("http://[broken/v1/chat/completions", "openai-compatible"),
    ],
)
def test_a_provider_is_known_by_its_host_else_by_the_shape_of_its_api(url: str, provider: str | None) -> None:
    endpoint = "/" + url.partition("://")[2].partition("/")[2].partition("?")[0]
    assert providers.read_request(endpoint, url, (), b"{}").provider == provider


def test_the_model_of_an_azure_deployment_is_in_its_path() -> None:
    found = providers.read_request("/openai/deployments/my-gpt/chat/completions", "", (), b'{"messages": []}')
    assert found.model == "my-gpt"


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
    "role", "name", "id", "data", "model", "citations", "refusal", "finish_reason", "output_index",
)  # fmt: skip
TYPES = (
    "message_start", "content_block_start", "content_block_delta", "message_delta", "response.completed",
    "response.created", "response.output_item.done", "text_delta", "text", "message", "tool_use", "error",
)  # fmt: skip


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
    whole = [json.loads(ALL[kind][2]) for kind in ("chat", "responses", "messages", "completions", "embeddings")]
    events = [
        json.loads(line[6:])
        for kind in ALL
        if "stream" in kind
        for line in ALL[kind][2].decode().split("\n")
        if line.startswith("data: {")
    ]
    for endpoint in (CHAT, RESPONSES, MESSAGES, recorded.COMPLETIONS, EMBEDDINGS, "/unknown", ""):
        for base in (*whole, junk(dice)):
            body = json.dumps(mangled(dice, base)).encode()
            answered(endpoint, JSON, body)
            asked(endpoint, body)
        stream = recorded.sse(*(mangled(dice, event) for event in dice.sample(events, 12)), named=False)
        answered(endpoint, STREAM, stream)
        answered(endpoint, STREAM, stream[: dice.randrange(len(stream))])


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
@pytest.mark.parametrize("endpoint", [CHAT, RESPONSES, MESSAGES, EMBEDDINGS, "/x"])
def test_no_bytes_make_a_provider_raise(endpoint: str, body: bytes) -> None:
    for headers in (JSON, STREAM, (*JSON, ("content-encoding", "gzip")), (("content-encoding", "deflate,,gzip"),)):
        answered(endpoint, headers, body)
    asked(endpoint, body)


def answered(endpoint: str, headers: Headers, body: bytes) -> None:
    found = providers.read_response(endpoint, headers, body)
    assert found.text is None or isinstance(found.text, str)
    assert found.input_tokens is None or isinstance(found.input_tokens, int)
    for content in ("new text", '{"object": "chat.completion", "choices": [1]}', json.dumps(recorded.message())):
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
