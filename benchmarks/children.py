"""What a recorded child costs over a plain one: a program that runs `python hello.py` as its children, by itself
and under `ao-record`, in turn.

    python benchmarks/children.py [ROUNDS]

Prints the medians in milliseconds, from before a child's start to its end, and the median of the ratios within
rounds. A daemon runs, and the bytecode is cached.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

RECORD = str(Path(sys.executable).with_name("ao-record"))
SERVER = str(Path(sys.executable).with_name("ao-server"))
CHILDREN = 10
WAYS = {
    "subprocess": "subprocess.run([sys.executable, 'hello.py'], stdout=subprocess.DEVNULL, check=True)",
    "multiprocessing, spawn": "p = spawn.Process(target=int); p.start(); p.join()",
    "multiprocessing, fork": "p = fork.Process(target=int); p.start(); p.join()",
}
PARENT = """
import multiprocessing, statistics, subprocess, sys, time
spawn, fork = multiprocessing.get_context("spawn"), multiprocessing.get_context("fork")
if __name__ == "__main__":
    times = []
    for _ in range({children} + 1):
        began = time.perf_counter()
        {start}
        times.append(time.perf_counter() - began)
    print(statistics.median(times[1:]))
"""


def seconds(argv: list[str], folder: str, env: dict[str, str]) -> float:
    """What a child takes, in the middle."""
    return float(subprocess.run(argv, cwd=folder, env=env, capture_output=True, check=True).stdout)


def main(rounds: int) -> None:
    """Measure, and print a table row for docs/performance.md for each way to start a child."""
    with tempfile.TemporaryDirectory(prefix="ao-bench-", dir="/tmp") as folder:
        env = {**os.environ, "AO_HOME": folder}
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        env.pop("VIRTUAL_ENV", None)
        Path(folder, "hello.py").write_text("print('hello')\n")
        plain, recorded = [sys.executable, "parent.py"], [RECORD, "parent.py"]
        subprocess.run([SERVER, "start"], env=env, stdout=subprocess.DEVNULL, check=True)
        try:
            for way, start in WAYS.items():
                Path(folder, "parent.py").write_text(PARENT.format(children=CHILDREN, start=start))
                timed = [(seconds(recorded, folder, env), seconds(plain, folder, env)) for _ in range(rounds + 1)][1:]
                ours, theirs = (statistics.median(side) * 1000 for side in zip(*timed, strict=True))
                ratio = statistics.median(ours / theirs for ours, theirs in timed)
                version = sys.version.split()[0]
                print(f"| {version} | {way} | {theirs:.1f} ms | {ours:.1f} ms | {ratio:.2f} | {rounds * CHILDREN} |")
        finally:
            subprocess.run([SERVER, "stop"], env=env, stdout=subprocess.DEVNULL, check=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
