"""What `ao-record` is told by variables and by pyproject.toml, and which of them counts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from model_server import ModelServer

from tests.runner.recorded import AO, ASK, Programs, graph

CALLS = ASK + 'ask("improve: " + ask("write"))\n'


Record = Callable[..., str]
"""Records the calls, with these options and variables; what went to stderr."""


def set_project(folder: Path, text: str) -> None:
    (folder / "pyproject.toml").write_text(f'[project]\nname = "p"\n[tool.ao]\n{text}\n')


def tracked() -> bool:
    """Whether the last run was tracked."""
    return any(edge["evidence"] == "tracked" for edge in graph()["edges"])


@pytest.fixture
def record(programs: Programs, model_server: ModelServer) -> Record:
    def record(*options: str, **env: str) -> str:
        return programs.record(CALLS, *options, env={**model_server.env, **env})[1]

    return record


def test_the_command_line_comes_before_variables_and_these_before_the_project(
    programs: Programs, record: Record
) -> None:
    assert record() == ""
    assert tracked()
    set_project(programs.folder, "taint = false")
    assert record() == ""
    assert not tracked()
    assert record(AO_TAINT="1") == ""
    assert tracked()
    assert record("--no-taint", AO_TAINT="yes") == ""
    assert not tracked()
    assert record("--taint", AO_TAINT="off") == ""
    assert tracked()


def test_a_variable_that_is_empty_says_nothing(programs: Programs, record: Record) -> None:
    set_project(programs.folder, "taint = false")
    assert record(AO_TAINT="") == ""
    assert not tracked()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('taint = "maybe"', "{file}: [tool.ao]: taint must be true or false, not 'maybe'"),
        ("tiant = true", "{file}: [tool.ao]: there is no setting 'tiant' (did you mean taint?)"),
        ("idle_s = 3", "{file}: [tool.ao]: idle_s cannot be set here; set AO_IDLE_S"),
        ("rewrite = 'x'", "{file}: [tool.ao]: rewrite must be a list of texts, not 'x'"),
        ("on_miss = 'never'", "{file}: [tool.ao]: on_miss must be live, strict or ask, not 'never'"),
    ],
)
def test_a_wrong_value_in_the_project_is_said_and_the_program_runs(
    programs: Programs,
    record: Record,
    text: str,
    complaint: str,
) -> None:
    set_project(programs.folder, text)
    said = f"ao-record: {complaint.format(file=programs.folder / 'pyproject.toml')}\n"
    assert record() == said
    assert record() == said  # also when it is remembered
    assert tracked()


def test_a_project_file_that_is_no_toml_is_said(programs: Programs, record: Record) -> None:
    set_project(programs.folder, "taint = ")
    said = record()
    assert said.startswith(f"ao-record: {programs.folder}/pyproject.toml cannot be read: ")
    assert tracked()


def test_a_wrong_variable_is_said_and_the_next_place_counts(programs: Programs, record: Record) -> None:
    set_project(programs.folder, "taint = false")
    assert record(AO_TAINT="maybe") == "ao-record: AO_TAINT must be 1 or 0, not 'maybe'; it is ignored\n"
    assert not tracked()


def test_a_changed_project_file_counts_at_once(programs: Programs, record: Record) -> None:
    set_project(programs.folder, "taint = false")
    record()
    set_project(programs.folder, "taint = true ")  # as long as before
    record()
    assert tracked()


def test_the_interpreter_and_packages_of_a_project_are_its_own(programs: Programs, tmp_path: Path) -> None:
    # Paths are the project's: relative to its file, wherever the program is started.
    python = tmp_path / "env" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    (tmp_path / "env" / "pyvenv.cfg").write_text(f"home = {os.path.dirname(os.path.realpath(sys.executable))}\n")
    set_project(programs.folder, 'python = "env/bin/python"')
    out, err = programs.record("import sys\nprint(sys.prefix)")
    assert (out, err) == (f"{tmp_path / 'env'}\n", "")
    out, _ = programs.record("import sys\nprint(sys.prefix)", env={"AO_PYTHON": sys.executable})
    assert out == f"{sys.prefix}\n"


def test_settings_reach_an_interpreter_that_is_handed_over_to(programs: Programs, record: Record) -> None:
    set_project(programs.folder, "taint = false")
    record("-X", "dev")  # an option of the interpreter's own: it is started again
    assert not tracked()


def test_a_rerun_repeats_what_was_recorded_whatever_is_set_now(
    programs: Programs,
    record: Record,
    model_server: ModelServer,
) -> None:
    record("--no-taint", "--name", "first")
    set_project(programs.folder, "taint = true")
    programs.rerun("first", env=model_server.env)
    assert graph()["run"]["parent_run"] is not None
    assert not tracked()


def test_a_reader_that_cannot_work_costs_the_settings_only(programs: Programs, record: Record, home: str) -> None:
    set_project(programs.folder, "taint = false")
    Path(home, "cache").mkdir(mode=0o700)
    Path(home, "cache", "settings").write_text("in the way")
    assert record() == ""
    assert not tracked()


def test_the_programs_own_modules_are_none_of_ours(programs: Programs) -> None:
    set_project(programs.folder, "taint = true")
    (programs.folder / "tomllib.py").write_text("raise SystemExit(9)")
    source = "import sys\nprint([m for m in ('tomllib', 're', 'subprocess') if m in sys.modules])"
    programs.record(source)  # rewriting it needs more
    assert programs.record(source) == ("[]\n", "")


# -- what a rerun does with a call that has no recording

ASKS = (
    CALLS.replace('ask("improve: " + ask("write"))', 'try:\n    ask(os.environ["WHAT"])\n    print("made")')
    + 'except Exception as error:\n    print("not made")\n'
)


def rerun(programs: Programs, run: str, *options: str, **env: str) -> tuple[str, str]:
    done = subprocess.run(
        [AO, "rerun", run, *options],
        cwd=programs.folder,
        env={**os.environ, "WHAT": "something else", **env},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def test_what_a_rerun_does_for_lack_of_a_recording_can_be_set(programs: Programs, model_server: ModelServer) -> None:
    env = model_server.env
    programs.record(ASKS, env={**env, "WHAT": "something"})
    run = graph()["run"]["id"]
    assert rerun(programs, run, **env)[0] == "made\n"
    set_project(programs.folder, 'on_miss = "strict"')
    assert rerun(programs, run, **env)[0] == "not made\n"
    assert rerun(programs, run, AO_ON_MISS="live", **env)[0] == "made\n"
    assert rerun(programs, run, "--strict", AO_ON_MISS="live", **env)[0] == "not made\n"
    assert rerun(programs, run, "--live", **env)[0] == "made\n"
    out, err = rerun(programs, run, AO_ON_MISS="never", **env)
    assert out == "not made\n"
    assert "AO_ON_MISS must be live, strict or ask, not 'never'; it is ignored" in err


def test_in_the_background_what_would_be_asked_is_not_made(programs: Programs, model_server: ModelServer) -> None:
    env = model_server.env
    programs.record(ASKS, env={**env, "WHAT": "something"})
    run = graph()["run"]["id"]
    set_project(programs.folder, 'on_miss = "ask"')
    answer = json.loads(rerun(programs, run, "--json", **env)[0])
    assert Path(answer["log"]).read_text() == "not made\n"
