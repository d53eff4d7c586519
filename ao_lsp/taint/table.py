"""Which live object came from which calls, by identity.

An entry exists exactly as long as its object does, so an address that is used again never inherits:
a value (str, bytes, int, float, complex) is pinned by its entry until `sweep` finds that nobody else
holds it; any other object is watched by a weak reference whose death removes the entry.

CPython shares small ints, one-character strings, interned names and constants. Such an object is
never tagged: `mark` takes a private copy of the same exact type and value and hands that on. What
has no private copy (None, True, "", b"", containers, instances of subclasses) is not marked at all.
"""

from __future__ import annotations

import sys
from _weakref import ref as _ref
from marshal import loads as _unmarshal
from sys import getrefcount

from ao_lsp.taint.kept import keep
from ao_lsp.taint.kinds import CoroutineType, flags_of, lookup, module_of, name_of
from ao_lsp.taint.origins import NOTHING, union
from ao_lsp.taint.state import TAINT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    from ao_lsp.taint.origins import Origins

    Entry: TypeAlias = "tuple[Any, Origins, int]"

keep(__name__)

VALUE = 0
"""An immutable value; its entry pins it."""
SOURCE = 1
"""An object that stands for what it was made from (a match, a response, a stream, a decimal):
whatever is read out of it has its origins."""
HOLDER = 2
"""An object that holds or produces values with origins of their own (a data object, a generator):
only what it makes afresh inherits."""


def origins_of(value: object) -> Origins:
    """The origins of the very object, not of what it contains."""
    entry = TAINT.get(id(value))
    return NOTHING if entry is None else entry[1]


def _copy_int(value: int) -> int:
    negative = -value
    copied = -negative
    if copied is not value:
        return copied
    # marshal's "long" form is the one way in the standard library to a small int of its own, before Python 3.14.
    if sys.version_info >= (3, 14):
        from ao_lsp.taint.small_ints import copied as copied_small

        return copied_small(value)
    if 0 < value < 1 << 15:
        small: int = _unmarshal(b"l\1\0\0\0" + value.to_bytes(2, "little"))
        return small
    rest = negative if value < 0 else value
    digits = []
    while rest:
        digits.append((rest & 0x7FFF).to_bytes(2, "little"))
        rest >>= 15
    count = -len(digits) if value < 0 else len(digits)
    other: int = _unmarshal(b"l" + count.to_bytes(4, "little", signed=True) + b"".join(digits))
    return other


_copies: dict[type, Callable[[Any], Any]] = {
    str: lambda value: "".join((value, "")),
    bytes: lambda value: b"".join((value, b"")),
    int: _copy_int,
    float: lambda value: value.__neg__().__neg__(),  # a NaN and a zero keep their sign
    complex: lambda value: complex(value.real, value.imag),
}
VALUE_TYPES = frozenset(_copies)


def _references(value: object) -> int:
    return getrefcount(value)


# What `getrefcount` says inside a function about an argument that nobody else holds.
_UNSHARED = _references(float("1.5") * 2)

_SWEEP_ENTRIES, _SWEEP_BYTES = 4096, 32 << 20
_next_entries = _SWEEP_ENTRIES
_pinned_bytes, _next_bytes = 0, _SWEEP_BYTES


def mark(value: Any, origins: Origins, alone: bool = False) -> Any:
    """`value`, or a private copy of it where others may hold it, tagged with exactly `origins`.

    Anything but an exact str, bytes, int, float or complex is returned as it is. `alone` says that
    the caller knows the value to be held by nothing that it does not want tagged; otherwise it is
    passed as an expression, not from a variable, so that a fresh one need not be copied.
    """
    global _pinned_bytes
    cls = type(value)
    if cls not in VALUE_TYPES or not origins:
        return value
    key = id(value)
    entry = TAINT.get(key)
    if entry is not None:
        if entry[1] is origins or entry[1] == origins:
            return value
        value = _copies[cls](value)
        key = id(value)
    elif not alone and getrefcount(value) != _UNSHARED:
        if cls in _SIZED and not value:
            return value
        value = _copies[cls](value)
        key = id(value)
    TAINT[key] = (value, origins, VALUE)
    if cls in _SIZED:
        _pinned_bytes += len(value)
    if len(TAINT) > _next_entries or _pinned_bytes > _next_bytes:
        sweep()
    return value


_SIZED = frozenset((str, bytes))


def mark_parts(parts: dict[Any, Any], origins: Origins) -> list[Any]:
    """Tag the plain values of a dictionary where they stand, as `mark` does one that the dictionary alone
    may hold; those that are tagged already keep what they have.

    Returns the keys of whatever else is in there.
    """
    global _pinned_bytes
    others = []
    for key in [*parts]:
        part = parts[key]
        cls = type(part)
        if cls not in VALUE_TYPES:
            if part is not None and part is not True and part is not False:
                others.append(key)
        elif id(part) not in TAINT:
            if getrefcount(part) != _HELD_TWICE:
                if cls in _SIZED and not part:
                    continue
                part = parts[key] = _copies[cls](part)
            TAINT[id(part)] = (part, origins, VALUE)
            if cls in _SIZED:
                _pinned_bytes += len(part)
    if len(TAINT) > _next_entries or _pinned_bytes > _next_bytes:
        sweep()
    return others


def _references_in_a_part() -> int:
    parts = {"": float("1.5") * 4}
    for key in [*parts]:
        part = parts[key]
        return getrefcount(part)
    raise AssertionError


_HELD_TWICE = _references_in_a_part()
"""What `getrefcount` says about what a dictionary and a variable hold."""


def unshared(value: object, holders: int) -> bool:
    """Whether nobody but `holders` variables and containers refers to `value`. To be called as a
    statement of its own: an expression around it may hold the value on the stack."""
    return getrefcount(value) == _UNSHARED + holders


def _passed(value: object) -> int:
    return _references(value) - _UNSHARED


PASSED = _passed(float("1.5") * 2)
"""The holders of a value that came as an argument and that the caller does not keep."""


class _Watch(_ref):  # type: ignore[type-arg]  # the C type takes no parameter at run time on 3.10
    """A weak reference that knows whose entry it keeps."""

    __slots__ = ("key",)
    key: int


def _forget(watch: _Watch, table: dict[int, Entry] = TAINT) -> None:
    # The table is an argument because objects still die when the names of this module are gone.
    entry = table.get(watch.key)
    if entry is not None and entry[0] is watch:
        del table[watch.key]


_HAS_PARTS = 1 << 14  # Py_TPFLAGS_HAVE_GC

# Types without weak references that have parts, but none whose end anybody could see: a pin keeps
# immutable values a little longer. Named, because asking `re` for its type would import it.
_PINNABLE = frozenset(
    {
        ("re", "Match"),
        ("decimal", "Decimal"),
        ("fractions", "Fraction"),
        ("datetime", "datetime"),
        ("datetime", "time"),
        ("uuid", "UUID"),
        ("builtins", "memoryview"),
        ("sqlite3", "Row"),
        ("pathlib", "PosixPath"),
        ("pathlib", "PurePosixPath"),
        ("pathlib._local", "PosixPath"),
        ("pathlib._local", "PurePosixPath"),
        # These have a part since 3.14: their own type.
        ("zlib", "Compress"),
        ("zlib", "Decompress"),
        ("compression.zstd", "ZstdCompressor"),
        ("compression.zstd", "ZstdDecompressor"),
        ("_hmac", "HMAC"),
        *[("_blake2", name) for name in ("blake2b", "blake2s")],
        *[("_sha3", name) for name in ("sha3_224", "sha3_256", "sha3_384", "sha3_512", "shake_128", "shake_256")],
    }
)


_weakrefs_of: Callable[[type], int] = type.__dict__["__weakrefoffset__"].__get__


def watch(value: object, origins: Origins, kind: int) -> None:
    """Tag an object that is no plain value, itself. Where neither a weak reference nor a pin is
    possible without being noticed, it stays untagged."""
    if not origins:
        return
    key = id(value)
    entry = TAINT.get(key)
    if entry is not None:
        TAINT[key] = (entry[0], union(entry[1], origins), entry[2])
        return
    cls = type(value)
    try:
        # The interpreter says so of most types, and raises an error for the others.
        watching = _Watch(value, _forget) if _weakrefs_of(cls) else None
    except TypeError:
        watching = None
    if watching is None:
        coroutine = coroutine_in(value)
        if coroutine is not None:
            watch(coroutine, origins, HOLDER)
        elif not flags_of(cls) & _HAS_PARTS or (module_of(cls), cls.__qualname__) in _PINNABLE or _is_value(cls):
            pin(value, origins, kind)
        return
    watching.key = key
    TAINT[key] = (watching, origins, kind)


def coroutine_in(value: object) -> Any:
    """The coroutine that an object stands for which takes no weak reference itself: one that can be awaited or
    entered, as aiohttp's requests are. It has that in a slot."""
    slot = lookup(type(value), "_coro")
    if slot is None or name_of(type(slot)) != "member_descriptor":
        return None
    try:
        coroutine = slot.__get__(value)
    except AttributeError:
        return None
    return coroutine if type(coroutine) is CoroutineType else None


def _is_value(cls: type) -> bool:
    """Whether instances are texts or numbers that have more methods, and nothing else."""
    return issubclass(cls, (str, bytes, int, float)) and not cls.__dictoffset__ and not hasattr(cls, "__del__")


def restate(value: object, origins: Origins, kind: int) -> None:
    """What is known of an object now, in place of what its entry says."""
    entry = TAINT.get(id(value))
    if entry is None:
        watch(value, origins, kind)
    else:
        TAINT[id(value)] = (entry[0], origins, kind)


def pin(value: object, origins: Origins, kind: int) -> None:
    """Tag an object that takes no weak reference and whose end nobody can see."""
    if origins:
        TAINT[id(value)] = (value, origins, kind)


def release(value: object) -> None:
    """Forget an object's entry: it no longer stands for what it was tagged with."""
    TAINT.pop(id(value), None)


def _held_by_entry_alone() -> int:
    for held, _, _ in [(float("1.5") * 3, NOTHING, VALUE)]:
        return getrefcount(held)
    raise AssertionError


_ENTRY_ALONE = _held_by_entry_alone()


def sweep() -> None:
    """Drop the entries of values that only their entry holds. The table stays within twice what is
    alive; the cost is spread over as many marks."""
    global _next_entries, _pinned_bytes, _next_bytes
    kept_bytes = 0
    for held, _, _ in list(TAINT.values()):
        if getrefcount(held) == _ENTRY_ALONE:
            if type(held) is not _Watch:
                TAINT.pop(id(held), None)  # another thread may sweep, too
        elif type(held) in _SIZED:
            kept_bytes += len(held)
    _next_entries = max(_SWEEP_ENTRIES, 2 * len(TAINT))
    _pinned_bytes = kept_bytes
    _next_bytes = max(_SWEEP_BYTES, 2 * kept_bytes)


_superseded = 0


def superseded(value: object) -> None:
    """`value` is about to be replaced by what is made of it (`text += more`). By the next time that
    this is said it is likely to be gone: without this, building a long text piece by piece would pin
    every length that it ever had, until the next sweep."""
    global _superseded, _pinned_bytes
    entry = TAINT.get(_superseded)
    if entry is not None and type(entry[0]) in VALUE_TYPES and getrefcount(entry[0]) == _ENTRY_ALONE - 1:
        TAINT.pop(_superseded, None)
        if type(entry[0]) in _SIZED:
            _pinned_bytes -= len(entry[0])
    _superseded = id(value)
