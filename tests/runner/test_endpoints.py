"""Which requests are recorded: decided by how they are made, on any host."""

from __future__ import annotations

import pytest

from ao_lsp.runner.calls import kind_of
from ao_lsp.server.providers import endpoint


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1/chat/completions",
        "https://api.openai.com/v1/completions",
        "https://api.openai.com/v1/responses",
        "https://me.openai.azure.com/openai/deployments/gpt/chat/completions?api-version=2024-10-21",
        "https://me.openai.azure.com/openai/v1/responses?api-version=preview",
        "https://me.services.ai.azure.com/models/chat/completions",
        "https://me.services.ai.azure.com/anthropic/v1/messages",
        "http://localhost:8000/v1/chat/completions/",
        "https://api.openai.com/v1/audio/transcriptions",
        "https://api.openai.com/v1/audio/translations",
        "https://api.openai.com/v1/audio/speech",
        "https://api.openai.com/v1/images/generations",
        "https://api.openai.com/v1/images/edits",
        "https://api.openai.com/v1/images/variations",
        "https://api.anthropic.com/v1/messages?beta=true",
        "https://generativelanguage.googleapis.com/v1beta/models/g:generateContent",
        "https://generativelanguage.googleapis.com/v1beta/models/g:streamGenerateContent?alt=sse",
        "https://eu-aiplatform.googleapis.com/v1/projects/p/locations/eu/publishers/google/models/g:generateContent",
        "http://localhost:11434/api/chat",
        "http://localhost:11434/api/generate",
        "https://bedrock-runtime.eu-west-1.amazonaws.com/model/eu.amazon.nova-v1%3A0/converse",
        "https://bedrock-runtime.eu-west-1.amazonaws.com/model/arn%3Aaws%3Abedrock%3Ax%2Fy/converse-stream",
        "https://bedrock-runtime.eu-west-1.amazonaws.com/model/m/invoke",
        "https://bedrock-runtime.eu-west-1.amazonaws.com/model/m/invoke-with-response-stream",
    ],
)
def test_calls_of_models_are_recorded(url: str) -> None:
    assert kind_of("POST", url) == "llm"
    assert kind_of("GET", url) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1/embeddings",
        "https://me.openai.azure.com/openai/deployments/ada/embeddings?api-version=2024-10-21",
        "http://localhost:11434/api/embed",
        "http://localhost:11434/api/embeddings",
        "https://generativelanguage.googleapis.com/v1beta/models/e:embedContent",
        "https://generativelanguage.googleapis.com/v1beta/models/e:batchEmbedContents",
    ],
)
def test_embeddings_are_recorded_as_such(url: str) -> None:
    assert kind_of("POST", url) == "embedding"


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1/models",
        "https://api.openai.com/v1/responses/resp_1/cancel",
        "https://api.openai.com/v1/threads/t/messages",
        "https://api.anthropic.com/v1/messages/count_tokens",
        "https://generativelanguage.googleapis.com/v1beta/models/g:countTokens",
        "https://generativelanguage.googleapis.com/v1beta/cachedContents",
        "http://localhost:11434/api/pull",
        "http://localhost:11434/api/tags",
        "https://functions.example/invoke",
        "http://localhost:8000/messages/?session_id=0123",
        "https://bedrock-runtime.eu-west-1.amazonaws.com/model/m/count-tokens",
    ],
)
def test_other_requests_are_not_recorded(url: str) -> None:
    assert kind_of("POST", url) is None


@pytest.mark.parametrize("known", endpoint._ENDPOINTS, ids=lambda known: known.ending)
def test_every_api_that_the_server_understands_is_recorded(known: endpoint.Endpoint) -> None:
    assert kind_of("POST", f"http://any.example/v1{known.ending}") is not None
