"""The elements of a tagged text, each with its origins."""

from __future__ import annotations

from ao_lsp.taint.frames import unseen_methods
from ao_lsp.taint.kept import keep
from ao_lsp.taint.state import TAINT
from ao_lsp.taint.table import VALUE_TYPES, mark

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ao_lsp.taint.origins import Origins

keep(__name__)


@unseen_methods
class Characters:
    """Iterates a str or bytes; every character or byte is a private, tagged copy."""

    __slots__ = ("_origins", "_rest")

    def __init__(self, text: str | bytes, origins: Origins) -> None:
        self._rest = iter(text)
        self._origins = origins

    def __iter__(self) -> Characters:
        return self

    def __next__(self) -> Any:
        return mark(next(self._rest), self._origins)


def characters(value: Any) -> Any:
    """`value`, or the iterator of its tagged characters where it is a tagged text."""
    entry = TAINT.get(id(value))
    if entry is None or type(value) not in VALUE_TYPES or type(value) not in (str, bytes):
        return value
    return Characters(value, entry[1])
