"""Drawings of a graph: for a terminal, for Markdown, for Graphviz, and as a picture."""

from __future__ import annotations

from typing import Literal

from ao_lsp.server.model import Graph
from ao_lsp.server.render import diagrams, svg, text
from ao_lsp.server.render.labels import clean
from ao_lsp.server.render.text import Style, first_line

__all__ = ["Style", "clean", "drawn", "first_line"]


def drawn(graph: Graph, form: Literal["text", "mermaid", "dot", "svg"], style: Style) -> str:
    """`graph` in that form; `style` is for the terminal."""
    if form == "text":
        return text.draw(graph, style)
    if form == "mermaid":
        return diagrams.mermaid(graph)
    if form == "dot":
        return diagrams.dot(graph)
    return svg.draw(graph)
