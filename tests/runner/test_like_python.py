"""`ao-record` is like python: the same program under both, everything observable compared.

In two states: as a program starts, and with recorded calls possible and something tagged, when every
helper of the rewritten code is at work.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .like_python import PROGRAMS as ORDINARY
from .like_python import Program
from .like_python_ends import ENDS
from .like_python_frames import FRAMES

PROGRAMS = {**ORDINARY, **FRAMES, **ENDS}

RECORD = str(Path(sys.executable).with_name("ao-record"))
STATES = ("plain", "live")

# Runs before everything else in either process, and does nothing that shows.
LIVE = """
import sys
sys.path.append({package!r})
from ao_lsp.taint import origins, state, strands, table
sys.path.pop()
state.go_live()
strands.install()
KEPT = [table.mark("tagged at start", origins.origin("call"))]
import builtins
builtins.tag = lambda value: table.mark(value, origins.origin("call"))
"""


def interpreters() -> list[str]:
    """The interpreter of the tests, and those that `AO_TEST_PYTHONS` names (joined by ':')."""
    more = os.environ.get("AO_TEST_PYTHONS", "").split(os.pathsep)
    return [sys.executable, *filter(None, more)]


@functools.cache
def version(python: str) -> str:
    asked = [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture(scope="session", params=interpreters(), ids=version)
def python(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


def outcome(argv: list[str], program: Program, env: dict[str, str], cwd: Path) -> tuple[int, bytes, bytes]:
    done = subprocess.run(argv, input=program.stdin, capture_output=True, cwd=cwd, env=env, timeout=60)
    return done.returncode, comparable(done.stdout), comparable(done.stderr)


def comparable(output: bytes) -> bytes:
    """Output without what differs between two runs of the same process: addresses, thread ids, names of `tempfile`."""
    return re.sub(rb"0x[0-9a-f]{8,}|\b\d{12,}\b|\btmp[a-z0-9_]{8}\b", b"<id>", output)


def write(program: Program, folder: Path) -> list[str]:
    """The files of a program; returns what stands behind `python`."""
    for cached in folder.rglob("__pycache__"):  # what compiling says, it says in both runs
        shutil.rmtree(cached)
    for name, text in program.files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    if program.argv is not None:
        return list(program.argv)
    script = folder / program.script
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_bytes(program.source.encode(program.env.get("_ENCODING", "utf-8")))
    return [program.script, *program.args]


# One frame of ours stays below the program's on Python 3.10, and these print it (docs/fidelity.md).
SEEN_ON_3_10 = {
    "a printed stack",
    "beyond the outermost frame",
    "inspect",
    "logging and its callers",
    "the stack",
    "the stack with code and positions",
    "walking frames",
    "warnings and their stack levels",
}

# Python 3.11 tells a profiler of the returns of hidden frames (docs/fidelity.md).
SEEN_ON_3_11 = {("profiling", "live")}

# What python 3.14 words by the folder that it was started with, and the order in which it drops two operands
# (docs/fidelity.md).
SEEN_ON_3_14 = {"a circular import", "circular imports", "operands of operators end as they do"}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_behaves_as_under_python(
    name: str, state: str, tmp_path: Path, python: str, daemon_home: dict[str, str]
) -> None:
    if name in SEEN_ON_3_10 and version(python) == "3.10":
        pytest.skip("Python 3.10 cannot hide a frame")
    if (name, state) in SEEN_ON_3_11 and version(python) == "3.11":
        pytest.skip("Python 3.11 tells a profiler of the returns of hidden frames")
    if name in SEEN_ON_3_14 and version(python) == "3.14":
        pytest.skip("Python 3.14 words circular imports, and drops the operands of an operator, in another way")
    program = PROGRAMS[name]
    folder = tmp_path / "work"
    folder.mkdir()
    arguments = write(program, folder)
    env = {**os.environ, **daemon_home, **program.env}
    for unwanted in ("VIRTUAL_ENV", "PYTHONPATH"):
        env.pop(unwanted, None)
    if state == "live":
        site = tmp_path / "site"
        site.mkdir()
        package = Path(__file__).parents[2]
        (site / "sitecustomize.py").write_text(LIVE.format(package=str(package)))
        env["PYTHONPATH"] = str(site)
    plain = outcome([python, *arguments], program, env, folder)
    write(program, folder)  # it may have changed something
    recorded = outcome([RECORD, "--python", python, *arguments], program, env, folder)
    assert recorded == plain
