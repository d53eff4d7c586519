"""What calls cost: known prices are applied, and what is not known is never 0."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from typing import Any

import genai_prices
import pytest
from genai_prices import data_snapshot

from ao_lsp.server import pricing
from ao_lsp.server.model import Spent
from tests.server.graphs import call

AZURE = "https://my.openai.azure.com/openai/deployments/mine/chat/completions"


def spent(**fields: Any) -> Spent:
    asked = {"model": "gpt-4o", "input_tokens": 1000, "output_tokens": 100, "started": 1.76e9}
    return call(1, **{**asked, **fields}).spent


def test_a_call_costs_what_its_tokens_cost() -> None:
    # gpt-4o: 2.50 and 10 dollars a million tokens
    assert pricing.cost(spent()) == pytest.approx(0.0025 + 0.001)


def test_tokens_from_a_cache_cost_less_and_those_written_to_one_more() -> None:
    assert pricing.cost(spent(cached_tokens=400)) == pytest.approx(0.6 * 0.0025 + 0.4 * 0.00125 + 0.001)
    claude = {"provider": "anthropic", "url": "https://api.anthropic.com/v1/messages", "model": "claude-sonnet-4-5"}
    plain, written = spent(**claude), spent(**claude, cache_write_tokens=400)
    assert (pricing.cost(plain) or 0) < (pricing.cost(written) or 0)


@pytest.mark.parametrize(
    ("provider", "url", "model", "known"),
    [
        ("openai", "https://api.openai.com/v1/chat/completions", "gpt-4o", True),
        ("anthropic", "https://api.anthropic.com/v1/messages", "claude-sonnet-4-5-20250929", True),
        ("google", "https://generativelanguage.googleapis.com/v1beta/models/x", "gemini-2.5-flash", True),
        ("azure", AZURE, "gpt-4o", True),
        ("bedrock", "https://bedrock-runtime.us-east-1.amazonaws.com/model/x/converse", "amazon.nova-lite-v1:0", True),
        ("xai", "https://api.x.ai/v1/chat/completions", "grok-4", True),
        ("openai-compatible", "https://api.cerebras.ai/v1/chat/completions", "gpt-oss-120b", True),
        ("openai-compatible", "http://127.0.0.1:8000/v1/chat/completions", "gpt-4o", False),
        ("ollama", "http://localhost:11434/api/chat", "llama3", False),
        ("openai", "https://api.openai.com/v1/chat/completions", "gpt-from-the-future-99", False),
        ("openai", "https://api.openai.com/v1/images/generations", "gpt-4o", False),
        ("openai", "https://api.openai.com/v1/chat/completions", None, False),
        (None, "not a URL", "gpt-4o", False),
    ],
)
def test_a_price_is_known_by_host_and_model_or_it_is_not_known(
    provider: str | None, url: str, model: str | None, known: bool
) -> None:
    found = pricing.cost(spent(provider=provider, url=url, model=model))
    assert (found is not None and found > 0) if known else found is None


def test_the_model_that_answered_decides_and_else_the_one_that_was_asked() -> None:
    deployment = {"provider": "azure", "url": AZURE, "model": "mine"}
    assert pricing.cost(spent(**deployment)) is None
    assert pricing.cost(spent(**deployment, served_model="gpt-4o-2024-08-06")) == pricing.cost(spent())
    assert pricing.cost(spent(served_model="who knows")) == pricing.cost(spent())


def test_a_model_that_the_list_has_without_a_price_is_unknown_and_a_free_one_is_free() -> None:
    unpriced = [
        (provider.id, model.id)
        for provider in data_snapshot.get_snapshot().providers
        for model in provider.models
        if not isinstance(model.prices, list) and model.prices.input_mtok is None
    ]
    assert len(unpriced) > 10
    for provider, model in unpriced:
        found = pricing.cost(spent(provider=provider, model=model, url="https://example.com"))
        assert found == (0 if model.endswith(":free") else None), model


def test_without_usage_the_cost_is_unknown() -> None:
    assert pricing.cost(spent(input_tokens=None)) is None
    assert pricing.cost(spent(output_tokens=None)) is None
    assert pricing.cost(spent(input_tokens=10, cached_tokens=20)) is None


def test_an_embedding_has_no_output_to_be_paid() -> None:
    made = pricing.cost(spent(kind="embedding", model="text-embedding-3-small", output_tokens=None))
    assert made == pytest.approx(0.00002)


def test_a_call_that_was_not_sent_cost_nothing_and_would_cost_its_price() -> None:
    for origin in ("replayed", "edited"):
        assert pricing.cost(spent(origin=origin)) == 0
        assert pricing.price(spent(origin=origin)) == pricing.cost(spent())
        assert pricing.cost(spent(origin=origin, model="unknown")) == 0


def test_a_sum_says_how_much_of_it_is_unknown() -> None:
    known, unknown, tool = spent(), spent(model="unknown"), spent(kind="tool")
    assert pricing.told(pricing.total([known, known])) == "$0.007"
    assert pricing.told(pricing.total([known, unknown, unknown])) == "$0.0035 + 2 unknown"
    assert pricing.told(pricing.total([unknown])) == "cost unknown"
    assert pricing.told(pricing.total([tool])) == ""
    assert pricing.told(pricing.total([spent(origin="replayed")])) == ""


@pytest.mark.parametrize(
    ("usd", "said"),
    [(1234.5, "$1,234.50"), (12.3, "$12.30"), (0.04, "$0.04"), (0.0012, "$0.0012"), (1e-6, "<$0.0001"), (0.0, "$0")],
)
def test_dollars_are_said_in_few_characters(usd: float, said: str) -> None:
    assert pricing.dollars(usd) == said


def test_prices_are_known_without_any_request(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refused)
    pricing._price.cache_clear()
    assert pricing.cost(spent()) is not None
    assert not data_snapshot.get_snapshot().from_auto_update


@pytest.fixture
def anew() -> Iterator[None]:
    """Prices as in a process that has not asked for any."""
    for cached in (pricing._price, pricing._calculate):
        cached.cache_clear()
    yield
    for cached in (pricing._price, pricing._calculate):
        cached.cache_clear()


@pytest.mark.usefixtures("anew")
def test_without_the_list_every_cost_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    assert pricing.cost(spent()) is None


@pytest.mark.usefixtures("anew")
def test_a_list_that_fails_makes_a_cost_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object, **__: object) -> None:
        raise TypeError("renamed")

    monkeypatch.setattr(genai_prices, "calc_price", failing)
    assert pricing.cost(spent()) is None
