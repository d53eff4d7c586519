"""What is left out of a project: by its own ignore rules, and by what is never anybody's source.

The rules are git's (gitignore(5)): of the folders from the top of the version history down, of `.git/info/exclude`,
and of the user's own file for all repositories. They are read; nothing of the user's git is ever written.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from fnmatch import translate

from dulwich.ignore import IgnoreFilter, Pattern, read_ignore_patterns

from ao_lsp.server.workspace.roots import is_nobodys

_NEVER_FOLDERS = frozenset({"__pycache__", "node_modules", "site-packages", "dist-packages", "__pypackages__"})
"""Besides what is hidden. Environments are known by what they hold."""

_ENVIRONMENT_MARKS = ("pyvenv.cfg", "conda-meta")

# What is written by us or by Python beside the source; and what holds keys where nobody thought of ignoring it.
_NEVER_FILES = (
    "*.ao_rewritten.py", "*.py[co]", "*.so", "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore",
    "id_rsa*", "id_ed25519*", "credentials.json", "secrets.toml", "secrets.y*ml", "secrets.json",
)  # fmt: skip


_NEVER_FILE = re.compile("|".join(map(translate, _NEVER_FILES)))  # one by one they take half the time of a walk


def is_never_folder(path: str) -> bool:
    """Whether no folder of this name, or with what lies in it, is source."""
    name = os.path.basename(path)
    return (
        name.startswith(".")
        or name in _NEVER_FOLDERS
        or name.endswith(".egg-info")
        or any(os.path.lexists(os.path.join(path, mark)) for mark in _ENVIRONMENT_MARKS)
    )


def is_never_file(name: str) -> bool:
    """Whether no file of this name is kept: hidden ones (`.env`) among them."""
    return name.startswith(".") or _NEVER_FILE.match(name) is not None


@dataclass(frozen=True, slots=True)
class Rules:
    """The ignore rules that hold in `folder`: those of its own, and of the folders `above`."""

    folder: str
    patterns: tuple[Pattern, ...]
    """The last one comes first: it wins."""
    above: Rules | None = None

    def ignores(self, path: str, is_folder: bool) -> bool:
        """Whether the file or folder `path`, somewhere below, is ignored. That a folder above it is, counts for
        nothing here: who walks down does not come that far."""
        rules: Rules | None = self
        while rules is not None:
            if rules.patterns:
                name = os.fsencode(path[len(rules.folder.rstrip(os.sep)) + 1 :])
                for pattern in rules.patterns:
                    if pattern.matches(name, is_folder):
                        return pattern.is_exclude
            rules = rules.above
        return False


class RuleBook:
    """The rules of folders; each file is read once, and again when it has changed."""

    def __init__(self) -> None:
        self._read: dict[str, tuple[tuple[int, int] | None, tuple[Pattern, ...]]] = {}

    def below(self, folder: str, above: Rules | None) -> Rules:
        """The rules that hold in `folder`, within those of the folders above."""
        found = self._patterns(os.path.join(folder, ".gitignore"))
        return Rules(folder, found, above)

    def outside(self, root: str) -> Rules | None:
        """The rules that hold in the project `root` because of what lies around it."""
        config = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
        rules = Rules(root, self._patterns(os.path.join(config, "git", "ignore")))
        top = _history_of(root)
        if top is None:
            return rules
        rules = Rules(top, self._patterns(os.path.join(top, ".git", "info", "exclude")), rules)
        place = top
        for name in os.path.relpath(root, top).split(os.sep) if root != top else ():
            rules = self.below(place, rules)
            place = os.path.join(place, name)
        return rules

    def _patterns(self, file: str) -> tuple[Pattern, ...]:
        try:
            found = os.lstat(file)
        except OSError:
            state = None
        else:
            state = (found.st_mtime_ns, found.st_size)
        known = self._read.get(file)
        if known is None or known[0] != state:
            known = self._read[file] = (state, _patterns_in(file) if state is not None else ())
        return known[1]


def _patterns_in(file: str) -> tuple[Pattern, ...]:
    """The patterns of an ignore file, the last one first; none where it cannot be read, or is a link, as for git."""
    try:
        with open(os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as opened:
            lines = list(read_ignore_patterns(opened))
    except OSError:
        return ()
    return tuple(reversed(IgnoreFilter(lines, path=file).patterns))


def _history_of(folder: str) -> str | None:
    place = folder
    while not is_nobodys(place):
        if os.path.lexists(os.path.join(place, ".git")):
            return place
        place = os.path.dirname(place)
    return None
