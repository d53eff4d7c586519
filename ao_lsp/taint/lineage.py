"""Which strand of a concurrent program is running, by a name that is the same in every run.

Threads and tasks are numbered by the interpreter in the order in which they happen to be made, those of
libraries included, and the workers of a pool take whatever comes. So a strand is named after what it runs
and counted among its like under the strand that asked for it: `MainThread/ask.2/` is the second `ask` that
the main thread started, be it a task, a thread or a pool's work. strands.py says when one begins.
"""

from __future__ import annotations

import sys
from _functools import partial
from _thread import get_ident

from ao_lsp.taint.kept import keep
from ao_lsp.taint.kinds import BuiltinFunctionType
from ao_lsp.taint.state import FORKS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

keep(__name__)

_LONG = 200


class Strand:
    """What runs in order: a thread, a task, or one piece of a pool's work. `sites` and `generator` are what
    chance.py keeps of it."""

    __slots__ = ("_started", "generator", "name", "sites")

    def __init__(self, name: str) -> None:
        self.name = name
        self._started: dict[str, int] = {}
        self.sites: dict[Any, Any] = {}
        self.generator: Any = None

    def child(self, work: Any) -> Strand:
        """The strand that runs `work` and is started by this one."""
        what = _what(work)
        number = self._started[what] = self._started.get(what, 0) + 1
        if not SEVERAL:
            SEVERAL.append(True)
        name = f"{self.name}{what}.{number}/"
        if len(name) > _LONG:
            from binascii import crc32

            name = f"{name[: _LONG // 2]}…{crc32(name.encode('utf-8', 'replace')):08x}/"
        return Strand(name)


SEVERAL: list[bool] = []
"""True once there is another strand than the main thread."""

_threads: dict[int, Strand] = {}
_tasks: dict[int, tuple[Any, Strand]] = {}
"""By `id`, with a weak reference that takes the task out when it is gone."""


_pieces: list[tuple[int, Callable[[], str]]] = []
"""In a child process: its main thread, and what tells the name of the work that this does."""
_piece: list[Strand] = []
"""The last one."""


def in_child(piece: Callable[[], str]) -> None:
    """This process is a child, in its main thread. Where `piece` gives a name, that is of the work which it does there:
    a strand of its own, since it may be any worker that does it."""
    _pieces[:] = [(get_ident(), piece)]
    SEVERAL[:] = [True]


def current() -> Strand:
    """The strand that is running."""
    if _tasks:
        found = _tasks.get(id(_task()))
        if found is not None:
            return found[1]
    thread = get_ident()
    if _pieces and _pieces[0][0] == thread and (piece := _pieces[0][1]()):
        name = f"MainThread/{piece}"
        if not _piece or _piece[0].name != name:
            _piece[:] = [Strand(name)]
        return _piece[0]
    return _threads.get(thread) or enter(thread, Strand(_root_name(thread)))


def of_call() -> str:
    """The name of the running strand, or, where nobody said when it began, those of its thread and task."""
    task = _task()
    if task is not None and id(task) in _tasks:
        return _tasks[id(task)][1].name
    thread = get_ident()
    strand = _threads.get(thread)
    name = strand.name if strand is not None else _root_name(thread)
    return name if task is None else name + str(task.get_name())


def main_name() -> str:
    """What the main thread is called."""
    return "MainThread/" + "".join(FORKS)


def _root_name(thread: int) -> str:
    return f"{_thread_name(thread)}/{''.join(FORKS)}"


def enter(thread: int, strand: Strand) -> Strand:
    """From now on `strand` runs in the thread of this number."""
    _threads[thread] = strand
    return strand


def leave(thread: int, outer: Strand | None = None) -> None:
    """What ran there is over, and `outer` goes on."""
    if outer is None:
        _threads.pop(thread, None)
    else:
        _threads[thread] = outer
    for told in _told:
        told(thread)


_told: list[Callable[[int], object]] = []


def on_leave(told: Callable[[int], object]) -> None:
    """Call `told` with the number of each thread in which a strand is over."""
    _told.append(told)


def in_thread(thread: int) -> Strand | None:
    """The strand that runs in a thread outside of any task."""
    return _threads.get(thread)


def is_task(task: Any, strand: Strand) -> None:
    """`strand` is what runs in `task`."""
    from _weakref import ref

    key = id(task)

    def gone(reference: Any, tasks: dict[int, tuple[Any, Strand]] = _tasks, key: int = key) -> None:
        known = tasks.get(key)
        if known is not None and known[0] is reference:
            del tasks[key]

    _tasks[key] = ref(task, gone), strand


def forked() -> None:
    """In a forked child: of all threads only this one goes on, under a name of its own."""
    strand = current()
    _threads.clear()
    strand.name += FORKS[-1]
    strand.sites = {}
    strand.generator = None
    _threads[get_ident()] = strand


def _task() -> Any:
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return None
    try:
        loop = asyncio._get_running_loop()
        return None if loop is None else asyncio.current_task(loop)
    except AttributeError:  # it is just being imported
        return None


def _thread_name(number: int) -> str:
    threading = sys.modules.get("threading")
    # Not `current_thread()`: that would register a thread which the program does not know of.
    thread = threading._active.get(number) if threading is not None else None
    if thread is None:
        return "MainThread" if threading is None or number == threading.main_thread().ident else ""
    name: str = thread.name
    # Workers of a pool are interchangeable.
    pool, separator, worker = name.rpartition("_")
    return pool if separator and worker.isdigit() else name


def _what(work: Any) -> str:
    """What a coroutine or function is called; of one that is wrapped for somebody, what is in there."""
    for _ in range(5):
        if type(work) is not partial:
            break
        inner = work.func
        name = getattr(inner, "__name__", "")
        ours = (getattr(inner, "__module__", None) or "").startswith("ao_lsp.")
        runs = type(inner) is BuiltinFunctionType and name == "run"  # of a context
        work = work.args[0] if work.args and (ours or runs) else inner
    name = getattr(work, "__qualname__", None)
    return name if type(name) is str else type(work).__name__
