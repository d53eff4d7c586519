"""What the version of a run's code costs the daemon (docs/versions.md): a project of many files, in its own folder.

    python benchmarks/versions.py [--files N] [--rounds N]

Prints table rows for docs/performance.md: milliseconds, the median and the longest of the rounds, and the median of the
processor's time in it, which other work on the machine does not change.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from ao_lsp.server.versions import snapshot
from ao_lsp.server.versions.repository import Repository
from ao_lsp.server.versions.snapshot import Program

SOURCE = "def function(value):\n    return value + 1\n\n\n" * 60


def main() -> None:
    """Measure, and print rows for docs/performance.md."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ao-bench-", dir="/tmp") as folder:
        root = Path(folder, "project")
        for number in range(options.files):
            file = root / f"package{number % 100}" / f"module{number}.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"# {number}\n{SOURCE}")
        program = Program(str(root), str(root))
        times: dict[str, list[tuple[float, float]]] = {}
        for _ in range(options.rounds):
            repository = os.path.join(folder, "cache", "git")
            shutil.rmtree(repository, ignore_errors=True)
            times.setdefault(f"{options.files:,} new", []).append(taken(repository, program))
            while not settled(repository, program):
                pass
            times.setdefault(f"{options.files:,} unchanged", []).append(taken(repository, program))
            (root / "package1" / "module1.py").write_text(f"# {time.time()}\n{SOURCE}")
            times.setdefault(f"1 of {options.files:,} changed", []).append(taken(repository, program))
    version = sys.version.split()[0]
    for what, found in times.items():
        took, worked = zip(*found, strict=True)
        shown = (statistics.median(took), max(took), statistics.median(worked))
        print(f"| {version} | {what} | {' | '.join(f'{each * 1e3:.0f} ms' for each in shown)} |")


def taken(folder: str, program: Program) -> tuple[float, float]:
    """Seconds that a version took, with opening the repository: on the clock, and of the processor."""
    began, busy = time.perf_counter(), time.process_time()
    with Repository(folder) as repository:
        snapshot.take(repository, program, time.time())
    return time.perf_counter() - began, time.process_time() - busy


def settled(folder: str, program: Program) -> bool:
    """Whether nothing is so new that it has to be read again."""
    with Repository(folder) as repository:
        found = snapshot.take(repository, program)
    return found is not None and not found.read


if __name__ == "__main__":
    main()
