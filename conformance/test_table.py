"""The table of docs/compatibility.md, and what the programs say of themselves."""

from __future__ import annotations

import pytest

from conformance import table
from conformance.program import CHECKS, PROGRAMS, Program


def test_the_table_has_the_rows_of_the_programs() -> None:
    assert table.programs_in_document() == {program.name for program in PROGRAMS}


def test_the_table_names_the_packages_that_the_programs_need() -> None:
    document = table.DOCUMENT.read_text()
    for program in PROGRAMS:
        packages = ", ".join(package.replace("==", " ") for package in program.packages)
        assert f"| {program.name} | {packages} |" in document, "run scripts/test-sdks"


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_a_program_says_what_is_true_of_it(program: Program) -> None:
    named = {name for names in program.names().values() for name in names}
    assert program.packages
    assert all("==" in package for package in program.packages)
    edges = program.edges | program.matched | program.followed
    assert {name for edge in edges for name in edge} <= named
    assert set(program.says("edit") + program.says("concurrent")) <= named
    assert set(program.says("equal")) <= named
    assert len(program.says("equal")) == 3
    assert set(program.cannot) <= {"streamed", "failing", "concurrent"}
    assert set(program.limits) <= set(CHECKS)
