"""A run as a trace of OpenTelemetry: OTLP in JSON, with the attributes of the GenAI conventions.

https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding: ids are hex, enumerations numbers, and 64-bit
numbers texts. https://opentelemetry.io/docs/specs/semconv/gen-ai/ names the attributes; `ao.…` are ours.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any
from urllib.parse import urlsplit

from ao_lsp import __version__
from ao_lsp.server import pricing, providers, views
from ao_lsp.server.export.recorded import Recorded
from ao_lsp.server.model import Call, Edge, Graph, Run
from ao_lsp.server.providers import body as bodies
from ao_lsp.server.views import Json

_INTERNAL, _CLIENT = 1, 3  # Span.SpanKind
_ERROR = 2  # Status.StatusCode

# The end of an endpoint, and what the conventions call such an operation.
_OPERATIONS = (
    ("/chat/completions", "chat"),
    ("/completions", "text_completion"),
    ("/api/generate", "text_completion"),
    (":generateContent", "generate_content"),
    (":streamGenerateContent", "generate_content"),
)

_PROVIDERS = {
    "azure": "azure.ai.openai",
    "google": "gcp.gemini",
    "bedrock": "aws.bedrock",
    "xai": "x_ai",
    "mistral": "mistral_ai",
}
"""Ours → that of the conventions, where the two differ."""

# Names in requests → attributes below gen_ai.request.
_PARAMETERS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "topP": "top_p",
    "top_k": "top_k",
    "topK": "top_k",
    "max_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "max_output_tokens": "max_tokens",
    "maxOutputTokens": "max_tokens",
    "maxTokens": "max_tokens",
    "num_predict": "max_tokens",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "seed": "seed",
    "stop": "stop_sequences",
    "stop_sequences": "stop_sequences",
    "stopSequences": "stop_sequences",
    "n": "choice.count",
}
_GROUPS = ("generationConfig", "inferenceConfig", "options")
"""Where Gemini, Bedrock and Ollama have them."""

_DOUBLES = frozenset({"temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty"})


def traces(recorded: Recorded) -> Json:
    """An `ExportTraceServiceRequest`: one trace, its root the run, a span for each call, a link for each edge."""
    run = recorded.graph.run
    resource = {
        "service.name": run.name,
        "process.runtime.name": "python",
        "process.runtime.version": run.python_version or None,
        "process.command_args": list(run.argv),
        "process.working_directory": run.cwd,
        "ao.session": run.session,
    }
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": _attributes(resource)},
                "scopeSpans": [{"scope": {"name": "ao-lsp", "version": __version__}, "spans": _spans(recorded)}],
            }
        ]
    }


def trace_id(run: str) -> str:
    """Of the trace of a run: 16 bytes, the same in every export."""
    return blake2b(run.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def span_id(run: str, call: str = "") -> str:
    """Of the span of a call, or of the run itself: 8 bytes, the same in every export."""
    return blake2b(f"{run}\0{call}".encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _spans(recorded: Recorded) -> list[Json]:
    graph = recorded.graph
    ends = [call.started + (call.duration or 0.0) for call in graph.calls]
    end = max([graph.run.started, *ends, *([graph.run.ended] if graph.run.ended else [])])
    links: dict[str, list[Json]] = {call.id: [] for call in graph.calls}
    for edge in graph.edges:
        links[edge.target].append(_link(edge, graph.run.id))
    for edge, source in graph.outside:
        links[edge.target].append(_link(edge, source.run))
    spans = [_run_span(graph, end)]
    for call, found in recorded.calls():
        exchange = recorded.exchanges.get(call.id)
        sent: Json = {}
        if exchange is not None:
            sent = providers.fields(
                exchange.request_headers, bodies.decoded(exchange.request_headers, exchange.request)
            )
        spans.append(_call_span(call, graph.run, found, sent, links[call.id], end))
    return spans


def _run_span(graph: Graph, end: float) -> Json:
    run = graph.run
    cost = views.cost_json(pricing.total(call.spent for call in graph.calls))
    attributes = {
        "gen_ai.operation.name": "invoke_workflow",
        "gen_ai.workflow.name": run.name,
        "error.type": run.error.type if run.error else None,
        "ao.run.id": run.id,
        "ao.run.status": run.status,
        "ao.run.exit_code": run.exit_code,
        "ao.run.parent": run.parent_run,
        "ao.run.fork_call": run.fork_call,
        "ao.cost_usd": cost["cost_usd"],
        "ao.unknown_costs": cost["unknown_costs"],
    }
    failed = run.status in ("failed", "killed")
    return {
        "traceId": trace_id(run.id),
        "spanId": span_id(run.id),
        "name": f"invoke_workflow {run.name}",
        "kind": _INTERNAL,
        "startTimeUnixNano": _nanos(run.started),
        "endTimeUnixNano": _nanos(end),
        "attributes": _attributes(attributes),
        "status": {"code": _ERROR, "message": _text(run.error.message if run.error else run.status)} if failed else {},
    }


def _call_span(call: Call, run: Run, found: Json, sent: Json, links: list[Json], end: float) -> Json:
    operation = _operation(call)
    ended = call.started + call.duration if call.duration is not None else max(end, call.started)
    status = views.status_of(call, run)
    error = call.error.message if call.error else status
    return {
        "traceId": trace_id(run.id),
        "spanId": span_id(run.id, call.id),
        "parentSpanId": span_id(run.id),
        "name": f"{operation} {call.model}" if call.model else operation,
        "kind": _CLIENT,
        "startTimeUnixNano": _nanos(call.started),
        "endTimeUnixNano": _nanos(ended),
        "attributes": _attributes({"gen_ai.operation.name": operation, **_said(call, found, sent), **_ours(call, run)}),
        "links": links,
        "status": {"code": _ERROR, "message": _text(error)} if status in ("error", "cancelled") else {},
    }


def _operation(call: Call) -> str:
    if call.kind == "embedding":
        return "embeddings"
    if call.kind != "llm":
        return "execute_tool"
    path = call.endpoint.rstrip("/")
    return next((name for ending, name in _OPERATIONS if path.endswith(ending)), "chat")


def _said(call: Call, found: Json, sent: Json) -> dict[str, Any]:
    """What the conventions have names for."""
    output, whole = found["output"] or {}, (found["response"] or {}).get("body")
    host, port = _address(call.url)
    named = call.error.type if call.error else ""
    failed = named if named and not named.startswith("HTTP ") else str(call.http_status or "error")
    tool = call.kind not in pricing.KINDS
    return {
        "gen_ai.provider.name": None if tool else _provider(call),
        "gen_ai.request.model": None if tool else call.model,
        "gen_ai.tool.name": call.model if tool else None,
        **{f"gen_ai.request.{name}": value for name, value in _parameters(sent).items()},
        "gen_ai.request.stream": True if call.streamed else None,
        "gen_ai.response.id": whole.get("id") if isinstance(whole, dict) and isinstance(whole.get("id"), str) else None,
        "gen_ai.response.model": call.served_model,
        "gen_ai.response.finish_reasons": [call.finish_reason] if call.finish_reason else None,
        "gen_ai.response.time_to_first_chunk": call.first_byte if call.streamed else None,
        "gen_ai.usage.input_tokens": call.input_tokens,
        "gen_ai.usage.output_tokens": call.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": call.cached_tokens,
        "gen_ai.usage.cache_creation.input_tokens": call.cache_write_tokens,
        "gen_ai.usage.reasoning.output_tokens": call.reasoning_tokens,
        "gen_ai.input.messages": _messages(found["messages"]),
        "gen_ai.output.messages": _messages([{"role": "assistant", **output}]) if output else None,
        "server.address": host,
        "server.port": port,
        "http.response.status_code": call.http_status,
        "error.type": failed if call.status == "error" else None,
        "code.file.path": call.site.file if call.site else None,
        "code.line.number": call.site.line if call.site else None,
        "code.function.name": call.site.function if call.site else None,
        "thread.name": call.thread,
    }


def _ours(call: Call, run: Run) -> dict[str, Any]:
    return {
        "ao.call.id": call.id,
        "ao.call.number": call.number,
        "ao.call.status": views.status_of(call, run),
        "ao.call.origin": call.origin,
        "ao.call.source": call.source_call,
        "ao.call.task": call.task,
        "ao.cost_usd": pricing.cost(call.spent),
    }


def _provider(call: Call) -> str | None:
    if call.provider == "google" and "aiplatform" in call.url:
        return "gcp.vertex_ai"
    return _PROVIDERS.get(call.provider or "", call.provider)


def _address(url: str) -> tuple[str | None, int | None]:
    try:
        parts = urlsplit(url)
        return parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        return None, None


def _parameters(sent: Json) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for group in (sent, *(sent[name] for name in _GROUPS if isinstance(sent.get(name), dict))):
        for name, value in group.items():
            attribute = _PARAMETERS.get(name)
            if attribute == "stop_sequences":
                value = [value] if isinstance(value, str) else value
                if isinstance(value, list) and all(isinstance(item, str) for item in value):
                    found[attribute] = value
            elif attribute and isinstance(value, int | float) and not isinstance(value, bool):
                found[attribute] = float(value) if attribute in _DOUBLES else int(value)
    return found


def _messages(messages: Iterable[Mapping[str, Any]]) -> str | None:
    """As JSON text, which is how attributes carry what has a shape."""
    listed = []
    for message in messages:
        parts: list[Json] = []
        if message.get("reasoning"):
            parts.append({"type": "reasoning", "content": message["reasoning"]})
        if message.get("text"):
            parts.append({"type": "text", "content": message["text"]})
        for wanted in message.get("tool_calls", ()):
            parts.append({"type": "tool_call", **wanted, "arguments": _json(wanted["arguments"])})
        finish = message.get("finish_reason")
        listed.append({"role": message["role"], "parts": parts, **({"finish_reason": finish} if finish else {})})
    return json.dumps(listed, ensure_ascii=False) if listed else None


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _link(edge: Edge, run: str) -> Json:
    """From a call to the one whose output reached it."""
    path = [f"{file}:{line}" for file, line in edge.path]
    return {
        "traceId": trace_id(run),
        "spanId": span_id(run, edge.source),
        "attributes": _attributes({"ao.edge.evidence": edge.evidence, "ao.edge.path": path}),
    }


def _attributes(values: Mapping[str, Any]) -> list[Json]:
    """What is known, as OTLP has it."""
    return [{"key": name, "value": _value(value)} for name, value in values.items() if value is not None]


def _value(value: Any) -> Json:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_value(item) for item in value]}}
    return {"stringValue": _text(str(value))}


def _text(text: str) -> str:
    """Half a surrogate pair is no text for protobuf."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _nanos(seconds: float) -> str:
    """Microseconds are what a float of seconds has; no time is before 1970."""
    return str(max(0, round(seconds * 1e6)) * 1000)
