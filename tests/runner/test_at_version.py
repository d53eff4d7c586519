"""`ao rerun --at-version`: a run again on the code that it had, whatever has become of it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from model_server import ModelServer

from ao_lsp import paths
from tests.daemons import LONG_S, ask, own_home, start, until
from tests.runner.recorded import AO, RECORD, Graph, column, edges, graph

OLD = """
import json, os, random, sys, time
import openai
from pathlib import Path
from lib import helper

here = Path(__file__).parent

def ask(text):
    asked = openai.OpenAI().chat.completions.create(model="m", messages=[{"role": "user", "content": text}])
    return asked.choices[0].message.content

def main():
    prompt = (here / "prompts" / "first.txt").read_text()
    first = ask(prompt + str(random.random()) + str(time.time()))
    second = ask(helper.framed(first) + (here / "data" / "input.bin").read_bytes().decode() + os.getcwd())
    print(sys.argv[1:], len(first), second)

main()
"""

NEW = OLD.replace("first = ask", "\n    print('new code')\n    first = ask").replace("framed(first)", "framed('new')")


class Project:
    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.folder, self.env = folder, {**os.environ, **env}
        self.write("pyproject.toml", "[project]\n")

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def record(self, *arguments: str, cwd: Path | None = None) -> str:
        return self._output([RECORD, *arguments], cwd or self.folder)

    def rerun(self, *arguments: str) -> str:
        return self._output([AO, "rerun", *arguments], self.folder)

    def _output(self, command: list[str], cwd: Path) -> str:
        done = subprocess.run(
            command, cwd=cwd, env=self.env, capture_output=True, text=True, timeout=LONG_S, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def versioned(self, run: str = "last") -> Graph:
        """The graph of a run that has its version."""
        until(lambda: graph(run)["run"]["version"], "no version")
        return graph(run)


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model_server: ModelServer) -> Iterator[Project]:
    with own_home(monkeypatch):
        folder = tmp_path / "project"
        folder.mkdir()
        start()
        yield Project(folder, model_server.env)


def agent(project: Project) -> None:
    project.write(".gitignore", "data/\nout.txt\n")
    project.write("app.py", OLD)
    project.write("lib/__init__.py", "")
    project.write("lib/helper.py", "def framed(text):\n    return f'<{text}>'\n")
    project.write("prompts/first.txt", "What is it? ")
    project.write("data/input.bin", "data")


def files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def requests(server: ModelServer) -> int:
    return len(server.requests)


def test_a_run_again_on_its_own_code_sends_nothing_and_prints_the_same(
    project: Project, model_server: ModelServer
) -> None:
    agent(project)
    first = project.record("app.py", "argument")
    recorded = project.versioned()
    project.write("app.py", NEW)
    project.write("prompts/first.txt", "Something else? ")
    project.write("lib/helper.py", "def framed(text):\n    return f'({text})'\n")
    project.write("lib/later.py", "")
    before, sent = files(project.folder), requests(model_server)
    again = project.rerun(recorded["run"]["id"], "--at-version")
    assert again == first
    assert requests(model_server) == sent
    assert files(project.folder) == before
    found = graph()
    assert column(found, "origin") == ["replayed", "replayed"]
    # It is shown where the user knows it, and is of the same version.
    assert column(found, "file") == column(recorded, "file") == [str(project.folder / "app.py")] * 2
    assert column(found, "line") == column(recorded, "line")
    assert edges(found) == edges(recorded)
    assert found["edges"][0]["path"] == recorded["edges"][0]["path"]
    assert found["run"]["version"] == recorded["run"]["version"]
    run, parent = ask("ao.runs")["runs"]
    assert run["cwd"] == parent["cwd"] == str(project.folder)
    assert ask("ao.diff", a=parent["id"], b=run["id"])["identical"]
    until(lambda: not os.listdir(paths.scratch_dir()), "the scratch folder is still there")
    # And again, of the rerun; what changed goes live on the code of now.
    compiled = len(files(Path(paths.pyc_dir())))
    assert project.rerun("last", "--at-version") == first
    assert len(files(Path(paths.pyc_dir()))) == compiled
    assert requests(model_server) == sent
    assert project.rerun("last").startswith("new code\n")
    assert requests(model_server) == sent + 2


def test_it_runs_in_the_background_too_and_an_edit_reaches_it(project: Project, model_server: ModelServer) -> None:
    agent(project)
    project.record("app.py")
    run = project.versioned()["run"]["id"]
    project.write("app.py", "raise SystemExit('new code')")
    sent = requests(model_server)
    ask("ao.edit", run=run, call=1, content="edited")
    done = subprocess.run(
        [AO, "rerun", run, "--at-version", "--json"], env=project.env, capture_output=True, text=True, check=True
    )
    assert '"exit_code": 0' in done.stdout
    assert column(graph(), "origin") == ["edited", "live"]
    assert requests(model_server) == sent + 1
    # The second call asks something else than it did: it is known by the lines that ask.
    ask("ao.edit", run=run, call=2, content="edited, too")
    assert project.rerun(run, "--at-version").endswith("edited, too\n")
    assert column(graph(), "origin") == ["edited", "edited"]
    assert requests(model_server) == sent + 1
    assert os.listdir(paths.scratch_dir()) == []


def test_from_another_folder_with_a_path_as_argument_and_through_the_gateway_it_is_the_old_code_too(
    project: Project, model_server: ModelServer, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    program = "import openai, pathlib, sys\nprompt = pathlib.Path(sys.argv[1]).read_text()\n"
    project.write("agent/app.py", program + CHILD.replace('f"child {random.random()}"', "prompt"))
    project.write("prompt.txt", "old")
    first = project.record("--gateway", "../project/agent/app.py", str(project.folder / "prompt.txt"), cwd=elsewhere)
    project.versioned()
    project.write("agent/app.py", "print('new code')")
    project.write("prompt.txt", "new")
    sent = requests(model_server)
    assert project.rerun("last", "--at-version") == first
    assert requests(model_server) == sent
    run, parent = ask("ao.runs")["runs"]
    assert (run["argv"], run["cwd"]) == (
        [str(project.folder / "agent" / "app.py"), *parent["argv"][1:]],
        str(elsewhere),
    )


def test_a_project_that_is_gone_is_no_obstacle(project: Project, tmp_path: Path) -> None:
    project.write("app.py", "print('hi', __file__.endswith('app.py'))")
    project.record("app.py")
    project.versioned()
    (project.folder / "app.py").unlink()
    (project.folder / "pyproject.toml").unlink()
    project.folder.rmdir()
    project.folder = tmp_path
    assert project.rerun("last", "--at-version") == "hi True\n"


CHILD = """
import openai, random
text = f"child {random.random()}"
asked = openai.OpenAI().chat.completions.create(model="m", messages=[{"role": "user", "content": text}])
print(asked.choices[0].message.content)
"""

# As setuptools installs a project that is to be edited.
EDITABLE = """
import sys, types
from importlib.util import spec_from_file_location
module = types.ModuleType("__editable___mapped_1_0_finder")
module.MAPPING = {{"mapped": {folder!r}}}
class Finder:
    __module__ = module.__name__
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name in module.MAPPING:
            return spec_from_file_location(name, module.MAPPING[name] + "/__init__.py")
sys.modules[module.__name__] = module
sys.meta_path.append(Finder)
"""


def test_children_modules_and_editable_installs_run_the_old_code(
    project: Project, model_server: ModelServer, tmp_path: Path
) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(EDITABLE.format(folder=str(project.folder / "lib" / "mapped")))
    project.env["PYTHONPATH"] = f"{tmp_path / 'site'}:{project.folder / 'src'}"
    project.write("src/package/__init__.py", "VALUE = 'old'\n")
    project.write("lib/mapped/__init__.py", "VALUE = 'old, too'\n")
    project.write("work.py", CHILD)
    run_child = "subprocess.run([sys.executable, 'work.py'], check=True)"
    project.write("tool/__init__.py", "")
    project.write(
        "tool/__main__.py",
        f"import mapped, package, subprocess, sys\nprint(package.VALUE, mapped.VALUE, flush=True)\n{run_child}\n",
    )
    first = project.record("-m", "tool")
    assert first.startswith("old old, too\n")
    project.versioned()
    for name in ("src/package/__init__.py", "lib/mapped/__init__.py", "work.py", "tool/__main__.py"):
        project.write(name, "VALUE = 'new'\nprint('new code')\n")
    sent = requests(model_server)
    assert project.rerun("last", "--at-version") == first
    assert requests(model_server) == sent
    assert column(graph(), "origin") == ["replayed"]
    assert column(graph(), "file") == [str(project.folder / "work.py")]


def test_what_is_in_no_version_can_be_reached_and_what_came_later_cannot(project: Project, tmp_path: Path) -> None:
    project.write(".gitignore", "data/\n.venv/\n")
    (tmp_path / "neighbour").mkdir()
    (tmp_path / "neighbour" / "x.txt").write_text("beside")
    project.write("data/big.txt", "data")
    project.write(".env", "SECRET=1")
    project.write("mixed/old.py", "")
    (project.folder / "mixed" / "image.bin").write_bytes(b"\0image")
    (project.folder / ".git").mkdir()
    project.write(
        "app.py",
        """
import os
print(open("data/big.txt").read(), open(".env").read(), open("mixed/image.bin", "rb").read())
print(open("../neighbour/x.txt").read(), sorted(os.listdir("mixed")), os.listdir(".git"))
open("out.txt", "w").write("x")
open("data/out.txt", "w").write("x")
print(os.path.exists("later.py"))
""",
    )
    first = project.record("app.py")
    project.versioned()
    project.write("later.py", "")
    project.write("mixed/later.py", "")
    (project.folder / ".git" / "HEAD").write_text("theirs")
    (project.folder / "out.txt").unlink()
    (project.folder / "data" / "out.txt").unlink()
    assert project.rerun("last", "--at-version") == first
    # What it writes stays in the scratch folder, but for what it writes into folders that no version has.
    assert not (project.folder / "out.txt").exists()
    assert (project.folder / "data" / "out.txt").exists()


def test_a_run_without_a_version_says_so(project: Project) -> None:
    project.env["AO_VERSIONS"] = "0"
    project.write("app.py", "print('hi')")
    project.record("app.py")
    done = subprocess.run([AO, "rerun", "--at-version"], env=project.env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "has no version of its code" in done.stderr
