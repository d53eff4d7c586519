"""The few words that lenses, hints and messages have for calls."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ao_lsp.server import pricing
from ao_lsp.server.lsp.buffers.uris import uri_of
from ao_lsp.server.model import Call, Run
from ao_lsp.server.providers import Response
from ao_lsp.server.render import labels
from ao_lsp.server.views import status_of

_HINT = 60
"""Characters of an output that a hint shows."""


def counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def summary(calls: Sequence[Call], run: Run) -> str:
    """`3 calls · gpt-5 · 1.2k tok · 0.8 s`; of several calls, tokens and seconds are sums."""
    models = list(dict.fromkeys(map(labels.model, calls)))
    known = [count for call in calls for count in (call.input_tokens, call.output_tokens) if count is not None]
    took = [call.duration for call in calls if call.duration is not None]
    parts = [
        counted(len(calls), "call") if len(calls) > 1 else "",
        ", ".join(models) if len(models) < 3 else counted(len(models), "model"),
        f"{labels.amount(sum(known))} tok" if known else "",
        _cost(calls),
        labels.seconds(sum(took)) if took else "",
        *_states(calls, run),
    ]
    return " · ".join(part for part in parts if part)


def _cost(calls: Sequence[Call]) -> str:
    """What they cost, as far as that is known."""
    cost = pricing.total(call.spent for call in calls)
    return pricing.told(cost) if cost.usd else ""


def _states(calls: Sequence[Call], run: Run) -> list[str]:
    """What is not as usual: `failed`, `2 running`, `replayed`."""
    found: dict[str, int] = {}
    for call in calls:
        state = labels.state(call, run)
        if state != "live":
            found[state] = found.get(state, 0) + 1
    return [state if count == len(calls) else f"{count} {state}" for state, count in found.items()]


def output(call: Call, run: Run, said: Response | None, edited: str | None) -> str:
    """What came back from a call, in one short line; empty where nothing can be told."""
    if edited is not None:
        return "✎ " + shortened(edited)
    status = status_of(call, run)
    if status == "error":
        return "✗ " + shortened(f"{call.error.type}: {call.error.message}" if call.error else "failed")
    if status != "ok":
        return {"running": "… running", "cancelled": "⊘ cancelled"}[status]
    if call.preview:
        return "→ " + shortened(call.preview)
    if said is not None and said.tool_calls:
        return "→ " + shortened(", ".join(f"{call.name}({call.arguments})" for call in said.tool_calls))
    return ""


def shortened(text: str, most: int = _HINT) -> str:
    """`text` in one line."""
    line = labels.clean(" ".join(text[: 8 * most].split()))
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def call_name(call: Call) -> str:
    """`call 2 (search)`: how a message to the user names a call."""
    return f"call {call.number} ({labels.function(call)})"


def link(path: str, line: int) -> str:
    """A URI that leads to a line, where the client knows fragments."""
    return f"{uri_of(path)}#L{line}"


def joined(words: Iterable[str], separator: str = " · ") -> str:
    return separator.join(word for word in words if word)
