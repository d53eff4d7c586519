"""The import hook: the magic, in the order in which it happens.

1. `install()` puts a finder first on `sys.meta_path`. For every import that is not already loaded,
   Python asks it.
2. `find_spec` lets the ordinary path finder look. If the module is not the user's, or not a plain
   source file, it steps aside and Python goes on as if we were not there.
3. For a module of the user's, the rewritten bytecode is fetched from the cache (by the hash of the
   source) or made. This happens here and not in the loader, so that whatever goes wrong leaves the
   import to Python, which then raises the right error without a frame of ours in it.
4. The spec gets a loader that differs from the ordinary one in `get_code` only. Everything else
   (`__file__`, `get_source`, reloading, resources) is inherited.

Nothing here raises into an import. What could not be rewritten runs as it is, and the log says so.
"""

from __future__ import annotations

import _imp
import _warnings
import os
import sys

from ao_lsp.taint import frames, names, pyc, scope
from ao_lsp.taint.kept import keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ast import Module
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
    from types import CodeType, ModuleType
    from typing import Any

else:
    # What `importlib.machinery` would re-export, without importing it.
    _external = sys.modules["_frozen_importlib_external"]
    PathFinder, SourceFileLoader = _external.PathFinder, _external.SourceFileLoader

keep(__name__)

VERSION = 8
"""Of the code that `rewrite` makes; `rewrite.VERSION` is the same number, held so by a test: this
file must not import `ast`."""


class RewritingLoader(SourceFileLoader):
    """Loads a source file from rewritten code."""

    def __init__(self, name: str, path: str, code: CodeType) -> None:
        SourceFileLoader.__init__(self, name, path)  # `super()` looks at frames
        self._code: CodeType | None = code

    def get_code(self, fullname: str) -> CodeType | None:
        # Once: a reload asks the finder again, and must not get the old code.
        code, self._code = self._code, None
        if code is None:
            code = code_of(self.path)
        if code is None:
            return SourceFileLoader.get_code(self, fullname)
        scope.FILES.add(self.path)
        if not scope.is_own(fullname, self.path):
            scope.FOLLOWED.add(self.path)
        scope.MODULES.add(fullname)
        return code


class Finder:
    """Finds modules of the user's and gives them rewritten code."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name in _in_search:
            return None
        _in_search.add(name)
        try:
            spec = PathFinder.find_spec(name, path, target)
        except Exception:
            return None  # Python's own finders meet the same and report it
        finally:
            _in_search.discard(name)
        if spec is None or type(spec.loader) is not SourceFileLoader or spec.origin is None:
            return None
        try:
            if not scope.is_users(name, spec.origin):
                return None
        except Exception as error:
            _report(f"{spec.origin}: not rewritten: {type(error).__name__}: {error}")
            return None
        code = code_of(spec.origin)
        if code is None:
            return None
        spec.loader = RewritingLoader(name, spec.origin, code)
        return spec


# A path hook may import while it looks for a module, and would ask us for the same one again.
_in_search: set[str] = set()


def code_of(file: str, is_script: bool = False) -> CodeType | None:
    """The rewritten code of a module of the user's; None where it has to run as it is."""
    if frames.is_counted():
        frames.show_patches()
        _report(f"{file}: not rewritten: a profiler or a coverage tool is at work")
        return None
    try:
        return compiled(pyc.read(file), file, is_script)
    except RecursionError:
        _report(f"{file}: not rewritten: an expression is nested too deep")
    except Exception as error:
        # Syntax errors among them: Python will meet and report them itself.
        _report(f"{file}: not rewritten: {type(error).__name__}: {error}")
    return None


def compiled(source: bytes, file: str, is_script: bool = False) -> CodeType:
    """The rewritten code for the contents of a file, from the cache where possible.

    Raises:
        Exception: whatever reading, rewriting or compiling it raises.
    """
    cached = pyc.location(file, VERSION)
    found = pyc.load(cached, source)
    if found is not None and not _debugging():
        code, warns = found
        if warns and (is_script or sys.dont_write_bytecode):
            # Where python has no compiled code to take, it gives the compiler's warnings each time.
            compile(source, file, "exec", dont_inherit=True)
        if code.co_filename != file:  # the same file under another name (a link, a relative path)
            _imp._fix_co_filename(code, file)  # type: ignore[attr-defined]  # as importlib does
        return code
    code, warns = made(source, file)
    if warns:
        compile(source, file, "exec", dont_inherit=True)
    try:
        pyc.store(cached, source, code, warns)
    except Exception as error:
        # No place, no right, or a program that forbids it (in an event loop, say).
        _report(f"{cached}: not cached: {error}")
    return code


def made(source: bytes, file: str) -> tuple[CodeType, bool]:
    """The rewritten code, made afresh and without a warning, and whether compiling the source gives any.

    Raises:
        Exception: whatever rewriting or compiling it raises.
    """
    warns = _warns(source, file)
    return _without_warnings("ignore", file, rewritten, source), warns


def _warns(source: bytes, file: str) -> bool:
    """Whether the compiler warns about a file. Its warnings are about the source as it stands: rewritten,
    there would be others."""
    try:
        _without_warnings("error", file, _compile, source)
    except SyntaxError:
        return True
    return False


def _compile(source: bytes, file: str) -> CodeType:
    return compile(source, file, "exec", dont_inherit=True)


def _without_warnings(action: str, file: str, make: Callable[[bytes, str], CodeType], source: bytes) -> CodeType:
    """`make(source, file)`, with something else done about the compiler's warnings than to show them. Nobody else
    notices: the filter is for what the compiler takes for the module's name, and changing the list itself, unlike
    `warnings.catch_warnings`, does not make Python forget which warnings it has shown."""
    filters = _first_filters()
    ours = (action, None, Warning, file[:-3] if file.endswith(".py") else file, 0)
    filters.insert(0, ours)
    try:
        return make(source, file)
    finally:
        if ours in filters:
            filters.remove(ours)


def _first_filters() -> list[Any]:
    """The filters that the compiler asks first: with `-X context_aware_warnings` (3.14) those of a `catch_warnings`
    around the import are no longer those of the module."""
    if getattr(sys.flags, "context_aware_warnings", False):
        context = _warnings._warnings_context.get(None)  # type: ignore[attr-defined]  # of 3.14
        if context is not None:
            found: list[Any] = context._filters
            return found
    filters: list[Any] = sys.modules.get("warnings", _warnings).filters
    return filters


def rewritten(source: bytes, file: str) -> CodeType:
    """The rewritten code, made afresh."""
    from ao_lsp.taint.rewrite import rewrite

    tree = rewrite(source, file)
    if _debugging():
        show(tree, file)
    return compile(tree, file, "exec", dont_inherit=True)


def show(tree: Module, file: str) -> None:
    """Write what a file was rewritten to beside it, for a person to read."""
    import ast

    try:
        with open(shown(file), "w", encoding="utf-8", errors="backslashreplace") as handle:
            handle.write(ast.unparse(tree) + "\n")
    except Exception as error:  # a folder that cannot be written, say
        _report(f"{file}: the rewritten source cannot be shown: {type(error).__name__}: {error}")


def shown(file: str) -> str:
    """Where `show` writes. No such file is ever rewritten itself: it is no Python."""
    return os.path.splitext(file)[0] + ".ao_rewritten.py"


def _debugging() -> bool:
    return os.environ.get("DEBUG_AST_REWRITES") == "1"


def _nobody(_: str) -> None:
    """Who is told before `install` says who."""


_report: Callable[[str], None] = _nobody


def install(report: Callable[[str], None]) -> None:
    """From now on modules of the user's are rewritten. `report` is told what could not be."""
    global _report
    _report = report
    names.install()
    sys.meta_path.insert(0, Finder)


def uninstall() -> None:
    """Rewrite no further modules; those that are loaded go on working."""
    if Finder in sys.meta_path:
        sys.meta_path.remove(Finder)
