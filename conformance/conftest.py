"""The fixtures of recorded programs, and the model server that they talk to."""

import pytest

pytest.register_assert_rewrite("conformance.checks")

from tests.conftest import model_server  # noqa: E402  # what is above comes before any import of it
from tests.runner.conftest import home, programs  # noqa: E402

__all__ = ["home", "model_server", "programs"]
