"""What `ao diff` prints: a line a call, and below it what changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby, zip_longest
from typing import Any

from ao_lsp.cli.terminal import amount, cost, painted, printable, seconds, width

Json = dict[str, Any]

_SIGNS = {"same": ("=", "2"), "changed": ("~", "33"), "added": ("+", "32"), "removed": ("-", "31")}
_LINES = 6  # of each side of a text
_MESSAGES = 4  # of a call
_SAME = 8  # so many calls in a row that are the same are one line
_PARAMETER = 40  # characters of a value
_INDENT = " " * 9
_BEFORE = 24  # characters that are shown before what is different in a long line


def diff(result: Json) -> None:
    """The whole comparison."""
    a, b = result["a"], result["b"]
    if result["identical"]:
        count = result["totals"]["b"]["calls"]
        calls = f"{count} call{'' if count == 1 else 's'}"
        print(printable(f"{a['name']} {a['id']} and {b['name']} {b['id']} are identical: {calls}"))
        return
    said = ", ".join(f"{count} {verdict}" for verdict, count in result["counts"].items() if count) or "no calls"
    print(painted(printable(f"{a['name']} {a['id']} → {b['name']} {b['id']}"), "1") + f": {said}")
    print(painted(printable(_totals(result)), "2"))
    for boring, entries in groupby(result["calls"], lambda entry: entry["verdict"] == "same" and not entry["changes"]):
        listed = list(entries)
        if boring and len(listed) >= _SAME:
            numbers = f"{listed[0]['b']['number']}–{listed[-1]['b']['number']}"
            print(painted(f"= {numbers:>5}  {len(listed)} calls, all the same", "2"))
        else:
            for entry in listed:
                _entry(entry)


def _totals(result: Json) -> str:
    """`621→491 tokens, was 600→480 · $0.04, was $0.03 · 1.1 s, was 0.9 s`"""
    was, now = result["totals"]["a"], result["totals"]["b"]
    states = [
        run["status"] if run["exit_code"] in (None, 0) else f"{run['status']} ({run['exit_code']})"
        for run in (result["a"], result["b"])
    ]
    facts = [
        (states[0], states[1]),
        (_tokens(was) + " tokens", _tokens(now) + " tokens"),
        (_cost(was), _cost(now)),
        (seconds(was["duration_s"]), seconds(now["duration_s"])),
    ]
    return "  " + " · ".join(_now(before, after) for before, after in facts if before or after)


def _cost(totals: Json) -> str:
    said = cost(totals["cost_usd"], totals["unknown_costs"])
    return "cost unknown" if said == "?" else said


def _entry(entry: Json) -> None:
    a, b = entry["a"], entry["b"]
    node = b or a
    sign, color = _SIGNS[entry["verdict"]]
    numbers = "→".join(str(side["number"]) for side in (a, b) if side)
    facts = [node["subrun"], node["function"], node["model"], b and b["origin"]]
    if entry["input_changed"]:
        facts.append("input changed")
    if a and b and entry["changes"]:
        facts += _figures(a, b)
    print(painted(printable(f"{sign} {numbers:>5}  {' · '.join(fact for fact in facts if fact)}"), color))
    for name, change in entry["parameters"].items():
        print(_INDENT + painted(printable(f"{name}: {_value(change['a'])} → {_value(change['b'])}"), "33"))
    for message in entry["messages"][:_MESSAGES]:
        print(_INDENT + painted(printable(message["role"]), "2"))
        _text(message["a"] or "", message["b"] or "", "  ")
    more = len(entry["messages"]) - _MESSAGES
    if more > 0:
        print(painted(f"{_INDENT}… {more} more message{'' if more == 1 else 's'}: ao diff --json", "2"))
    if entry["verdict"] == "changed":
        if entry["messages"] or entry["parameters"]:
            print(_INDENT + painted("output", "2"))
        _text(entry["output"]["a"] or "", entry["output"]["b"] or "", "  " if entry["messages"] else "")


def _figures(a: Json, b: Json) -> Iterator[str]:
    """Status, tokens and cost of a call, as far as they are not as they were."""
    if a["status"] != b["status"]:
        yield _now(a["status"], b["status"])
    if a["model"] != b["model"]:
        yield f"was {a['model']}"
    if b["origin"] == "live" and _tokens(a) != _tokens(b):
        yield _now(_tokens(a), _tokens(b)) + " tokens"
    if b["origin"] == "live" == a["origin"] and a["cost_usd"] != b["cost_usd"]:
        yield _now(*(cost(side["cost_usd"], 0) for side in (a, b)))


def _now(before: str, after: str) -> str:
    return after if before == after else f"{after or 'unknown'}, was {before or 'unknown'}"


def _tokens(node: Json) -> str:
    return f"{amount(node['input_tokens'])}→{amount(node['output_tokens'])}"


def _value(value: object) -> str:
    said = "–" if value is None else json.dumps(value, ensure_ascii=False)
    return said if len(said) <= _PARAMETER else said[: _PARAMETER - 1] + "…"


def _text(before: str, after: str, more: str) -> None:
    """The lines that went and the lines that came, the first few of each."""
    room = (width() or 120) - len(_INDENT) - len(more) - 1
    left = {"-": _LINES, "+": _LINES}
    hidden = 0
    for sign, line in _changed_lines(before, after, room):
        if line.strip():
            left[sign] -= 1
            if left[sign] < 0:
                hidden += 1
            else:
                print(_INDENT + more + painted(printable(sign + line), "31" if sign == "-" else "32"))
    if hidden:
        print(painted(f"{_INDENT}{more}… {hidden} more line{'' if hidden == 1 else 's'}: ao diff --json", "2"))


def _changed_lines(before: str, after: str, room: int) -> Iterator[tuple[str, str]]:
    """`(sign, line)`, long lines cut to where they begin to be different."""
    from difflib import SequenceMatcher

    old, new = before.splitlines(), after.splitlines()
    for verdict, a, a_to, b, b_to in SequenceMatcher(None, old, new, autojunk=len(old) > 5000).get_opcodes():
        if verdict == "equal":
            continue
        pairs = list(zip_longest(old[a:a_to], new[b:b_to]))
        starts = [_shared(gone or "", come or "") for gone, come in pairs]
        for side, sign in ((0, "-"), (1, "+")):
            for pair, start in zip(pairs, starts, strict=True):
                line = pair[side]
                if line is not None:
                    yield sign, _around(line, start, room)


def _shared(old: str, new: str) -> int:
    """Characters that two lines begin with alike."""
    shorter = min(len(old), len(new))
    return next((at for at in range(shorter) if old[at] != new[at]), shorter)


def _around(line: str, start: int, room: int) -> str:
    """`line` in `room` characters, with what is at `start` among them."""
    if len(line) <= room:
        return line
    begin = max(0, min(start - _BEFORE, len(line) - room + 1))
    shown = ("…" if begin else "") + line[begin:]
    return shown if len(shown) <= room else shown[: room - 1] + "…"
