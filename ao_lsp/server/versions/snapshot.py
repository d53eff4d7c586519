"""A version: the user's files as they are, kept where they are not as they were."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice

from dulwich.objects import Commit, ObjectID, Tree

from ao_lsp.server.versions import files, history
from ao_lsp.server.versions.files import FOLDER, Entries, Index
from ao_lsp.server.versions.repository import Repository
from ao_lsp.server.workspace import MOST_FILES, Found, Project, program_folder, project_root
from ao_lsp.server.workspace.roots import is_nobodys

_MOST_NARROW = 2_000
"""Of a folder that is no project, so many files at most."""

_CLOCK_S = 0.01
"""How far the clock by which files are stamped may be behind."""

_LATE_S = 5.0
"""What was written before a run began cannot be told from what was there if nobody looked for so long."""

_NAMED = 3
_SKIPPED_NAMED = 200


@dataclass(frozen=True, slots=True)
class Program:
    """Whose code is wanted: `root` is its project, `folder` where the program itself stands."""

    root: str
    folder: str


@dataclass(frozen=True, slots=True)
class Taken:
    """A version. `note` says why it may not be just what ran ("": it is); `is_new`: it was not the last one.
    `skipped` says of each file that was left out why; `read` counts those that had to be looked into."""

    version: str
    note: str
    is_new: bool
    files: int
    read: int
    skipped: Mapping[str, str]


def program_of(target: tuple[str, str], cwd: str) -> Program:
    """The program that `target` (as in `Run`) names."""
    folder = program_folder(target, cwd)
    return Program(project_root(folder), folder)


def name_of(root: str) -> str:
    """What the project in the folder `root` is called in the repository."""
    return blake2b(os.fsencode(root), digest_size=10).hexdigest()


def take(repository: Repository, program: Program, started: float | None = None) -> Taken | None:
    """The version of the files as they are now, and whether they were so when a program `started` (Unix seconds);
    None where there are no files.

    Raises:
        DamagedError: what is there cannot be read.
        OSError: what is new cannot be written.
    """
    name = name_of(program.root)
    head = repository.head(name)
    last = history.tree_of(repository.commit(head)) if head is not None else None
    known = files.loaded(repository.index(name), program.root, last)
    read = [0]

    def put(data: bytes) -> str:
        read[0] += 1
        return repository.put(b"blob", data)

    whole, found = files_of(program)
    entries = files.look(program.root, found, known, put)
    kept = {file: entry for file, entry in entries.items() if not entry.skipped}
    if not kept:
        return None
    skipped = {os.fsdecode(file): entry.skipped for file, entry in entries.items() if entry.skipped}
    if not whole:
        skipped["…"] = "this is no project of its own, or too large a one: only Python files near the program are kept"
    changed = entries != known
    tree = _tree(repository, kept) if changed or last is None else last
    if tree != last:
        said = {"root": program.root, "files": len(kept), "skipped": dict(islice(skipped.items(), _SKIPPED_NAMED))}
        repository.set_head(name, commit(repository, tree, head, time.time(), json.dumps(said)))
    if changed:
        repository.write_index(name, Index(program.root, tree, entries).dumped())
    note = "" if started is None else _note(program.root, kept, known.keys() - entries.keys(), started)
    return Taken(tree, note, tree != last, len(kept), read[0], skipped)


def files_of(program: Program) -> tuple[bool, Iterable[Found]]:
    """The files that count, and whether these are all of the project's."""
    if not is_nobodys(program.root):
        found = list(islice(Project(program.root, program.folder).files(), MOST_FILES))
        if len(found) < MOST_FILES:
            return True, found
    near = Project(program.folder).files()
    return False, islice((one for one in near if one.path.endswith(".py")), _MOST_NARROW)


def _tree(repository: Repository, entries: Entries) -> str:
    """The id of the folder that has these files. Without recursion: folders may be very deep."""
    folders: dict[bytes, Tree] = {b"": Tree()}
    for file in entries:
        above = file.rpartition(b"/")[0]
        while above not in folders:
            folders[above] = Tree()
            above = above.rpartition(b"/")[0]
    for file, entry in entries.items():
        above, _, name = file.rpartition(b"/")
        folders[above].add(name, entry.mode, ObjectID(entry.id.encode()))
    for folder in sorted(folders, key=lambda folder: -folder.count(b"/") if folder else 1):
        made = repository.put(b"tree", folders[folder].as_raw_string())
        if folder:
            above, _, name = folder.rpartition(b"/")
            folders[above].add(name, FOLDER, ObjectID(made.encode()))
    return made


def commit(repository: Repository, tree: str, parent: str | None, at: float, said: str) -> str:
    """A commit of ours, by nobody in particular."""
    made = Commit()
    made.tree = ObjectID(tree.encode())
    made.parents = [ObjectID(parent.encode())] if parent is not None else []
    made.author = made.committer = b"ao <ao@localhost>"
    made.author_time = made.commit_time = int(at)
    made.author_timezone = made.commit_timezone = 0
    made.encoding = b"UTF-8"
    made.message = said.encode("utf-8", "replace") + b"\n"
    return repository.put(b"commit", made.as_raw_string())


def _note(root: str, entries: Entries, gone: Iterable[bytes], started: float) -> str:
    """Why the files may have been other ones when a run began: "" where nothing says so."""
    moment = int((started - _CLOCK_S) * 1e9)
    # The second time is that of the inode: a file that was moved here has kept the first.
    written = [os.fsdecode(file) for file, entry in entries.items() if max(entry.state[1:3]) > moment]
    written += [
        os.fsdecode(file)
        for file in gone
        if _has_changed(os.path.dirname(os.path.join(root, os.fsdecode(file))), moment)
    ]
    if written:
        more = f" and {len(written) - _NAMED} more" if len(written) > _NAMED else ""
        return f"written after the run began: {', '.join(sorted(written)[:_NAMED])}{more}"
    late = time.time() - started
    return f"taken {late:.0f} s after the run began" if late > _LATE_S else ""


def _has_changed(folder: str, moment: int) -> bool:
    """Whether a folder lost or got something after `moment` (ns); one that is gone itself says nothing."""
    try:
        return os.stat(folder).st_mtime_ns > moment
    except OSError:
        return False
