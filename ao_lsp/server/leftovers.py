"""What runs left outside of the database, to be deleted with them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress

from ao_lsp import paths
from ao_lsp.server import editor_files


def delete_files(runs: Iterable[str], sessions: Iterable[str]) -> None:
    """Delete the files of these runs, and what later runs of these sessions were to know. What cannot be
    deleted stays."""
    wanted = list(runs)
    editor_files.delete_files(wanted)
    # Ids come from runners and may be anything, also the way out of a folder.
    named = [run for run in wanted if os.sep not in run]
    left = [paths.session_file(session) for session in sessions if os.sep not in session]
    for path in (*_of_runs(named), *left):
        with suppress(OSError):
            os.unlink(path)


def _of_runs(runs: Iterable[str]) -> Iterable[str]:
    """Plans that were never used, and spool files of which a part could not be read."""
    try:
        spooled = [name for name in os.listdir(paths.spool_dir()) if name.endswith(".damaged")]
    except OSError:
        spooled = []
    for run in runs:
        yield os.path.join(paths.plan_dir(), f"{run}.plan")
        yield from (os.path.join(paths.spool_dir(), name) for name in spooled if name.startswith(f"{run}-"))
