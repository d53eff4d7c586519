"""What a rerun will cost, from what its calls used when they were recorded. Pure.

It is an estimate: a call that goes live gets another answer, and a program may make other calls then.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ao_lsp.server import pricing
from ao_lsp.server.model import Call
from ao_lsp.server.plan import PlanEntry


@dataclass(frozen=True, slots=True)
class Use:
    """Of some calls: how many, tokens in and out as far as they are known, of how many they are not, dollars."""

    calls: int
    tokens: int
    unknown_tokens: int
    cost: pricing.Cost


@dataclass(frozen=True, slots=True)
class Estimate:
    """`live` are the calls that go live, `most` those and the ones that do if an edit changes their input."""

    calls: int
    live: Use
    most: Use


def estimate(entries: Iterable[PlanEntry], now: float | None = None) -> Estimate:
    """What a plan uses, at the prices of `now` (Unix seconds; default: of this moment)."""
    at = time.time() if now is None else now
    listed = list(entries)
    live = [entry.call for entry in listed if entry.action in ("live", "input")]
    affected = [entry.call for entry in listed if entry.affected and entry.action == "replay"]
    return Estimate(len(listed), _use(live, at), _use(live + affected, at))


def told(found: Estimate) -> str:
    """`3 of 19 calls live, about 4,200 tokens, $0.04 (up to 8 if their input changes, about …, …)`."""
    live, most = found.live, found.most
    said = f"{live.calls} of {found.calls} call{'' if found.calls == 1 else 's'} live{_spent(live)}"
    if most.calls > live.calls:
        theirs = "its" if most.calls == 1 else "their"
        said += f" (up to {most.calls} if {theirs} input changes{_spent(most)})"
    return said


def _use(calls: Sequence[Call], at: float) -> Use:
    paid = [call for call in calls if call.kind in pricing.KINDS]
    counts = [(call.input_tokens, call.output_tokens) for call in paid]
    known = [(sent or 0) + (got or 0) for sent, got in counts if (sent, got) != (None, None)]
    cost = pricing.summed(pricing.price(replace(call.spent, started=at)) for call in paid)
    return Use(len(calls), sum(known), len(paid) - len(known), cost)


def _spent(use: Use) -> str:
    if not use.calls:
        return ""
    tokens = [f"about {use.tokens:,} tokens"] if use.tokens else []
    if use.unknown_tokens:
        tokens = [f"{tokens[0]} + {use.unknown_tokens} unknown" if tokens else "tokens unknown"]
    cost = pricing.told(use.cost)
    return "".join(f", {part}" for part in (*tokens, *([cost] if cost else [])))
