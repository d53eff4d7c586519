"""What `ao` prints for people. Everything that programs and models wrote is made printable."""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from ao_lsp.cli.terminal import Cell, ago, amount, cost, dollars, painted, printable, seconds, table, width

Json = dict[str, Any]

_COLORS = {
    "finished": "32", "failed": "31", "killed": "31", "lost": "33", "running": "34",
    "ok": "32", "error": "31", "cancelled": "31", "live": "32", "replayed": "36", "edited": "33",
}  # fmt: skip
_RANGES = 3  # of a source
_SUBRUNS = 10  # of a run
_REMARK = 60  # letters of a result or note in a list


def runs(result: Json) -> None:
    if not result["runs"]:
        print("no runs" if result["total"] == 0 else "none of these", file=sys.stderr)
        return
    listed = {run["id"] for run in result["runs"]}
    below: dict[str, list[Json]] = {}
    tops = []
    for run in result["runs"]:
        if run["subrun_of"] in listed:
            below.setdefault(run["subrun_of"], []).append(run)
        else:
            tops.append(run)
    if "complete" in result:  # a list of those that say what was looked for, below which there is what they say
        tops, below = result["runs"], {}
    rows = [row for run in tops for row in _run_rows(run, below, 0)]
    lines = table(
        ("RUN", "NAME", "STATUS", "CALLS", "TOKENS", "COST", "TIME", "STARTED", "CODE", ""), rows, right=(6,)
    ).splitlines()
    if "complete" in result:
        lines[1:] = [line for run, own in zip(tops, lines[1:], strict=True) for line in (own, *_matches(run))]
    print("\n".join(lines))
    if result["total"] > len(tops):
        print(painted(f"and {result['total'] - len(tops)} more: --limit", "2"))
    if not result.get("complete", True):
        print("not every call has been looked at yet; ask again in a while", file=sys.stderr)


def _matches(run: Json) -> Iterator[str]:
    """The calls of a run that say what was looked for, in one line each."""
    for match in run["matches"]:
        text, start, end = match["text"], match["start"], match["end"]
        said = printable(text[:start]) + painted(printable(text[start:end]), "1") + printable(text[end:])
        yield f"  {painted(str(match['number']), '1')} {painted(match['part'], '2')}  {said}"
    more = run["matching_calls"] - len({match["call"] for match in run["matches"]})
    if more > 0:
        yield painted(f"  … and {more} more calls", "2")


def _run_rows(run: Json, below: dict[str, list[Json]], depth: int) -> Iterator[Sequence[Cell]]:
    """A run, and the first of its subruns, indented."""
    yield _run_row(run, depth)
    subruns = below.get(run["id"], [])
    for subrun in subruns[:_SUBRUNS]:
        yield from _run_rows(subrun, below, depth + 1)
    more = subruns[_SUBRUNS:]
    if more:
        failed = sum(subrun["status"] in ("failed", "killed", "lost") for subrun in more)
        said = f"… {len(more)} more" + (f" ({failed} failed)" if failed else "")
        yield ("", _indented(said, depth + 1), "", "", "", "", "", "", "", f"ao runs --within {run['id']}")


def _run_row(run: Json, depth: int) -> Sequence[Cell]:
    calls = str(run["calls"]) + (f" ({run['failed_calls']} failed)" if run["failed_calls"] else "")
    tokens = f"{amount(run['input_tokens'])}→{amount(run['output_tokens'])}"
    remarks = [f"rerun of {run['parent_run']}"] if run["parent_run"] else []
    if run["edits"]:
        remarks.append(f"{run['edits']} edited")
    if run["result"] is not None:
        remarks.append(f"result {_cut(json.dumps(run['result'], ensure_ascii=False), _REMARK)}")
    remarks += [_cut(" ".join(note.split()), _REMARK) for note in run["notes"][-1:]]
    status = (run["status"], _COLORS.get(run["status"], ""))
    name = _indented(run["name"], depth)
    spent = cost(run["cost_usd"], run["unknown_costs"]) if run["calls"] else ""
    took, since = seconds(run["duration_s"]), ago(run["started"])
    code = "" if run["version"] is None else run["version"][:10] + ("" if run["version_exact"] else "~")
    return (run["id"], name, status, calls, tokens, spent, took, since, code, ", ".join(remarks))


def _indented(name: str, depth: int) -> str:
    return f"{'  ' * (depth - 1)}└ {name}" if depth else name


def call(result: Json) -> None:
    node, request, response = result["call"], result["request"], result["response"]
    mark = painted(node["origin"] if node["status"] == "ok" else node["status"], _COLORS.get(node["status"], ""))
    print(f"{painted('call ' + str(node['number']), '1')} of run {result['run']}  {mark}")
    place = f"{node['file']}:{node['line']}" if node["file"] else None
    tokens = f"{amount(node['input_tokens'])}→{amount(node['output_tokens'])} tokens"
    if node["cached_tokens"]:
        tokens += f" ({amount(node['cached_tokens'])} cached)"
    spent = None if node["cost_usd"] is None else dollars(node["cost_usd"])
    if spent is None and node["kind"] in ("llm", "embedding"):
        spent = "cost unknown"
    facts = [node["subrun"], node["function"], place, node["model"], node["provider"], tokens, spent]
    facts.append(seconds(node["duration_s"]))
    print("  " + printable(" · ".join(fact for fact in facts if fact)))
    print(
        "  "
        + printable(
            f"{request['method']} {request['url']}"
            + (f" → {response['status']}" if response and request["method"] != "CALL" else "")
        )
    )
    for name, edges in (("from", result["sources"]), ("to", result["targets"])):
        if edges:
            said = (f"{edge['number']}{'' if edge['evidence'] == 'tracked' else ' (matched)'}" for edge in edges)
            print(f"  {painted(name, '2')} {', '.join(said)}")
    for edge in result["outside"]:
        print(f"  {painted('from', '2')} {edge['number']} of run {edge['run']}, through a file")
    for message in result["messages"]:
        _part(message["role"], message["text"], message["tool_calls"])
    output = result["output"]
    if output is not None and output["reasoning"]:
        _part("reasoning", output["reasoning"], [])
    if output is not None and (output["text"] is not None or output["tool_calls"]):
        _part("output", output["text"] or "", output["tool_calls"])
    if result["error"]:
        _part("error", f"{result['error']['type']}: {result['error']['message']}", [])
    for edit in result["edits"]:
        _part(f"edited {edit['field']}", edit["content"], [])


def why(result: Json) -> None:
    node, part, sources = result["call"], result["part"], result["sources"]
    print(painted(f"call {node['number']}", "1") + f" of run {result['run']}  {_who(node)}")
    if part is not None:
        print(painted(f"  in characters {part['start']}:{part['end']} of its input: ", "2") + _quoted(part["text"]))
    if not sources and not result["outside"]:
        print("\nno call's output" + (" is in its input" if part is None else " is there"))
    for source in sources:
        print()
        _source(source)
    for edge in result["outside"]:
        print()
        number = painted(str(edge["number"]), "1")
        print(f"{number}  of run {edge['run']}, through a file  {_who({**edge, 'model': None})}")
        _way([{"function": None, "text": None, **hop} for hop in edge["path"]])


def origins(result: Json) -> None:
    if not result["variables"]:
        print("no variable there is known to have values of calls")
    for number, variable in enumerate(result["variables"]):
        print(end="\n" if number else "")
        print(f"{painted(variable['name'], '1')}  {_place(result['file'])}:{variable['line']}")
        for source in variable["sources"]:
            print(f"{painted('← ' + str(source['number']), '1')}  {_who(source['call'])}")
            _way(source["path"])


def _source(source: Json) -> None:
    """A source, the lines on its way, and where it stands."""
    mark = "" if source["evidence"] == "tracked" else "~"
    print(f"{painted(mark, '33')}{painted(str(source['number']), '1')}  {_who(source['call'])}")
    _way(source["path"])
    if source["evidence"] == "matched":
        print("   " + painted("matched by its text: how it got there is not known", "33"))
    if not source["certain"]:
        return
    longest = sorted(source["ranges"], key=lambda found: found["start"] - found["end"])[:_RANGES]
    for found in sorted(longest, key=lambda found: found["start"]):
        print("   " + painted(f"at {found['start']}:{found['end']}", "2") + "  " + _quoted(found["text"]))
    more = len(source["ranges"]) - _RANGES
    if more > 0:
        print("   " + painted(f"and {more} shorter passage{'' if more == 1 else 's'}: --json", "2"))


def _way(path: list[Json]) -> None:
    """The lines that a value went through, in columns: where, in which function, what stands there."""
    hops = [(f"{_place(hop['file'])}:{hop['line']}", hop["function"] or "", hop["text"] or "") for hop in path]
    place_width, function_width = (max((len(hop[column]) for hop in hops), default=0) for column in (0, 1))
    room = max(20, (width() or 160) - place_width - function_width - 8)
    for place, function, text in hops:
        where = printable(place).ljust(place_width)
        who = painted(printable(function).ljust(function_width), "36")
        print(f"   {where}  {who}  {printable(_cut(text, room))}".rstrip())


def _who(node: Json) -> str:
    place = f"{_place(node['file'])}:{node['line']}" if node["file"] else None
    return printable(" · ".join(fact for fact in (node["function"], place, node["model"]) if fact))


def _place(file: str) -> str:
    """A file as one types it here."""
    here = os.getcwd() + os.sep
    return file.removeprefix(here)


def _quoted(text: str) -> str:
    """A passage in one line."""
    return f"“{printable(_cut(' '.join(text.split()), (width() or 100) - 24))}”"


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else text[: room - 1] + "…"


def _part(title: str, text: str, tool_calls: list[Json]) -> None:
    line = "─" * max(3, min(width() or 72, 72) - len(title) - 4)
    print("\n" + painted(f"── {printable(title)} {line}", "2"))
    if text:
        print(printable(text.rstrip("\n")))
    for wanted in tool_calls:
        print(f"{painted('→', '36')} {printable(wanted['name'])}({printable(wanted['arguments'])})")


def body(result: Json, part: str) -> None:
    """The body of a request or response: JSON indented, anything else as it is."""
    found = result[part] and result[part]["body"]
    text = found if isinstance(found, str) else json.dumps(found, indent=2, ensure_ascii=False)
    sys.stdout.buffer.write(text.encode("utf-8", "replace") + b"\n")


def raw(result: Json, part: str) -> None:
    """A body byte for byte, without its content encoding."""
    sys.stdout.buffer.write(base64.b64decode(result["raw"][part] or ""))


def planned(plan: Json) -> str:
    """`2 of 7 calls live, about 620 tokens, $0.04; 1 edited, 4 replayed`: what a rerun will do, before it starts."""
    rest = ", ".join(f"{plan['counts'][name]} {name}" for name in ("edited", "replayed") if plan["counts"][name])
    again = f"{plan['counts']['run']} run again" if plan["counts"].get("run") else ""
    return "; ".join(filter(None, (plan["estimate"]["summary"], rest, again)))


def notes(result: Json) -> None:
    """What to know of a rerun, beside what the program prints."""
    for note in result["notes"]:
        print(f"ao: {printable(note)}", file=sys.stderr, flush=True)


_ACTIONS = {"replay": "replayed", "input": "live, input edited", "run": "runs again"}


def plan(result: Json) -> None:
    notes(result)
    print(planned(result))
    rows = []
    for entry in result["calls"]:
        action = _ACTIONS.get(entry["action"], entry["action"])
        if entry["affected"]:
            action += ", live if its input changes"
        color = _COLORS.get(action.split(",")[0], "")
        rows.append((str(entry["number"]), (action, color), entry["function"] or "", entry["model"] or ""))
    if rows:
        print("\n" + table(("", "", "", ""), rows, right=(0,)).partition("\n")[2])


def progress_done() -> None:
    """Take the line of the progress away."""
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def progress(said: Json) -> None:
    """On stderr, where that is a terminal."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{printable(said['message'])}", end="", file=sys.stderr, flush=True)
