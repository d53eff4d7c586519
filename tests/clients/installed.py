"""The real editors that tests drive, as scripts/get-editors puts them."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@cache
def find(name: str) -> tuple[Path | None, str]:
    """The program of an editor, or None and the reason why there is none.

    `$AO_TEST_EDITORS` names a folder with editors, which is taken as it is; else they are fetched into
    `.cache/editors` of the repository, when they are asked for.

    Args:
        name: as scripts/get-editors has it: `nvim-0.11`, `hx-25.07`, `emacs-28`, …
    """
    if named := os.environ.get("AO_TEST_EDITORS"):
        program = Path(named) / "bin" / name
        return (program, "") if program.exists() else (None, _missing(Path(named), name))
    folder = ROOT / ".cache" / "editors"
    command: list[str | Path] = [ROOT / "scripts" / "get-editors", folder, name]
    try:
        result = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            env={**os.environ, "PYTHON": sys.executable},
        )
    except subprocess.TimeoutExpired:
        return None, "scripts/get-editors took more than 300 seconds"
    if result.returncode != 0:
        return None, f"scripts/get-editors: {result.stderr.strip()}"
    return folder / "bin" / name, ""


def program(name: str) -> Path:
    """The program of an editor; without it, the test is skipped and says why."""
    found, reason = find(name)
    if found is None:
        pytest.skip(reason)
    return found


def _missing(folder: Path, name: str) -> str:
    try:
        return (folder / "missing" / name).read_text("utf-8").strip()
    except FileNotFoundError:
        return f"there is no {name} in {folder}/bin"
