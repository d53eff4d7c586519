"""What calls cost, in US dollars: computed from their tokens when it is shown, never stored.

The list of prices is that of `genai-prices`, as it was installed: it is not asked to update itself, so nothing
here goes over a network. What is not known is None, never 0: a model or a host that the list has not, tokens that
the response does not tell, sound and images (their tokens have other prices). Ollama is not known either: one's
own machine is not paid for by tokens. A call that was replayed or edited was not sent, and cost nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cache, lru_cache
from typing import Any

from ao_lsp.server.model import Spent

log = logging.getLogger(__name__)

KINDS = ("llm", "embedding")
"""The kinds of calls that are paid for by tokens."""

_PROVIDERS = {"bedrock": "aws", "xai": "x-ai", "ollama": None}
"""Ours → that of the list, where the two differ."""

_USAGE = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")

_OTHER_UNITS = ("/audio/", "/images/")

_PRICES_KEPT_S = 60.0
"""Prices that change with the hour of the day change at full minutes."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Of several calls: dollars as far as they are known, and of how many calls they are not."""

    usd: float
    unknown: int


async def loaded() -> None:
    """Have the list of prices read, which takes a moment, where it does not keep others waiting."""
    if not _calculate.cache_info().currsize:
        await asyncio.to_thread(_calculate)


def cost(spent: Spent) -> float | None:
    """Dollars that a call cost; None where that is not known, and for what is not paid by tokens."""
    if spent.kind not in KINDS:
        return None
    return price(spent) if spent.origin == "live" else 0.0


def price(spent: Spent) -> float | None:
    """Dollars that a call costs when it is sent, wherever its answer came from this time."""
    if spent.kind not in KINDS or spent.input_tokens is None:
        return None
    if spent.output_tokens is None and spent.kind != "embedding":
        return None
    return _price(
        spent.provider or "",
        spent.url,
        (spent.served_model, spent.model),
        (spent.input_tokens, spent.cached_tokens, spent.cache_write_tokens, spent.output_tokens),
        spent.started // _PRICES_KEPT_S * _PRICES_KEPT_S,
    )


def total(spent: Iterable[Spent]) -> Cost:
    """The sum of what calls cost."""
    return summed(cost(one) for one in spent if one.kind in KINDS)


def summed(costs: Iterable[float | None]) -> Cost:
    listed = list(costs)
    known = [one for one in listed if one is not None]
    return Cost(sum(known), len(listed) - len(known))


def dollars(usd: float) -> str:
    """`$12.30`, `$0.04`, `$0.0012`: cents, and of less than a cent two digits."""
    if usd >= 0.01 or usd <= 0:
        return f"${usd:,.2f}" if usd > 0 else "$0"
    return f"${usd:.2g}" if usd >= 0.0001 else "<$0.0001"


def told(cost: Cost) -> str:
    """`$0.12`, `$0.12 + 3 unknown`, `cost unknown`; empty where there was nothing to pay."""
    if not cost.unknown:
        return dollars(cost.usd) if cost.usd else ""
    return f"{dollars(cost.usd)} + {cost.unknown} unknown" if cost.usd else "cost unknown"


@lru_cache(maxsize=1 << 16)
def _price(
    provider: str, url: str, models: tuple[str | None, ...], tokens: tuple[int | None, ...], started: float
) -> float | None:
    calculate = _calculate()
    if calculate is None or any(part in url for part in _OTHER_UNITS):
        return None
    usage = dict(zip(_USAGE, tokens, strict=True))
    try:
        at = datetime.fromtimestamp(started, timezone.utc)
    except (OverflowError, OSError, ValueError):  # a clock that is out of its mind
        return None
    for model in dict.fromkeys(models):
        if model:
            found = calculate(usage, model, _asked(provider, url), at)
            if found is not None:
                return found
    return None


def _asked(provider: str, url: str) -> dict[str, Any] | None:
    """Whose prices they are: a provider that we know by its host, else whoever the list has at that host."""
    if provider.endswith("-compatible") or not provider:
        return {"provider_api_url": url}
    name = _PROVIDERS.get(provider, provider)
    return {"provider_id": name} if name else None


@cache
def _calculate() -> Callable[[dict[str, int | None], str, dict[str, Any] | None, datetime], float | None] | None:
    """What works out a price; None where the list cannot be read."""
    try:
        import genai_prices
    except Exception:  # it brings libraries of its own, of which an environment may have others
        log.exception("there are no prices")
        return None

    def calculated(
        usage: dict[str, int | None], model: str, asked: dict[str, Any] | None, at: datetime
    ) -> float | None:
        if asked is None:
            return None
        given: dict[str, Any] = {name: count for name, count in usage.items() if count is not None}
        try:
            found = genai_prices.calc_price(genai_prices.Usage(**given), model, genai_request_timestamp=at, **asked)
        except (LookupError, ValueError):  # not in the list; counts that contradict each other
            return None
        except Exception:  # a graph without a price is better than none
            log.exception("the price of %s cannot be worked out", model)
            return None
        if found.model_price.input_mtok is None:
            # The list has models without a price for tokens. Only of some it says that they are free.
            return 0.0 if model.endswith(":free") else None
        return float(found.total_price)

    # The list itself is read with the first price: now, and not where somebody waits for one.
    calculated({"input_tokens": 1, "output_tokens": 1}, "gpt-4o", {"provider_id": "openai"}, datetime.now(timezone.utc))
    return calculated
