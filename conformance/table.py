"""Writes docs/compatibility.md from what the last runs of the programs have shown.

python -m conformance.table
"""

from __future__ import annotations

import datetime
import os
import platform
import re
import sys
from pathlib import Path
from typing import Any

from conformance.program import CACHE, CHECKS, PROGRAMS, Program

DOCUMENT = Path(__file__).parents[1] / "docs" / "compatibility.md"

_HEAD = """# Compatibility

What is recorded, replayed and edited of which SDK: made by `scripts/test-sdks` from runs of the programs in
`conformance/programs`, each with its SDK in an environment of its own, against a model server on loopback. Change
nothing here by hand. `conformance/README.md` says what each column means; `?` stands where a program was not run.

"""


def rows() -> list[str]:
    """One line of the table for each program and each Python that it was run with."""
    versions = sorted({file.stem.rpartition("-")[2] for file in (CACHE / "results").glob("*.json")}, key=_number)
    found = []
    for program in PROGRAMS:
        known = {version: results for version in versions if (results := program.results(version)) is not None}
        found += [_row(program, version, results) for version, results in known.items()]
        if not known:
            found.append(_row(program, "", {"packages": program.packages, "transports": ""}))
    return found


def _number(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def _row(program: Program, version: str, results: dict[str, Any]) -> str:
    sdks = ", ".join(package.replace("==", " ") for package in results["packages"])
    lacks = (f"no {kind} call: {why}" for kind, why in program.cannot.items())
    notes = [*program.notes, *lacks, *(f"{check}: {why}" for check, why in program.limits.items())]
    failures = results.get("failures")  # none: never run
    marks = ["?" if failures is None else "no" if check in failures else "yes" for check in CHECKS]
    cells = [program.name, sdks, version, results["transports"], *marks, "; ".join(notes)]
    return f"| {' | '.join(cells)} |"


def main() -> int:
    """Write the document; 1 where a program has no results yet."""
    table = rows()
    missing = [row.split(" | ")[0].removeprefix("| ") for row in table if "| ? |" in row]
    head = ["program", "packages", "Python", "recorded at", *CHECKS, "notes"]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|", *table]
    machine = f"{platform.system()} {platform.machine()}, {len(os.sched_getaffinity(0))} cores"
    date = datetime.datetime.now(tz=datetime.timezone.utc).date().isoformat()
    DOCUMENT.write_text(f"{_HEAD}Last full run: {date}, {machine}.\n\n" + "\n".join(lines) + "\n")
    for name in missing:
        sys.stderr.write(f"{name} was never run: scripts/test-sdks {name}\n")
    return 1 if missing else 0


def programs_in_document() -> set[str]:
    """The programs that the document has a row of."""
    return set(re.findall(r"^\| (\w+) \| ", DOCUMENT.read_text(), re.MULTILINE)) - {"program"}


if __name__ == "__main__":
    sys.exit(main())
