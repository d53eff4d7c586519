"""One file of a version, at once: without the lock, because objects never change. Where one is just being moved, or is
not there, nobody is worse off than without versions."""

from __future__ import annotations

import os
import stat

from dulwich.object_store import DiskObjectStore
from dulwich.objects import Blob, ObjectID, Tree

from ao_lsp import paths
from ao_lsp.server.versions.repository import DAMAGE


def file_in(version: str, name: bytes) -> tuple[str, bytes] | None:
    """The id of what is in the file `name` of a version, and that itself; None of links, or where nobody can tell."""
    store = DiskObjectStore(os.path.join(paths.git_dir(), "objects"))
    try:
        found = store[ObjectID(version.encode("ascii"))]
        for part in name.split(b"/"):
            if not isinstance(found, Tree):
                return None
            mode, id_ = found[part]
            if stat.S_ISLNK(mode):
                return None
            found = store[id_]
        return (found.id.decode(), found.as_raw_string()) if isinstance(found, Blob) else None
    except (*DAMAGE, OSError):
        return None
    finally:
        store.close()
