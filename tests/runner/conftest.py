"""What the tests of the runner share."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def daemon_home(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment of a place where no daemon can be started: everything is spooled."""
    home = tmp_path_factory.mktemp("ao")
    return {"AO_HOME": str(home), "AO_SERVER_PYTHON": "/bin/false"}
