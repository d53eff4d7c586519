"""The bodies of many calls, a bounded number of bytes at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from ao_lsp.server.model import Call, Exchange
from ao_lsp.server.store import Store

_BATCH_BYTES = 4 << 20
_BATCH_CALLS = 250
"""Each batch is one query; in between, others get their turn at the database."""


async def in_batches(
    store: Store, calls: Iterable[Call], most_bytes: int | None = None
) -> AsyncIterator[list[tuple[Call, Exchange]]]:
    """`calls` with their bodies, in order, without those of which nothing is recorded; with `most_bytes` only the
    first ones, whose bodies are no longer than that together. A batch has one call at least, however long it is.

    Raises:
        StoreError: the database fails.
    """
    listed = list(calls)
    sizes = await store.body_bytes(list(dict.fromkeys(call.run for call in listed)))
    batch: list[Call] = []
    held, left = 0, most_bytes
    for call in listed:
        size = sizes.get(call.id)
        if size is None:
            continue
        if left is not None:
            left -= size
            if left < 0:
                break
        if batch and (held + size > _BATCH_BYTES or len(batch) == _BATCH_CALLS):
            yield await _read(store, batch)
            batch, held = [], 0
        batch.append(call)
        held += size
    if batch:
        yield await _read(store, batch)


async def _read(store: Store, calls: list[Call]) -> list[tuple[Call, Exchange]]:
    found = await store.exchanges(calls)
    return [(call, found[call.id]) for call in calls if call.id in found]
