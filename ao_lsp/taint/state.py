"""The two objects that rewritten code tests, and nothing else: a program without LLM calls never
loads the rest of the tracking."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ao_lsp.taint.table import Entry

TAINT: dict[int, Entry] = {}
"""`id(object)` to its entry (table.py). Falsy while nothing is tagged."""

LIVE: list[bool] = []
"""Truthy once recorded calls are possible, that is, once a transport has been patched. Before that
nothing can have an origin, and rewritten code calls everything directly."""

INSIDE: list[object] = []
"""Truthy while library code runs for the user's, which may call the user's functions: one element for
each such call, and one that stays once library code has started a task or thread."""

FORKS: list[str] = []
"""How this process came from its parent: the name of each fork on the way."""

STARTED: dict[int, str] = {}
"""What the child process is called that was started last, by the thread that did, if it is recorded."""


def go_live() -> None:
    """From now on calls into library code go through the escrow."""
    if not LIVE:
        LIVE.append(True)
