"""A run as one page: the graph, and what each call was asked and gave. Nothing is fetched from anywhere.

What programs and models wrote is text here and nothing else: it is escaped, and the page's own policy allows no
script but ours (by its hash), no style but ours, and no request.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from ao_lsp import __version__
from ao_lsp.server import pricing, views
from ao_lsp.server.export.recorded import Recorded
from ao_lsp.server.model import Call, Edge, Graph
from ao_lsp.server.render import labels, svg
from ao_lsp.server.views import Json

# Tabs and line ends stay. What turns the direction of text or is no character does not.
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u202a-\u202e\u2066-\u2069]")

_OPEN = 2
"""So many of the last messages are shown, the ones before them folded."""


def drawn(recorded: Recorded) -> str:
    """The whole page."""
    graph = recorded.graph
    style, script, picture = _asset("page.css"), _asset("page.js"), svg.draw(graph, titled=False)
    styles = [style, *re.findall(r"<style>(.*?)</style>", picture, re.DOTALL)]
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src {_hashed(script)}",
            f"style-src {' '.join(map(_hashed, styles))}",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    parts = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">',
        '<meta name="referrer" content="no-referrer">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta name="generator" content="ao-lsp {__version__}">',
        f"<title>{_text(labels.headline(graph))}</title>",
        f"<style>{style}</style>",
        "</head>",
        "<body>",
        *_header(recorded),
        "<main>",
        f'<div class="drawing" tabindex="0" role="group" aria-label="the graph of the calls">{picture}</div>',
        '<div class="calls" aria-live="polite">',
        *(part for call, found in recorded.calls() for part in _article(call, found, graph)),
        "</div>",
        "</main>",
        f"<script>{script}</script>",
        "</body>",
        "</html>",
    ]
    return "\n".join(parts) + "\n"


def _header(recorded: Recorded) -> Iterator[str]:
    graph = recorded.graph
    run = graph.run
    yield "<header>"
    yield f"<h1>{_text(run.name)}</h1>"
    facts = [labels.headline(graph).partition(" · ")[2], views.when(run.started), f"run {run.id}"]
    if run.parent_run:
        facts.append(f"rerun of {run.parent_run}")
    keys = ' <span class="keys">· <kbd>j</kbd> <kbd>k</kbd> next and previous call, <kbd>Enter</kbd> opens one</span>'
    yield f'<p class="facts">{_text(" · ".join(facts))}{keys if graph.calls else ""}</p>'
    if run.error:
        yield f'<p class="error">{_text(labels.failure(run.error))}</p>'
    for text in dict.fromkeys(text for _, _, text in recorded.notes):
        yield f'<p class="note">{_text(text)}</p>'
    yield "</header>"


def _article(call: Call, found: Json, graph: Graph) -> Iterator[str]:
    """A call: what it is, what fed it, what it was asked, what it gave."""
    state = labels.state(call, graph.run)
    yield f'<article id="call-{call.number}" aria-label="call {call.number}">'
    yield f"<h2>{call.number} {_text(labels.function(call))}</h2>"
    marked = f'<span class="state state-{_state(state)}">{_text(state)}</span>'
    yield f'<p class="facts">{marked} · {_text(_facts(call))}</p>'
    where = f"{call.site.file}:{call.site.line}" if call.site else ""
    yield f'<p class="facts">{_text(" · ".join(filter(None, (where, found["request"]["url"]))))}</p>'
    yield from _edges(call, graph)
    for edit in found["edits"]:
        yield f"<h3>edited {_text(edit['field'])}, for a rerun</h3>{_pre(edit['content'])}"
    yield from _messages(found["messages"])
    yield from _output(found)
    yield "</article>"


def _facts(call: Call) -> str:
    tokens = labels.tokens(call)
    if tokens and call.cached_tokens:
        tokens += f" tokens ({labels.amount(call.cached_tokens)} cached)"
    elif tokens:
        tokens += " tokens"
    cost = pricing.told(pricing.total([call.spent]))
    return " · ".join(filter(None, (labels.model(call), call.provider, tokens, cost, labels.seconds(call.duration))))


def _edges(call: Call, graph: Graph) -> Iterator[str]:
    by_id = {one.id: one for one in graph.calls}
    sources = [_edge("←", edge, by_id[edge.source]) for edge in graph.edges if edge.target == call.id]
    sources += [
        f"<li>← {other.number} {_text(labels.function(other))} of run {_text(other.run)}{_way(edge)}</li>"
        for edge, other in graph.outside
        if edge.target == call.id
    ]
    targets = [_edge("→", edge, by_id[edge.target]) for edge in graph.edges if edge.source == call.id]
    if sources or targets:
        yield f"<ul>{''.join(sources + targets)}</ul>"


def _edge(arrow: str, edge: Edge, other: Call) -> str:
    named = f'<a href="#call-{other.number}">{other.number} {_text(labels.function(other))}</a>'
    return f"<li>{arrow} {named}{_way(edge)}</li>"


def _way(edge: Edge) -> str:
    if edge.evidence == "matched":
        return ' <span class="facts">matched by text</span>'
    steps, last = [], None
    for file, line in dict.fromkeys(edge.path):
        steps.append(str(line) if file == last else f"{os.path.basename(file)}:{line}")
        last = file
    return f' <span class="facts">through {_text(", ".join(steps))}</span>' if steps else ""


def _messages(messages: list[Json]) -> Iterator[str]:
    if messages:
        yield "<h3>input</h3>"
    for index, message in enumerate(messages):
        shown = " open" if index >= len(messages) - _OPEN else ""
        size = f"{len(message['text']):,} characters"
        yield f"<details{shown}><summary><b>{_text(message['role'])}</b> {size}</summary>"
        if message["text"]:
            yield _pre(message["text"])
        yield from map(_tool_call, message["tool_calls"])
        yield "</details>"


def _output(found: Json) -> Iterator[str]:
    output: Mapping[str, Any] = found["output"] or {}
    if output.get("reasoning"):
        yield f"<h3>reasoning</h3>{_pre(output['reasoning'])}"
    if output.get("text") is not None or output.get("tool_calls"):
        yield "<h3>output</h3>"
        if output["text"] is not None:
            yield _pre(output["text"])
        yield from map(_tool_call, output["tool_calls"])
    if found["error"]:
        yield f"<h3>error</h3>{_pre(found['error']['type'] + ': ' + found['error']['message'])}"


def _tool_call(wanted: Json) -> str:
    return _pre(f"→ {wanted['name']}({wanted['arguments']})")


def _state(state: str) -> str:
    if state == "live, input edited":
        return "edited"
    return state if state in ("live", "replayed", "edited", "failed") else "other"


def _pre(text: str) -> str:
    # A parser drops a line end right behind the tag.
    return f"<pre>\n{_text(text)}</pre>"


def _text(text: str) -> str:
    return escape(_UNSEEN.sub("\N{REPLACEMENT CHARACTER}", text))


def _asset(name: str) -> str:
    with open(os.path.join(os.path.dirname(__file__), name), encoding="utf-8") as file:
        return file.read()


def _hashed(text: str) -> str:
    """How a policy names an inline script or style: https://www.w3.org/TR/CSP3/#match-element-to-source-list"""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"
