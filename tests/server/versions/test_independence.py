"""Nothing of the user's git is touched, and nothing of it changes what we do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ao_lsp.server.versions import upkeep
from ao_lsp.server.versions.repository import Repository
from tests.server.versions.conftest import Code, Git

HOSTILE = """[core]
    hooksPath = {hooks}
    autocrlf = true
    bare = true
    worktree = /nonexistent
    compression = 99
    looseCompression = no
    excludesFile = {everything}
    fsmonitor = {hooks}/pre-commit
[extensions]
    objectFormat = sha256
[commit]
    gpgSign = true
[gpg]
    program = {hooks}/pre-commit
[filter "lfs"]
    clean = {hooks}/pre-commit
    required = true
[safe]
    directory = /nowhere
[init]
    templateDir = {hooks}
"""


def everything(folder: Path) -> dict[str, tuple[object, ...]]:
    """Every file below a folder: its contents, mode and time."""
    found: dict[str, tuple[object, ...]] = {}
    for place, folders, names in os.walk(folder):
        for name in [*folders, *names]:
            path = Path(place, name)
            stat = path.lstat()
            data = path.read_bytes() if path.is_file() else b""
            found[str(path)] = (data, stat.st_mode, stat.st_mtime_ns, stat.st_ino)
    return found


def test_the_users_git_is_neither_touched_nor_asked(
    code: Code, git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code.write("app.py", "a\r\nb\n")
    plain = code.take().version
    hooks, ran = tmp_path / "hooks", tmp_path / "ran"
    hooks.mkdir()
    for name in ("pre-commit", "post-commit", "commit-msg", "post-index-change", "reference-transaction"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {ran}\n")
        (hooks / name).chmod(0o755)
    git("init", "-q", code.root)
    git("add", "-A", cwd=code.root)
    git("commit", "-q", "-m", "theirs", cwd=code.root)
    (tmp_path / "everything").write_text("*\n")
    config = HOSTILE.format(hooks=hooks, everything=tmp_path / "everything")
    home = tmp_path / "home"
    (home / ".config" / "git").mkdir(parents=True)
    for place in (home / ".gitconfig", home / ".config" / "git" / "config", code.root / ".git" / "config"):
        place.write_text(config)
    elsewhere = tmp_path / "elsewhere"
    git("init", "-q", "--bare", elsewhere)
    for name, value in {
        "HOME": home,
        "GIT_DIR": elsewhere,
        "GIT_WORK_TREE": tmp_path,
        "GIT_INDEX_FILE": tmp_path / "index",
        "GIT_OBJECT_DIRECTORY": elsewhere / "objects",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": elsewhere / "objects",
        "GIT_COMMON_DIR": elsewhere,
        "GIT_CONFIG": home / ".gitconfig",
        "GIT_CONFIG_GLOBAL": home / ".gitconfig",
        "GIT_CONFIG_SYSTEM": home / ".gitconfig",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.bare",
        "GIT_CONFIG_VALUE_0": "true",
        "GIT_DEFAULT_HASH": "sha256",
        "GIT_NAMESPACE": "x",
        "GIT_AUTHOR_DATE": "never",
        "GIT_CEILING_DIRECTORIES": "/",
    }.items():
        monkeypatch.setenv(name, str(value))
    theirs = [everything(folder) for folder in (code.root, elsewhere, home, hooks)]
    assert code.take().version == plain
    code.write("new.py", "new\r\n")
    version = code.take().version
    assert code.files(version) == {"app.py": b"a\r\nb\n", "new.py": b"new\r\n", "pyproject.toml": b"[project]\n"}
    with Repository() as repository:
        assert upkeep.tidy(repository, {version}, 0.0).kept == 1
    assert code.files(version)["app.py"] == b"a\r\nb\n"
    (code.root / "new.py").unlink()
    after = [everything(folder) for folder in (code.root, elsewhere, home, hooks)]
    for each in (theirs[0], after[0]):
        del each[str(code.root / ".git")]  # a folder's own time: git itself may have made it a moment before
    assert after == theirs
    assert not ran.exists()
    assert not (tmp_path / "index").exists()


def test_only_the_user_can_enter_it(code: Code) -> None:
    code.take()
    assert os.stat(Path(os.environ["AO_HOME"], "cache", "git")).st_mode & 0o077 == 0
