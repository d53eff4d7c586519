"""Runs, calls and graphs as JSON: the contract of scripts, agents and editors. Fields are only added."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any, Literal, TypeAlias

from ao_lsp.server import estimate, pricing, providers, subruns
from ao_lsp.server.estimate import Estimate, Use
from ao_lsp.server.model import Call, CallStatus, Edge, Edit, Exchange, Failure, Graph, Run, RunSummary, Site
from ao_lsp.server.providers import body as bodies
from ao_lsp.server.results import calls as on_calls
from ao_lsp.server.results import rerunning as on_reruns
from ao_lsp.server.results import runs as on_runs
from ao_lsp.server.search import Match

Json: TypeAlias = "dict[str, Any]"


def run_json(run: Run) -> on_runs.RunJson:
    return {
        "id": run.id,
        "name": run.name,
        "status": run.status,
        "exit_code": run.exit_code,
        "argv": list(run.argv),
        "started": when(run.started),
        "duration_s": _rounded(run.duration),
        "version": run.version,
        "parent_run": run.parent_run,
        "fork_call": run.fork_call,
        "subrun_of": run.subrun_of,
        "result": None if run.result is None else json.loads(run.result),
        "notes": list(run.remarks),
        "version_exact": None if run.version is None else not run.version_note,
        "version_note": run.version_note or None,
    }


def summary_json(summary: RunSummary) -> on_runs.SummaryJson:
    run = summary.run
    return {
        **run_json(run),
        "session": run.session,
        "cwd": run.cwd,
        "error": failure_json(run.error),
        "calls": summary.calls,
        "failed_calls": summary.failed_calls,
        "live_calls": summary.live_calls,
        "edits": summary.edits,
        "input_tokens": summary.input_tokens,
        "output_tokens": summary.output_tokens,
        **cost_json(pricing.total(summary.spent)),
    }


def found_json(summary: RunSummary, match: Match) -> on_runs.FoundRunJson:
    """A run, and the calls of it that say what was looked for."""
    return {**summary_json(summary), **match_json(match)}


def match_json(match: Match) -> on_runs.MatchesJson:
    """The calls of a run that say what was looked for."""
    return {
        "matching_calls": match.count,
        "matches": [
            {
                "call": said.call,
                "run": said.run,
                "number": said.number,
                "part": found.part,
                "text": found.text,
                "start": found.start,
                "end": found.end,
            }
            for said, found in match.calls
        ],
    }


def cost_json(cost: pricing.Cost) -> on_runs.CostJson:
    """A sum: null where nothing of it is known."""
    return {
        "cost_usd": None if cost.unknown and not cost.usd else _dollars(cost.usd),
        "unknown_costs": cost.unknown,
    }


def estimate_json(found: Estimate) -> on_reruns.EstimateJson:
    """What a rerun will use; `summary` is a sentence for people."""
    return {"summary": estimate.told(found), "live": _use_json(found.live), "most": _use_json(found.most)}


def _use_json(use: Use) -> on_reruns.UseJson:
    return {
        "calls": use.calls,
        "tokens": use.tokens,
        "unknown_tokens": use.unknown_tokens,
        **cost_json(use.cost),
    }


def node_json(call: Call, run: Run, subrun: str | None) -> on_calls.NodeJson:
    """`subrun` is what the run of the call is called in `run`."""
    return {
        "id": call.id,
        "run": call.run,
        "number": call.number,
        "kind": call.kind,
        "provider": call.provider,
        "model": call.model,
        "endpoint": call.endpoint,
        "status": status_of(call, run),
        "origin": call.origin,
        "file": call.site.file if call.site else None,
        "line": call.site.line if call.site else None,
        "end_line": call.site.end_line if call.site else None,
        "function": call.site.function if call.site else None,
        "input_tokens": call.input_tokens,
        "output_tokens": call.output_tokens,
        "cached_tokens": call.cached_tokens,
        "reasoning_tokens": call.reasoning_tokens,
        "cost_usd": _dollars(pricing.cost(call.spent)),
        "duration_s": _rounded(call.duration),
        "streamed": call.streamed,
        "thread": call.thread,
        "task": call.task,
        "subrun": subrun,
    }


def status_of(call: Call, run: Run) -> CallStatus:
    """A call that still runs when its run is over will never end."""
    return "cancelled" if call.status == "running" and run.status != "running" else call.status


def edge_json(edge: Edge) -> on_calls.EdgeJson:
    return {
        "source": edge.source,
        "target": edge.target,
        "evidence": edge.evidence,
        "path": [{"file": file, "line": line} for file, line in edge.path],
    }


def graph_json(graph: Graph) -> on_runs.GraphJson:
    names = subruns.names(graph)
    return {
        "run": _run_with_cost(graph),
        "subruns": [run_json(run) for run in graph.subruns],
        "nodes": [node_json(call, graph.run, names.get(call.run)) for call in graph.calls],
        "edges": [edge_json(edge) for edge in graph.edges],
        "outside": [outside_json(edge, call) for edge, call in graph.outside],
    }


def _run_with_cost(graph: Graph) -> on_runs.GraphRunJson:
    return {**run_json(graph.run), **cost_json(pricing.total(call.spent for call in graph.calls))}


def drawn_json(graph: Graph, first: int) -> on_runs.DrawnJson:
    """What the text of a drawn graph is of: its run, and of each line with a call that call. `first` is the line of
    the first one, from 0."""
    names, whole = subruns.names(graph), graph.whole or graph
    return {
        "details": _run_with_cost(whole),
        "subruns": [run_json(run) for run in graph.subruns],
        "rows": [
            {"row": first + index, "node": node_json(call, graph.run, names.get(call.run))}
            for index, call in enumerate(graph.calls)
        ],
    }


def outside_json(edge: Edge, call: Call) -> on_calls.OutsideJson:
    """An edge from `call`, which is of another run."""
    return {
        **edge_json(edge),
        "run": call.run,
        "number": call.number,
        "function": call.site.function if call.site else None,
        "file": call.site.file if call.site else None,
        "line": call.site.line if call.site else None,
    }


def with_evidence(graph: Graph, evidence: Literal["tracked", "all"]) -> Graph:
    """`graph` with the edges of that evidence only."""
    if evidence == "all":
        return graph
    return replace(graph, edges=tuple(edge for edge in graph.edges if edge.evidence == "tracked"))


def call_json(
    graph: Graph, call: Call, exchange: Exchange | None, edits: list[Edit], raw: bool
) -> on_calls.WholeCallJson | on_calls.RawCallJson:
    """A call, whole. `raw` adds the bodies as they travelled, base64."""
    sent = exchange.request if exchange else b""
    headers = exchange.request_headers if exchange else ()
    numbers = {other.id: other.number for other in graph.calls}
    said: on_calls.WholeCallJson = {
        "run": graph.run.id,
        "call": node_json(call, graph.run, subruns.names(graph).get(call.run)),
        **said_json(call, exchange),
        "error": failure_json(call.error),
        "request": {
            "method": call.method,
            "url": call.url,
            "headers": [list(pair) for pair in headers],
            "body": _body(headers, sent),
        },
        "response": _response(call, exchange),
        "sources": [{"number": numbers[e.source], **edge_json(e)} for e in graph.edges if e.target == call.id],
        "targets": [{"number": numbers[e.target], **edge_json(e)} for e in graph.edges if e.source == call.id],
        "outside": [outside_json(edge, other) for edge, other in graph.outside if edge.target == call.id],
        "edits": [edit_json(edit) for edit in edits if edit.call == call.id],
        "source_call": call.source_call,
        "input_edited": call.input_edited,
        "started": when(call.started),
        "first_byte_s": _rounded(call.first_byte),
        "complete": call.complete,
        "site": None if call.site is None else site_json(call.site),
        "stack": [site_json(site) for site in call.stack],
    }
    return {**said, "raw": _raw(exchange)} if raw else said


def said_json(call: Call, exchange: Exchange | None) -> on_calls.SaidJson:
    """What a call was asked and gave, in words."""
    headers, sent = (exchange.request_headers, exchange.request) if exchange else ((), b"")
    asked = providers.read_request(call.endpoint, call.url, headers, sent)
    return {"messages": [_message(message) for message in asked.messages], "output": _output(call, exchange)}


def edit_json(edit: Edit) -> on_calls.EditJson:
    return {
        "call": edit.call,
        "field": edit.field,
        "created": when(edit.created),
        "version": edit.version,
        "content": edit.content,
    }


def site_json(site: Site) -> on_calls.SiteJson:
    return {
        "file": site.file,
        "line": site.line,
        "end_line": site.end_line,
        "column": site.column,
        "end_column": site.end_column,
        "function": site.function,
    }


def failure_json(failure: Failure | None) -> on_calls.FailureJson | None:
    if failure is None:
        return None
    return {"type": failure.type, "message": failure.message, "file": failure.file, "line": failure.line}


def _message(message: providers.Message) -> on_calls.MessageJson:
    return {"role": message.role, "text": message.text, "tool_calls": _tool_calls(message.tool_calls)}


def _tool_calls(calls: tuple[providers.ToolCall, ...]) -> list[on_calls.ToolCallJson]:
    return [{"id": call.id, "name": call.name, "arguments": call.arguments} for call in calls]


def _output(call: Call, exchange: Exchange | None) -> on_calls.OutputJson | None:
    if exchange is None or exchange.response is None:
        return None
    said = providers.read_response(call.endpoint, exchange.response_headers, exchange.response)
    return {
        "text": said.text,
        "reasoning": said.reasoning,
        "tool_calls": _tool_calls(said.tool_calls),
        "finish_reason": said.finish_reason,
        "model": said.model,
        "usage": {
            "input_tokens": said.input_tokens,
            "cached_tokens": said.cached_tokens,
            "cache_write_tokens": said.cache_write_tokens,
            "output_tokens": said.output_tokens,
            "reasoning_tokens": said.reasoning_tokens,
        },
    }


def _response(call: Call, exchange: Exchange | None) -> on_calls.HttpResponseJson | None:
    if exchange is None or exchange.response is None:
        return None
    headers = exchange.response_headers
    whole = providers.whole_response(call.endpoint, headers, exchange.response)
    return {
        "status": call.http_status,
        "headers": [list(pair) for pair in headers],
        # A stream is given put together: the form in which a whole output is edited.
        "body": whole if whole is not None else _body(headers, exchange.response),
    }


def _body(headers: tuple[tuple[str, str], ...], body: bytes) -> Any:
    """A body as JSON where it is JSON, else as text, a form by its fields; null where its encoding cannot be undone.
    What is no text (sound, images) is named."""
    plain = bodies.decoded(headers, body)
    if plain is None:
        return None
    found = providers.fields(headers, plain) or bodies.parsed(plain)
    if found is not None:
        return found
    kind = bodies.header(headers, "content-type").partition(";")[0].strip()
    try:
        return plain.decode("utf-8")
    except UnicodeDecodeError:
        if kind.startswith("text/") or "json" in kind:
            return plain.decode("utf-8", "replace")
        return f"[{kind or 'data'}, {len(plain)} bytes]"


def _raw(exchange: Exchange | None) -> on_calls.BodiesJson:
    """Both bodies, base64, without their content encoding where that can be undone."""
    if exchange is None:
        return {"request": None, "response": None}
    return {
        "request": _base64(exchange.request_headers, exchange.request),
        "response": None if exchange.response is None else _base64(exchange.response_headers, exchange.response),
    }


def _base64(headers: tuple[tuple[str, str], ...], body: bytes) -> str:
    plain = bodies.decoded(headers, body)
    return base64.b64encode(body if plain is None else plain).decode("ascii")


def when(seconds: float) -> str:
    """ISO 8601, UTC."""
    try:
        at = datetime.fromtimestamp(seconds, timezone.utc)
    except (OverflowError, OSError, ValueError):  # a clock that is out of its mind
        at = datetime.fromtimestamp(0, timezone.utc)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _dollars(usd: float | None) -> float | None:
    """To a millionth of a cent: what is behind that is the sum's, not the price's."""
    return None if usd is None else round(usd, 8)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)
