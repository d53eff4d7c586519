"""The place in a text that was looked for, in one line. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ao_lsp.server.store.texts import folded, kept, position

Part: TypeAlias = Literal["prompt", "output"]

_BEFORE, _AFTER = 30, 60  # letters around it
_MOST = 200


@dataclass(frozen=True, slots=True)
class Snippet:
    """`part` is prompt or output; what was looked for is `text[start:end]`."""

    part: Part
    text: str
    start: int
    end: int


def snippet(part: Part, text: str, needle: str) -> Snippet:
    """The first place of `needle` in a kept text, with what stands around it."""
    start, end = position(text, folded(kept(needle))) or (0, 0)
    end = min(end, start + _MOST)
    before, after = text[max(0, start - _BEFORE) : start], text[end : end + _AFTER]
    head = ("…" if start > _BEFORE else "") + _line(before).lstrip()
    inside = _line(text[start:end])
    tail = _line(after).rstrip() + ("…" if end + _AFTER < len(text) else "")
    return Snippet(part, head + inside + tail, len(head), len(head) + len(inside))


def _line(text: str) -> str:
    return re.sub(r"\s+", " ", text)
