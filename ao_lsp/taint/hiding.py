"""How our modules are loaded into the user's program: hidden, or set aside.

Hidden code has no visible frames (frames.py). Code that is set aside has, but its file is named
`<ao_lsp.…>`: tools that report on the files of a program (coverage) leave such out. That is for what an
error of a library may pass, and, on Python 3.11, for what runs while the program imports.

Either counts who holds a value, so that its code has all its references to itself (`frames.owned`).

Changing a module's code takes a tenth of a millisecond, so the changed code is kept beside the bytecode
that Python keeps, where that can be written.
"""

from __future__ import annotations

import os
import sys
from _io import FileIO
from marshal import dumps, loads
from posix import stat

from ao_lsp.taint import frames
from ao_lsp.taint.frames import HIDES, hidden, owned, without_resume
from ao_lsp.taint.kept import keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import FileFinder, SourceFileLoader
    from importlib.util import MAGIC_NUMBER, cache_from_source
    from types import CodeType
else:
    # What `importlib` would re-export, without importing it.
    _external = sys.modules["_frozen_importlib_external"]
    FileFinder, SourceFileLoader = _external.FileFinder, _external.SourceFileLoader
    MAGIC_NUMBER, cache_from_source = _external.MAGIC_NUMBER, _external.cache_from_source

keep(__name__)

VERSION = 2
"""To be raised with every change of how code is changed."""


def _hidden(code: CodeType) -> CodeType:
    """The code of a module, and of every function and class body in it."""
    constants = tuple([_hidden(part) if type(part) is _Code else part for part in code.co_consts])
    if code.co_flags & frames.RUNS_IN_PIECES:
        return code.replace(co_code=owned(code.co_code), co_consts=constants)
    return code.replace(co_code=owned(without_resume(code.co_code)), co_consts=constants)


def _set_aside(code: CodeType, name: str) -> CodeType:
    constants = tuple([_set_aside(part, name) if type(part) is _Code else part for part in code.co_consts])
    return code.replace(co_code=owned(code.co_code), co_consts=constants, co_filename=name)


def _shown(code: CodeType) -> CodeType:
    constants = tuple([_shown(part) if type(part) is _Code else part for part in code.co_consts])
    return code.replace(co_code=owned(code.co_code), co_consts=constants)


_Code = type(hidden.__code__)


class _SettingAside(SourceFileLoader):
    tag = "aside"

    def change(self, code: CodeType) -> CodeType:
        return _set_aside(code, f"<{self.name}>")

    def get_code(self, fullname: str) -> CodeType | None:
        source = self.path
        try:
            found = stat(source)
            kept = cache_from_source(source, optimization=f"{self.tag}{sys.flags.optimize}")
        except (OSError, NotImplementedError):
            return SourceFileLoader.get_code(self, fullname)
        made_of = (MAGIC_NUMBER, VERSION, found.st_mtime_ns, found.st_size, source)
        try:
            with FileIO(kept) as handle:
                before, code = loads(handle.readall())
            if before == made_of:
                changed: CodeType = code
                return changed
        except (OSError, EOFError, ValueError, TypeError):
            pass
        code = SourceFileLoader.get_code(self, fullname)  # not `super()`, which looks at frames
        if code is None:
            return None
        code = self.change(code)
        if not sys.dont_write_bytecode:
            self.set_data(kept, dumps((made_of, code)))  # in one step, or not at all
        return code


# What runs while the program imports, also under a tracer.
_IMPORTING = frozenset(["ao_lsp.taint." + name for name in ("hook", "names", "pyc", "rewrite", "scope", "warm")])


class _Hiding(_SettingAside):
    tag = "hidden"

    def change(self, code: CodeType) -> CodeType:
        if self.name in _IMPORTING and not frames.COUNTS_NO_RETURNS:
            return _set_aside(code, f"<{self.name}>")
        return _hidden(code)


class _Showing(_SettingAside):
    tag = "shown"

    def change(self, code: CodeType) -> CodeType:
        return _shown(code)


def hide_modules(folder: str) -> None:
    """From now on modules in `folder` are loaded hidden. With `AO_SHOW_FRAMES=1` they are not, and
    tracebacks show what goes on in them."""
    _load_by(_Hiding, folder)


def set_modules_aside(folder: str) -> None:
    """From now on modules in `folder` are loaded as if from files that do not exist."""
    _load_by(_SettingAside, folder)


def _load_by(loader: type[SourceFileLoader], folder: str) -> None:
    if os.environ.get("AO_SHOW_FRAMES") == "1":
        loader = _Showing
    if HIDES:
        sys.path_importer_cache[folder] = FileFinder(folder, (loader, [".py"]))


def _change_this() -> None:
    """What is loaded already, the same."""
    plain = [hidden, without_resume, frames.unseen, frames.unseen_methods, frames.is_counted, _hidden, _set_aside]
    plain += [frames.owned, frames._owning, frames.silence_debugger, frames.hear_debugger, _shown]
    plain += [frames.shown, frames.show_patches]
    for cls in (_SettingAside, _Hiding, _Showing):
        plain += [value for value in vars(cls).values() if type(value) is type(hidden)]
    for function in plain:
        code = function.__code__
        # They count nothing: no need to know the instructions that `owned` changes, at every start.
        function.__code__ = hidden(code) if frames.COUNTS_NO_RETURNS else _set_aside(code, f"<{__name__}>")


if HIDES:
    _change_this()
