"""What the tests of the runner share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemons import own_home
from tests.runner.recorded import Programs


@pytest.fixture(scope="session")
def daemon_home(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment of a place where no daemon can be started: everything is spooled."""
    home = tmp_path_factory.mktemp("ao")
    return {"AO_HOME": str(home), "AO_SERVER_PYTHON": "/bin/false"}


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The test's own AO_HOME; daemons under it end with the test."""
    with own_home(monkeypatch) as path:
        yield path


@pytest.fixture
def programs(tmp_path: Path, home: str, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """Writes programs and runs them under `ao-record`, with a daemon of the test's own."""
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    monkeypatch.setenv("AO_HOME", home)
    return Programs(tmp_path)
