"""A graph in two languages for diagrams: Mermaid (Markdown) and DOT (Graphviz)."""

from __future__ import annotations

from collections.abc import Mapping

from ao_lsp.server import subruns
from ao_lsp.server.model import Call, Graph
from ao_lsp.server.render import labels


def mermaid(graph: Graph) -> str:
    """https://mermaid.js.org/syntax/flowchart.html"""
    lines, names = ["flowchart TD"], subruns.names(graph)
    for call in graph.calls:
        words = "<br/>".join(map(_mermaid_text, _lines(call, names)))
        lines.append(f'    {labels.key(call)}["{words}"]:::{_class(call, graph)}')
    key = {call.id: labels.key(call) for call in graph.calls}
    for edge in graph.edges:
        arrow = "-->" if edge.evidence == "tracked" else "-.->"
        lines.append(f"    {key[edge.source]} {arrow} {key[edge.target]}")
    lines += [f"    classDef {name} {style}" for name, style in _MERMAID_CLASSES.items()]
    return "\n".join(lines) + "\n"


def dot(graph: Graph) -> str:
    """https://graphviz.org/doc/info/lang.html"""
    lines = [
        f"digraph {_dot_text(graph.run.name)} {{",
        "    rankdir=TB;",
        '    node [shape=box, style="rounded", fontname="sans-serif", fontsize=11];',
    ]
    names = subruns.names(graph)
    for call in graph.calls:
        # \n in a label breaks the line; it must not be escaped with the rest.
        label = '"' + "\\n".join(_dot_text(line)[1:-1] for line in _lines(call, names)) + '"'
        lines.append(f"    {labels.key(call)} [label={label}, color={_DOT_COLORS[_class(call, graph)]}];")
    key = {call.id: labels.key(call) for call in graph.calls}
    for edge in graph.edges:
        style = "" if edge.evidence == "tracked" else " [style=dashed]"
        lines.append(f"    {key[edge.source]} -> {key[edge.target]}{style};")
    return "\n".join([*lines, "}"]) + "\n"


_MERMAID_CLASSES = {
    "live": "stroke:#2da44e",
    "replayed": "stroke:#57a5c9",
    "edited": "stroke:#d4a72c,stroke-width:3px",
    "failed": "stroke:#cf222e",
    "other": "stroke-dasharray:4",
}
_DOT_COLORS = {
    "live": '"#2da44e"',
    "replayed": '"#57a5c9"',
    "edited": '"#d4a72c"',
    "failed": '"#cf222e"',
    "other": '"#8c959f"',
}


def _class(call: Call, graph: Graph) -> str:
    state = labels.state(call, graph.run)
    if "edited" in state:
        return "edited"
    return state if state in ("live", "replayed", "failed") else "other"


def _lines(call: Call, names: Mapping[str, str]) -> list[str]:
    more = [labels.place(call), labels.clean(names.get(call.run, ""))]
    return [f"{labels.number(call)} · {labels.function(call)}", labels.model(call), *filter(None, more)]


def _mermaid_text(text: str) -> str:
    # Entities are written with `#` for `&`, so a `#` of the text is the first to be one.
    for char, entity in (("#", "#35;"), ('"', "#quot;"), ("<", "#lt;"), (">", "#gt;")):
        text = text.replace(char, entity)
    return text


def _dot_text(text: str) -> str:
    return '"' + labels.clean(text).replace("\\", "\\\\").replace('"', '\\"') + '"'
