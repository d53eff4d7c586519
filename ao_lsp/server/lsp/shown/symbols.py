"""Document symbols: the calls of a file in its last run, under the functions that made them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lsprotocol import types as lsp

from ao_lsp.server.lsp.buffers.syntax import Function, syntax_of
from ao_lsp.server.lsp.buffers.units import Units
from ao_lsp.server.lsp.recorded import words
from ao_lsp.server.lsp.recorded.attached import Attached
from ao_lsp.server.lsp.recorded.places import Place
from ao_lsp.server.render import labels

CALL_KIND = lsp.SymbolKind.Event


def symbols(attached: Attached, units: Units) -> list[lsp.DocumentSymbol]:
    """In the order of the file: functions with their calls, and calls of the module's own code."""
    found: list[lsp.DocumentSymbol] = []
    syntax = syntax_of(attached.document.lines)
    inside: dict[Function, list[lsp.DocumentSymbol]] = {}
    for place in _of_last_run(attached):
        function = syntax.around(place.extent.line)
        symbol = _call(attached, place, units)
        if function is None:
            found.append(symbol)
        else:
            inside.setdefault(function, []).append(symbol)
    found += [_function(attached, function, calls, units) for function, calls in inside.items()]
    return sorted(found, key=lambda one: (one.range.start.line, one.range.start.character))


def flat_symbols(attached: Attached, units: Units) -> list[lsp.SymbolInformation]:
    """The calls alone, for clients that know no symbols within symbols."""
    uri = attached.document.uri
    return [
        lsp.SymbolInformation(
            location=lsp.Location(uri, inner.range),
            name=words.joined([outer, inner.name, inner.detail or ""]),
            kind=inner.kind,
            container_name=outer or None,
        )
        for outer, inner in _leaves(symbols(attached, units))
    ]


def _of_last_run(attached: Attached) -> Iterator[Place]:
    """What an earlier run did elsewhere is not of the same run; numbers of its calls would be taken for others."""
    last = attached.records[0] if attached.records else None
    for place in attached.places:
        if place.calls and place.record is last:
            yield place


def _call(attached: Attached, place: Place, units: Units) -> lsp.DocumentSymbol:
    record, calls = place.record, place.calls
    assert record is not None  # noqa: S101 - it has calls
    call = calls[-1]
    number = f"call {call.number}" if len(calls) == 1 else words.counted(len(calls), "call")
    extent = attached.document.range(place.extent.start, place.extent.end, units)
    return lsp.DocumentSymbol(
        name=words.joined([number, labels.model(call)]),
        kind=CALL_KIND,
        range=extent,
        selection_range=extent,
        detail=words.output(call, record.run, None, record.edits.get((call.id, "output"))) or None,
    )


def _function(
    attached: Attached, function: Function, calls: list[lsp.DocumentSymbol], units: Units
) -> lsp.DocumentSymbol:
    document = attached.document
    return lsp.DocumentSymbol(
        name=function.name,
        kind=lsp.SymbolKind.Function,
        range=document.range(function.start, function.end, units),
        selection_range=document.range(function.name_start, function.name_end, units),
        children=calls,
    )


def _leaves(found: Iterable[lsp.DocumentSymbol]) -> Iterator[tuple[str, lsp.DocumentSymbol]]:
    for symbol in found:
        if symbol.kind == CALL_KIND:
            yield "", symbol
        for child in symbol.children or ():
            yield symbol.name, child
