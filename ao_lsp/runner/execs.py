"""`os.exec*` and `os.posix_spawn*`: a program that becomes another one, or starts one without subprocess."""

from __future__ import annotations

import os

from ao_lsp.taint.frames import unseen, unwatched
from ao_lsp.taint.kept import keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ao_lsp.runner.recorder import Recorder

keep(__name__)

_NAMES = ("execv", "execve", "posix_spawn", "posix_spawnp")


def install(recorder: Recorder) -> None:
    """Have Python programs that are started so recorded."""
    for name in _NAMES:
        original = getattr(os, name, None)
        if original is not None:
            setattr(os, name, _recorded(recorder, name, original))


def _recorded(recorder: Recorder, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    @unwatched
    def changed(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        try:
            return _changed(recorder, name, arguments)
        except Exception:
            return arguments

    @unseen
    def start(*arguments: Any, **more: Any) -> Any:
        return original(*changed(arguments), **more)

    start.__name__ = start.__qualname__ = name
    start.__module__, start.__doc__ = original.__module__, original.__doc__
    start.__wrapped__ = original  # type: ignore[attr-defined]  # what `inspect` goes by
    return start


def _changed(recorder: Recorder, name: str, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(arguments) < 2 or not isinstance(arguments[0], (str, bytes, os.PathLike)):
        return arguments
    from ao_lsp.runner import children, executables

    environment = None
    # `posix_spawn` takes None from 3.13 on, and subprocess gives it.
    if len(arguments) > 2 and arguments[2] is not None:
        environment = {os.fsdecode(key): os.fsdecode(value) for key, value in arguments[2].items()}
    file = os.fsdecode(arguments[0])
    candidates = executables.on_path(file, os.environ) if name == "posix_spawnp" else [file]
    replaces = name.startswith("exec")
    if replaces:
        recorder.leaving()
    found = children.redirected(recorder, arguments[1], candidates, None, environment, replaces)
    return arguments if found is None else (found[1], found[0], *arguments[2:])
