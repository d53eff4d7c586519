"""What a command line starts is told without running it, and what is not certain is left alone."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from ao_lsp.runner import executables
from ao_lsp.runner.command_line import is_alone, name_of, split

COMMANDS = {
    "app.py a -b": ([], "script", "app.py", ["a", "-b"]),
    "-u -X dev app.py": (["-u", "-Xdev"], "script", "app.py", []),
    "-Wignore -W error -m pack.mod -x": (["-Wignore", "-Werror"], "module", "pack.mod", ["-x"]),
    "-Im pip": (["-I"], "module", "pip", []),
    "-mpip": ([], "module", "pip", []),
    "-Bcprint(1) a": (["-B"], "command", "print(1)", ["a"]),
    "-EsXutf8=1 -c 1": (["-EsXutf8=1"], "command", "1", []),
    "-- -odd.py": ([], "script", "-odd.py", []),
}


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_line_is_read_as_python_reads_it(line: str) -> None:
    found = split(line.split())
    assert found is not None
    assert (found.flags, found.kind, found.program, found.arguments) == COMMANDS[line]


@pytest.mark.parametrize(
    "line",
    ["", "-", "-i app.py", "-v app.py", "-x app.py", "-V", "--help", "-c", "-m", "-W", "-X importtime a.py", "-Z a"],
)
def test_what_runs_no_program_or_would_show_us_is_left_alone(line: str) -> None:
    assert split(line.split()) is None


@pytest.mark.parametrize(
    ("line", "alone"),
    [
        ("-m pip install x", True),
        ("-m ao_lsp.runner app.py", True),
        ("/env/bin/ao-record app.py", True),
        ("/env/bin/pip3.12 list", True),
        ("pipeline.py", False),
        ("-m pipx", False),
        ("-c pass", False),
    ],
)
def test_installers_and_ourselves_are_left_alone(line: str, alone: bool) -> None:
    found = split(line.split())
    assert found is not None
    assert is_alone(found) == alone


def test_a_child_is_called_by_what_it_runs() -> None:
    named = [split(line.split()) for line in ("tools/work.py x", "-m pack.work", "-c pass", "folder/")]
    assert [name_of(command) for command in named if command] == ["work.py", "pack.work", "-c", "folder"]


def test_an_interpreter_is_known_by_its_file(tmp_path: Path) -> None:
    def made(name: str, text: bytes = b"\x7fELF") -> str:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text)
        return str(file)

    link = tmp_path / "any"
    link.symlink_to(sys.executable)
    assert executables.is_python(str(link))
    assert executables.is_python(made("python3.12"))
    for other in ("python3.9", "python2.7", "python3.13t", "pypy3.10", "python", "frozen", "python3.99"):
        assert not executables.is_python(made(other)), other
    assert not executables.is_python(made("shims/python3.11", b"#!/bin/sh\n"))
    copy = made("env/bin/python")
    (tmp_path / "env" / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.12.1\n")
    assert executables.is_python(copy)
    (tmp_path / "env" / "pyvenv.cfg").write_text("implementation = PyPy\nversion_info = 3.10.13.final.0\n")
    assert not executables.is_python(copy)


def test_a_script_is_run_by_what_its_first_line_names(tmp_path: Path) -> None:
    def interpreter(first: str) -> tuple[str, list[str]] | None:
        script = tmp_path / "script"
        script.write_text(first + "\nprint(1)\n")
        return executables.interpreter_of(str(script), None, {"PATH": f"/nowhere:{os.path.dirname(sys.executable)}"})

    python = sys.executable
    by_name = shutil.which("python3", path=os.path.dirname(python))
    assert interpreter(f"#!{python}") == (python, [python])
    assert interpreter(f"#! {python}  -Es ") == (python, [python, "-Es"])
    assert interpreter("#!/usr/bin/env python3") == (by_name, ["python3"])
    for other in ("#!/bin/sh", "#!/usr/bin/env -S python3 -B", "#!/usr/bin/env nothing", "print(1)", ""):
        assert interpreter(other) is None
