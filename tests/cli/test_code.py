"""`ao versions`, `ao show`, `ao diff --code`, `ao checkout`: the code that runs had, as it is typed."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from ao_lsp import paths
from tests.cli.test_ao import ao, ao_json, in_a_terminal
from tests.daemons import ask, start, until
from tests.recorder import Recorder

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "agent").mkdir(parents=True)
    (root / "pyproject.toml").write_text("[project]\n")
    (root / "agent" / "app.py").write_text("import os\nprint('hi')\n")
    (root / "prompt.txt").write_text("Be kind.")
    return root


def run(project: Path, name: str) -> str:
    """Have a run of the project; its version."""
    start()
    recorder = Recorder(name).connect()
    recorder.start(cwd=str(project), target={"kind": "script", "value": "agent/app.py"}, at=time.time() + 1)
    recorder.end()
    recorder.wait()
    recorder.close()
    version: str = until(lambda: ask("ao.graph", run=name)["run"]["version"], "no version")
    return version


def changed(project: Path) -> None:
    (project / "agent" / "app.py").write_text("import os\nprint('ho')\n")
    (project / "prompt.txt").unlink()
    (project / "agent" / "new.py").write_text("x = 1")


def test_versions_are_listed_with_what_changed_and_which_runs_had_them(project: Path, tmp_path: Path) -> None:
    first = run(project, "run1")
    changed(project)
    second = run(project, "run2")
    assert run(project, "run3") == second
    listed = ao_json("versions")
    assert [each["version"] for each in listed["versions"]] == [second, first]
    assert [each["runs"] for each in listed["versions"]] == [["run3", "run2"], ["run1"]]
    assert listed["total"] == 2
    assert listed["versions"][0]["changes"] == {
        "added": ["agent/new.py"],
        "changed": ["agent/app.py"],
        "removed": ["prompt.txt"],
    }
    assert (listed["versions"][1]["changes"], listed["versions"][1]["files"]) == (None, 3)
    lines = ao("versions").stdout.splitlines()
    assert lines[1].startswith(second[:10])
    assert "agent/app.py changed; agent/new.py added; prompt.txt removed" in lines[1]
    assert lines[1].endswith("run3, run2")
    assert ao("versions", "--limit", "1").stdout.splitlines()[-1] == "and 1 more: --limit"
    assert ao_json("versions", "--project", str(project / "agent"))["total"] == 2
    assert ao("versions", "--project", str(tmp_path)).stderr == "no versions\n"


def test_a_file_is_shown_as_it_was_byte_for_byte(project: Path) -> None:
    (project / "latin.txt").write_bytes("größe\r\n".encode("latin-1"))
    (project / "link").symlink_to("prompt.txt")
    version = run(project, "run1")
    changed(project)
    assert ao("show", "run1", "prompt.txt").stdout == "Be kind."
    for name in ("agent/app.py", "app.py", str(project / "agent" / "app.py"), "./agent/app.py"):
        assert ao("show", version[:8], name, code=0).stdout == "import os\nprint('hi')\n"
    raw = [*ao("show", "last").args[:-2], "show", "last", "latin.txt"]
    assert subprocess.run(raw, capture_output=True, check=True).stdout == "größe\r\n".encode("latin-1")
    assert ao_json("show", "last", "latin.txt")["text"] is None
    assert ao("show", "last").stdout.split() == ["agent/app.py", "latin.txt", "link@", "prompt.txt", "pyproject.toml"]
    assert ao_json("show", "last", "promt.txt", code=1)["error"]["hint"] == "did you mean prompt.txt?"
    assert ao_json("show", "nothing", code=1)["error"]["code"] == "not_found"


def test_the_code_of_two_runs_is_compared_line_by_line_and_that_of_one_with_now(project: Path) -> None:
    run(project, "run1")
    changed(project)
    run(project, "run2")
    (project / "agent" / "app.py").chmod(0o755)
    between, since = ao("diff", "run1", "run2", "--code").stdout, ao("diff", "run2", "--code").stdout
    assert (
        "--- a/agent/app.py\n+++ b/agent/app.py\n@@ -1,2 +1,2 @@\n import os\n-print('hi')\n+print('ho')\n" in between
    )
    assert "--- /dev/null\n+++ b/agent/new.py\n@@ -0,0 +1 @@\n+x = 1\n\\ No newline at end of file\n" in between
    assert "+++ /dev/null\n@@ -1 +0,0 @@\n-Be kind.\n\\ No newline at end of file\n" in between
    assert since == "old mode 100644\nnew mode 100755\n--- a/agent/app.py\n+++ b/agent/app.py\n"
    (project / "agent" / "app.py").chmod(0o644)
    assert ao("diff", "run2", "--code").stderr == "the code is the same\n"
    assert ao_json("diff", "run2", "--code")["identical"]
    assert ao_json("diff", "run1", "run2", "--code")["a"]["run"] == "run1"
    assert "\x1b[32m+print('ho')\x1b[0m" in in_a_terminal("diff", "run1", "run2", "--code")


def test_a_patch_made_of_it_can_be_applied(project: Path, tmp_path: Path) -> None:
    run(project, "run1")
    changed(project)
    run(project, "run2")
    old = tmp_path / "old"
    ao("checkout", "run1", str(old))
    patch = ao("diff", "run1", "run2", "--code").stdout
    subprocess.run(["git", "apply", "-"], cwd=old, input=patch, text=True, check=True)
    assert (old / "agent" / "app.py").read_text() == "import os\nprint('ho')\n"
    assert (old / "agent" / "new.py").read_text() == "x = 1"
    assert not (old / "prompt.txt").exists()


def test_a_run_is_checked_out_into_a_new_folder_and_into_another_one_only_by_force(
    project: Path, tmp_path: Path
) -> None:
    (project / "agent" / "app.py").chmod(0o755)
    (project / "out").symlink_to(tmp_path)
    run(project, "run1")
    changed(project)
    target, outside = tmp_path / "target", tmp_path / "outside"
    assert "wrote the 4 files" in ao("checkout", "run1", str(target)).stdout
    assert (target / "prompt.txt").read_text() == "Be kind."
    assert os.access(target / "agent" / "app.py", os.X_OK)
    assert os.readlink(target / "out") == str(tmp_path)
    assert ao_json("checkout", "run1", str(target), code=1)["error"]["code"] == "conflict"
    (target / "prompt.txt").write_text("mine")
    (target / "kept.txt").write_text("mine")
    assert ao_json("checkout", "run1", str(target), "--force")["files"] == 4
    assert (target / "prompt.txt").read_text() == "Be kind."
    assert (target / "kept.txt").read_text() == "mine"
    # Not through a link that somebody has put there.
    outside.mkdir()
    (target / "agent" / "app.py").unlink()
    (target / "agent").rmdir()
    (target / "agent").symlink_to(outside)
    (target / "prompt.txt").unlink()
    (target / "prompt.txt").symlink_to(outside / "prompt.txt")
    assert "is no folder" in ao_json("checkout", "run1", str(target), "--force", code=1)["error"]["message"]
    assert list(outside.iterdir()) == []


def test_names_that_are_no_text_do_no_harm(project: Path, tmp_path: Path) -> None:
    with open(os.fsencode(project) + b"/\xff.txt", "wb") as file:
        file.write(b"x")
    run(project, "run1")
    assert "?.txt" in ao("show", "run1").stdout
    ao_json("show", "run1")
    ao("checkout", "run1", str(tmp_path / "target"))
    assert b"\xff.txt" in os.listdir(os.fsencode(tmp_path / "target"))
    os.unlink(os.fsencode(project) + b"/\xff.txt")
    assert "removed" in ao("diff", "run1", "--code", "--json").stdout
    assert "?.txt" in ao("diff", "run1", "--code").stdout


def test_a_version_that_is_gone_and_a_run_that_has_none_are_said_to_be(project: Path) -> None:
    start()
    Recorder("run0").connect().start(at=1.7e9)
    until(lambda: ask("ao.runs")["total"], "no run")
    assert "has no version" in ao_json("show", "run0", code=1)["error"]["message"]
    run(project, "run1")
    os.rename(paths.git_dir(), paths.git_dir() + ".elsewhere")
    assert "is not there any more" in ao_json("show", "run1", code=1)["error"]["message"]
    assert ao_json("versions")["versions"] == []


def test_lines_that_a_value_went_through_are_those_of_the_version_whatever_the_file_is_now(project: Path) -> None:
    source = project / "agent" / "app.py"
    source.write_text("def work():\n    return ask('old')\n")
    start()
    recorder = Recorder("run1").connect()
    recorder.start(cwd=str(project), target={"kind": "script", "value": "agent/app.py"}, at=time.time() + 1)
    recorder.wait()
    until(lambda: ask("ao.graph", run="run1")["run"]["version"], "no version")
    recorder.call("c1")
    recorder.call_start("c2", [{"call": "c1", "evidence": "tracked", "path": [{"file": str(source), "line": 2}]}])
    recorder.call_end("c2")
    recorder.end()
    recorder.wait()
    recorder.close()
    source.write_text("# longer\ndef work():\n    return ask('new')\n")
    (hop,) = ask("ao.why", run="run1", call=2)["sources"][0]["path"]
    assert (hop["function"], hop["text"]) == ("work", "return ask('old')")
    source.unlink()
    assert ask("ao.why", run="run1", call=2)["sources"][0]["path"] == [hop]
