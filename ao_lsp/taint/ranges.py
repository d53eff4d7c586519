"""Origins by position: which part of a stream came from which calls.

Positions are in the stream's own units: characters of a text in memory, bytes of a file.
"""

from __future__ import annotations

from ao_lsp.taint.kept import keep
from ao_lsp.taint.origins import NOTHING, union

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    from ao_lsp.taint.origins import Origins

    Span: TypeAlias = "tuple[int, int, Origins, bytes | None]"

keep(__name__)

MAX_SPANS = 4096
MAX_CONTENT = 1 << 16
"""Of a longer piece the content is not kept, so that its position alone decides."""
MAX_KEPT = 16 << 20
"""Nor of any piece, when so many bytes are kept already."""
MIN_CONTENT = 8
"""A shorter piece says nothing by being found somewhere else than where it was written."""
END = 1 << 62

_kept = 0


class Ranges:
    """Disjoint tagged spans in order. `content` of a span is kept where others can change the stream
    (a file): it only counts where it is still found."""

    __slots__ = ("_spans", "blurred")

    def __init__(self) -> None:
        self._spans: list[Span] = []
        self.blurred = NOTHING
        """What is somewhere in the stream, nobody knows where."""

    def __bool__(self) -> bool:
        return bool(self._spans or self.blurred)

    def clear(self) -> None:
        self._release(self._spans)
        self._spans.clear()
        self.blurred = NOTHING

    def _release(self, spans: list[Span]) -> None:
        global _kept
        _kept -= sum(len(content) for _, _, _, content in spans if content is not None)

    def pieces(self) -> list[Span]:
        """Start, end, origins and, where it is known, content of each span."""
        return list(self._spans)

    def put(self, start: int, end: int, origins: Origins, content: bytes | None = None) -> None:
        """What stands from `start` to `end` has been written anew."""
        global _kept
        spans = self._spans
        if spans and spans[-1][1] > start:
            self.cut(start, end)
            spans = self._spans
        if not origins or end <= start:
            return
        if content is not None and (len(content) > MAX_CONTENT or _kept + len(content) > MAX_KEPT):
            content = None
        if content is not None:
            _kept += len(content)
        spans.append((start, end, origins, content))
        if len(spans) > 1 and spans[-2][0] > start:
            spans.sort(key=_start)
        if len(spans) > MAX_SPANS:
            self._merge()

    def cut(self, start: int, end: int = END) -> None:
        """What stood from `start` to `end` is gone, what follows stays where it is."""
        global _kept
        kept: list[Span] = []
        for first, last, origins, content in self._spans:
            if last <= start or first >= end:
                kept.append((first, last, origins, content))
                continue
            if first < start:
                kept.append((first, start, origins, None if content is None else content[: start - first]))
            if last > end:
                kept.append((end, last, origins, None if content is None else content[end - first :]))
        _kept += sum(len(content) for _, _, _, content in kept if content is not None)
        self._release(self._spans)
        self._spans = kept

    def over(self, start: int, end: int = END, found: bytes | None = None) -> Origins:
        """The origins of what was read from `start` to `end`; `found` is what stands there now."""
        origins = self.blurred
        for first, last, of_span, content in self._spans:
            if content is not None and found is not None:
                low, high = max(first, start), min(last, end)
                same = low < high and content[low - first : high - first] == found[low - start : high - start]
                # Somebody whom we did not see may have moved it.
                if same or (len(content) >= MIN_CONTENT and content in found):
                    origins = union(origins, of_span)
            elif first < end and last > start:
                origins = union(origins, of_span)
        return origins

    def _merge(self) -> None:
        merged: list[Span] = []
        for index in range(0, len(self._spans) - 1, 2):
            (start, _, one, _), (_, end, other, _) = self._spans[index : index + 2]
            merged.append((start, end, union(one, other), None))
        self._release(self._spans[: 2 * len(merged)])
        self._spans = merged + self._spans[len(merged) * 2 :]


def _start(span: Span) -> int:
    return span[0]
