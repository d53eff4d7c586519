"""Few files in place of many, and none of what nobody names. Whoever calls holds the repository's lock.

At every moment each object that is named is there at least once: it is removed only after it is somewhere else.
"""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Iterator
from contextlib import suppress

from dulwich.object_store import DiskObjectStore
from dulwich.objects import ObjectID, ShaFile

_LOOSE = 1_000
"""So many files of one object each are left alone."""

_PACK_OBJECTS, _PACK_BYTES = 5_000, 32 << 20
"""A pack is made in memory."""


def collect(objects: str, named: Container[str]) -> None:
    """Drop the objects in the folder `objects` that are not `named`; pack the others if they are many files.

    Raises:
        OSError: there is no room, or no permission.
        Exception: an object cannot be read (repository.DAMAGE).
    """
    _remove_halves(os.path.join(objects, "pack"))
    kept = []
    for name, path in _loose(objects):
        if name in named:
            kept.append((name, path))
        else:
            os.unlink(path)
    store = DiskObjectStore(objects)
    try:
        for pack in list(store.packs):
            ids = [id_.decode() for id_ in pack]
            wanted = [id_ for id_ in ids if id_ in named]
            if len(wanted) < len(ids):
                _pack(store, wanted)
                pack.close()
                for end in (".idx", ".pack"):
                    os.unlink(f"{pack._basename}{end}")
        if len(kept) > _LOOSE:
            _pack(store, (name for name, _ in kept))
            for _, path in kept:
                os.unlink(path)
    finally:
        store.close()
    for name in os.listdir(objects):
        if len(name) == 2:
            with suppress(OSError):  # it is not empty
                os.rmdir(os.path.join(objects, name))


def _remove_halves(folder: str) -> None:
    """Remove what a process left that was killed."""
    names = set(os.listdir(folder))
    whole = {name[: -len(".idx")] for name in names if name.endswith(".idx")}
    whole &= {name[: -len(".pack")] for name in names if name.endswith(".pack")}
    for name in names - {each + end for each in whole for end in (".idx", ".pack")}:
        with suppress(OSError):
            os.unlink(os.path.join(folder, name))


def _loose(objects: str) -> Iterator[tuple[str, str]]:
    """Id and file of each object that has a file of its own."""
    for first in os.listdir(objects):
        if len(first) == 2:
            folder = os.path.join(objects, first)
            for rest in os.listdir(folder):
                yield first + rest, os.path.join(folder, rest)


def _pack(store: DiskObjectStore, ids: Iterable[str]) -> None:
    batch: list[tuple[ShaFile, None]] = []
    size = 0
    for id_ in ids:
        found = store[ObjectID(id_.encode())]
        batch.append((found, None))
        size += found.raw_length()
        if len(batch) >= _PACK_OBJECTS or size >= _PACK_BYTES:
            store.add_objects(batch)
            batch, size = [], 0
    if batch:
        store.add_objects(batch)
