"""A run as one page: the graph, and what each call was asked and gave. Nothing is fetched from anywhere.

What programs and models wrote is text here and nothing else: it is escaped, and the page's own policy allows no
script but ours (by its hash), no style but ours, and no request.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any, TypeAlias

from ao_lsp import __version__
from ao_lsp.server import pricing, views
from ao_lsp.server.export.recorded import Whole
from ao_lsp.server.model import Call, Edge, Edit, Exchange, Graph
from ao_lsp.server.render import labels, svg
from ao_lsp.server.views import Json

# Tabs and line ends stay. What turns the direction of text or is no character does not.
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u202a-\u202e\u2066-\u2069]")

Note: TypeAlias = "tuple[float, str, str]"

_OPEN = 2
"""So many of the last messages are shown, the ones before them folded."""


_SHARED = 10
"""So many messages before the new ones are shown again. What stands before these is where it was new."""

_EDGES = 20
"""So many of the edges to and from a call are listed; the drawing has all that say something."""

_MOST = 32 << 20
"""Characters of all calls together: more than that no browser likes to show, and no mail takes."""

_LEAST = 4_000
"""Characters of a call that are shown however many calls there are."""

_SHORTEST = 200
"""Characters of a text that are shown however long the others of its call are."""


class Page:
    """A page in the making: give it the calls in their order, batch by batch, and take the whole. Of a long run neither
    the bodies nor the repetitions of a conversation have to be in memory at once."""

    def __init__(self, graph: Graph, edits: Sequence[Edit], notes: Sequence[Note]) -> None:
        self._graph, self._notes, self._calls = graph, notes, Whole(graph, edits)
        self._articles: list[str] = []
        self._number = 0
        self._beginnings: dict[bytes, int] = {}
        """Beginning of an input → the number of the call that was the first to have it."""
        self._room = max(_LEAST, _MOST // max(1, len(graph.calls)))

    def add(self, exchanges: Iterable[tuple[Call, Exchange]]) -> None:
        """The next calls of which something is recorded; of those between them, nothing is."""
        for call, exchange in exchanges:
            self._add_until(call.number - 1)
            self._add(call, exchange)

    def whole(self) -> str:
        """The page, with all calls of the run."""
        self._add_until(len(self._graph.calls))
        return _whole(self._graph, self._notes, self._articles)

    def _add_until(self, number: int) -> None:
        for call in self._graph.calls[self._number : number]:
            self._add(call, None)

    def _add(self, call: Call, exchange: Exchange | None) -> None:
        self._number = call.number
        # Not the whole that `ao.call` gives: reading each body once is most of the work.
        found: Json = {
            **views.said_json(call, exchange),
            "error": views.failure_json(call.error),
            "edits": self._calls.edits[call.id],
        }
        before = self._before(call.number, found["messages"])
        room = _Room(self._room, f"ao call {self._graph.run.id} {call.number}")
        self._articles.append("\n".join(_article(call, found, self._calls.around(call), before, room)))

    def _before(self, number: int, messages: Sequence[Json]) -> tuple[int, int]:
        """How many messages an input begins with that an earlier one began with, too; and the number of that call."""
        known, digest = (0, 0), hashlib.blake2b(digest_size=16)
        for count, message in enumerate(messages, 1):
            digest.update(repr((message["role"], message["text"], message["tool_calls"])).encode("utf-8", "replace"))
            first = self._beginnings.setdefault(digest.digest(), number)
            if first != number:
                known = count, first
        return known


class _Room:
    """How much of a call is shown. What is asked for first has the first claim."""

    def __init__(self, left: int, rest: str) -> None:
        self._left, self._rest = left, rest

    def pre(self, text: str) -> str:
        """`text` as it is, or its beginning with where the rest is."""
        shown = _text(text[: max(_SHORTEST, self._left)])
        if len(shown) > max(_SHORTEST, self._left):  # escaped it may be longer
            text_left = max(_SHORTEST, self._left * self._left // len(shown))
            shown = _text(text[:text_left])
        else:
            text_left = max(_SHORTEST, self._left)
        self._left -= len(shown)
        more = len(text) - text_left
        # A parser drops a line end right behind the tag.
        cut = f'<p class="facts">… {more:,} more characters: {_text(self._rest)}</p>' if more > 0 else ""
        return f"<pre>\n{shown}</pre>{cut}"


def _whole(graph: Graph, notes: Sequence[Note], articles: Iterable[str]) -> str:
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
        *_header(graph, notes),
        "<main>",
        f'<div class="drawing" tabindex="0" role="group" aria-label="the graph of the calls">{picture}</div>',
        '<div class="calls" aria-live="polite">',
        *articles,
        "</div>",
        "</main>",
        f"<script>{script}</script>",
        "</body>",
        "</html>",
    ]
    return "\n".join(parts) + "\n"


def _header(graph: Graph, notes: Sequence[Note]) -> Iterator[str]:
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
    for text in dict.fromkeys(text for _, _, text in notes):
        yield f'<p class="note">{_text(text)}</p>'
    yield "</header>"


def _article(call: Call, found: Json, graph: Graph, before: tuple[int, int], room: _Room) -> Iterator[str]:
    """A call: what it is, what fed it, what it was asked, what it gave. Of `graph`, what is around it will do."""
    state = labels.state(call, graph.run)
    # In the order of what is wanted most, where there is not room for all of it.
    output = list(_output(found, room))
    edits = [f"<h3>edited {_text(edit.field)}, for a rerun</h3>{room.pre(edit.content)}" for edit in found["edits"]]
    messages = list(_messages(found["messages"], before, room))
    yield f'<article id="call-{call.number}" aria-label="call {call.number}">'
    yield f"<h2>{call.number} {_text(labels.function(call))}</h2>"
    marked = f'<span class="state state-{_state(state)}">{_text(state)}</span>'
    yield f'<p class="facts">{marked} · {_text(_facts(call))}</p>'
    where = f"{call.site.file}:{call.site.line}" if call.site else ""
    yield f'<p class="facts">{_text(" · ".join(filter(None, (where, call.url))))}</p>'
    yield from _edges(call, graph)
    yield from edits
    yield from messages
    yield from output
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
        yield f"<ul>{''.join([*_some(sources), *_some(targets)])}</ul>"


def _some(edges: list[str]) -> list[str]:
    """The last of many: in a long conversation, each call has to do with all the others."""
    more = len(edges) - _EDGES
    return edges if more <= 0 else [f'<li class="facts">{more:,} more before these</li>', *edges[-_EDGES:]]


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


def _messages(messages: Sequence[Json], before: tuple[int, int], room: _Room) -> Iterator[str]:
    """An input; where it goes on from an earlier one (`_before`), without the most of that one."""
    if messages:
        yield "<h3>input</h3>"
    left_out = max(0, min(before[0], len(messages) - _OPEN) - _SHARED)
    if left_out > 1:
        said = f'the first {left_out:,} messages are those of <a href="#call-{before[1]}">call {before[1]}</a>'
        yield f'<p class="facts">{said}</p>'
    else:
        left_out = 0
    shown = [
        _message(messages[index], index >= len(messages) - _OPEN, room)
        for index in reversed(range(left_out, len(messages)))
    ]
    yield from reversed(shown)


def _message(message: Json, is_open: bool, room: _Room) -> str:
    size = f"{len(message['text']):,} characters"
    parts = [f"<details{' open' if is_open else ''}><summary><b>{_text(message['role'])}</b> {size}</summary>"]
    if message["text"]:
        parts.append(room.pre(message["text"]))
    parts += [_tool_call(wanted, room) for wanted in message["tool_calls"]]
    return "\n".join([*parts, "</details>"])


def _output(found: Json, room: _Room) -> Iterator[str]:
    output: Mapping[str, Any] = found["output"] or {}
    if output.get("reasoning"):
        yield f"<h3>reasoning</h3>{room.pre(output['reasoning'])}"
    if output.get("text") is not None or output.get("tool_calls"):
        yield "<h3>output</h3>"
        if output["text"] is not None:
            yield room.pre(output["text"])
        yield from (_tool_call(wanted, room) for wanted in output["tool_calls"])
    if found["error"]:
        yield f"<h3>error</h3>{room.pre(found['error']['type'] + ': ' + found['error']['message'])}"


def _tool_call(wanted: Json, room: _Room) -> str:
    return room.pre(f"→ {wanted['name']}({wanted['arguments']})")


def _state(state: str) -> str:
    if state == "live, input edited":
        return "edited"
    return state if state in ("live", "replayed", "edited", "failed") else "other"


def _text(text: str) -> str:
    return escape(_UNSEEN.sub("\N{REPLACEMENT CHARACTER}", text))


def _asset(name: str) -> str:
    with open(os.path.join(os.path.dirname(__file__), name), encoding="utf-8") as file:
        return file.read()


def _hashed(text: str) -> str:
    """How a policy names an inline script or style: https://www.w3.org/TR/CSP3/#match-element-to-source-list"""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"
