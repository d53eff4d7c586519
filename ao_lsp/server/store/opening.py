"""Which database is the user's."""

from __future__ import annotations

from ao_lsp import paths
from ao_lsp.server.configuration import of_daemon
from ao_lsp.server.store import Store, StoreError


async def open_store() -> Store:
    """The store in the database that `AO_DATABASE` names; where it names none, in the user's own file.

    Raises:
        StoreError: it names nothing that we know, or that cannot be opened.
    """
    address = of_daemon("database", "").strip()
    if not address:
        from ao_lsp.server.store import sqlite

        return await sqlite.open_store(paths.database())
    if not address.startswith(("postgresql://", "postgres://")):
        raise StoreError(
            "unavailable",
            "AO_DATABASE names no database that ao-lsp knows",
            "it is postgresql://user:password@host/name, or not set: then runs are kept in a file",
        )
    from ao_lsp.server.store import postgres

    return await postgres.open_store(address)
