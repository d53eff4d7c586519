"""A program of the matrix: what it needs, and what is true of it, as its first lines say.

    # packages: openai==3.57.0          what to install; the first is the one that the program is about
    # small:                            installs in seconds, so that CI runs it every time
    # options: --gateway                of `ao-record`
    # gateway: plan search              the calls that the gateway records, which have no line, in their order
    # edges: plan>search search>write   the data flow between its calls, by name
    # concurrent: plan other            calls that are made side by side
    # equal: same1 same2 same3          three equal calls; the program prints each output behind `same` on a line
    # cannot streamed: why              it has no `streamed` (`failing`, `concurrent`) call, as the SDK cannot make one
    # matched: chat1>chat2              edges that only the comparison of texts finds
    # follow: langchain                 packages that are treated as the user's code in a second recording
    # followed: plan>search             edges that there are besides when they are, because following is coarse there
    # edit: plan streamed               calls whose output is edited, one after the other; the program prints them
    # limit replayed: why               a check that is known to fail (`Check`), and why: if it holds, the test fails
    # note: what a reader of the table has to know

Behind a line, `#: plan search` names the calls that are made there, in their order.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CACHE = HERE.parent / ".cache" / "sdks"
CHECKS = ("as python", "recorded", "read", "edges", "replayed", "edited")
"""What is checked of every program, as columns of the table; README.md says what they mean."""


@dataclass(frozen=True)
class Program:
    """One file in `programs`."""

    file: Path

    @property
    def name(self) -> str:
        return self.file.stem

    @cached_property
    def source(self) -> str:
        return self.file.read_text()

    def says(self, what: str) -> list[str]:
        """The words behind `# what:`, of all such lines."""
        return " ".join(re.findall(rf"^# {what}:(.*)$", self.source, re.MULTILINE)).split()

    @property
    def packages(self) -> list[str]:
        return self.says("packages")

    @property
    def small(self) -> bool:
        return "\n# small:" in self.source

    @property
    def notes(self) -> list[str]:
        return [note.strip() for note in re.findall(r"^# note:(.*)$", self.source, re.MULTILINE)]

    @property
    def limits(self) -> dict[str, str]:
        """Why a check is known to fail, by check."""
        return dict(re.findall(r"^# limit ([a-z ]+): (.*)$", self.source, re.MULTILINE))

    @property
    def cannot(self) -> dict[str, str]:
        """Why it has no call of a kind that all programs have, by kind."""
        return dict(re.findall(r"^# cannot (\w+): (.*)$", self.source, re.MULTILINE))

    @property
    def edges(self) -> set[tuple[str, str]]:
        """Those that are tracked."""
        return self._pairs("edges")

    @property
    def matched(self) -> set[tuple[str, str]]:
        """Those that are found by text."""
        return self._pairs("matched")

    @property
    def followed(self) -> set[tuple[str, str]]:
        """Those that there are besides, when the packages in `follow` are."""
        return self._pairs("followed")

    def _pairs(self, what: str) -> set[tuple[str, str]]:
        return {(source, target) for source, _, target in (edge.partition(">") for edge in self.says(what))}

    def names(self) -> dict[int | None, list[str]]:
        """The names of the calls, by the line that they are made at; None: at no line."""
        lines = enumerate(self.source.splitlines(), 1)
        found: dict[int | None, list[str]] = {None: self.says("gateway")}
        return found | {number: line.partition("  #: ")[2].split() for number, line in lines if "  #: " in line}

    def downstream(self, name: str) -> set[str]:
        """The calls that depend on this one."""
        found: set[str] = set()
        new = {name}
        while new:
            new = {target for source, target in self.edges | self.matched if source in new} - found
            found |= new
        return found

    def python(self, version: str) -> Path:
        """Its interpreter, in the environment that `scripts/test-sdks` makes."""
        return CACHE / f"{self.name}-{version}" / "bin" / "python"

    def write_results(self, version: str, results: dict[str, Any]) -> None:
        """Keep what a run has shown, for the table."""
        folder = CACHE / "results"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{self.name}-{version}.json").write_text(json.dumps(results, indent=1))

    def results(self, version: str) -> dict[str, Any] | None:
        """What the last run with this Python has shown."""
        file = CACHE / "results" / f"{self.name}-{version}.json"
        found: dict[str, Any] | None = json.loads(file.read_text()) if file.exists() else None
        return found


PROGRAMS = [Program(file) for file in sorted((HERE / "programs").glob("*.py"))]


def python_version() -> str:
    """Of the interpreters that programs run with: `AO_SDK_PYTHON`, or that of the tests."""
    import sys

    return os.environ.get("AO_SDK_PYTHON") or "{}.{}".format(*sys.version_info[:2])
