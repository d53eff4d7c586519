"""Hovers: a call in full, as far as that is pleasant to read.

What people and models have written is quoted in code blocks: an image in it would be fetched by some
editors, and a link could be taken for one of ours.
"""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from ao_lsp.server import pricing, providers
from ao_lsp.server.lsp.recorded import words
from ao_lsp.server.lsp.recorded.recordings import Record, Said
from ao_lsp.server.model import Call, Edge
from ao_lsp.server.render import labels

_MESSAGES = (2, 4)
"""How many of the first and of the last messages of a long prompt are shown."""

_OTHERS = 8
_HOPS = 6
_WIDTH = 100


class Words:
    """How a hover is written for a client: in Markdown, or in plain text."""

    def __init__(self, markdown: bool) -> None:
        self.markdown = markdown

    def bold(self, text: str) -> str:
        return f"**{self.plain(text)}**" if self.markdown else text

    def plain(self, text: str) -> str:
        """`text` without anything that Markdown would act on."""
        text = labels.clean(text)
        return re.sub(r"([\\`*_{}\[\]<>#|!~])", r"\\\1", text) if self.markdown else text

    def link(self, file: str, line: int) -> str:
        place = f"{os.path.basename(file)}:{line}"
        return f"[{self.plain(place)}]({words.link(file, line)})" if self.markdown else labels.clean(place)

    def quote(self, text: str, most: int) -> str:
        """`text` in a block, `most` lines of it."""
        lines = [
            part
            for line in text.splitlines()
            for part in (textwrap.wrap(labels.clean(line), _WIDTH, replace_whitespace=False) or [""])
        ]
        shown = lines[:most] + (["…"] if len(lines) > most else [])
        if not self.markdown:
            return "\n".join(f"    {line}" for line in shown)
        runs = [len(run) for run in re.findall(r"`{3,}", text)]
        fence = "`" * max(3, 1 + max(runs, default=0))
        return "\n".join([f"{fence}text", *shown, fence])


def hover(calls: Sequence[Call], record: Record, said: Said, markdown: bool) -> str:
    """The last of `calls`, with its prompt, output and origins, and a line for each of the others."""
    return "\n\n".join(_blocks(calls, record, said, Words(markdown), prompt_lines=8, output_lines=16))


def _blocks(
    calls: Sequence[Call],
    record: Record,
    said: Said,
    to: Words,
    *,
    prompt_lines: int,
    output_lines: int,
) -> Iterator[str]:
    call = calls[-1]
    yield _head(call, record, to)
    origins = "\n".join(_origins(call, record, to))
    if origins:
        yield origins
    yield from _output(call, record, said.output, to, output_lines)
    yield from _prompt(said.messages, to, prompt_lines, _MESSAGES)
    if len(calls) > 1:
        yield _others(calls[:-1], record, to)


def _head(call: Call, record: Record, to: Words) -> str:
    at = datetime.fromtimestamp(call.started).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    first = words.joined(
        [
            to.bold(labels.function(call)),
            f"call {call.number} of {to.plain(record.run.name)}",
            at,
            labels.code(record.run),
        ]
    )
    spent = ""
    if call.input_tokens is not None or call.output_tokens is not None:
        cached = f" ({labels.amount(call.cached_tokens)} cached)" if call.cached_tokens else ""
        spent = f"{labels.amount(call.input_tokens)} tokens in{cached}, {labels.amount(call.output_tokens)} out"
    cost = pricing.told(pricing.total([call.spent])) if call.status != "running" else ""
    took = labels.seconds(call.duration)
    if call.streamed and call.first_byte is not None and took:
        took += f" (first byte after {labels.seconds(call.first_byte)})"
    second = words.joined([to.plain(labels.model(call)), spent, to.plain(cost), took, labels.state(call, record.run)])
    return f"{first}  \n{second}" if to.markdown else f"{first}\n{second}"


def _origins(call: Call, record: Record, to: Words) -> Iterator[str]:
    """Where its input came from, and where its output went, with the lines on the way."""
    by_id = record.by_id
    end = "  " if to.markdown else ""
    for edge in record.graph.edges:
        if edge.target == call.id:
            yield f"← {_other(by_id[edge.source], to)}{_way(edge, by_id, to)}{end}"
    for edge, other in record.graph.outside:
        if edge.target == call.id:
            known = {**by_id, other.id: other}
            yield f"← {_other(other, to)} of run {other.run}{_way(edge, known, to)}{end}"
    for edge in record.graph.edges:
        if edge.source == call.id:
            yield f"→ {_other(by_id[edge.target], to)}{_way(edge, by_id, to)}{end}"


def _other(call: Call, to: Words) -> str:
    where = f" at {to.link(call.site.file, call.site.line)}" if call.site else ""
    return f"{call.number} {to.plain(labels.function(call))}{where}"


def _way(edge: Edge, by_id: Mapping[str, Call], to: Words) -> str:
    """The lines between the two calls, which have been named."""
    ends = [(site.file, site.line) for site in (by_id[edge.source].site, by_id[edge.target].site) if site]
    hops = [hop for hop in dict.fromkeys(edge.path) if hop not in ends]
    way = ", through " + ", ".join(to.link(file, line) for file, line in hops[:_HOPS]) if hops else ""
    return way + (" …" if len(hops) > _HOPS else "") + (" (matched by its text)" if edge.evidence == "matched" else "")


def _output(call: Call, record: Record, output: providers.Response | None, to: Words, most: int) -> Iterator[str]:
    edited = record.edits.get((call.id, "output"))
    if edited is not None:
        yield to.bold("output, edited: what a rerun gets") + "\n" + to.quote(edited, most)
    if call.error is not None:
        yield to.bold("error") + "\n" + to.quote(f"{call.error.type}: {call.error.message}", most)
    if output is None:
        return
    if output.text is not None:
        yield to.bold("output") + "\n" + to.quote(output.text, most)
    for wanted in output.tool_calls:
        yield to.bold("tool call") + "\n" + to.quote(f"{wanted.name}({wanted.arguments})", most)


def _prompt(messages: Sequence[providers.Message], to: Words, most: int, kept: tuple[int, int]) -> Iterator[str]:
    first, last = kept
    left_out = len(messages) - first - last
    for number, message in enumerate(messages):
        if left_out > 0 and first <= number < first + left_out:
            if number == first:
                yield f"… {words.counted(left_out, 'more message')} …"
            continue
        text = "\n".join(
            [*([message.text] if message.text else []), *(f"{c.name}({c.arguments})" for c in message.tool_calls)]
        )
        yield to.bold(message.role) + "\n" + to.quote(text, most)


def _others(calls: Sequence[Call], record: Record, to: Words) -> str:
    """The other calls at the same place, the latest first."""
    head = to.bold(f"{words.counted(len(calls), 'other call')} at this place")
    told = [
        f"{call.number}: "
        + to.plain(words.joined([words.summary([call], record.run), words.shortened(call.preview or "", 40)]))
        for call in reversed(calls[-_OTHERS:])
    ]
    told += ["…"] if len(calls) > _OTHERS else []
    if to.markdown:
        return "\n".join([head, "", *(f"- {line}" for line in told)])
    return "\n".join([head, *(f"    {line}" for line in told)])
