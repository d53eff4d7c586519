"""Subruns across processes: a process of multiprocessing belongs to the subrun in which it is started, a piece of work
of a pool's to that in which it is handed in, whichever worker takes it.

A process object says so in an attribute, which goes to the child with it. A piece of work is sent as a function with
arguments: an `OrderedDict` of the named ones carries the attribute through pickle, and needs nothing of ours at the
other end. Other children have it in their arguments (children.py).
"""

from __future__ import annotations

from ao_lsp.runner.ancestry import SUBRUN
from ao_lsp.taint import escrow, strands
from ao_lsp.taint.frames import unseen, unseen_methods
from ao_lsp.taint.kept import keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ao_lsp.runner.groups import Group, Groups, Path

keep(__name__)

_groups: list[Groups] = []


def described(group: Group) -> str:
    """What another process has to know of a group: its id and path, as JSON."""
    import json

    return json.dumps([group.id, group.path], separators=(",", ":"))


def read(said: str) -> tuple[str, Path]:
    """The same, read.

    Raises:
        ValueError: it is something else.
    """
    import json

    number, path = json.loads(said)
    return number, path


def _here() -> str:
    try:
        return _groups[0].handed_down()
    except Exception as error:
        escrow.lost("the subrun of a process", error)
        return ""


def _carried(keywords: Any) -> Any:
    said = _here()
    if not said or type(keywords) is not dict:
        return keywords
    from collections import OrderedDict

    made: Any = OrderedDict(keywords)
    made.__dict__[SUBRUN] = said
    return made


def _under(function: Any) -> Any:
    """`function`, for a thread that may have been started in another subrun."""
    group = _groups[0].current()

    @unseen
    def run(*args: Any, **kwargs: Any) -> Any:
        token = strands.ALONG.set(group)
        try:
            return function(*args, **kwargs)
        finally:
            strands.ALONG.reset(token)

    return run


def _in_processes(module: Any) -> None:
    """`multiprocessing.process`."""
    base = module.BaseProcess
    start = base.start

    @unseen
    def start_process(self: Any) -> None:
        self.__dict__[SUBRUN] = _here()
        try:
            start(self)
        finally:
            self.__dict__.pop(SUBRUN, None)

    strands.replace(base, "start", start_process)


def _in_pool(module: Any) -> None:
    """`multiprocessing.pool`."""
    pool = module.Pool
    apply, generation = pool.apply_async, pool._guarded_task_generation

    # With the parameters of the original, whose defaults it is given, too.
    @unseen
    def apply_async(
        self: Any, func: Any, args: Any = (), kwds: Any = (), callback: Any = None, error_callback: Any = None
    ) -> Any:
        if isinstance(self, module.ThreadPool):
            return apply(self, _under(func), args, kwds, callback, error_callback)
        return apply(self, func, args, _carried(kwds), callback, error_callback)

    @unseen
    def guarded(self: Any, job: Any, function: Any, iterable: Any) -> Any:
        if isinstance(self, module.ThreadPool):
            return generation(self, job, _under(function), iterable)
        keywords = _carried({})
        tasks = generation(self, job, function, iterable)
        return tasks if type(keywords) is dict else _Tasks(tasks, keywords)

    strands.replace(pool, "apply_async", apply_async)
    strands.replace(pool, "_guarded_task_generation", guarded)


@unseen_methods
class _Tasks:
    """Pieces of work: each is (job, number, function, arguments, keywords)."""

    __slots__ = ("_keywords", "_tasks")

    def __init__(self, tasks: Any, keywords: Any) -> None:
        self._tasks = tasks
        self._keywords = keywords

    def __iter__(self) -> _Tasks:
        return self

    def __next__(self) -> Any:
        task = next(self._tasks)
        return (*task[:4], self._keywords) if task[4] == {} else task


def _in_executor(module: Any) -> None:
    """`concurrent.futures.process`."""
    item = module._WorkItem
    make = item.__init__

    @unseen
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807  # it takes the place of one
        make(self, *args, **kwargs)
        self.kwargs = _carried(self.kwargs)

    strands.replace(item, "__init__", __init__)


def install(groups: Groups) -> None:
    """From now on what is handed to another process, or to another thread, is known to belong to its subrun."""
    _groups[:] = [groups]
    strands.PATCHES.update(
        {
            "concurrent.futures.process": _in_executor,
            "multiprocessing.pool": _in_pool,
            "multiprocessing.process": _in_processes,
        }
    )
    strands.install()
