"""The files of one project that count as the user's."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ao_lsp.server.workspace.ignore import RuleBook, Rules, is_never_file, is_never_folder
from ao_lsp.server.workspace.roots import is_nobodys

MOST_FILES = 20_000
"""More than so many are not looked at: a folder that holds more is hardly one program's."""

_MOST_ENTRIES = 200_000  # whatever they are


@dataclass(frozen=True, slots=True)
class Found:
    """A file or a link. `stat` is of the link itself."""

    path: str
    stat: os.stat_result


class Project:
    """The user's files below `root`: not those that its ignore rules leave out, not environments, caches and what is
    hidden. `program`, a folder, counts although it may be ignored.

    Folders that are links are not entered. Not for several threads at once: it remembers the rules that it has read.
    """

    def __init__(self, root: str, program: str | None = None) -> None:
        self.root = root
        self.is_whole = True
        """False after `files` if there were too many of them, or a folder could not be read."""
        self._book = RuleBook()
        self._tops = [root]
        if program is not None and not self._reaches(program):
            self._tops.append(program)

    def files(self, folders: Callable[[str], None] | None = None) -> Iterator[Found]:
        """Each file, those of the root first, then of the folders in it, and so on; `folders` is told each folder."""
        self.is_whole, entries, files = True, 0, 0
        waiting = deque((top, self._around(top)) for top in self._tops)
        while waiting:
            folder, above = waiting.popleft()
            if folders is not None:
                folders(folder)
            rules = self._book.below(folder, above)
            try:
                with os.scandir(folder) as listing:
                    found = sorted(listing, key=lambda entry: entry.name)
            except OSError:  # gone, or not ours to read
                self.is_whole = False
                continue
            entries += len(found)
            is_flat = is_nobodys(folder)
            for entry in found:
                if entry.is_dir(follow_symlinks=False):
                    if not is_flat and _enters(entry.path, rules):
                        waiting.append((entry.path, rules))
                elif (kept := _kept(entry, rules)) is not None:
                    files += 1
                    yield kept
            if waiting and (files >= MOST_FILES or entries >= _MOST_ENTRIES):
                self.is_whole = False
                return

    def owns(self, path: str) -> bool:
        """Whether `files` gives the file `path`, or gave it before it was deleted."""
        folder, name = os.path.split(path)
        if is_never_file(name):
            return False
        rules = [self._rules_in(top, folder) for top in self._tops if is_below(folder, top)]
        return any(rule is not None and not rule.ignores(path, is_folder=False) for rule in rules)

    def _reaches(self, folder: str) -> bool:
        return is_below(folder, self.root) and self._rules_in(self.root, folder) is not None

    def _around(self, top: str) -> Rules | None:
        """The rules of what lies around; none for a program in a folder that these rules leave out."""
        return self._book.outside(top) if top == self.root else None

    def _rules_in(self, top: str, folder: str) -> Rules | None:
        """The rules that hold in `folder`; None where `files` does not come to it from `top`."""
        place, rules = top, self._book.below(top, self._around(top))
        for name in os.path.relpath(folder, top).split(os.sep) if folder != top else ():
            above, place = place, os.path.join(place, name)
            if is_nobodys(above) or os.path.islink(place) or not _enters(place, rules):
                return None
            rules = self._book.below(place, rules)
        return rules


def _enters(folder: str, rules: Rules) -> bool:
    return not is_never_folder(folder) and not rules.ignores(folder, is_folder=True)


def _kept(entry: os.DirEntry[str], rules: Rules) -> Found | None:
    try:
        if not (entry.is_file(follow_symlinks=False) or entry.is_symlink()):  # a socket, say
            return None
        if is_never_file(entry.name) or rules.ignores(entry.path, is_folder=False):
            return None
        return Found(entry.path, entry.stat(follow_symlinks=False))
    except OSError:  # it has just gone
        return None


def is_below(path: str, folder: str) -> bool:
    """Whether `path` is `folder`, or somewhere in it."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)
