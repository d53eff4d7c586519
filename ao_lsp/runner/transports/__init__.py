"""Patches a transport library when, and only when, the program imports it.

One seam per library, applied after its import and taken back by `uninstall()`. A library newer than
we know, without the names that a seam needs, stays as it is, and the log says so.
"""

from __future__ import annotations

import sys

from ao_lsp.taint import names, state
from ao_lsp.taint.frames import HIDES, unseen
from ao_lsp.taint.kept import keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

    from ao_lsp.runner.recorder import Recorder

    Undo = Callable[[], None]

keep(__name__)

# The library, and the module here that knows its seam: imported only when the library is.
_SEAMS = {
    "aiohttp": "aiohttp_seam",
    "httpx": "httpx_seam",
    "httpx2": "httpx_seam",
    "http.client": "http_client_seam",
    "mcp.client.session": "mcp_seam",
    "urllib3.connectionpool": "urllib3_seam",
}

# Modules of the standard library whose classes start tasks, threads and processes (taint/strands.py, runner/pools.py).
_STARTING = frozenset(
    {"asyncio.base_events", "concurrent.futures.process", "concurrent.futures.thread", "multiprocessing.pool",
     "multiprocessing.process", "threading"}
)  # fmt: skip

# Modules that start processes, and the function that has them recorded (runner/children.py).
_PROCESSES = {"multiprocessing.spawn": "patch_spawn", "multiprocessing.util": "patch", "subprocess": "patch"}

# Modules that look at code, and what in `taint` has them see the source's, where code is rewritten.
_LOOKING = {
    "cloudpickle.cloudpickle": "pickling",
    "dill._dill": "pickling",
    "dill.detect": "pickling",
    "inspect": "introspection",
    "joblib.externals.cloudpickle.cloudpickle": "pickling",
    "pyspark.cloudpickle.cloudpickle": "pickling",
    "ray.cloudpickle.cloudpickle": "pickling",
}
# Modules whose generators start from the run's own number (taint/chance.py).
_GENERATORS = {"random": "seed_global", "numpy.random": "seed_numpy"}
_WATCHED = _STARTING | _GENERATORS.keys() | _PROCESSES.keys() | _SEAMS.keys()
if HIDES:
    _WATCHED |= _LOOKING.keys()

_recorder: Recorder | None = None
_undo: list[Undo] = []
_searching: set[str] = set()


class Finder:
    """Sees the import of a transport library."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name not in _WATCHED or name in _searching:
            return None
        _searching.add(name)
        try:
            # Whoever would have found it finds it: another hook, an alias, a zip file.
            for finder in sys.meta_path:
                find = getattr(finder, "find_spec", None)
                spec: ModuleSpec | None = find(name, path, target) if find is not None else None
                if spec is not None:
                    if spec.loader is not None:
                        _patch_after(spec.loader, name)
                    return spec
        finally:
            _searching.discard(name)
        return None


def _patch_after(loader: Any, name: str) -> None:
    execute = loader.exec_module

    @unseen
    def exec_module(module: ModuleType) -> None:
        execute(module)
        del loader.exec_module  # the loader is as it was
        _patch(name, module)

    try:
        loader.exec_module = exec_module
    except AttributeError:
        _note(f"{name}: its loader takes no attribute; its calls are not recorded")


def _patch(name: str, module: ModuleType) -> None:
    if _recorder is None:
        return
    try:
        from importlib import import_module

        if name in _STARTING:
            if state.LIVE or "ao_lsp.runner.groups" in sys.modules:
                import_module("ao_lsp.taint.strands").patch(module)
            return
        if name in _GENERATORS:
            getattr(names.chance(), _GENERATORS[name])(module)
            return
        if name in _LOOKING:
            import_module(f"ao_lsp.taint.{_LOOKING[name]}").patch(module)
            return
        if name in _PROCESSES:
            children = import_module("ao_lsp.runner.children")
            if name != "multiprocessing.spawn":
                _undo.append(children.patch(module, _recorder))
            elif _recorder.tracks:
                _undo.append(children.patch_spawn(module))
            return
        seam = import_module(f"ao_lsp.runner.transports.{_SEAMS[name]}")
        _undo.append(seam.patch(module, _recorder))
        go_live(_recorder)
    except Exception as error:
        _note(f"{name} {getattr(module, '__version__', '')}: its calls are not recorded: {error!r}")


def go_live(recorder: Recorder) -> None:
    """From now on values may come from a recorded call, where they are tracked."""
    if not recorder.tracks:
        return
    if not state.LIVE and recorder.plan is not None:
        from ao_lsp.runner import session_files

        session_files.recall(recorder.session)
    from ao_lsp.taint import strands

    names.load()
    state.go_live()
    strands.install()


def _note(message: str) -> None:
    if _recorder is not None:
        _recorder.note(message)


def install(recorder: Recorder) -> None:
    """Record the calls of every transport library that is imported from now on."""
    global _recorder
    _recorder = recorder
    sys.meta_path.insert(0, Finder)
    # What runs at the start of an interpreter (`sitecustomize`, `.pth` files) may have imported some and made clients.
    for name in sorted(_WATCHED & sys.modules.keys()):
        _patch(name, sys.modules[name])


def uninstall() -> None:
    """Take everything back: libraries are as they were imported."""
    global _recorder
    _recorder = None
    if Finder in sys.meta_path:
        sys.meta_path.remove(Finder)
    while _undo:
        _undo.pop()()
    strands = sys.modules.get("ao_lsp.taint.strands")
    if strands is not None:
        strands.uninstall()
