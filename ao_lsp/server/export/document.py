"""A run as one JSON document (docs/export.md)."""

from __future__ import annotations

from ao_lsp import __version__
from ao_lsp.server import pricing, views
from ao_lsp.server.export.recorded import Recorded
from ao_lsp.server.views import Json

VERSION = 1
"""Of the document. Fields are only added within one."""


def document(recorded: Recorded) -> Json:
    """The whole document."""
    graph = recorded.graph
    run = graph.run
    return {
        "ao_export": VERSION,
        "generator": f"ao-lsp {__version__}",
        "run": {
            **views.run_json(run),
            **views.cost_json(pricing.total(call.spent for call in graph.calls)),
            "session": run.session,
            "cwd": run.cwd,
            "python_version": run.python_version,
            "error": views.failure_json(run.error),
        },
        "calls": [_call(found) for _, found in recorded.calls()],
        "edges": [views.edge_json(edge) for edge in graph.edges],
        "outside": [views.outside_json(edge, call) for edge, call in graph.outside],
        "notes": [{"at": views.when(at), "level": level, "message": text} for at, level, text in recorded.notes],
    }


def _call(found: Json) -> Json:
    """A call as `ao.call` gives it; its edges are those of the run."""
    node = found.pop("call")
    left_out = ("run", "sources", "targets", "outside")
    return {**node, **{name: value for name, value in found.items() if name not in left_out}}
