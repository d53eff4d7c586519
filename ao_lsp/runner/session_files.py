"""What files hold, from one run of a session to the next: `<data>/sessions/<session>.json`."""

from __future__ import annotations

import os

from ao_lsp import paths, protocol
from ao_lsp.taint.kept import keep as _keep

_keep(__name__)

_VERSION = 1


def recall(session: str) -> None:
    """Know what earlier runs of the session wrote to files. Raises nothing."""
    from ao_lsp.taint import remembered

    try:
        with open(paths.session_file(session), "rb") as file:
            saved = protocol.loads(file.read())
        if saved["version"] == _VERSION:
            remembered.restore(saved["files"])
    except (OSError, protocol.ProtocolError, LookupError, TypeError, ValueError):
        return  # there is none, or it is damaged: a later write makes a new one


def keep(session: str) -> None:
    """Leave what this run knows of files to the next one. Raises nothing."""
    from ao_lsp.taint import streams

    saved = streams.dump()
    if not saved:
        return
    path = paths.session_file(session)
    private = f"{path}.{os.getpid()}"
    try:
        paths.secure_dir(os.path.dirname(path))
        with open(os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(protocol.line({"version": _VERSION, "files": saved}))
        os.replace(private, path)
    except (OSError, paths.UnsafeDirectory):
        return
