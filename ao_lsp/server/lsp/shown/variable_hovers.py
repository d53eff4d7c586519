"""Hovers on variables: the calls that their values came from, and line by line the way from there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ao_lsp.server.lsp.recorded import words
from ao_lsp.server.lsp.recorded.variables import Shown
from ao_lsp.server.lsp.shown.hovers import Words
from ao_lsp.server.lsp.shown.variable_hints import sources
from ao_lsp.server.model import Call, Run
from ao_lsp.server.render import labels
from ao_lsp.server.sources import Sources
from ao_lsp.server.variables import Hop

_CALLS, _HOPS = 6, 8
_OUTPUT, _SOURCE = 80, 70
"""Characters of what a call said, and of a line of code."""


def hover(shown: Shown, files: Sources, markdown: bool) -> str:
    """Where the values of a variable came from."""
    to = Words(markdown)
    return "\n\n".join(_blocks(shown, files, to))


def _blocks(shown: Shown, files: Sources, to: Words) -> Iterator[str]:
    run = shown.record.run
    yield f"{to.bold(shown.variable.name)} ⟵ {to.plain(sources(shown.calls))}, in run {to.plain(run.name)}"
    for call in shown.calls[:_CALLS]:
        yield _from(call, shown.variable.ways.get(call.id, ()), run, files, to)
    if len(shown.calls) > _CALLS:
        yield f"… and {words.counted(len(shown.calls) - _CALLS, 'more call')}"


def _from(call: Call, way: Sequence[Hop], run: Run, files: Sources, to: Words) -> str:
    """A call, what it said, and the lines from there to here, one below the other."""
    said = words.shortened(call.preview, _OUTPUT) if call.preview else ""
    head = f"{to.bold(f'{call.number} {labels.function(call)}')}{' → ' + to.plain(said) if said else ''}"
    hops = list(way)
    if len(hops) > _HOPS:
        half = _HOPS // 2
        shown: list[Hop | None] = [*hops[:half], None, *hops[-half:]]
    else:
        shown = [*hops]
    lines = ["…" if hop is None else _hop(hop, run, files, to) for hop in shown]
    if to.markdown:
        return "\n".join([head, "", *(f"- {line}" for line in lines)]) if lines else head
    return "\n".join([head, *(f"    {line}" for line in lines)])


def _hop(hop: Hop, run: Run, files: Sources, to: Words) -> str:
    file, line = hop
    source = files.as_run(file, run)
    text = source[line - 1].strip() if source is not None and 0 < line <= len(source) else ""
    text = words.shortened(text, _SOURCE)
    return f"{to.link(file, line)} {_code(text, to)}".rstrip()


def _code(text: str, to: Words) -> str:
    """A piece of code within a line."""
    if not text or not to.markdown:
        return text
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{text}{space}{fence}"
