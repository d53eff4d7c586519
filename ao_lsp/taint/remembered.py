"""What files hold, carried from one run of a session to the next.

Kept as plain data (for JSON): of each file its device and inode, of each piece its position, its calls
and a digest of what was written. A piece counts in the next run only if the file still holds it.
"""

from __future__ import annotations

import os
from functools import reduce

from ao_lsp.taint.kept import keep
from ao_lsp.taint.origins import NOTHING, origin, union

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from ao_lsp.taint.ranges import Ranges

keep(__name__)

_MAX_PIECES = 20_000
_pieces: dict[tuple[int, int], list[tuple[int, int, list[str], str]]] = {}


def any_left() -> bool:
    """Whether there are files of an earlier run that nobody has looked at yet."""
    return bool(_pieces)


def restore(saved: Iterable[Any]) -> None:
    """Take over what an earlier run saved.

    Raises:
        ValueError, TypeError: it is not what `dump` made.
    """
    for device, inode, pieces in saved:
        _pieces[int(device), int(inode)] = [
            (int(start), int(end), [str(call) for call in calls], str(digest)) for start, end, calls, digest in pieces
        ]


def dump(files: dict[tuple[int, int], Ranges]) -> list[Any]:
    """What the next run should know: of the files that this one wrote, and of those it did not touch."""
    saved: list[Any] = [[*key, [list(piece) for piece in pieces]] for key, pieces in _pieces.items()]
    left = _MAX_PIECES - sum(len(pieces) for _, _, pieces in saved)
    for key, ranges in files.items():
        pieces = [
            [start, end, sorted(origins), _digest(content)]
            for start, end, origins, content in ranges.pieces()
            if content
        ]
        left -= len(pieces)
        if pieces and left >= 0:
            saved.append([*key, pieces])
    return saved


def recall(key: tuple[int, int], path: str, ranges: Ranges) -> None:
    """Put into `ranges` what an earlier run wrote to this file and is still there."""
    pieces = _pieces.pop(key, None)
    if not pieces:
        return
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        for start, end, calls, digest in pieces:
            content = os.pread(descriptor, end - start, start)
            if _digest(content) == digest:
                ranges.put(start, end, reduce(union, map(origin, calls), NOTHING), content)
    except OSError:
        return
    finally:
        os.close(descriptor)


def _digest(content: bytes) -> str:
    from _blake2 import blake2b

    return blake2b(content, digest_size=16).hexdigest()
