"""Which files are the user's."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ao_lsp.server.workspace import Project, program_folder, project_root


def lay(root: Path, *files: str, **texts: str) -> None:
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    for file, text in texts.items():
        path = root / file.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def names(project: Project) -> list[str]:
    found = [os.path.relpath(each.path, project.root) for each in project.files()]
    for each in project.files():
        assert project.owns(each.path), each
    return found


def test_the_files_of_the_root_come_first(tmp_path: Path) -> None:
    lay(tmp_path, "sub/deep/c.py", "sub/b.py", "z.py", "prompts/a.txt")
    assert names(Project(str(tmp_path))) == ["z.py", "prompts/a.txt", "sub/b.py", "sub/deep/c.py"]


def test_environments_caches_and_hidden_things_are_left_out(tmp_path: Path) -> None:
    lay(
        tmp_path, "a.py", ".env", ".venv/pyvenv.cfg", "env/pyvenv.cfg", "env/lib/x.py", "conda/conda-meta/history",
        "conda/x.py", "__pycache__/a.cpython-311.pyc", "node_modules/m/index.js", "a.ao_rewritten.py", "server.pem",
        "pkg.egg-info/PKG-INFO", ".git/config", "sub/.hidden/x.py", "credentials.json",
    )  # fmt: skip
    project = Project(str(tmp_path))
    assert names(project) == ["a.py"]
    for out in (".env", "env/lib/x.py", "conda/x.py", "a.ao_rewritten.py", "sub/.hidden/x.py", ".git/config"):
        assert not project.owns(str(tmp_path / out)), out


def test_ignore_rules_of_each_folder_hold(tmp_path: Path) -> None:
    lay(
        tmp_path, ".git/HEAD", "a.py", "a.log", "keep.log", "build/x.py", "sub/b.py", "sub/secret.py", "sub/keep.log",
        "other/secret.py", "out/x.py",
    )  # fmt: skip
    (tmp_path / ".gitignore").write_text("*.log\n!keep.log\nbuild/\n")
    (tmp_path / "sub/.gitignore").write_text("secret.py\n*.log\n")
    (tmp_path / ".git/info").mkdir()
    (tmp_path / ".git/info/exclude").write_text("/out/\n")
    project = Project(str(tmp_path))
    assert names(project) == ["a.py", "keep.log", "other/secret.py", "sub/b.py"]
    assert not project.owns(str(tmp_path / "build/new.py"))
    assert project.owns(str(tmp_path / "sub/new.py"))


def test_rules_that_change_count_at_once(tmp_path: Path) -> None:
    lay(tmp_path, "a.py", "b.py")
    project = Project(str(tmp_path))
    assert names(project) == ["a.py", "b.py"]
    (tmp_path / ".gitignore").write_text("b.py\n")
    assert names(project) == ["a.py"]
    assert not project.owns(str(tmp_path / "b.py"))


def test_the_users_own_rules_for_all_repositories_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    lay(tmp_path, "p/a.py", "p/a.swp", config__git__ignore="*.swp\n")
    assert names(Project(str(tmp_path / "p"))) == ["a.py"]


def test_a_program_in_an_ignored_folder_counts_and_nothing_else_in_there(tmp_path: Path) -> None:
    lay(tmp_path, ".git/HEAD", "a.py", "scratch/try/app.py", "scratch/try/data.csv", "scratch/other.py")
    (tmp_path / ".gitignore").write_text("scratch/\n")
    (tmp_path / "scratch/try/.gitignore").write_text("*.csv\n")
    project = Project(str(tmp_path), str(tmp_path / "scratch/try"))
    assert sorted(names(project)) == ["a.py", "scratch/try/app.py"]
    assert not project.owns(str(tmp_path / "scratch/other.py"))


def test_links_are_found_and_not_followed(tmp_path: Path) -> None:
    lay(tmp_path, "p/a.py", "outside/b.py")
    (tmp_path / "p/link.py").symlink_to(tmp_path / "outside/b.py")
    (tmp_path / "p/folder").symlink_to(tmp_path / "outside")
    (tmp_path / "p/round").symlink_to(tmp_path / "p")
    project = Project(str(tmp_path / "p"))
    assert names(project) == ["a.py", "folder", "link.py", "round"]
    assert not project.owns(str(tmp_path / "p/folder/b.py"))


def test_names_that_are_no_utf8_are_names(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.py")
    try:
        (tmp_path / name).write_text("x")
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    lay(tmp_path, "b.py")
    (tmp_path / ".gitignore").write_text("b*\n")
    assert names(Project(str(tmp_path))) == [name]


def test_sockets_and_pipes_are_no_files(tmp_path: Path) -> None:
    lay(tmp_path, "a.py")
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / ".gitignore")  # and no reader waits at one for ever
    assert names(Project(str(tmp_path))) == ["a.py"]


def test_a_home_folder_counts_flat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    lay(tmp_path, "a.py", "projects/p/b.py")
    project = Project(str(tmp_path))
    assert names(project) == ["a.py"]
    assert not project.owns(str(tmp_path / "projects/p/b.py"))


def test_too_many_files_are_said_to_be_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ao_lsp.server.workspace.project.MOST_FILES", 3)
    lay(tmp_path, "a.py", "b.py", "c.py")
    project = Project(str(tmp_path))
    assert (len(names(project)), project.is_whole) == (3, True)
    lay(tmp_path, "d/d.py")
    assert (len(names(project)), project.is_whole) == (3, False)


# -- whose project it is


def test_the_project_is_the_nearest_history_else_the_nearest_project_file(tmp_path: Path) -> None:
    lay(tmp_path, "repo/.git/HEAD", "repo/services/a/pyproject.toml", "repo/services/a/src/app.py", "p/pyproject.toml")
    lay(tmp_path, "p/src/app.py", "loose/app.py")
    assert project_root(str(tmp_path / "repo/services/a/src")) == str(tmp_path / "repo")
    assert project_root(str(tmp_path / "p/src")) == str(tmp_path / "p")
    assert project_root(str(tmp_path / "loose")) == str(tmp_path / "loose")


def test_a_home_folder_is_nobodys_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    lay(tmp_path, ".git/HEAD", "pyproject.toml", "work/app.py")
    assert project_root(str(tmp_path / "work")) == str(tmp_path / "work")
    # Nor do the rules by which somebody keeps their home in a repository hold in it.
    lay(tmp_path, _git__info__exclude="")
    (tmp_path / ".git/info").mkdir()
    (tmp_path / ".git/info/exclude").write_text("*\n")
    assert names(Project(str(tmp_path / "work"))) == ["app.py"]


def test_the_program_stands_where_python_looks_first(tmp_path: Path) -> None:
    lay(tmp_path, "real/app.py", "package/__main__.py")
    (tmp_path / "link.py").symlink_to(tmp_path / "real/app.py")
    assert program_folder(("script", "link.py"), str(tmp_path)) == str(tmp_path / "real")
    assert program_folder(("script", "package"), str(tmp_path)) == str(tmp_path / "package")
    assert program_folder(("module", "package.app"), str(tmp_path)) == str(tmp_path)


# -- beside git itself

_NAME = st.sampled_from(["a", "b", "c.py", "d.log", "build"])
_PATHS = st.lists(st.lists(_NAME, min_size=1, max_size=3).map("/".join), min_size=1, max_size=8)
_PATTERN = st.one_of(
    _NAME, st.sampled_from(["*", "*.py", "*.log", "a/", "/a", "a/*", "**/b", "a/**", "!a", "!c.py", "!*.log", "/*/b",
                            "b/c.py", "[ab]", "\\!a", "#a", "a ", "*/", "!/a/", "?", "a/**/b"]),
)  # fmt: skip
_RULES = st.lists(_PATTERN, max_size=4)


@pytest.mark.skipif(shutil.which("git") is None, reason="there is no git to compare with")
@settings(max_examples=60, deadline=None)
@given(paths=_PATHS, top=_RULES, inner=_RULES)
def test_what_is_ignored_is_what_git_ignores(paths: list[str], top: list[str], inner: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for path in paths:
            with suppress(NotADirectoryError, FileExistsError, IsADirectoryError):
                lay(root, path)
        (root / ".gitignore").write_text("".join(f"{rule}\n" for rule in top))
        if (root / "a").is_dir():
            (root / "a/.gitignore").write_text("".join(f"{rule}\n" for rule in inner))
        env = {"PATH": os.environ["PATH"], "HOME": folder, "GIT_CONFIG_NOSYSTEM": "1"}
        subprocess.run(["git", "init", "-q"], cwd=folder, env=env, check=True)
        told = subprocess.run(
            ["git", "ls-files", "-coz", "--exclude-standard"], cwd=folder, env=env, check=True, capture_output=True
        )
        wanted = {name for name in os.fsdecode(told.stdout).split("\0") if name and not name.endswith(".gitignore")}
        assert set(names(Project(folder))) == wanted
