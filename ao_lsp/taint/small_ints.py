"""Private copies of the ints that CPython shares (-5 to 256), on 3.14.

Nothing there makes such an int twice: marshal's "long" form, which did, gives the shared one now. So an int that
is as private as it is large gets the digit of a small one, before anybody has seen it, in its memory (`PyLongObject`
in CPython's longintrepr.h: flags and sign, then the digits). What lies there is compared before it is written to: where
it is not what it should be, or there is no `_ctypes` to write with, small ints have no copies and stay without origins.
"""

from __future__ import annotations

import sys

from ao_lsp.taint.kept import keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

keep(__name__)

_LARGE = 1 << 29  # of one digit, and not shared
_WORD = 4  # bytes
_NEGATIVE = 2
_ONE_DIGIT, _NONE = 1 << 3, 1
"""Parts of the field `lv_tag`: its sign, and how many digits there are (zero has its own sign)."""

_TAG, _DIGIT = int.__basicsize__ // _WORD - 2, int.__basicsize__ // _WORD
"""Where the fields are, in words from the beginning of the object."""


def _all_memory() -> Any:
    """All memory there may be, as words. One object: an audit hook is told when it is made, not when it is used."""
    if sys.byteorder != "little" or sys.maxsize < 1 << 60 or sys.int_info.bits_per_digit != 30:
        return None
    try:
        from _ctypes import Array, _SimpleCData

        word = type("word", (_SimpleCData,), {"_type_": "I"})
        memory = type("memory", (Array,), {"_type_": word, "_length_": 1 << 60})
        return memory.from_address(0)  # type: ignore[attr-defined]  # made by hand: `ctypes` is five modules
    except Exception:  # a Python without it; an audit hook of the program's
        return None


_memory = _all_memory()


def copied(value: int) -> int:
    """A copy of `value`, a shared int, that nobody else has; where there can be none, itself."""
    if _memory is None:
        return value
    large = -_LARGE + value if value < 0 else _LARGE + value
    at = id(large) // _WORD
    sign = _NEGATIVE if value < 0 else 0
    if _memory[at + _DIGIT] != abs(large) or _memory[at + _TAG] != _ONE_DIGIT | sign:
        return value
    _memory[at + _DIGIT] = abs(value)
    if not value:
        _memory[at + _TAG] = _NONE
    return large
