"""Programs with children are like python, too (test_like_python.py)."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

import pytest

from .like_python_children import CHILDREN
from .test_like_python import RECORD, outcome, python, version, write

__all__ = ["python"]  # a fixture


@pytest.mark.parametrize("name", CHILDREN)
def test_a_program_and_its_children_behave_as_under_python(
    name: str, tmp_path: Path, python: str, daemon_home: dict[str, str]
) -> None:
    if version(python) == "3.10":
        pytest.skip("Python 3.10 cannot hide a frame, and these print stacks")
    program = CHILDREN[name]
    env = {**os.environ, **daemon_home, **program.env}
    for unwanted in ("VIRTUAL_ENV", "PYTHONPATH"):
        env.pop(unwanted, None)
    outcomes = []
    for launcher in ([python], [RECORD, "--python", python]):
        folder = tmp_path / "work"  # of the same name, which is printed
        folder.mkdir()
        arguments = write(program, folder)
        outcomes.append(outcome([*launcher, *arguments], program, env, folder))
        folder.rename(tmp_path / f"work {len(outcomes)}")
    plain, recorded = (b"".join(each[1:]).decode(errors="replace").splitlines() for each in outcomes)
    different = "\n".join(difflib.unified_diff(plain, recorded, lineterm="", n=0))
    assert different == ""
    assert outcomes[1] == outcomes[0]
