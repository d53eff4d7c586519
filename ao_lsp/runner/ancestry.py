"""Which process of a run this is, by a name that is the same in every run.

A child is called by what it runs and counted among its like (`@worker.py.2/`), a fork is counted (`@fork.1/`),
and a process of multiprocessing has the name that it has there. Workers of a pool are interchangeable: what
tells their calls apart is the piece of work, by its number in the pool.
"""

from __future__ import annotations

import sys
from sys import _getframe

from ao_lsp.taint.kept import keep
from ao_lsp.taint.state import FORKS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

keep(__name__)

OF_CHILD = "@"
"""What the names of calls of child processes begin with."""

_names: list[str] = []
"""What this process is called, from the run's first one on; empty there."""

_before: list[Any] = [None]
"""What multiprocessing took for this process when it began."""

_started: dict[str, int] = {}
_forks: list[int] = [0]
_fork: list[str] = [""]
"""What the child of the fork that goes on is called, and the step before it: the executor that it works for."""
_executor: list[str] = [""]
_executors: dict[int, tuple[Any, int]] = {}
"""By `id`, with a weak reference: those that have started processes, in their order."""


def begin(name: str) -> None:
    """This process was started, under this name."""
    before, separator, own = name[:-1].rpartition("/")
    _names[:] = [before + separator, own + "/"]
    FORKS[:] = [name]


def child(what: str) -> str:
    """The name of a child that is about to be started."""
    number = _counted(what)
    return f"{_here()}{_executor_of(_getframe())}{what}.{number}/"


def forking() -> None:
    """This process is about to be forked. Those forks are counted that get no name from multiprocessing."""
    frame: FrameType | None = _getframe()
    while frame is not None and frame.f_globals.get("__name__", "").startswith("ao_lsp."):
        frame = frame.f_back
    if frame is None or frame.f_globals.get("__name__") != "multiprocessing.popen_fork":
        _forks[0] += 1
        _fork[0], _executor[0] = f"fork.{_forks[0]}/", ""
    else:
        # Each of its own, so that not all workers draw the same.
        _fork[0], _executor[0] = f"{_variable(frame, 'process_obj').name}/", _executor_of(frame)


def forked() -> None:
    """In the child."""
    FORKS.append(_fork[0])
    _names[:] = [_here() + _executor[0], _fork[0]]
    _before[0] = _multiprocessing()
    _started.clear()
    _executors.clear()
    _forks[0] = 0


def _executor_of(frame: FrameType | None) -> str:
    """A step for the executor that starts a process, by its number: each counts its work from 0."""
    if "concurrent.futures.process" not in sys.modules:
        return ""
    executor = None
    while frame is not None and executor is None:  # from 3.14 on a function starts the process, for a method
        if frame.f_globals.get("__name__") == "concurrent.futures.process":
            executor = _variable(frame, "self")
        frame = frame.f_back
    if executor is None:
        return ""
    from _weakref import ref

    known = _executors.get(id(executor))
    if known is None or known[0]() is not executor:
        known = _executors[id(executor)] = ref(executor), _counted("an executor")
    return f"executor.{known[1]}/"


def _counted(what: str) -> int:
    number = _started[what] = _started.get(what, 0) + 1
    return number


def _variable(frame: FrameType, name: str) -> Any:
    values = frame.f_locals
    found = values.get(name)
    if sys.version_info < (3, 13) and sys.gettrace() is None:
        # A copy, which the frame keeps: the values in it would live on after their time.
        values.clear()
    return found


def piece() -> str:
    """What a process of multiprocessing is doing, by a name that is the same whichever worker does it; "" in others."""
    return "" if _named() is None else _here() + _work()


def of_call(strand: str) -> str:
    """The name of a strand (taint/lineage.py) of this process: the process's, down to the piece of work of a pool's
    worker, and then its own, without the numbers of forks, which depend on the workers."""
    if not _names:
        return strand
    return OF_CHILD + _here() + _work() + strand.replace("".join(FORKS), "", 1)


def _multiprocessing() -> Any:
    return getattr(sys.modules.get("multiprocessing.process"), "_current_process", None)


def _named() -> Any:
    """What multiprocessing made this process for, if it did."""
    found = _multiprocessing()
    return None if found is _before[0] or type(found).__name__ == "_MainProcess" else found


def _here() -> str:
    if not _names:
        return ""
    process = _named()
    if process is None:
        return "".join(_names)
    # Of a fork, what comes before it: multiprocessing has a better name than a number.
    return f"{_names[0]}{_stable(process)}/"


def _stable(process: Any) -> str:
    name = str(process.name)
    kind, _, number = name.rpartition("-")
    return kind if number.isdigit() and _is_worker(process) else name


def _is_worker(process: Any) -> bool:
    target = getattr(getattr(process, "_target", None), "__name__", "")
    return str(process.name).rpartition("-")[0].endswith("PoolWorker") or target == "_process_worker"


# The functions that a pool's worker runs in, and the variable that holds what it does.
_LOOPS = {("multiprocessing.pool", "worker"): "task", ("concurrent.futures.process", "_process_worker"): "call_item"}


SUBRUN = "@ao.subrun"
"""The attribute that says in which subrun a process of multiprocessing was started, or a pool's piece of work handed
in (pools.py): a text, "" for none."""


def subrun() -> str | None:
    """What that attribute says of what is going on; None where nothing does."""
    process = _named()
    if process is None:
        return None
    work = _item(process)
    if work is None:
        # Of a thread in a worker it is not known for which piece of work that runs.
        said = None if _is_worker(process) else process.__dict__.get(SUBRUN)
    else:
        name, item = work
        keywords = item.kwargs if name == "call_item" else item[4]
        said = getattr(keywords, "__dict__", {}).get(SUBRUN, "")
    return said if type(said) is str else None


def _work() -> str:
    process = _named()
    work = None if process is None else _item(process)
    if work is None:
        return ""
    name, item = work
    return f"{item.work_id}/" if name == "call_item" else f"{item[0]}.{item[1]}/"


def _item(process: Any) -> tuple[str, Any] | None:
    """What this worker of a pool does, as it was sent to it, after the name of the variable that holds that; None
    where it is no worker, or does nothing."""
    if not _is_worker(process):
        return None
    frame: FrameType | None = _getframe()
    while frame is not None:
        variable = _LOOPS.get((frame.f_globals.get("__name__", ""), frame.f_code.co_name))
        if variable is not None:
            break
        frame = frame.f_back
    if frame is None or variable is None:
        return None
    item = _variable(frame, variable)
    known = hasattr(item, "work_id") if variable == "call_item" else type(item) is tuple and len(item) == 5
    return (variable, item) if known else None
