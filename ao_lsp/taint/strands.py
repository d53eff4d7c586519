"""Tasks and threads: each is a strand with a name (lineage.py), and where library code starts it, goes on under a
fork of the escrow that it was started in.

A task inherits the context variable by itself; a thread of a pool does not. Either gets a fork, so
that of two calls that run side by side neither counts as an input of the other, while whoever
started both has the outputs of both. Three classes of the standard library are patched for that,
with functions that no frame walker sees, once recorded calls are possible.
"""

from __future__ import annotations

import os
import sys
from _contextvars import ContextVar
from _thread import get_ident

from ao_lsp.taint import escrow, lineage
from ao_lsp.taint.escrow import ACTIVE_TAINT, STRANDS
from ao_lsp.taint.frames import disguised, unseen
from ao_lsp.taint.kept import keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

keep(__name__)

ALONG: ContextVar[Any] = ContextVar("ao.ALONG", default=None)
"""What else goes along with what is started: the innermost subrun of the runner's. Tasks inherit it."""

along: list[Callable[[], Any]] = [ALONG.get]
"""What says what that is: in a child process the variable may hold what went along with something else."""

_ESCROW, _STRAND, _ALONG = "@ao.escrow", "@ao.strand", "@ao.along"
_undo: list[Callable[[], None]] = []
_patched: set[str] = set()


def replace(cls: Any, name: str, wrapper: Callable[..., Any]) -> None:
    """Have a method be `wrapper`, until `uninstall`; whoever looks at it sees the original."""
    original = cls.__dict__[name]
    setattr(cls, name, disguised(wrapper, original))
    _undo.append(lambda: setattr(cls, name, original))


def _begin(names: dict[str, Any], work: Any) -> None:
    """Note a new strand in what stands for it."""
    try:
        names[_STRAND] = lineage.current().child(work)
    except Exception as error:
        escrow.lost("the name of a strand", error)


def _in_pools(module: Any) -> None:
    """`concurrent.futures.thread`: a piece of work runs under a fork of what it was handed in under;
    what it makes is known to whoever asks for its result."""
    item, future_class = module._WorkItem, module._base.Future
    make, run, result = item.__init__, item.run, future_class.result

    @unseen
    def __init__(self: Any, future: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807  # it takes the place of one
        make(self, future, *args, **kwargs)
        _begin(self.__dict__, args[0] if args else None)
        goes_along = along[0]()
        if goes_along is not None:
            self.__dict__[_ALONG] = goes_along
        waiting = escrow.current()
        if waiting is not None:
            forked = waiting.fork()
            forked.joined = False
            self.__dict__[_ESCROW] = future.__dict__[_ESCROW] = forked

    @unseen
    def result_of(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return result(self, *args, **kwargs)
        finally:
            forked = self.__dict__.get(_ESCROW)
            if forked is not None and self._state == "FINISHED":
                forked.join()

    @unseen
    def run_item(self: Any, *args: Any) -> Any:
        goes_along = self.__dict__.pop(_ALONG, None)
        # The thread may have been started for another piece of work, elsewhere.
        if goes_along is None and ALONG.get() is None:
            return run_named(self, *args)
        token = ALONG.set(goes_along)
        try:
            return run_named(self, *args)
        finally:
            ALONG.reset(token)

    @unseen
    def run_named(self: Any, *args: Any) -> Any:
        strand = self.__dict__.pop(_STRAND, None)
        if strand is None:
            return run_forked(self, *args)
        thread = get_ident()
        outer = lineage.in_thread(thread)
        lineage.enter(thread, strand)
        try:
            return run_forked(self, *args)
        finally:
            lineage.leave(thread, outer)

    @unseen
    def run_forked(self: Any, *args: Any) -> Any:
        forked = self.__dict__.pop(_ESCROW, None)
        if forked is None:
            return run(self, *args)
        thread = get_ident()
        outer = STRANDS.get(thread)
        STRANDS[thread] = forked
        try:
            return run(self, *args)
        finally:
            if outer is None:
                del STRANDS[thread]
            else:
                STRANDS[thread] = outer

    replace(item, "__init__", __init__)
    replace(item, "run", run_item)
    replace(future_class, "result", result_of)


def _in_threads(module: Any) -> None:
    """`threading`: a thread is part of the library call that starts it for as long as that lasts."""
    thread_class = module.Thread
    start, bootstrap = thread_class.start, thread_class._bootstrap_inner
    starting: dict[int, tuple[escrow.Escrow | None, Any]] = {}

    @unseen
    def start_thread(self: Any) -> None:
        _begin(self.__dict__, getattr(self, "_target", None) or type(self))
        waiting, goes_along = escrow.current(), along[0]()
        if waiting is None and goes_along is None:
            start(self)
            return
        starting[id(self)] = None if waiting is None else waiting.fork(), goes_along
        try:
            start(self)
        except BaseException:
            starting.pop(id(self), None)
            raise

    @unseen
    def run_thread(self: Any) -> None:
        strand = self.__dict__.pop(_STRAND, None)
        if strand is None:
            run_forked(self)
            return
        lineage.enter(get_ident(), strand)
        try:
            run_forked(self)
        finally:
            lineage.leave(get_ident())

    @unseen
    def run_forked(self: Any) -> None:
        forked, goes_along = starting.pop(id(self), (None, None))
        if goes_along is not None:
            ALONG.set(goes_along)
        if forked is None:
            bootstrap(self)
            return
        forked.ends = True
        STRANDS[get_ident()] = forked
        try:
            bootstrap(self)
        finally:
            STRANDS.pop(get_ident(), None)

    replace(thread_class, "start", start_thread)
    replace(thread_class, "_bootstrap_inner", run_thread)


def _in_tasks(module: Any) -> None:
    """`asyncio.base_events`: the context of a task gets a fork."""
    loop = module.BaseEventLoop
    create = loop.create_task

    @unseen
    def create_task(self: Any, *args: Any, **kwargs: Any) -> Any:
        task = create_forked(self, *args, **kwargs)
        try:
            lineage.is_task(task, lineage.current().child(args[0] if args else kwargs.get("coro")))
        except Exception as error:  # a task of somebody's own that takes no weak reference
            escrow.lost("the name of a task", error)
        return task

    @unseen
    def create_forked(self: Any, *args: Any, **kwargs: Any) -> Any:
        waiting = escrow.current()
        if waiting is None:
            return create(self, *args, **kwargs)
        token = ACTIVE_TAINT.set(waiting.fork())
        try:
            return create(self, *args, **kwargs)
        finally:
            ACTIVE_TAINT.reset(token)

    replace(loop, "create_task", create_task)


PATCHES: dict[str, Callable[[ModuleType], None]] = {
    "asyncio.base_events": _in_tasks,
    "concurrent.futures.thread": _in_pools,
    "threading": _in_threads,
}
"""What is done to the modules whose classes start tasks and threads, and whatever else things go along with."""


def patch(module: ModuleType) -> None:
    """Patch a module that there is a patch for, once. One that lacks what is patched stays as it is."""
    name = module.__name__
    if name in _patched or name not in PATCHES:
        return
    _patched.add(name)
    try:
        PATCHES[name](module)
    except Exception as error:
        escrow.lost(f"what {name} starts", error)


def install() -> None:
    """Patch those that are loaded."""
    for name in [*PATCHES]:
        module = sys.modules.get(name)
        if module is not None:
            patch(module)
    if not _watching_forks:
        _watching_forks.append(True)
        os.register_at_fork(after_in_child=_forked)


_watching_forks: list[bool] = []


def _forked() -> None:
    # Of all threads only this one goes on; the numbers of the others will be used again.
    mine = STRANDS.get(get_ident())
    STRANDS.clear()
    if mine is not None:
        STRANDS[get_ident()] = mine


def uninstall() -> None:
    """Take it all back."""
    while _undo:
        _undo.pop()()
    _patched.clear()
