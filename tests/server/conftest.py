"""Fixtures of the server's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from ao_lsp.server.core import Core, open_core
from ao_lsp.server.store.sql import SqlStore
from tests import postgres
from tests.daemons import own_home


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The test's own AO_HOME; daemons under it end with the test."""
    with own_home(monkeypatch) as path:
        yield path


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of the test's own, of each kind in turn: a path or an address."""
    return str(tmp_path / "data" / "ao.db") if request.param == "sqlite" else await postgres.server().database()


@pytest.fixture
async def store(database: str) -> AsyncIterator[SqlStore]:
    """The store in it."""
    opened = await open_database(database)
    yield opened
    await opened.close()


@pytest.fixture
async def core(home: str, database: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Core]:  # noqa: ARG001 - the core lives there
    if database.startswith("postgresql:"):
        monkeypatch.setenv("AO_DATABASE", database)
    opened = await open_core()
    yield opened
    await opened.close()


async def open_database(database: str) -> SqlStore:
    from ao_lsp.server.store import postgres, sqlite

    if database.startswith("postgresql:"):
        return await postgres.open_store(database)
    return await sqlite.open_store(database)
