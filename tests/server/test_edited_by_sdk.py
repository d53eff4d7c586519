"""Edited responses, parsed by the SDKs that programs use: what they make of them is what counts.

Each is served by a loopback server exactly as the runner would serve it, and read plainly or
streamed, with the SDK's own helper that puts a stream together and checks it.
"""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import anthropic
import openai
import pytest

from ao_lsp.server import providers
from ao_lsp.server.model import Chunks, Headers
from tests.server import recorded
from tests.server.recorded import ALL, JSON, STREAM

MESSAGES: Any = [{"role": "user", "content": "hi"}]


@contextmanager
def serving(headers: Headers, chunks: Chunks, body: bytes) -> Iterator[str]:
    """The URL of a server that answers every request with this, in these pieces."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            for name, value in headers:
                if name != "transfer-encoding":
                    self.send_header(name, value)
            self.end_headers()
            start = 0
            for length, _ in chunks:
                self.wfile.write(body[start : start + length])
                self.wfile.flush()
                start += length

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def openai_client(kind: str, content: str) -> Iterator[openai.OpenAI]:
    with edited(kind, content) as url, openai.OpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0) as client:
        yield client


@contextmanager
def anthropic_client(kind: str, content: str) -> Iterator[anthropic.Anthropic]:
    with edited(kind, content) as url, anthropic.Anthropic(base_url=url, api_key="k", max_retries=0) as client:
        yield client


@contextmanager
def edited(kind: str, content: str) -> Iterator[str]:
    endpoint, headers, body = ALL[kind]
    made, made_headers, chunks = providers.edited_response(endpoint, headers, body, ((len(body), 0.5),), content)
    assert sum(length for length, _ in chunks) == len(made)
    with serving(made_headers, chunks, made) as url:
        yield url


NEW = "Καλημέρα,\n“new” \N{GRINNING FACE} text\u2028 with\r\nline ends, and {json: 'like'} things. " * 3
CHANGED_CALL = {"id": "call_9", "type": "function", "function": {"name": "search", "arguments": '{"q": "a \\"b\\""}'}}


def test_openai_reads_an_edited_chat_completion() -> None:
    with openai_client("chat", NEW) as client:
        found = client.chat.completions.create(model="m", messages=MESSAGES)
    message = found.choices[0].message
    assert message.content == NEW
    assert message.tool_calls is not None, "editing the text took the tool calls away"
    assert message.tool_calls[0].to_dict() == recorded.TOOL_CALL
    assert found.usage is not None


def test_openai_reads_an_edited_chat_stream() -> None:
    with openai_client("chat stream", NEW) as client:
        chunks = list(client.chat.completions.create(model="m", messages=MESSAGES, stream=True))
    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(pieces) == NEW
    assert len([piece for piece in pieces if piece]) > 10, "the new text came in one piece"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 5
    assert {chunk.system_fingerprint for chunk in chunks} == {"fp_1"}


def test_openai_puts_an_edited_chat_stream_together() -> None:
    whole = json.dumps(recorded.chat("Other words", [CHANGED_CALL]))
    with (
        openai_client("chat stream", whole) as client,
        client.chat.completions.stream(model="m", messages=MESSAGES) as stream,
    ):
        kinds = {event.type for event in stream}
        message = stream.get_final_completion().choices[0].message
    assert message.content == "Other words"
    assert message.tool_calls is not None
    call = message.tool_calls[0]
    assert (call.id, call.function.name, json.loads(call.function.arguments)) == ("call_9", "search", {"q": 'a "b"'})
    assert {"content.delta", "content.done", "tool_calls.function.arguments.delta"} <= kinds


def test_openai_reads_an_edited_legacy_completion() -> None:
    with openai_client("completions", NEW) as client:
        assert client.completions.create(model="m", prompt="p").choices[0].text == NEW
    with openai_client("completions stream", NEW) as client:
        chunks = list(client.completions.create(model="m", prompt="p", stream=True))
    assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices) == NEW


def test_openai_reads_an_edited_embedding() -> None:
    whole = json.dumps({**recorded.EMBEDDING, "data": [{"object": "embedding", "index": 0, "embedding": [1.5]}]})
    with openai_client("embeddings", whole) as client:
        found = client.embeddings.create(model="m", input="x", encoding_format="float")
    assert found.data[0].embedding == [1.5]


def test_openai_reads_an_edited_response() -> None:
    with openai_client("responses", NEW) as client:
        found = client.responses.create(model="m", input="hi")
    assert found.output_text == NEW
    assert [item.type for item in found.output] == ["reasoning", "message", "function_call"]


def test_openai_puts_an_edited_response_stream_together() -> None:
    with openai_client("responses stream", NEW) as client, client.responses.stream(model="m", input="hi") as stream:
        events = list(stream)
        found = stream.get_final_response()
    assert found.output_text == NEW
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == NEW
    assert [event.text for event in events if event.type == "response.output_text.done"] == [NEW]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[-1].type == "response.completed"


def test_openai_puts_a_response_stream_with_changed_tool_calls_together() -> None:
    call = {
        "id": "fc_9",
        "type": "function_call",
        "status": "completed",
        "call_id": "call_9",
        "name": "search",
        "arguments": '{"q": 1}',
    }
    whole = json.dumps(recorded.response(call))
    with openai_client("responses stream", whole) as client, client.responses.stream(model="m", input="hi") as stream:
        (item,) = stream.get_final_response().output
    assert item.type == "function_call"
    assert (item.call_id, item.name, json.loads(item.arguments)) == ("call_9", "search", {"q": 1})


def test_anthropic_reads_an_edited_message() -> None:
    with anthropic_client("messages", NEW) as client:
        found = client.messages.create(model="m", max_tokens=9, messages=MESSAGES)
    assert [block.type for block in found.content] == ["thinking", "text", "tool_use"]
    assert found.content[1].type == "text"
    assert found.content[1].text == NEW


def test_anthropic_puts_an_edited_message_stream_together() -> None:
    with (
        anthropic_client("messages stream", NEW) as client,
        client.messages.stream(model="m", max_tokens=9, messages=MESSAGES) as stream,
    ):
        events = list(stream)
        found = stream.get_final_message()
    assert [block.type for block in found.content] == ["thinking", "text", "tool_use"]
    thinking, text, tool = found.content
    assert thinking.type == "thinking"
    assert (thinking.thinking, thinking.signature) == ("Let me see.", "sig")
    assert text.type == "text"
    assert text.text == NEW
    assert tool.type == "tool_use"
    assert tool.input == {"city": "Porto"}
    assert (found.stop_reason, found.usage.output_tokens) == ("tool_use", 5)
    assert "".join(event.text for event in events if event.type == "text") == NEW


def test_anthropic_puts_a_stream_of_a_whole_new_message_together() -> None:
    use = {"type": "tool_use", "id": "toolu_9", "name": "search", "input": {"q": ["a", {"b": None}]}}
    cited = {
        "type": "text",
        "text": "So they say.",
        "citations": [
            {"type": "char_location", "cited_text": "x", "document_index": 0, "document_title": None,
             "start_char_index": 0, "end_char_index": 1},
        ],
    }  # fmt: skip
    whole = json.dumps(recorded.message(cited, use))
    with (
        anthropic_client("messages stream", whole) as client,
        client.messages.stream(model="m", max_tokens=9, messages=MESSAGES) as stream,
    ):
        found = stream.get_final_message()
    text, tool = found.content
    assert text.type == "text"
    assert text.text == "So they say."
    assert text.citations is not None
    assert text.citations[0].cited_text == "x"
    assert tool.type == "tool_use"
    assert tool.input == {"q": ["a", {"b": None}]}


@pytest.mark.parametrize("kind", [kind for kind in ALL if kind != "embeddings"])
def test_an_empty_text_is_a_text(kind: str) -> None:
    endpoint, headers, body = ALL[kind]
    made, made_headers, _ = providers.edited_response(endpoint, headers, body, (), "")
    assert providers.read_response(endpoint, made_headers, made).text == ""


@pytest.mark.parametrize("kind", list(ALL))
def test_giving_the_recorded_response_back_changes_nothing_that_counts(kind: str) -> None:
    endpoint, headers, body = ALL[kind]
    whole = providers.whole_response(endpoint, headers, body)
    made, made_headers, _ = providers.edited_response(endpoint, headers, body, (), json.dumps(whole))
    assert providers.whole_response(endpoint, made_headers, made) == whole


def test_headers_are_made_to_fit_the_new_body() -> None:
    endpoint, _, body = ALL["chat"]
    headers = (
        ("Content-Type", "application/json"),
        ("Content-Encoding", "gzip"),
        ("Content-Length", "9"),
        ("X-Id", "1"),
    )
    made, found, chunks = providers.edited_response(endpoint, headers, gzip.compress(body), ((9, 0.75),), "new")
    assert found == (("Content-Type", "application/json"), ("Content-Length", str(len(made))), ("X-Id", "1"))
    assert chunks == ((len(made), 0.75),)


def test_a_stream_keeps_its_pace() -> None:
    endpoint, headers, body = ALL["chat stream"]
    _, _, chunks = providers.edited_response(endpoint, headers, body, ((9, 0.5), (9, 1.0), (9, 2.5)), "new text")
    times = [after for _, after in chunks]
    assert (times[0], times[-1]) == (0.5, 2.5)
    assert times == sorted(times)


def test_a_text_that_is_json_is_a_text_unless_it_is_a_whole_response() -> None:
    endpoint, headers, body = ALL["chat"]
    for content in ('{"answer": 42}', '{"id": 1, "model": "x", "usage": {}}', "[1, 2]", "null", '"quoted"'):
        made, _, _ = providers.edited_response(endpoint, headers, body, (), content)
        assert json.loads(made)["choices"][0]["message"]["content"] == content


REFUSED = {
    "no choices": ("chat", {"object": "chat.completion"}, '"choices" must be a list'),
    "empty choices": ("chat", {"object": "chat.completion", "choices": []}, "must not be empty"),
    "a choice that is none": ("chat", {"choices": [1]}, '"choices[0]" must be an object'),
    "no message": ("chat", {"choices": [{}]}, '"choices[0].message" must be an object'),
    "a number as content": ("chat", {"choices": [{"message": {"content": 3}}]}, "content"),
    "arguments as an object": (
        "chat stream",
        recorded.chat(None, [{"id": "c", "type": "function", "function": {"name": "f", "arguments": {}}}]),
        '"choices[0].message.tool_calls[0].function.arguments" must be a string that holds a JSON object',
    ),
    "a tool call without an id": (
        "chat",
        recorded.chat(None, [{"type": "function", "function": {"name": "f", "arguments": "{}"}}]),
        "tool_calls[0].id",
    ),
    "a part without text": (
        "responses",
        recorded.response({"type": "message", "content": [{"type": "output_text"}]}),
        '"output[0].content[0].text" must be a string',
    ),
    "a function call without a name": (
        "responses stream",
        recorded.response({"type": "function_call", "call_id": "c", "arguments": "{}"}),
        '"output[0].name" must be a string',
    ),
    "content that is a string": ("messages", {**recorded.message(), "content": "hi"}, '"content" must be a list'),
    "a role that is not the assistant's": ("messages", {**recorded.message(), "role": "user"}, '"role"'),
    "tool input as a string": (
        "messages stream",
        recorded.message({"type": "tool_use", "id": "t", "name": "f", "input": "{}"}),
        '"content[0].input" must be an object',
    ),
    "a vector of words": (
        "embeddings",
        {"object": "list", "data": [{"embedding": ["a"]}]},
        '"data[0].embedding" must be a list of numbers',
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", list(REFUSED))
def test_a_whole_response_that_an_sdk_would_choke_on_is_refused_with_the_place(name: str) -> None:
    kind, whole, reason = REFUSED[name]
    endpoint, headers, body = ALL[kind]
    with pytest.raises(providers.EditError) as raised:
        providers.edited_response(endpoint, headers, body, (), json.dumps(whole))
    assert reason in str(raised.value)


@pytest.mark.parametrize(
    ("endpoint", "headers", "body", "reason"),
    [
        (
            recorded.CHAT,
            JSON,
            json.dumps(recorded.chat(None, [recorded.TOOL_CALL])).encode(),
            "tool calls without a text",
        ),
        (recorded.RESPONSES, JSON, json.dumps(recorded.response({"type": "function_call"})).encode(), "tool calls"),
        (recorded.MESSAGES, JSON, json.dumps(recorded.message({"type": "tool_use"})).encode(), "tool calls"),
        (recorded.EMBEDDINGS, JSON, json.dumps(recorded.EMBEDDING).encode(), "has no text"),
        (recorded.CHAT, JSON, b'{"error": {"message": "rate limit"}}', "this call failed"),
        (recorded.MESSAGES, JSON, b'{"type": "error", "error": {"message": "x"}}', "this call failed"),
        (recorded.CHAT, JSON, b"<html>", "cannot be read"),
        (recorded.CHAT, (*JSON, ("content-encoding", "br")), b"\x0b", "cannot be read"),
        (recorded.CHAT, STREAM, b"", "cannot be read"),
        ("/v1/other", JSON, b"{}", "cannot be edited"),
    ],
)
def test_what_has_no_text_to_replace_says_so(endpoint: str, headers: Headers, body: bytes, reason: str) -> None:
    with pytest.raises(providers.EditError, match=reason):
        providers.edited_response(endpoint, headers, body, (), "new text")
