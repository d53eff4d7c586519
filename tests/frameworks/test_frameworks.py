"""Programs on agent frameworks: the same as under python, and the edges that their data flow has.

`scripts/test-frameworks` installs each framework in an environment of its own under `.cache/frameworks`
and runs these; without that they are skipped. A program says at its top what it needs and which edges
there are (`edges`, by names of calls); behind a line, which calls are made there (`#: name name`). They are
the same with the framework as a library and with `--rewrite` of the packages in `follow`.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from model_server import ModelServer

from tests.daemons import LONG_S
from tests.runner.recorded import Graph, Programs, graph

HERE = Path(__file__).parent
PROGRAMS = sorted((HERE / "programs").glob("*.py"))
ENVIRONMENTS = HERE.parents[1] / ".cache" / "frameworks"


def said(program: Path, what: str) -> list[str]:
    """What the program's comment `# what: ...` lists."""
    return " ".join(re.findall(rf"^# {what}: (.*)$", program.read_text(), re.MULTILINE)).split()


def names(program: Path, found: Graph) -> dict[str, str]:
    """The calls' names, by their ids: those behind the line that each call was made at, in order."""
    lines = program.read_text().splitlines()
    waiting = {number: line.partition("  #: ")[2].split() for number, line in enumerate(lines, 1) if "  #: " in line}
    named = {node["id"]: waiting[node["line"]].pop(0) for node in found["nodes"]}
    assert not any(waiting.values()), f"calls that were not recorded: {waiting}"
    return named


def python_of(program: Path) -> str:
    python = ENVIRONMENTS / program.stem / "bin" / "python"
    if not python.exists():
        pytest.skip(f"{program.stem} is not installed: scripts/test-frameworks {program.stem}")
    return str(python)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.stem)
@pytest.mark.parametrize("followed", [False, True], ids=["as a library", "followed"])
def test_a_program_on_a_framework(
    program: Path, followed: bool, programs: Programs, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = python_of(program)
    for name, value in model_server.env.items():
        monkeypatch.setenv(name, value)
    file = programs.write(program.read_text())
    plain = subprocess.run([python, file.name], cwd=programs.folder, capture_output=True, timeout=4 * LONG_S)
    options = [f"--rewrite={':'.join(said(program, 'follow'))}"] if followed else []
    process = programs.start("--python", python, *options, file.name)
    out, err = process.communicate(timeout=4 * LONG_S)
    assert (out, err, process.returncode) == (plain.stdout, plain.stderr, plain.returncode)
    assert process.returncode == 0, err.decode()

    found = graph()
    assert {node["file"] for node in found["nodes"]} == {str(file)}
    named = names(program, found)
    tracked = {
        (named[edge["source"]], named[edge["target"]]) for edge in found["edges"] if edge["evidence"] == "tracked"
    }
    expected = {(source, target) for source, _, target in (edge.partition(">") for edge in said(program, "edges"))}
    assert tracked == expected, (sorted(expected - tracked), sorted(tracked - expected))
