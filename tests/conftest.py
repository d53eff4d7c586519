"""Fixtures that more than one part of the tests uses."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# The examples are programs, and no part of the package: they are imported from where they lie.
sys.path.append(str(Path(__file__).parents[1] / "examples"))

from model_server import ModelServer

# They assert, too, and are to say what was not equal.
pytest.register_assert_rewrite("tests.runner.beside_python", "tests.runner.recorded")

# Whoever starts the tests in the background may have had SIGINT ignored, which programs inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def model_server() -> Iterator[ModelServer]:
    """A running model server of the test's own: `.url`, `.env` for subprocesses, `.requests` it got."""
    with ModelServer() as server:
        yield server
