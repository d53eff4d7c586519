"""In which expressions values of calls were made, for editors that say of a variable where it came from.

The tracking notes each expression and set of calls once (taint/origins.py); what is new is sent with the next event of
a call, and at the end of the process. So a loop costs no more than its first turn.
"""

from __future__ import annotations

import _thread

from ao_lsp import protocol
from ao_lsp.runner import places
from ao_lsp.taint import scope
from ao_lsp.taint.kept import keep
from ao_lsp.taint.origins import MADE, call_and_children

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType
    from typing import Any

    from ao_lsp.taint.origins import Origins

keep(__name__)

_EXPRESSIONS = 3_000
"""Of a process."""
_SETS, _CALLS = 100, 50
"""Of an expression so many sets of calls, and of a set so many calls, are told one by one; the others are counted."""
_NAMED = 50_000
"""So many calls a process names in all."""
_WAYS = 6
"""Of so many sets and of so many calls in them, the way is told, too."""
_HOPS = 12


class Values:
    """What this process has told of its expressions."""

    def __init__(self) -> None:
        self._lock = _thread.allocate_lock()
        self._sets: dict[tuple[int, int], int] = {}
        self._codes: list[CodeType] = []  # so that no other gets its id
        self._named = 0

    def flush(self, post: Callable[..., None]) -> None:
        """Send what is new. Raises nothing but an interrupt."""
        if not self._lock.acquire(blocking=False):
            return  # another thread is at it, or this one, interrupted: the next event brings what is left
        try:
            made = MADE[:]
            del MADE[: len(made)]
            for file, said in self._by_file(made).items():
                post({"type": "values", "file": file}, made=protocol.dumps(said))
        except Exception:  # the program goes on, and editors say less
            pass
        finally:
            self._lock.release()

    def _by_file(self, made: list[Origins]) -> dict[str, list[Any]]:
        found: dict[tuple[int, int], tuple[places.Place, list[Any]]] = {}
        for origins in made:
            if origins.place is None or origins.place[0].co_filename in scope.FOLLOWED:
                continue
            code, instruction = origins.place
            key = id(code), instruction
            if key not in found:
                place = self._place(key, code, instruction)
                if place is None:
                    continue
                found[key] = place, []
            calls = self._calls(origins, found[key][0], self._sets[key])
            self._sets[key] += 1
            if calls:
                found[key][1].append(calls)
        by_file: dict[str, list[Any]] = {}
        for place, sets in found.values():
            extent = [place["line"], place["column"], place["end_line"], place["end_column"], place["function"]]
            by_file.setdefault(place["file"], []).append([*extent, sets])
        return by_file

    def _place(self, key: tuple[int, int], code: CodeType, instruction: int) -> places.Place | None:
        """The expression; None where there is no room for it, or nobody knows where it ends."""
        if key not in self._sets:
            if len(self._sets) >= _EXPRESSIONS:
                return None
            self._sets[key] = 0
            self._codes.append(code)
        if self._sets[key] >= _SETS or self._named >= _NAMED:
            return None
        place = places.place(code, instruction)
        return None if place["end_column"] is None else place

    def _calls(self, origins: Origins, place: places.Place, before: int) -> list[Any]:
        """`[call, way]` of each call, the way as lines, with their file where that is another."""
        told: dict[str, list[Any]] = {}
        for source in sorted(origins):
            call, _ = call_and_children(source)
            if call in told or len(told) >= _CALLS:
                continue
            hops: list[Any] = []
            if before < _WAYS and len(told) < _WAYS:
                way = places.way(origins, source, None)
                way = way if len(way) <= _HOPS else [*way[: _HOPS // 2], *way[-_HOPS // 2 :]]
                hops = [hop["line"] if hop["file"] == place["file"] else [hop["file"], hop["line"]] for hop in way]
            told[call] = [call, hops]
        self._named += len(told)
        return list(told.values())
