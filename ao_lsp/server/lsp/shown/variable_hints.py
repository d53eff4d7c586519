"""Inlay hints on variables: behind a name that is given values of calls, which calls these are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lsprotocol import types as lsp

from ao_lsp.server.lsp.buffers.documents import Document
from ao_lsp.server.lsp.buffers.units import Units
from ao_lsp.server.lsp.recorded import words
from ao_lsp.server.lsp.recorded.variables import InBuffer, Shown
from ao_lsp.server.model import Call
from ao_lsp.server.render import labels

_FUNCTIONS = 3
"""So many functions that made the calls are named."""


def hints(document: Document, found: InBuffer, lines: tuple[int, int], units: Units) -> Iterator[lsp.InlayHint]:
    """Those of some lines, the last one included. Where a call on the line says the same, there is none."""
    first, last = lines
    told: dict[tuple[Call, ...], tuple[str, str]] = {}
    for shown in found.defined:
        if not first <= shown.start[0] <= last or shown.variable.repeats:
            continue
        if shown.calls not in told:
            told[shown.calls] = f"⟵ {sources(shown.calls)}", _tooltip(shown)
        label, tooltip = told[shown.calls]
        position = document.position(shown.end, units)
        yield lsp.InlayHint(position=position, label=label, padding_left=True, tooltip=tooltip)


def sources(calls: Sequence[Call]) -> str:
    """`plan, search ×3`: the functions that made calls, in order."""
    counted: dict[str, int] = {}
    for call in calls:
        name = labels.function(call)
        counted[name] = counted.get(name, 0) + 1
    named = [words.shortened(name, 30) + (f" ×{count}" if count > 1 else "") for name, count in counted.items()]
    more = len(named) - _FUNCTIONS
    return ", ".join(named[:_FUNCTIONS]) + (f" +{more}" if more > 0 else "")


def _tooltip(shown: Shown) -> str:
    calls = [words.call_name(call) for call in shown.calls[:8]]
    more = len(shown.calls) - len(calls)
    named = ", ".join(calls) + (f" and {words.counted(more, 'more call')}" if more > 0 else "")
    return f"in run {shown.record.run.name}, its values came from {named}"
