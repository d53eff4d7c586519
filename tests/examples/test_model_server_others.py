"""The example model server where it speaks the APIs of Gemini, Ollama and Bedrock: conformance/ has their SDKs."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from model_server import ModelServer

from ao_lsp.server import providers

QUESTION = "What do critics say about night trains?"
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def gemini(text: str, **more: Any) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": [{"text": text}]}], **more}


def ollama(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "qwen3:8b", "messages": [{"role": "user", "content": text}], "stream": False, **more}


def converse(text: str, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"text": text}]}], **more}


ASKED: dict[str, tuple[str, Any, dict[str, Any]]] = {
    "gemini": (
        "/v1beta/models/gemini-3-flash:generateContent",
        gemini,
        {"tools": [{"functionDeclarations": [{"name": "get_weather", "parameters": PARAMETERS}]}]},
    ),
    "ollama": (
        "/api/chat",
        ollama,
        {"tools": [{"type": "function", "function": {"name": "get_weather", "parameters": PARAMETERS}}]},
    ),
    "bedrock": (
        "/model/nova/converse",
        converse,
        {"toolConfig": {"tools": [{"toolSpec": {"name": "get_weather", "inputSchema": {"json": PARAMETERS}}}]}},
    ),
}
STREAMS = {
    "gemini": ("/v1beta/models/gemini-3-flash:streamGenerateContent?alt=sse", gemini(QUESTION)),
    "ollama": ("/api/chat", ollama(QUESTION, stream=True)),
    "bedrock": ("/model/nova/converse-stream", converse(QUESTION)),
}


def post(server: ModelServer, path: str, body: dict[str, Any]) -> tuple[tuple[tuple[str, str], ...], bytes]:
    request = urllib.request.Request(server.url + path, json.dumps(body).encode())
    with urllib.request.urlopen(request) as response:
        return tuple(response.getheaders()), response.read()


@pytest.mark.parametrize("name", ASKED)
def test_a_stream_adds_up_to_the_whole_answer(name: str, model_server: ModelServer) -> None:
    path, asking, _ = ASKED[name]
    whole = providers.read_response(path, *post(model_server, path, asking(QUESTION)))
    streaming, body = STREAMS[name]
    streamed = providers.read_response(streaming.partition("?")[0], *post(model_server, streaming, body))
    assert whole.text is not None
    assert "night trains" in whole.text
    assert (whole.text, whole.finish_reason) == (streamed.text, streamed.finish_reason)
    assert whole.output_tokens == streamed.output_tokens != 0


THINKING: dict[str, dict[str, Any]] = {
    "gemini": {"generationConfig": {"thinkingConfig": {"includeThoughts": True}}},
    "ollama": {"think": True},
    "bedrock": {"additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 1024}}},
}


@pytest.mark.parametrize("name", ASKED)
def test_thoughts_are_read_whole_and_streamed(name: str, model_server: ModelServer) -> None:
    (path, asking, _), (streaming, asked) = ASKED[name], STREAMS[name]
    whole = providers.read_response(path, *post(model_server, path, asking(QUESTION, **THINKING[name])))
    answered = post(model_server, streaming, {**asked, **THINKING[name]})
    streamed = providers.read_response(streaming.partition("?")[0], *answered)
    assert "night trains" in (whole.reasoning or "")
    assert (whole.reasoning, whole.reasoning_tokens) == (streamed.reasoning, streamed.reasoning_tokens)
    said = [entry["said"] for entry in model_server.requests]
    assert said[0] == said[1]
    assert (said[0]["reasoning"], said[0]["text"]) == (whole.reasoning, whole.text)


@pytest.mark.parametrize("name", ASKED)
def test_a_tool_is_called_where_the_prompt_asks_for_it(name: str, model_server: ModelServer) -> None:
    path, asking, tools = ASKED[name]
    headers, body = post(model_server, path, asking("What is the weather in Lisbon?", **tools))
    (call,) = providers.read_response(path, headers, body).tool_calls
    assert (call.name, json.loads(call.arguments)) == ("get_weather", {"city": "Lisbon"})


def test_an_error_has_the_shape_of_the_api(model_server: ModelServer) -> None:
    paths = ["/v1beta/models/fail-400:generateContent", "/api/chat", "/model/fail-400/converse"]
    bodies = [gemini(QUESTION), ollama(QUESTION, model="fail-400"), converse(QUESTION)]
    for path, body in zip(paths, bodies, strict=True):
        with pytest.raises(urllib.error.HTTPError) as failed:
            post(model_server, path, body)
        with failed.value as error:
            found = providers.read_response(path, (("content-type", "application/json"),), error.read())
        assert (failed.value.code, found.error) == (400, "Failed, as the model name 'fail-400' asks for.")
