"""How what was recorded is written as a text to read; pure functions of what the commands give."""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Iterator
from typing import Any

from ao_lsp.server import pricing
from ao_lsp.server.render import labels
from ao_lsp.server.views import Json

_AROUND = 3  # lines around a change

_MOST_LINES = 20_000  # of a text that is compared line by line

_COLORS = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")


def call(said: Json, run_name: str) -> str:
    """A call, whole, as Markdown; `said` is what `ao.call` gives."""
    return "\n\n".join(_whole(said, run_name)) + "\n"


def _whole(said: Json, run_name: str) -> Iterator[str]:
    node, response = said["call"], said["response"]
    yield f"# {node['number']} {node['function'] or node['kind']}, of {run_name} ({said['run']})"
    place = f"{os.path.basename(node['file'])}:{node['line']}" if node["file"] else None
    tokens = None
    if node["input_tokens"] is not None or node["output_tokens"] is not None:
        cached = f" ({node['cached_tokens']} cached)" if node["cached_tokens"] else ""
        tokens = f"{labels.amount(node['input_tokens'])}{cached}→{labels.amount(node['output_tokens'])} tokens"
    cost = None if node["cost_usd"] is None else pricing.dollars(node["cost_usd"]) if node["cost_usd"] else "$0"
    state = node["origin"] if node["status"] == "ok" else node["status"]
    facts = [state, place, node["model"], node["provider"], tokens, cost, labels.seconds(node["duration_s"])]
    yield " · ".join(fact for fact in facts if fact)
    status = f" → {response['status']}" if response and said["request"]["method"] != "CALL" else ""
    yield f"{said['request']['method']} {said['request']['url']}{status}"
    sources = [f"{edge['number']}{_evidence(edge)}" for edge in said["sources"]]
    sources += [f"{edge['number']} of run {edge['run']}" for edge in said["outside"]]
    targets = [f"{edge['number']}{_evidence(edge)}" for edge in said["targets"]]
    ways = [f"{arrow} {', '.join(ends)}" for arrow, ends in (("←", sources), ("→", targets)) if ends]
    if ways:
        yield " · ".join(ways)
    for edit in said["edits"]:
        yield f"## edited {edit['field']}: what a rerun gets\n\n{edit['content']}"
    yield from _messages(said["messages"])
    output = said["output"]
    if output is not None and output["reasoning"]:
        yield f"## reasoning\n\n{output['reasoning']}"
    yield "## output\n\n" + output_of(said)


def _evidence(edge: Json) -> str:
    return "" if edge["evidence"] == "tracked" else " (matched by its text)"


def prompt(said: Json) -> str:
    """The messages of a call, as Markdown."""
    return "\n\n".join(_messages(said["messages"])) + "\n"


def _messages(messages: list[Json]) -> Iterator[str]:
    for message in messages:
        parts = [message["text"]] if message["text"] else []
        yield "\n\n".join([f"## {message['role']}", *parts, *map(_tool_call, message["tool_calls"])])


def _tool_call(wanted: Json) -> str:
    return f"`{wanted['name']}` {wanted['arguments']}"


def output_of(said: Json) -> str:
    """What came back from a call: its text, the tool calls below it; or why there is none."""
    if said["error"]:
        return f"{said['call']['status']}: {said['error']['type']}: {said['error']['message']}"
    output = said["output"]
    if output is None or (output["text"] is None and not output["tool_calls"]):
        return {"running": "It is still running.", "cancelled": "It was cancelled.", "error": "It failed."}.get(
            said["call"]["status"], "There is no output that could be read."
        )
    parts = [output["text"]] if output["text"] is not None else []
    return "\n\n".join([*parts, *map(_tool_call, output["tool_calls"])])


def body(found: Any) -> str:
    """A request or response."""
    return found if isinstance(found, str) else json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def log(text: str, left_out: int, ended: bool) -> str:
    """What a program printed, without colours and what a terminal would have overwritten."""
    plain = _COLORS.sub("", text).replace("\r\n", "\n")
    lines = [line.rstrip("\r").rpartition("\r")[2] for line in plain.split("\n")]
    first = [f"… {left_out} bytes before this are left out: ao output has them"] if left_out else []
    if ended:
        return "\n".join([*first, *lines]) or "It has printed nothing.\n"
    return "\n".join([*first, *lines, "… (it goes on)", ""])


def diff(said: Json) -> str:
    """What changed from one run to another, in the unified format; `said` is what `ao.diff` gives."""
    return "\n".join(_diff(said)) + "\n"


def _diff(said: Json) -> Iterator[str]:
    a, b = said["a"], said["b"]
    counts = ", ".join(f"{count} {verdict}" for verdict, count in said["counts"].items() if count) or "no calls"
    yield f"# {a['name']} {a['id']} → {b['name']} {b['id']}: {'identical, ' if said['identical'] else ''}{counts}"
    for entry in said["calls"]:
        if entry["verdict"] != "same" or entry["changes"] or entry["input_changed"]:
            yield ""
            yield from _entry(entry, a["id"], b["id"])


def _entry(entry: Json, a: str, b: str) -> Iterator[str]:
    left, right = entry["a"], entry["b"]
    node = right or left
    numbers = " → ".join(str(side["number"]) for side in (left, right) if side)
    facts = [node["function"], node["model"], right and right["origin"], ", ".join(entry["changes"])]
    yield f"# {numbers} {entry['verdict']}: {' · '.join(fact for fact in facts if fact)}"
    if left and right and left["status"] != right["status"]:
        yield from _compared("status", left["status"], right["status"], (a, left), (b, right))
    for name, change in entry["parameters"].items():
        old, new = _value(change["a"]), _value(change["b"])
        yield from _compared(name, old, new, (a, left), (b, right))
    for message in entry["messages"]:
        yield from _compared(message["role"], message["a"] or "", message["b"] or "", (a, left), (b, right))
    if entry["output"] is not None:
        output = entry["output"]
        yield from _compared("output", output["a"] or "", output["b"] or "", (a, left), (b, right))


def _value(found: Any) -> str:
    return "" if found is None else json.dumps(found, ensure_ascii=False)


def _compared(what: str, old: str, new: str, a: tuple[str, Json | None], b: tuple[str, Json | None]) -> Iterator[str]:
    if old == new:
        return
    was, now = (f"{run}/{node['number']}/{what}" if node else "/dev/null" for run, node in (a, b))
    before, after = old.splitlines(), new.splitlines()
    if len(before) + len(after) > _MOST_LINES:
        yield from (f"--- {was}", f"+++ {now}", "# too long to compare line by line")
        return
    yield from difflib.unified_diff(before, after, was, now, n=_AROUND, lineterm="")
