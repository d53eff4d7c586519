"""`ao.versions`, `ao.show`, `ao.diff_code`, `ao.checkout`: the code that runs had (docs/versions.md)."""

from __future__ import annotations

import asyncio
import base64
import difflib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from ao_lsp.server import command, refs, views
from ao_lsp.server.command import Caller, Command
from ao_lsp.server.core import Core
from ao_lsp.server.model import Run
from ao_lsp.server.params import CommandError, param
from ao_lsp.server.results.versions import (
    CheckoutJson,
    CodeChangesJson,
    CodeDiffJson,
    CodeFileJson,
    CodeFilesJson,
    CodeTextJson,
    FileDiffJson,
    NamedVersionJson,
    SideJson,
    VersionJson,
    VersionsJson,
)

if TYPE_CHECKING:
    from ao_lsp.server.versions.comparison import State
    from ao_lsp.server.versions.history import Changes, File, Version
    from ao_lsp.server.versions.repository import Repository

T = TypeVar("T")

_VERSION = f"a version or the beginning of one, or {command.RUN}"
_SHORTEST = 4  # beginning of a version


@dataclass(frozen=True, slots=True)
class VersionsParams:
    project: str | None = param("only of the project that this folder belongs to", None)
    limit: int = param("at most so many", 20)


@dataclass(frozen=True, slots=True)
class ShowParams:
    version: str = param(_VERSION)
    file: str | None = param("which file, as it is called in the project; null: list them", None)


@dataclass(frozen=True, slots=True)
class DiffCodeParams:
    a: str = param(_VERSION)
    b: str | None = param("the same; null: the files as they are now", None)


@dataclass(frozen=True, slots=True)
class CheckoutParams:
    version: str = param(_VERSION)
    folder: str = param("where to write the files: the absolute path of a folder that is new or empty")
    force: bool = param("also into a folder that is not empty: files of the same names are replaced", False)


@dataclass(frozen=True, slots=True)
class _Named:
    """A version of the files below `root`, and the run that it was named by, if it was."""

    version: str
    root: str
    run: Run | None

    def as_json(self) -> NamedVersionJson:
        return {"version": self.version, "run": self.run.id if self.run else None}


async def reading(read: Callable[[Repository], T]) -> T:
    """What `read` gives of the repository, in a thread.

    Raises:
        CommandError: it cannot be read, or a version is not there any more.
    """
    from ao_lsp.server.versions import work  # not before somebody asks: it needs dulwich
    from ao_lsp.server.versions.repository import GoneError

    try:
        return await asyncio.to_thread(work.reading, read)
    except GoneError as error:
        message = f"version {str(error)[:10]} is not there any more"
        raise CommandError("not_found", message, "ao versions lists those that are") from None
    except work.UnavailableError as error:
        raise CommandError("unavailable", str(error), "ao-server git-logs has more") from error


async def find_version(core: Core, wanted: str) -> _Named:
    """What `wanted` names: a run, or a version.

    Raises:
        CommandError: there is none, or more than one; or the run has no version.
    """
    try:
        run = await core.store.run(await refs.find_run(core.store, wanted))
    except CommandError as error:
        if error.code != "not_found" or len(wanted) < _SHORTEST:
            raise
        found = {each.id: each.project for each in await _all() if each.id.startswith(wanted)}
        if not found:
            raise
        if len(found) > 1:
            raise CommandError("ambiguous", f"{len(found)} versions begin with {wanted}", "say more of it") from None
        return _Named(*found.popitem(), None)
    if run is None:
        raise CommandError("not_found", f"run {wanted} has just been deleted")
    return _Named(version_of(run), run.version_root or "", run)


def version_of(run: Run) -> str:
    """The version that a run has.

    Raises:
        CommandError: it has none.
    """
    if run.version is None:
        hint = "it was recorded before versions were kept, or ao-server git-logs says why"
        raise CommandError("conflict", f"run {run.id} has no version of its code", hint)
    return run.version


async def _all() -> list[Version]:
    from ao_lsp.server.versions import history

    return await reading(history.newest)


async def _versions(core: Core, _: Caller, params: VersionsParams) -> VersionsJson:
    from ao_lsp.server.versions import history
    from ao_lsp.server.workspace import project_root

    found = await _all()
    if params.project is not None:
        root = await asyncio.to_thread(lambda: project_root(os.path.realpath(params.project or "")))
        found = [each for each in found if each.project == root]
    runs = await core.store.versions()
    shown = found[: max(0, params.limit)]

    def compared(repository: Repository) -> list[VersionJson]:
        return [
            _version_json(each, history.changes(repository, each.before, each.id) if each.before else None)
            for each in shown
        ]

    listed = await reading(compared)
    return {"versions": [{**each, "runs": runs.get(each["version"], [])} for each in listed], "total": len(found)}


def _version_json(version: Version, changes: Changes | None) -> VersionJson:
    return {
        "version": version.id,
        "commit": version.commit,
        "project": version.project,
        "at": views.when(version.at),
        "files": version.files,
        "before": version.before,
        "summary": str(changes) if changes else "1 file" if version.files == 1 else f"{version.files} files",
        "changes": None if changes is None else _changes_json(changes),
        "left_out": version.skipped,
    }


def _changes_json(changes: Changes) -> CodeChangesJson:
    return {
        "added": [os.fsdecode(file) for file in changes.added],
        "changed": [os.fsdecode(file) for file in changes.changed],
        "removed": [os.fsdecode(file) for file in changes.removed],
    }


async def _show(core: Core, _: Caller, params: ShowParams) -> CodeFilesJson | CodeTextJson:
    from ao_lsp.server.versions import history

    named = await find_version(core, params.version)

    def read(repository: Repository) -> CodeFilesJson | CodeTextJson:
        files = history.files_in(repository, named.version)
        if params.file is None:
            return {**named.as_json(), "files": [_file_json(name, file) for name, file in files.items()]}
        name = _file_named(files, params.file, named)
        data = repository.blob(files[name].blob)
        return {
            **named.as_json(),
            **_file_json(name, files[name]),
            "bytes": len(data),
            "text": _text(data),
            "base64": base64.b64encode(data).decode("ascii"),
        }

    return await reading(read)


def _file_json(name: bytes, file: File) -> CodeFileJson:
    return {"file": os.fsdecode(name), "executable": file.is_executable, "link": file.is_link}


def _text(data: bytes) -> str | None:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _file_named(files: dict[bytes, File], wanted: str, named: _Named) -> bytes:
    """The file that `wanted` names: by its name in the project, its path, or the end of its name if no other has that.

    Raises:
        CommandError: there is none, or more than one.
    """
    below = named.root and os.path.isabs(wanted)
    inside = os.path.relpath(wanted, named.root) if below else os.path.normpath(wanted)
    name = os.fsencode(inside)
    if name in files:
        return name
    found = [each for each in files if each.endswith(b"/" + name)]
    if len(found) == 1:
        return found[0]
    if found:
        raise CommandError(
            "ambiguous", f"{len(found)} files are called {wanted}", ", ".join(map(os.fsdecode, found[:4]))
        )
    close = difflib.get_close_matches(inside, map(os.fsdecode, files), 1)
    hint = f"did you mean {close[0]}?" if close else f"ao show {named.version[:10]} lists its files"
    raise CommandError("not_found", f"there is no file {wanted} in version {named.version[:10]}", hint)


async def _diff_code(core: Core, _: Caller, params: DiffCodeParams) -> CodeDiffJson:
    from ao_lsp.server.versions import comparison

    a = await find_version(core, params.a)
    b = await find_version(core, params.b) if params.b is not None else None
    now = await _now(a) if b is None else comparison.NOTHING

    def compared(repository: Repository) -> list[FileDiffJson]:
        right = now if b is None else comparison.kept(repository, b.version)
        found = comparison.differences(comparison.kept(repository, a.version), right)
        return [{"file": each.name, "status": each.status, "diff": each.diff} for each in found]

    files = await reading(compared)
    left: SideJson = {"version": a.version, "run": a.run.id if a.run else None}
    right: SideJson = {"version": None, "run": None}
    if b is not None:
        right = {"version": b.version, "run": b.run.id if b.run else None}
    return {"a": left, "b": right, "identical": not files, "files": files}


async def _now(named: _Named) -> State:
    """The files of the project that a version is of, as they are now."""
    from ao_lsp.server.versions import comparison
    from ao_lsp.server.versions.snapshot import Program, program_of

    program = Program(named.root, named.root)
    if named.run is not None:
        started = await asyncio.to_thread(program_of, named.run.target, named.run.cwd)
        program = started if started.root == named.root else program
    if not await asyncio.to_thread(os.path.isdir, named.root):
        raise CommandError("conflict", f"the project {named.root} is gone", "name another run to compare with")
    return await asyncio.to_thread(comparison.now, program)


async def _checkout(core: Core, _: Caller, params: CheckoutParams) -> CheckoutJson:
    from ao_lsp.server.versions import restore

    named = await find_version(core, params.version)
    if not os.path.isabs(params.folder):
        raise CommandError("bad_params", f"{params.folder} is no absolute path")

    def write(repository: Repository) -> int:
        try:
            return restore.write(repository, named.version, params.folder, params.force)
        except restore.InTheWayError as error:
            raise CommandError("conflict", str(error), "name a new or empty folder, or say --force") from None
        except OSError as error:
            message = f"{os.fsdecode(error.filename or params.folder)}: {error.strerror}"
            raise CommandError("unavailable", message) from None

    files = await reading(write)
    return {**named.as_json(), "folder": params.folder, "files": files}


VERSIONS = Command("states of the code that was run, newest first", VersionsParams, _versions)
SHOW = Command("a file as it was, or which files there were", ShowParams, _show, errors=("conflict",))
DIFF_CODE = Command(
    "what changed in the code from one run to another, or since",
    DiffCodeParams,
    _diff_code,
    since=2,
    errors=("conflict",),
)
CHECKOUT = Command("write the code of a run into a folder", CheckoutParams, _checkout, errors=("conflict",))
