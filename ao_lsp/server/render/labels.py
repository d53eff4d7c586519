"""The words and numbers that every drawing shows of a call."""

from __future__ import annotations

import os
import re

from ao_lsp.server import pricing
from ao_lsp.server.model import Call, Failure, Graph, Run
from ao_lsp.server.views import status_of

# Names come from programs and models: nothing in them may command a terminal or break XML.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u200b-\u200f\u202a-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def function(call: Call) -> str:
    """The function that made the call; the file where it was module code; of a subrun its name."""
    if call.kind == "subrun":
        return clean(call.preview or "")
    site = call.site
    if site is None:
        return clean(call.endpoint.rsplit("/", 1)[-1] or call.kind)
    if site.function in ("", "<module>"):
        return clean(os.path.basename(site.file))
    return clean(site.function.rsplit("<locals>.", 1)[-1])


def place(call: Call) -> str:
    """`file.py:12`; empty where nobody knows."""
    return clean(f"{os.path.basename(call.site.file)}:{call.site.line}") if call.site else ""


def model(call: Call) -> str:
    return clean(f"{call.model}()" if call.kind == "tool" and call.model else call.model or call.kind)


def number(call: Call) -> str:
    """By which a call is named; of a subrun `3+`, by its first call, where it has some."""
    if call.kind == "subrun":
        return f"{call.number}+" if call.number else "–"
    return str(call.number)


def key(call: Call) -> str:
    """A name for the node of a call in a language for diagrams."""
    return f"n{call.number}" if call.kind != "subrun" else f"s{call.id}"


def tokens(call: Call) -> str:
    """`1.2k→45`: in, out; empty where the response does not say."""
    if call.input_tokens is None and call.output_tokens is None:
        return ""
    return f"{amount(call.input_tokens)}→{amount(call.output_tokens)}"


def cost(call: Call) -> str:
    """`$0.04`; empty where it cost nothing, or nobody knows what."""
    usd = pricing.cost(call.spent)
    return pricing.dollars(usd) if usd else ""


def amount(count: int | None) -> str:
    """A count in at most five characters."""
    if count is None:
        return "?"
    for unit, size in (("M", 1_000_000), ("k", 1_000)):
        if count >= size:
            return f"{count / size:.1f}{unit}" if count < 100 * size else f"{count // size}{unit}"
    return str(count)


def seconds(duration: float | None) -> str:
    """`0.82 s`, `12.3 s`, `2 m 05 s`; empty where it has not ended."""
    if duration is None:
        return ""
    if duration < 1:
        return f"{duration:.2f} s"
    if duration < 60:
        return f"{duration:.1f} s"
    return f"{int(duration) // 60} m {int(duration) % 60:02d} s"


def state(call: Call, run: Run) -> str:
    """What a drawing marks a call as: failed, cancelled, running, or its origin."""
    status = status_of(call, run)
    if status == "ok":
        return "live, input edited" if call.origin == "live" and call.input_edited else call.origin
    return {"error": "failed"}.get(status, status)


def numbers(wanted: list[int]) -> str:
    """`1, 3–5`: ascending numbers, three and more in a row as a range."""
    parts: list[str] = []
    start = 0
    for index, number in enumerate(wanted):
        last = index + 1 == len(wanted) or wanted[index + 1] != number + 1
        if last and index - start >= 2:
            parts.append(f"{wanted[start]}–{number}")
        elif last:
            parts += map(str, wanted[start : index + 1])
        if last:
            start = index + 1
    return ", ".join(parts)


def failure(error: Failure) -> str:
    """One line about what ended a run: `ValueError: no such city (agent.py:12)`."""
    first = error.message.strip().partition("\n")[0]
    at = f" ({os.path.basename(error.file)}:{error.line})" if error.file else ""
    return clean(f"{error.type}: {first}{at}" if first else f"{error.type}{at}")


def headline(graph: Graph) -> str:
    """One line about the run."""
    graph = graph.whole or graph
    run, calls = graph.run, graph.calls
    count = f"{len(calls)} call{'' if len(calls) == 1 else 's'}"
    if graph.subruns:
        count += f" · {len(graph.subruns)} subrun{'' if len(graph.subruns) == 1 else 's'}"
    asked = sum(call.input_tokens or 0 for call in calls)
    said = sum(call.output_tokens or 0 for call in calls)
    spent = [f"{amount(asked)}→{amount(said)} tokens"] if asked or said else []
    cost = pricing.told(pricing.total(call.spent for call in calls))
    spent += [cost] if cost else []
    ended = run.status if run.exit_code in (None, 0) else f"{run.status} ({run.exit_code})"
    took = [seconds(run.duration)] if run.duration is not None else []
    return " · ".join([clean(run.name), ended, count, *spent, *took, *([code(run)] if run.version else [])])


def code(run: Run) -> str:
    """The version of a run's code, a `~` behind it where that may not be just what ran; "" where none was taken."""
    return f"code {run.version[:10]}{'~' if run.version_note else ''}" if run.version else ""


def remarks(run: Run) -> list[str]:
    """What the program said of a run, a line each."""
    result = [f"result: {run.result}"] if run.result is not None else []
    said = [*result, *(f"note: {remark}" for remark in run.remarks)]
    shown = [clean(" ".join(line.split()))[:_MOST_LETTERS] for line in said[:_MOST_REMARKS]]
    return [*shown, *([f"and {len(said) - _MOST_REMARKS} more notes"] if len(said) > _MOST_REMARKS else [])]


_MOST_REMARKS, _MOST_LETTERS = 12, 300
