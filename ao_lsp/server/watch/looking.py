"""What lies in a folder, and what of it has changed since the last look. For a thread: it asks the file system."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ao_lsp.server.watch.compiling import State
from ao_lsp.server.workspace import Project, is_below

MOST_LINKED = 16
"""Folders that are links, of one project; those in linked folders are not followed."""

# Files of other names are code only where one of them is the program.
_SUFFIX = ".py"


@dataclass(frozen=True, slots=True)
class Look:
    """All source files of a folder with their states, the last written first.

    `links` has the other names of a file (its real path → paths that are links to it), `folders` the links to
    folders, and other folders that do not count by themselves. `is_there`: whether the folder is. `is_whole`: whether
    all of it was seen.
    """

    files: dict[str, State]
    links: dict[str, tuple[str, ...]]
    folders: tuple[str, ...]
    is_there: bool
    is_whole: bool


class Eyes:
    """Looks at one root: a project, and the folders that links in it lead to."""

    def __init__(self, root: str, programs: Iterable[str] = ()) -> None:
        self.root = root
        self.programs = set(programs)
        """Scripts: their names may be anything, and the folders that they stand in count, whatever is said of them."""
        self._project = Project(root)
        self._linked: dict[str, Project] = {}

    def look(self, enter: Callable[[str], None]) -> Look:
        """Look at everything; `enter` is told of each folder before it is looked at."""
        files, links = dict[str, State](), dict[str, list[str]]()
        if not os.path.isdir(self.root):
            return Look({}, {}, (), is_there=False, is_whole=False)
        found = list[str]()
        whole = self._look(self._project, enter, files, links, found)
        beside = {os.path.dirname(program) for program in self.programs.copy()}
        found += [
            folder for folder in sorted(beside) if not (whole and self._project.owns(os.path.join(folder, "a.py")))
        ]
        self.follow(found)
        for project in list(self._linked.values()):
            whole = self._look(project, enter, files, links, None) and whole
        newest = dict(sorted(files.items(), key=lambda one: one[1][0], reverse=True))
        return Look(newest, {real: tuple(paths) for real, paths in links.items()}, tuple(found), True, whole)

    def follow(self, folders: Iterable[str]) -> None:
        """Count these folders, and what is behind those that are links, as part of the project."""
        self._linked = {path: self._linked.get(path) or Project(path) for path in folders}

    def state(self, path: str) -> tuple[bool, State | None]:
        """Whether a path is a source file of the user's here, and its state: None where it is gone."""
        project = next((one for one in self._projects() if is_below(path, one.root)), None)
        if project is None or not (self.is_source(path) and (path in self.programs or project.owns(path))):
            return False, None
        return True, _state(path)

    def is_source(self, path: str) -> bool:
        return path.endswith(_SUFFIX) or path in self.programs

    def _projects(self) -> list[Project]:
        return [*self._linked.values(), self._project]

    def _look(
        self,
        project: Project,
        enter: Callable[[str], None],
        files: dict[str, State],
        links: dict[str, list[str]],
        folders: list[str] | None,
    ) -> bool:
        for found in project.files(enter):
            is_link = stat.S_ISLNK(found.stat.st_mode)
            if is_link and folders is not None and self._leads_on(found.path) and len(folders) < MOST_LINKED:
                folders.append(found.path)
            if not self.is_source(found.path):
                continue
            state = _state(found.path) if is_link else _state_of(found.stat)
            if state is not None:
                files[found.path] = state
                if is_link:
                    links.setdefault(os.path.realpath(found.path), []).append(found.path)
        return project.is_whole

    def _leads_on(self, link: str) -> bool:
        """Whether a link leads to a folder that is not one around it."""
        try:
            if not os.path.isdir(link):
                return False
            real = os.path.realpath(link)
        except OSError:
            return False
        return not is_below(os.path.realpath(os.path.dirname(link)), real)


def changes(before: Mapping[str, State], look: Look, eyes: Eyes) -> dict[str, State | None]:
    """What is new, other or (None) gone, in the order of the look. What is missing in it may have come after its folder
    was looked at: it is asked for again, and put into it where it is there."""
    changed: dict[str, State | None] = {path: state for path, state in look.files.items() if before.get(path) != state}
    for path in [path for path in before if path not in look.files] if look.is_whole else ():
        counts, state = eyes.state(path)
        if counts and state is not None:
            look.files[path] = state
        elif counts:
            changed[path] = None
    return changed


def _state_of(found: os.stat_result) -> State | None:
    return (found.st_mtime_ns, found.st_size, found.st_ino) if stat.S_ISREG(found.st_mode) else None


def _state(path: str) -> State | None:
    try:
        return _state_of(os.stat(path))
    except (OSError, ValueError) as error:
        # A server that does not answer does not say that the file is gone.
        if isinstance(error, OSError) and error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return (0, 0, 0)
        return None
