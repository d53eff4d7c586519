"""A graph as a picture: one self-contained SVG file, for light and dark pages alike.

Downwards or to the right, whichever is narrower: a page scrolls downwards. Tracked edges are solid,
matched ones dashed, and those that longer ways imply (reduce.py) faint, as long as they are few.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import pairwise

from ao_lsp.server import subruns
from ao_lsp.server.model import Call, Edge, Graph
from ao_lsp.server.render import labels, reduce
from ao_lsp.server.render.layout import Placed, place

_WIDTH, _HEIGHT = 216, 62  # of a box
_LETTERS = 29  # that fit into it, in the widest of the fonts
_ACROSS, _ALONG = 56, 22  # free between layers, and within one
_MARGIN, _TITLE, _LEGEND = 20, 44, 34

# Beyond this many for each call, faint lines say nothing any more: the legend tells how many there are.
_MOST_IMPLIED = 3

# Plain rules, and others over them for dark pages: many viewers know neither variables nor media.
_PAINTS = {  # property, light, dark
    ".page": ("fill", "#ffffff", "#0d1117"),
    ".box": ("fill", "#f6f8fa", "#161b22"),
    ".box ": ("stroke", "#d0d7de", "#3d444d"),
    ".edge": ("stroke", "#6e7781", "#9198a1"),
    ".head": ("fill", "#6e7781", "#9198a1"),
    "text": ("fill", "#1f2328", "#f0f6fc"),
    ".dim": ("fill", "#59636e", "#9198a1"),
    ".live": ("fill", "#1a7f37", "#3fb950"),
    ".replayed": ("fill", "#0969da", "#58a6ff"),
    ".edited": ("fill", "#bf8700", "#d29922"),
    ".failed": ("fill", "#cf222e", "#f85149"),
    ".other": ("fill", "#8c959f", "#656c76"),
}
_STYLE = "\n".join(
    [
        'text { font: 12px ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, Helvetica, sans-serif; }',
        ".dim { font-size: 11px; } .name { font-weight: 600; font-size: 13px; }",
        ".edge { fill: none; stroke-width: 1.4; } .matched { stroke-dasharray: 5 4; } .implied { opacity: 0.3; }",
        *(f"{name} {{ {what}: {light}; }}" for name, (what, light, _) in _PAINTS.items()),
        "@media (prefers-color-scheme: dark) {",
        *(f"  {name} {{ {what}: {dark}; }}" for name, (what, _, dark) in _PAINTS.items()),
        "}",
    ]
)


def draw(graph: Graph, *, titled: bool = True) -> str:
    """The whole file; without a title where the page around it has one."""
    edges, count = reduce.indexed(graph), len(graph.calls)
    needed = reduce.needed(count, [(source, target) for source, target, _ in edges])
    implied = [(source, target) for source, target, _ in edges if (source, target) not in needed]
    hidden = len(implied) if len(implied) > _MOST_IMPLIED * count else 0
    if hidden:
        edges, implied = [entry for entry in edges if entry[:2] in needed], []
    picture = min(
        _Picture(place(count, needed, _WIDTH, _ALONG), implied, downwards=True),
        _Picture(place(count, needed, _HEIGHT, _ALONG), implied, downwards=False),
        key=lambda made: made.width,
    )
    legend, title = _legend(graph, hidden), _text(labels.headline(graph))
    top = _TITLE if titled else 0
    shown = [f'<text class="name" x="{_MARGIN}" y="{_MARGIN + 12}">{title}</text>'] if titled else []
    words = max(8.0 * len(title) if titled else 0.0, sum(length for _, _, length in legend))
    width = max(picture.width, words) + 2 * _MARGIN
    height = picture.height + top + _LEGEND + 2 * _MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}"'
        f' height="{height:.0f}" role="img" aria-label="{title}">',
        f"<style>{_STYLE}</style>",
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"'
        ' orient="auto"><path class="head" d="M0 0.5 8 4 0 7.5z"/></marker></defs>',
        f'<rect class="page" width="{width:.0f}" height="{height:.0f}" rx="8"/>',
        *shown,
        # In the middle of a page that its title or legend made wider.
        f'<g transform="translate({(width - picture.width) / 2:.1f} {_MARGIN + top})">',
        *(picture.edge(edge, source, target) for source, target, edge in edges),
        *(part for index, call in enumerate(graph.calls) for part in picture.box(index, call, graph)),
        "</g>",
        *_legend_parts(legend, height - _MARGIN),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


class _Picture:
    """Boxes and lines of a layout, in pixels. `implied` edges are no part of the layout."""

    def __init__(self, placed: Placed, implied: Sequence[tuple[int, int]], *, downwards: bool) -> None:
        self._placed, self._downwards = placed, downwards
        nodes = placed.nodes
        # A curve comes three quarters of the way to its control points.
        flank = 0.75 * max((_bulge(nodes[target][1] - nodes[source][1]) for source, target in implied), default=0.0)
        deep = placed.layers * ((_HEIGHT if downwards else _WIDTH) + _ACROSS) - _ACROSS
        along = placed.extent + flank
        self.width: float = along if downwards else deep
        self.height: float = deep if downwards else along

    def box(self, index: int, call: Call, graph: Graph) -> Iterator[str]:
        """A call: its function and time, its model and tokens, its line."""
        x, y = self._corner(*self._placed.nodes[index])
        state, took, tokens = labels.state(call, graph.run), labels.seconds(call.duration), labels.tokens(call)
        place = " · ".join(filter(None, (labels.place(call), labels.clean(subruns.names(graph).get(call.run, "")))))
        facts = [labels.model(call), place, tokens, labels.cost(call), took, state]
        told = "\n".join([f"{labels.number(call)} {labels.function(call)}", *filter(None, facts)])
        yield f'<g class="call" id="box-{call.number}" transform="translate({x:.1f} {y:.1f})">'
        yield f"<title>{_text(told)}</title>"
        yield f'<rect class="box" width="{_WIDTH}" height="{_HEIGHT}" rx="7"/>'
        yield f'<rect class="{_class(state)}" x="0" y="8" width="4" height="{_HEIGHT - 16}" rx="2"/>'
        yield f'<text class="name" x="14" y="21">{_text(_titled(call, _LETTERS - 2 - len(took)))}</text>'
        yield f'<text class="dim" x="14" y="38">{_text(_cut(labels.model(call), _LETTERS - len(tokens)))}</text>'
        yield f'<text class="dim" x="14" y="53">{_text(_cut(place, _LETTERS))}</text>'
        for baseline, said in ((21, took), (38, tokens)):
            yield f'<text class="dim" x="{_WIDTH - 10}" y="{baseline}" text-anchor="end">{said}</text>'
        yield "</g>"

    def edge(self, edge: Edge, source: int, target: int) -> str:
        """A line from box to box, in curves from layer to layer."""
        line = self._placed.lines.get((source, target))
        path = self._path(line) if line else self._bow(self._placed.nodes[source], self._placed.nodes[target])
        classes = f"edge{' matched' if edge.evidence == 'matched' else ''}{'' if line else ' implied'}"
        return f'<path class="{classes}" marker-end="url(#head)" d="{path}"/>'

    def _bow(self, source: tuple[float, int], target: tuple[float, int]) -> str:
        """An implied edge: beside the others, from flank to flank."""
        (x1, y1), (x2, y2) = self._corner(*source), self._corner(*target)
        out = _bulge(target[1] - source[1])
        if self._downwards:
            x1, x2, y1, y2 = x1 + _WIDTH, x2 + _WIDTH, y1 + _HEIGHT / 2, y2 + _HEIGHT / 2
            side = max(x1, x2) + out
            return f"M{x1:.1f} {y1:.1f} C{side:.1f} {y1:.1f} {side:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
        x1, x2, y1, y2 = x1 + _WIDTH / 2, x2 + _WIDTH / 2, y1 + _HEIGHT, y2 + _HEIGHT
        side = max(y1, y2) + out
        return f"M{x1:.1f} {y1:.1f} C{x1:.1f} {side:.1f} {x2:.1f} {side:.1f} {x2:.1f} {y2:.1f}"

    def _path(self, points: Sequence[tuple[float, int]]) -> str:
        deep = _HEIGHT if self._downwards else _WIDTH
        steps = []
        for (along, layer), (next_along, next_layer) in pairwise(points):
            start, end = layer * (deep + _ACROSS) + deep, next_layer * (deep + _ACROSS)
            bend = (end - start) / 2
            steps.append((along, start, along, start + bend, next_along, end - bend, next_along, end))
        path = ""
        for index, step in enumerate(steps):
            pairs = [(step[i], step[i + 1]) if self._downwards else (step[i + 1], step[i]) for i in (0, 2, 4, 6)]
            begin, *curve = (f"{x:.1f} {y:.1f}" for x, y in pairs)
            # A bend is as deep as the boxes of its layer: straight through it, then on.
            path += f"{'L' if index else 'M'}{begin} C{' '.join(curve)} "
        return path.strip()

    def _corner(self, along: float, layer: int) -> tuple[float, float]:
        if self._downwards:
            return along - _WIDTH / 2, layer * (_HEIGHT + _ACROSS)
        return layer * (_WIDTH + _ACROSS), along - _HEIGHT / 2


def _bulge(layers: int) -> float:
    """How far an edge over so many layers bows out, in pixels."""
    return 24.0 + 14.0 * layers


def _legend(graph: Graph, hidden: int) -> list[tuple[str, str, float]]:
    """What the colours and lines mean, as far as they occur: kind, words, pixels."""
    states = {labels.state(call, graph.run) for call in graph.calls}
    words = [(_class(state), state) for state in sorted(states)]
    if any(edge.evidence == "matched" for edge in graph.edges):
        words.append(("matched", "matched by text"))
    if hidden:
        words.append(("", f"and {hidden} direct edges that longer ways imply"))
    return [(kind, said, 7.0 * len(said) + 34) for kind, said in words]


def _legend_parts(legend: Sequence[tuple[str, str, float]], y: float) -> Iterator[str]:
    x = float(_MARGIN)
    for kind, said, length in legend:
        if kind == "matched":
            yield f'<path class="edge matched" d="M{x:.0f} {y - 4:.0f}h16"/>'
        elif kind:
            yield f'<rect class="{kind}" x="{x + 4:.0f}" y="{y - 9:.0f}" width="9" height="9" rx="2"/>'
        yield f'<text class="dim" x="{x + 20:.0f}" y="{y:.0f}">{_text(said)}</text>'
        x += length


def _class(state: str) -> str:
    if state == "live, input edited":
        return "edited"
    return state if state in ("live", "replayed", "edited", "failed") else "other"


def _titled(call: Call, room: int) -> str:
    """Number and function; of a long qualified name the end tells more."""
    number = labels.number(call)
    name, room = labels.function(call), room - len(number)
    return f"{number} {name if len(name) <= room else '…' + name[1 - room :]}"


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _text(text: str) -> str:
    return escape("\n".join(map(labels.clean, text.split("\n"))))
