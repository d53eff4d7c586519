"""Real saves in real folders, with a real daemon: what `ao-record` then finds in the cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from ao_lsp import paths
from tests.daemons import LONG_S, ask, daemons_of, gone, start, until
from tests.lsp.raw import client, notification
from tests.recorder import Recorder
from tests.runner.recorded import RECORD
from tests.server.watch.compiled import PYTHONS, current, rewrites

pytestmark = [
    pytest.mark.usefixtures("home"),
    pytest.mark.skipif(sys.version_info < (3, 11), reason="on Python 3.10 nothing is rewritten"),
]

PROGRAM = "import sys, helper\nprint(helper.x, 'ao_lsp.taint.rewrite' in sys.modules)\n"


def uri(path: Path | str) -> str:
    return "file://" + os.fspath(path)


def folders(*paths: Path) -> dict[str, object]:
    return {"workspaceFolders": [{"uri": uri(path), "name": path.name} for path in paths]}


def record(file: Path, *options: str, env: dict[str, str] | None = None, cwd: Path | None = None) -> str:
    """What a program prints under `ao-record`."""
    argv = [RECORD, *options, file.name if cwd is None else str(file)]
    done = subprocess.run(
        argv, cwd=cwd or file.parent, env={**os.environ, **(env or {})}, capture_output=True, timeout=LONG_S
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def rewrite_log() -> str:
    try:
        return Path(paths.log_dir(), "rewrite.log").read_text()
    except FileNotFoundError:
        return ""


def compiled(*files: Path, python: str = sys.executable) -> None:
    """Wait until the code of files is in the cache."""
    until(lambda: all(current(*files, python=python)), f"not compiled: {rewrite_log()}")


def compiled_more_than(number: int) -> bool:
    return rewrite_log().count(": compiled: ") > number


def watched() -> dict[str, str]:
    """The folders that the daemon watches, each with its interpreter."""
    return {one["folder"]: one["python"] for one in ask("daemon.status")["watching"]}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "helper.py").write_text("x = 1\n")
    (folder / "program.py").write_text(PROGRAM)
    return folder


@pytest.mark.parametrize("python", [python for python in PYTHONS if rewrites(python)])
def test_what_is_saved_is_taken_from_the_cache_by_the_next_run(
    python: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")  # does not matter: our cache is no `__pycache__`
    start()
    assert record(project / "program.py", "--python", python) == "1 True\n"
    until(lambda: watched().get(str(project)), "the project of the program is not watched")
    for number in range(2, 4):
        (project / "helper.py").write_text(f"x = {number}\n")
        (project / "program.py").write_text(PROGRAM + f"# {number}\n")
        compiled(project / "helper.py", project / "program.py", python=python)
        assert record(project / "program.py", "--python", python) == f"{number} False\n"
    assert watched() == {str(project): python}
    assert not list(project.rglob("__pycache__"))


def test_the_folders_of_an_editor_are_watched_as_long_as_it_has_them(project: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "module.py").write_text("x = 1\n")
    with client() as editor:
        editor.begin(**folders(project))
        compiled(project / "helper.py", project / "program.py")
        assert record(project / "program.py") == "1 False\n"
        change = {"added": folders(other)["workspaceFolders"], "removed": folders(project)["workspaceFolders"]}
        editor.send(notification("workspace/didChangeWorkspaceFolders", {"event": change}))
        compiled(other / "module.py")
        # The other one is still that of a recorded program.
        until(lambda: set(watched()) == {str(project), str(other)}, "the folders are not those of the editor")
    until(lambda: set(watched()) == {str(project)}, "the folder of an editor that is gone is watched")


def test_a_saved_file_is_compiled_where_nothing_else_tells_of_it(project: Path) -> None:
    with client() as editor:
        editor.begin(rootUri=None)
        editor.send(notification("textDocument/didSave", {"textDocument": {"uri": uri(project / "helper.py")}}))
        compiled(project / "helper.py")


def test_the_environment_of_the_project_says_for_which_interpreter(project: Path) -> None:
    others = [
        python
        for python in PYTHONS
        if rewrites(python) and os.path.realpath(python) != os.path.realpath(sys.executable)
    ]
    if not others:
        pytest.skip("no other Python here (AO_TEST_PYTHONS)")
    (project / ".venv/bin").mkdir(parents=True)
    (project / ".venv/bin/python").symlink_to(others[0])
    with client() as editor:
        editor.begin(**folders(project))
        compiled(project / "helper.py", python=others[0])
        assert current(project / "helper.py") == [False]


def test_what_a_stranger_put_into_a_folder_is_not_run_because_it_is_opened(project: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    (project / ".venv/bin").mkdir(parents=True)
    python = project / ".venv/bin/python"
    python.write_text(f"#!/bin/sh\ntouch {ran}\n")
    python.chmod(0o755)
    with client() as editor:
        editor.begin(**folders(project))
        compiled(project / "helper.py")
    assert not ran.exists()


def test_editors_save_in_many_ways(project: Path) -> None:
    with client() as editor:
        editor.begin(**folders(project))
        file = project / "helper.py"
        compiled(file)
        until(lambda: watched().get(str(project)), "not watched")
        # In place; by a file that takes its place; by a backup, a new file and rights (vim); with a hard link.
        file.write_text("x = 2\n")
        compiled(file)
        (project / "helper.py.tmp").write_text("x = 3\n")
        os.replace(project / "helper.py.tmp", file)
        compiled(file)
        file.rename(project / "helper.py~")
        file.write_text("x = 4\n")
        file.chmod(0o644)
        (project / "helper.py~").unlink()
        compiled(file)
        (project / "another").write_text("x = 5\n")
        file.unlink()
        os.link(project / "another", file)
        compiled(file)


def test_moved_and_deleted_files_and_folders(project: Path, home: str) -> None:
    with client() as editor:
        editor.begin(**folders(project))
        compiled(project / "helper.py", project / "program.py")
        before = len(list(Path(home, "cache/pyc").rglob("*.pyc")))
        (project / "helper.py").rename(project / "renamed.py")
        compiled(project / "renamed.py")
        (project / "package/inner").mkdir(parents=True)
        (project / "package/inner/module.py").write_text("x = 1\n")
        compiled(project / "package/inner/module.py")
        (project / "package").rename(project / "parcel")
        compiled(project / "parcel/inner/module.py")
        (project / "parcel/inner/module.py").write_text("x = 2\n")
        compiled(project / "parcel/inner/module.py")
        shutil.rmtree(project / "parcel")
        (project / "renamed.py").unlink()
        until(
            lambda: len(list(Path(home, "cache/pyc").rglob("*.pyc"))) == before - 1,
            "the bytecode of files that are gone is kept",
        )
        shutil.rmtree(project)
        until(lambda: "not there; waiting" in rewrite_log(), "that the root is gone was not noticed")
        project.mkdir()
        (project / "back.py").write_text("x = 1\n")
        compiled(project / "back.py")
        (project / "back.py").write_text("x = 2\n")
        compiled(project / "back.py")


def test_links_to_files_and_folders_are_followed(project: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "module.py").write_text("x = 1\n")
    (project / "linked").symlink_to(outside)
    (project / "around").symlink_to(project)
    (project / "link.py").symlink_to(project / "helper.py")
    other_name = tmp_path / "by_another_name"
    other_name.symlink_to(project)
    with client() as editor:
        editor.begin(**folders(other_name))
        names = [project / "helper.py", project / "link.py", project / "linked/module.py", other_name / "helper.py"]
        compiled(*names)
        until(lambda: watched().get(str(project)), "not watched")
        (project / "helper.py").write_text("x = 2\n")
        (outside / "module.py").write_text("x = 2\n")
        compiled(*names, other_name / "link.py", other_name / "linked/module.py")


def test_what_is_ignored_is_left_alone_and_broken_files_are_said_once(project: Path) -> None:
    (project / ".gitignore").write_text("generated/\nignored.py\n")
    (project / "generated").mkdir()
    ignored = [project / "ignored.py", project / "generated/module.py", project / "program.ao_rewritten.py"]
    for file in ignored:
        file.write_text("x = 1\n")
    name = os.fsdecode(b"caf\xe9.py")
    strange = Path(project, name)
    strange.write_text("x = 1\n")
    with client() as editor:
        editor.begin(**folders(project))
        compiled(project / "helper.py", strange)
        for content in ("secret = (\n", "secret = [\n"):
            for _ in range(2):
                (project / "broken.py").write_text(content)
                editor.send(notification("textDocument/didSave", {"textDocument": {"uri": uri(project / "broken.py")}}))
            for file in ignored:
                file.write_text("x = 2\n")
            until(lambda: "broken.py: SyntaxError" in rewrite_log(), "nothing is said of a broken file")
        (project / "helper.py").write_text("x = 3\n")
        compiled(project / "helper.py")
        assert current(*ignored) == [False] * 3
        assert "secret" not in rewrite_log()


def test_a_storm_of_files_does_not_keep_a_save_waiting(project: Path) -> None:
    with client() as editor:
        editor.begin(**folders(project))
        compiled(project / "helper.py")
        many = [project / f"package{number % 50}" / f"module{number}.py" for number in range(5000)]
        for number in range(50):
            (project / f"package{number}").mkdir()
        for number, file in enumerate(many):
            file.write_text(f"x = {number}\n")
        (project / "helper.py").write_text("x = 'saved'\n")
        compiled(project / "helper.py")
        for number in range(500, len(many) + 1, 500):
            until(partial(compiled_more_than, number), f"nothing happens after {number} files")
        compiled(*many)
        assert "left out" not in rewrite_log()


def test_the_rewritten_source_is_shown_to_an_editor_that_asks_for_it(project: Path) -> None:
    with client({"DEBUG_AST_REWRITES": "1"}) as editor:
        editor.begin(**folders(project))
        shown = project / "program.ao_rewritten.py"
        until(shown.exists, "the rewritten source is not shown")
        compiled(project / "helper.py")
        (project / "program.py").write_text("a = 1\nb = a + a\n")
        until(lambda: "__@ao.Add" in shown.read_text(), "what is shown is old")
    assert not list(project.glob("*.ao_rewritten.ao_rewritten.py"))


def test_a_watcher_does_not_keep_an_idle_daemon_nor_leave_a_worker(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AO_IDLE_S", "0.5")
    daemon = start()
    with client() as editor:
        editor.begin(**folders(project))
        compiled(project / "helper.py")
        workers = [int(pid) for pid in Path(f"/proc/{daemon}/task/{daemon}/children").read_text().split()]
        assert workers
    until(lambda: gone(daemon), "the daemon stays")
    until(lambda: all(gone(pid) for pid in workers), "a worker stays")


def test_nothing_is_watched_where_nobody_wants_it(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AO_WATCH", "0")
    with client() as editor:
        editor.begin(**folders(project))
        assert record(project / "program.py") == "1 True\n"
        assert watched() == {}
        (project / "helper.py").write_text("x = 2\n")
        assert record(project / "program.py") == "2 True\n"


def test_a_server_without_a_daemon_watches_too(project: Path, home: str) -> None:
    with client({"AO_NO_DAEMON": "1"}) as editor:
        editor.begin(**folders(project))
        compiled(project / "helper.py")
        (project / "helper.py").write_text("x = 2\n")
        compiled(project / "helper.py")
    assert daemons_of(home) == []


def test_folders_elsewhere_that_a_program_counts_as_its_own_are_watched(project: Path, tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    (library / "module.py").write_text("x = 1\n")
    assert record(project / "program.py", "--rewrite", str(library), "-O") == "1 True\n"
    until(lambda: set(watched()) == {str(project), str(library)}, "not watched")
    assert set(watched().values()) == {f"{sys.executable} -O"}


def test_where_calls_came_from_is_watched(project: Path, tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    module = library / "module.py"
    module.write_text("x = 1\n")
    start()
    recorder = Recorder("run1").connect()
    program = project / "program.py"
    value = {"kind": "script", "value": str(program)}
    recorder.start(argv=[str(program)], target=value, cwd=str(project), python=sys.executable)
    place = {"file": str(module), "line": 1, "end_line": 1, "column": 0, "end_column": 1, "function": "f"}
    recorder.call("c1", site=place, stack=[place])
    recorder.end()
    recorder.wait()
    recorder.close()
    compiled(module, project / "helper.py")
    assert set(watched()) == {str(project), str(library)}
