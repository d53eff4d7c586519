"""A project of the test's own, and the repository of versions of a home of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ao_lsp.server.versions import history, snapshot
from ao_lsp.server.versions.repository import Repository
from ao_lsp.server.versions.snapshot import Program, Taken
from tests.daemons import own_home


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The test's own AO_HOME; daemons under it end with the test."""
    with own_home(monkeypatch) as path:
        yield path


class Code:
    """A project with versions."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        (root / "pyproject.toml").write_text("[project]\n")

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.root / name
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def take(self, started: float | None = None) -> Taken:
        """The version of now."""
        with Repository() as repository:
            taken = snapshot.take(repository, Program(str(self.root), str(self.root)), started)
        assert taken is not None
        return taken

    def files(self, version: str) -> dict[str, bytes]:
        """What is in a version, by name."""
        with Repository() as repository:
            found = history.files_in(repository, version)
            return {os.fsdecode(name): repository.blob(file.blob) for name, file in found.items()}

    def commits(self) -> int:
        with Repository() as repository:
            return sum(1 for _ in history.of_project(repository, snapshot.name_of(str(self.root))))


@pytest.fixture
def code(home: str, tmp_path: Path) -> Code:
    assert home
    return Code(tmp_path / "project")


Git = Callable[..., str]


@pytest.fixture
def git(monkeypatch: pytest.MonkeyPatch) -> Git:
    """The real git, for whoever has it: as the user's, or to look at what was made."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)

    def run(*arguments: str | os.PathLike[str], cwd: Path | None = None) -> str:
        identity = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@a", "GIT_COMMITTER_NAME": "a"}
        env = {**os.environ, **identity, "GIT_COMMITTER_EMAIL": "a@a", "GIT_CONFIG_GLOBAL": "/dev/null"}
        done = subprocess.run(["git", *arguments], cwd=cwd, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
