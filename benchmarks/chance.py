"""What recording costs a loop that does nothing but draw by chance: processes, plain and recorded in turn, A B A B …

    python benchmarks/chance.py [--rounds N]

Prints a table row per function for docs/performance.md: the time of a plain call, of one under `ao-record` before a
transport library is imported, and after; each the median of the rounds, over a million calls.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

RECORD = str(Path(sys.executable).with_name("ao-record"))
LOOPS = """
import json, random, sys, time, uuid
from time import perf_counter
if sys.argv[1] == "live":
    import http.client, httpx

def draw():
    for _ in range(COUNT): random.random()

def look():
    for _ in range(COUNT): time.time()

def name():
    for _ in range(COUNT // 10): uuid.uuid4()

took = {}
for what, work, count in ("random.random()", draw, COUNT), ("time.time()", look, COUNT), ("uuid.uuid4()", name, COUNT // 10):
    began = perf_counter()
    work()
    took[what] = (perf_counter() - began) / count
print(json.dumps(took))
"""  # noqa: E501 - a program


def main() -> None:
    """Measure, and print rows for docs/performance.md."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=1_000_000)
    options = parser.parse_args()
    times: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory(prefix="ao-bench-", dir="/tmp") as folder:
        env = {**os.environ, "AO_HOME": folder, "AO_NO_DAEMON": "1"}
        file = Path(folder, "loops.py")
        file.write_text(LOOPS.replace("COUNT", str(options.calls)))
        for _ in range(options.rounds):
            for state, argv in (
                ("plain", [sys.executable, str(file), "plain"]),
                ("before", [RECORD, str(file), "before"]),
                ("live", [RECORD, str(file), "live"]),
            ):
                done = subprocess.run(argv, env=env, capture_output=True, check=True)
                for what, took in json.loads(done.stdout).items():
                    times.setdefault(what, {}).setdefault(state, []).append(took * 1e9)
    version = sys.version.split()[0]
    for what, states in times.items():
        shown = " | ".join(f"{statistics.median(states[state]):.0f} ns" for state in ("plain", "before", "live"))
        print(f"| {version} | `{what}` | {shown} |")


if __name__ == "__main__":
    main()
