"""Forgets old versions. A process of its own, which does its work where nobody waits for it:

    python -m ao_lsp.server.versions.upkeep < WISHES

where WISHES is JSON: `{"named": [version, …], "keep_s": seconds}`. It prints what it did: `{"dropped", "kept",
"bytes_before", "bytes"}`, or `{"error"}`.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import time
from collections.abc import Container
from contextlib import suppress
from dataclasses import asdict, dataclass

from ao_lsp.server.versions import history, packing, size
from ao_lsp.server.versions.history import Version
from ao_lsp.server.versions.repository import DAMAGE, BusyError, DamagedError, Repository
from ao_lsp.server.versions.snapshot import commit


@dataclass(frozen=True, slots=True)
class Tidied:
    """How many commits went and stayed, and how large the folder was and is."""

    dropped: int
    kept: int
    bytes_before: int
    bytes: int


def tidy(repository: Repository, named: Container[str], keep_s: float) -> Tidied:
    """Forget the versions that are not `named` and older than `keep_s`, and give their space back.

    Raises:
        DamagedError: something cannot be read.
        OSError: something cannot be written.
    """
    before, dropped, kept = size(), 0, 0
    for project in repository.projects():
        found = list(history.of_project(repository, project))
        wanted = [each for each in found if each.id in named or time.time() - each.at < keep_s]
        dropped, kept = dropped + len(found) - len(wanted), kept + len(wanted)
        if len(wanted) < len(found):
            repository.set_head(project, _joined(repository, wanted))
        if not wanted:
            with suppress(FileNotFoundError):
                os.unlink(repository.index(project))
    try:
        packing.collect(os.path.join(repository.folder, "objects"), _named(repository))
    except DAMAGE as error:
        raise DamagedError("an object cannot be read") from error
    return Tidied(dropped, kept, before, size())


def _joined(repository: Repository, versions: list[Version]) -> str | None:
    """Commits of these versions, the last of which comes first; None where there are none. Gives the last."""
    parent = None
    for version in reversed(versions):
        said = repository.commit(version.commit)
        if [each.decode() for each in said.parents] == ([parent] if parent else []):
            parent = version.commit
        else:
            parent = commit(
                repository, version.id, parent, version.at, said.message.decode("utf-8", "replace").rstrip("\n")
            )
    return parent


def _named(repository: Repository) -> set[str]:
    """Every object that a version needs."""
    found: set[str] = set()
    for project in repository.projects():
        for version in history.of_project(repository, project):
            found.add(version.commit)
            waiting = [version.id]
            while waiting:
                tree = waiting.pop()
                if tree not in found:
                    found.add(tree)
                    for _, mode, id_ in repository.tree(tree):
                        if stat.S_ISDIR(mode):
                            waiting.append(id_)
                        else:
                            found.add(id_)
    return found


def main() -> None:
    with suppress(OSError):
        os.nice(10)
    wishes = json.load(sys.stdin)
    try:
        with Repository() as repository:
            try:
                said = asdict(tidy(repository, set(wishes["named"]), wishes["keep_s"]))
            except DamagedError as error:
                said = {"error": f"{error}; all of it is now in {repository.set_aside()}"}
    except (OSError, BusyError) as error:
        said = {"error": str(error)}
    json.dump(said, sys.stdout)


if __name__ == "__main__":
    main()
