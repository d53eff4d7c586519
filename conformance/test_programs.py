"""The SDK matrix: each program, recorded, read, replayed, edited (README.md).

`scripts/test-sdks` installs what the programs need, each in an environment of its own; without that they are skipped.
"""

from __future__ import annotations

import pytest
from model_server import ModelServer

from conformance.checks import Checked
from conformance.program import CHECKS, PROGRAMS, Program, python_version
from tests.runner.recorded import Programs


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_a_program_is_recorded_read_replayed_and_edited(
    program: Program, programs: Programs, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = python_version()
    python = program.python(version)
    if not (python.parents[1] / "made-of").exists():  # whole, as scripts/make-venv leaves it
        pytest.skip(f"{program.name} is not installed: scripts/test-sdks {program.name}")
    for name, value in model_server.env.items():
        monkeypatch.setenv(name, value)
    checked = Checked(program, python, programs, model_server)
    failures: dict[str, str] = {}
    for check in CHECKS:
        try:
            getattr(checked, f"check_{check.replace(' ', '_')}")()
        except AssertionError as error:
            failures[check] = str(error)
    results = {"packages": program.packages, "transports": checked.transports(), "failures": failures}
    program.write_results(version, results)
    unexpected = {check: failure for check, failure in failures.items() if check not in program.limits}
    assert not unexpected, "\n".join(f"{check}: {failure}" for check, failure in unexpected.items())
    healed = set(program.limits) - set(failures)
    assert not healed, f"no limit any more: {healed}"
