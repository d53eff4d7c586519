"""`os.environ`: a variable that was set from a reply gives it back.

The mapping keeps what its own `encodevalue` made of a text, so tagging that is enough.
"""

from __future__ import annotations

import os
from sys import _getframe

from ao_lsp.taint.frames import unseen
from ao_lsp.taint.kept import keep
from ao_lsp.taint.origins import step
from ao_lsp.taint.state import TAINT
from ao_lsp.taint.table import mark

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

keep(__name__)


def install() -> None:
    """Have the environment remember the origins of its values."""
    for name in ("encodevalue", "decodevalue"):
        coder = vars(os.environ).get(name)
        if coder is not None:  # a program may have put something else in its place
            setattr(os.environ, name, _carrying(coder))


def _carrying(coder: Callable[[Any], Any]) -> Callable[[Any], Any]:

    @unseen
    def code(value: Any) -> Any:
        entry = TAINT.get(id(value))
        if entry is None:
            return coder(value)
        return mark(coder(value), step(entry[1], _getframe(1)))

    return code
