"""Fixtures of the watcher's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.daemons import own_home


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The test's own AO_HOME, whose daemons watch."""
    with own_home(monkeypatch) as path:
        monkeypatch.setenv("AO_WATCH", "1")
        monkeypatch.delenv("VIRTUAL_ENV", raising=False)
        yield path
