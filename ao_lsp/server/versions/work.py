"""What is done with the repository of versions in a thread: each function takes the lock, does one thing, and says in
the log what."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from ao_lsp import paths
from ao_lsp.server.versions import snapshot
from ao_lsp.server.versions.repository import BusyError, DamagedError, Repository
from ao_lsp.server.versions.snapshot import Program, Taken

log = logging.getLogger(__name__)

T = TypeVar("T")

_LISTED = 20  # files that are left out, in the log


class UnavailableError(Exception):
    """The versions cannot be used now; the message is for the user."""


def take(run: str, program: Program, started: float) -> Taken | None:
    """The version of a program that has just `started`; None where there is none, for a reason that is logged."""
    begun = time.monotonic()
    try:
        with Repository() as repository:
            try:
                taken = snapshot.take(repository, program, started)
            except DamagedError as error:
                log.warning("%s: what was there is now in %s, and versions begin anew", error, repository.set_aside())
                taken = snapshot.take(repository, program, started)
    except (OSError, BusyError, DamagedError, paths.UnsafeDirectory) as error:
        log.warning("run %s has no version: %s", run, error)
        return None
    took = (time.monotonic() - begun) * 1000
    if taken is None:
        log.info("run %s has no version: there are no files of its project in %s", run, program.root)
        return None
    what = "committed" if taken.is_new else "is the same as the last one"
    log.info(
        "run %s: version %s of %s %s: %d files, %d of them read, %d left out, %.0f ms%s",
        *(run, taken.version[:10], program.root, what, taken.files, taken.read, len(taken.skipped), took),
        f"; {taken.note}" if taken.note else "",
    )
    if taken.is_new:
        for file, why in list(taken.skipped.items())[:_LISTED]:
            log.info("left out of %s: %s: %s", taken.version[:10], file, why)
    return taken


def reading(read: Callable[[Repository], T]) -> T:
    """What `read` gives.

    Raises:
        UnavailableError: the repository cannot be read; one that is damaged has been set aside.
    """
    try:
        with Repository() as repository:
            try:
                return read(repository)
            except DamagedError as error:
                aside = repository.set_aside()
                log.warning("%s: what was there is now in %s, and versions begin anew", error, aside)
                raise UnavailableError(f"the versions were damaged, and are now in {aside}: {error}") from error
    except (OSError, BusyError, paths.UnsafeDirectory) as error:
        raise UnavailableError(f"the versions cannot be read: {error}") from error
