"""What `ao-record hello.py` costs over `python hello.py`: pairs of whole processes, A B A B …

    python benchmarks/start_up.py [PAIRS]

Prints the medians in milliseconds and the median of the ratios within pairs, which is what counts: it stays
the same when the machine's speed drifts. A daemon runs, and the bytecode is cached, as from the second
recording on.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RECORD = str(Path(sys.executable).with_name("ao-record"))
SERVER = str(Path(sys.executable).with_name("ao-server"))


def seconds(argv: list[str], env: dict[str, str]) -> float:
    """Wall time of a process, from its start to its end."""
    began = time.perf_counter()
    subprocess.run(argv, env=env, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def main(pairs: int) -> None:
    """Measure, and print a table row for docs/performance.md."""
    with tempfile.TemporaryDirectory(prefix="ao-bench-", dir="/tmp") as folder:
        env = {**os.environ, "AO_HOME": folder}
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        env.pop("VIRTUAL_ENV", None)
        hello = Path(folder, "hello.py")
        hello.write_text("print('hello')\n")
        plain, recorded = [sys.executable, str(hello)], [RECORD, str(hello)]
        subprocess.run([SERVER, "start"], env=env, stdout=subprocess.DEVNULL, check=True)
        try:
            for argv in (plain, recorded) * 3:  # warm up
                seconds(argv, env)
            timed = [(seconds(recorded, env), seconds(plain, env)) for _ in range(pairs)]
        finally:
            subprocess.run([SERVER, "stop"], env=env, stdout=subprocess.DEVNULL, check=True)
    ours, theirs = (statistics.median(side) * 1000 for side in zip(*timed, strict=True))
    ratio = statistics.median(ours / theirs for ours, theirs in timed)
    version = sys.version.split()[0]
    print(f"| {version} | {theirs:.1f} ms | {ours:.1f} ms | {ours - theirs:.1f} ms | {ratio:.2f} | {pairs} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
