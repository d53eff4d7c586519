"""What a version is made of."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from ao_lsp.server.versions import files, history, snapshot
from ao_lsp.server.versions.repository import Repository
from ao_lsp.server.versions.snapshot import Program
from tests.server.versions.conftest import Code, Git


def settle(code: Code) -> None:
    """Have every file look as if it had been written a while ago: then it need not be read again."""
    while True:
        code.take()
        if not code.take().read:
            return
        time.sleep(0.01)


def test_the_same_state_is_the_same_version_and_one_commit(code: Code) -> None:
    code.write("app.py", "a")
    first, again = code.take(), code.take()
    code.write("app.py", "b")
    changed = code.take()
    code.write("app.py", "a")
    back = code.take()
    assert [each.is_new for each in (first, again, changed, back)] == [True, False, True, True]
    assert first.version == again.version == back.version != changed.version
    assert code.commits() == 3
    assert code.files(changed.version) == {"app.py": b"b", "pyproject.toml": b"[project]\n"}


def test_what_has_not_changed_is_not_read_again(code: Code) -> None:
    code.write("app.py", "a")
    code.write("lib/b.py", "b")
    settle(code)
    code.write("app.py", "c")
    assert code.take().read == 1


def test_a_change_that_leaves_size_and_time_alone_is_seen(code: Code) -> None:
    path = code.write("app.py", "a")
    settle(code)
    before, was = code.take(), os.stat(path)
    path.write_text("b")
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert code.take().version != before.version


def test_a_file_that_is_written_twice_in_one_moment_is_read_again(code: Code) -> None:
    versions = set()
    for text in ("a", "b", "c", "d"):
        code.write("app.py", text)
        versions.add(code.take().version)
    assert len(versions) == 4


def test_links_are_kept_as_links_and_lead_nowhere(code: Code, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_text("secret")
    (code.root / "folder").symlink_to(tmp_path / "outside")
    (code.root / "file.py").symlink_to("../outside/secret.txt")
    (code.root / "nowhere").symlink_to("nothing")
    found = code.files(code.take().version)
    assert found["folder"] == os.fsencode(tmp_path / "outside")
    assert found["file.py"] == b"../outside/secret.txt"
    assert found["nowhere"] == b"nothing"
    assert not any("secret.txt" in name for name in found)


def test_large_files_binary_files_and_unreadable_ones_are_left_out_and_named(code: Code) -> None:
    code.write("large.txt", b"x" * (files.MOST_BYTES + 1))
    code.write("image.bin", b"P\0NG")
    code.write("app.py", "a")
    code.write("closed.py", "a").chmod(0)
    taken = code.take()
    assert taken.skipped["large.txt"] == "larger than 1 MB"
    assert taken.skipped["image.bin"] == "no text"
    names = set(code.files(taken.version))
    if os.geteuid():  # nothing is closed to root
        assert taken.skipped["closed.py"] == "cannot be read (Permission denied)"
        names.add("closed.py")
    assert names == {"app.py", "closed.py", "pyproject.toml"}


def test_pipes_and_sockets_are_no_files(code: Code) -> None:
    os.mkfifo(code.root / "pipe.py")
    assert set(code.files(code.take().version)) == {"pyproject.toml"}


def test_names_are_kept_whatever_their_bytes_are(code: Code) -> None:
    names = [b"\xff\xfe.py", "größe.py".encode(), b"new\nline.txt", b"back\\slash.txt", b" -x "]
    for name in names:
        with open(os.path.join(os.fsencode(code.root), name), "wb") as file:
            file.write(name)
    taken = code.take()
    assert {name: name for name in names}.items() <= {
        os.fsencode(name): text for name, text in code.files(taken.version).items()
    }.items()
    assert code.take().version == taken.version


def test_a_rename_of_nothing_but_case_is_a_change(code: Code) -> None:
    code.write("App.py", "a")
    before = code.take()
    (code.root / "App.py").rename(code.root / "app.py")
    after = code.take()
    assert set(code.files(after.version)) == {"app.py", "pyproject.toml"}
    with Repository() as repository:
        found = history.changes(repository, before.version, after.version)
    assert (found.added, found.removed) == ((b"app.py",), (b"App.py",))


def test_a_file_becomes_a_folder_and_back(code: Code) -> None:
    path = code.write("thing", "a")
    one = code.take()
    path.unlink()
    code.write("thing/inside.py", "b")
    two = code.take()
    assert set(code.files(two.version)) == {"thing/inside.py", "pyproject.toml"}
    with Repository() as repository:
        found = history.changes(repository, one.version, two.version)
        back = history.changes(repository, two.version, one.version)
    assert (found.added, found.changed, found.removed) == ((b"thing/inside.py",), (), (b"thing",))
    assert (back.added, back.changed, back.removed) == ((b"thing",), (), (b"thing/inside.py",))


def test_whether_a_file_can_be_executed_is_kept(code: Code) -> None:
    path = code.write("run.sh", "a")
    before = code.take()
    path.chmod(0o755)
    after = code.take()
    with Repository() as repository:
        modes = [history.files_in(repository, each.version)[b"run.sh"].is_executable for each in (before, after)]
    assert modes == [False, True]


def test_very_deep_folders_are_no_trouble(code: Code) -> None:
    deep = "/".join(["d"] * 1500)
    try:
        subprocess.run(["mkdir", "-p", code.root / deep], check=True)  # deeper than Python makes folders
        code.write(f"{deep}/deep.py", "a")
        assert code.files(code.take().version)[f"{deep}/deep.py"] == b"a"
    finally:
        subprocess.run(["rm", "-rf", code.root / "d"], check=True)  # nor can pytest remove them


def test_a_nested_repository_and_a_submodule_are_files_like_others(code: Code, git: Git) -> None:
    code.write("nested/inner.py", "a")
    git("init", "-q", code.root / "nested")
    code.write("module/.git", "gitdir: ../.git/modules/module\n")
    code.write("module/other.py", "b")
    assert set(code.files(code.take().version)) == {"nested/inner.py", "module/other.py", "pyproject.toml"}


def test_what_the_ignore_rules_name_and_what_is_hidden_is_not_kept(code: Code) -> None:
    code.write(".gitignore", "*.log\ndata/\n")
    for name in (".env", "a.log", "data/x.txt", ".venv/lib.py", "__pycache__/a.py", "kept.txt"):
        code.write(name, "x")
    assert set(code.files(code.take().version)) == {"kept.txt", "pyproject.toml"}


def test_a_folder_without_files_has_no_version(home: str, tmp_path: Path) -> None:
    assert home
    with Repository() as repository:
        assert snapshot.take(repository, Program(str(tmp_path), str(tmp_path))) is None


def test_of_a_home_folder_only_the_python_files_beside_the_program_are_kept(
    code: Code, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "app.py").write_text("a")
    (tmp_path / "letter.txt").write_text("private")
    program = snapshot.program_of(("script", "app.py"), str(tmp_path))
    with Repository() as repository:
        taken = snapshot.take(repository, program)
    assert taken is not None
    assert set(code.files(taken.version)) == {"app.py"}
    assert "too large" in taken.skipped["…"]


def test_of_too_many_files_only_the_python_files_near_the_program_are_kept(
    code: Code, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "MOST_FILES", 4)
    for name in ("a.txt", "b.txt", "other/c.py", "agent/app.py", "agent/prompt.txt"):
        code.write(name, "x")
    with Repository() as repository:
        taken = snapshot.take(repository, Program(str(code.root), str(code.root / "agent")))
    assert taken is not None
    assert set(code.files(taken.version)) == {"agent/app.py"}


def test_a_version_says_which_files_were_written_after_the_run_began(code: Code) -> None:
    for name in ("a.py", "b.py", "c.py", "d.py"):
        code.write(name, "x")
    long_ago = code.take(started=time.time() - 3)
    assert long_ago.note == "written after the run began: a.py, b.py, c.py and 2 more"
    assert code.take(started=time.time() + 1).note == ""


def test_a_file_that_was_moved_here_or_deleted_after_the_run_began_is_no_exact_version(
    code: Code, tmp_path: Path
) -> None:
    for path in (code.write("kept.py", "x"), code.root / "pyproject.toml"):
        os.utime(path, (1e9, 1e9))
    gone, moved = code.write("gone.py", "x"), tmp_path / "moved.py"
    moved.write_text("x")
    os.utime(moved, (1e9, 1e9))
    settle(code)
    started = time.time() + 0.02
    while time.time() < started + 0.02:
        time.sleep(0.01)
    gone.unlink()
    moved.rename(code.root / "moved.py")
    assert code.take(started).note == "written after the run began: gone.py, moved.py"


def test_a_version_that_was_taken_late_says_so(code: Code, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "_LATE_S", 0.0)
    settle(code)
    assert code.take(started=time.time()).note == "taken 0 s after the run began"


def test_a_file_that_is_written_while_it_is_read_is_read_again(code: Code, monkeypatch: pytest.MonkeyPatch) -> None:
    path = code.write("app.py", "a" * 10)
    read, times = os.pread, [0]

    def pread(fd: int, length: int, offset: int) -> bytes:
        times[0] += 1
        if times[0] == 1 and os.fstat(fd).st_ino == path.stat().st_ino:
            path.write_text("b" * 20)
        return read(fd, length, offset)

    monkeypatch.setattr(os, "pread", pread)
    assert code.files(code.take().version)["app.py"] == b"b" * 20


def test_the_real_git_can_read_it(code: Code, git: Git) -> None:
    code.write("app.py", "a")
    code.write("lib/Ä.txt", "b")
    code.write("run.sh", "c").chmod(0o755)
    (code.root / "link").symlink_to("app.py")
    version = code.take().version
    repository = Path(os.environ["AO_HOME"], "cache", "git")
    assert git(f"--git-dir={repository}", "show", f"{version}:lib/Ä.txt") == "b"
    git(f"--git-dir={repository}", "fsck", "--strict")
    # What git itself makes of these files is the same version, byte for byte.
    git("init", "-q", code.root)
    git("add", "-A", cwd=code.root)
    assert git("write-tree", cwd=code.root).strip() == version
