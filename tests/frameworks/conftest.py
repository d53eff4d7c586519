"""The fixtures of recorded programs."""

from tests.runner.conftest import home, programs

__all__ = ["home", "programs"]
