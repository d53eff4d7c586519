"""Which interpreter runs the program: `ao-record` is installed once, as a tool, and the project's is found."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from model_server import ModelServer

from tests.runner.recorded import ASK, Programs, edges, graph
from tests.runner.test_like_python import interpreters, version

TOOL = Path(__file__).parents[2] / ".cache" / "tool" / "bin" / "ao-record"

pytestmark = pytest.mark.skipif(not TOOL.exists(), reason="scripts/make-tool has not installed it (no network?)")

# Two calls, the second of what the first one said; a package that only the project's environment has.
PROGRAM = (
    ASK
    + """
import sys
import projects_own
print("%d.%d" % sys.version_info[:2], projects_own.NAME, sys.prefix)
ask("improve: " + ask("write"))
"""
)

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def environment(folder: Path, python: str, name: str) -> Path:
    """An environment with a package of its own."""
    subprocess.run([python, "-m", "venv", "--without-pip", folder], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "projects_own.py").write_text(f"NAME = {name!r}\n")
    return folder


@pytest.fixture
def run(programs: Programs, model_server: ModelServer) -> Run:
    """Runs the tool's `ao-record` as a shell would, with nothing active."""

    def run(*arguments: str, cwd: Path = programs.folder, **env: str) -> subprocess.CompletedProcess[str]:
        clean = {
            name: value
            for name, value in {**os.environ, **model_server.env}.items()
            if name not in ("VIRTUAL_ENV", "CONDA_PREFIX") and not name.startswith(("PYTHON", "PYTEST"))
        }
        return subprocess.run(
            [TOOL, *arguments], cwd=cwd, env={**clean, **env}, capture_output=True, text=True, timeout=60
        )

    return run


def test_one_installation_records_three_projects_each_in_its_own_environment(run: Run, tmp_path: Path) -> None:
    pythons = sorted(dict.fromkeys(interpreters()), key=version)
    wanted = [pythons[0], pythons[-1], pythons[len(pythons) // 2]]  # as different as there are
    for number, python in enumerate(wanted):
        project = tmp_path / f"project{number}"
        prefix = environment(project / ".venv", python, f"own{number}")
        (project / "src").mkdir()
        (project / "src" / "app.py").write_text(PROGRAM)
        done = run("src/app.py", cwd=project)
        assert (done.stdout, done.stderr) == (f"{version(python)} own{number} {prefix}\n", "")
        found = graph()
        assert (found["run"]["status"], len(found["nodes"])) == ("finished", 2)
        if version(python) != "3.10":
            assert edges(found) == {(1, 2)}


def test_the_active_environment_comes_before_the_projects(run: Run, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(PROGRAM)
    environment(tmp_path / ".venv", sys.executable, "projects")
    active = environment(tmp_path / "active", sys.executable, "active")
    assert " projects " in run("app.py").stdout
    assert " active " in run("app.py", VIRTUAL_ENV=str(active)).stdout
    assert " active " in run("app.py", CONDA_PREFIX=str(active), CONDA_DEFAULT_ENV="work").stdout
    # conda's base environment is active in every shell of its users, meant or not.
    assert " projects " in run("app.py", CONDA_PREFIX=str(active), CONDA_DEFAULT_ENV="base").stdout
    # One that has been deleted is not there to be used.
    assert " projects " in run("app.py", VIRTUAL_ENV=str(tmp_path / "gone")).stdout


def test_the_projects_environment_is_found_from_anywhere(run: Run, tmp_path: Path) -> None:
    project = tmp_path / "project"
    environment(project / ".venv", sys.executable, "projects")
    (project / ".git").mkdir()
    script = project / "deep" / "down" / "app.py"
    script.parent.mkdir(parents=True)
    script.write_text(PROGRAM)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert " projects " in run(str(script), cwd=elsewhere).stdout
    (elsewhere / "link.py").symlink_to(script)
    assert " projects " in run("link.py", cwd=elsewhere).stdout
    # A module is looked for from where one stands.
    assert " projects " in run("-m", "app", cwd=script.parent).stdout


def test_an_environment_above_the_projects_top_is_not_the_projects(run: Run, tmp_path: Path) -> None:
    environment(tmp_path / ".venv", sys.executable, "somebody's")
    project = tmp_path / "project"
    (project / ".git").mkdir(parents=True)
    (project / "app.py").write_text(PROGRAM)
    done = run("app.py", cwd=project)
    assert "No module named 'projects_own'" in done.stderr


def test_without_any_environment_the_python_of_the_shell_is_taken(run: Run, tmp_path: Path) -> None:
    shells = environment(tmp_path / "shells", sys.executable, "shells")
    (tmp_path / "app.py").write_text(PROGRAM)
    done = run("app.py", PATH=f"{TOOL.parent}:{shells / 'bin'}:{os.environ['PATH']}")
    assert done.stdout.split()[1:] == ["shells", str(shells)]
    # The tool's own environment is on nobody's mind, though it may be on the path.
    own = os.path.dirname(os.path.realpath(TOOL))
    assert " shells " in run("app.py", PATH=f"{own}:{shells / 'bin'}:{os.environ['PATH']}").stdout


def test_a_python_that_cannot_be_recorded_in_is_named(run: Run, tmp_path: Path) -> None:
    old = next((found for found in _old_pythons() if _runs(found)), None)
    if old is None:
        pytest.skip("there is no Python before 3.10 here")
    (tmp_path / "app.py").write_text("print(1)")
    done = run("--python", old, "app.py")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("ao-record: ")
    assert "name one with --python" in done.stderr


def _old_pythons() -> list[str]:
    beside = Path(os.path.realpath(sys.executable)).parents[2]  # pyenv's versions
    found = [*beside.glob("3.[6-9]*/bin/python"), *beside.glob("3.[6-9]/bin/python")]
    return [*map(str, found), *filter(None, (shutil.which(f"python3.{minor}") for minor in range(6, 10)))]


def _runs(python: str) -> bool:
    return subprocess.run([python, "-c", "0"], capture_output=True).returncode == 0
