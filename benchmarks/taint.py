"""What rewritten code costs over plain code, in one process: plain and rewritten in turn, A B A B …

    python benchmarks/taint.py [--quick] [--rounds N] [--profile STATE] [--python PYTHON]... [WORKLOAD]...

Each file under `workloads/` is compiled as it is and through the rewriter. Rewritten it runs in three states:

    empty    no transport is patched and nothing is tagged: a program before its first LLM call
    live     a transport is patched and some value is tagged, none that the program works on
    tainted  every text, number and key that the program is given is tagged

Prints a table row per Python and workload for docs/performance.md: the median time of the plain code, and for each
state the median of the ratios within rounds. All states must give what the plain code gives, and the
tainted one a result that knows where it came from, or the exit code is 1. `--quick` looks at that only.
"""

from __future__ import annotations

import argparse
import gc
import math
import statistics
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
WORKLOADS = Path(__file__).with_name("workloads")
STATES = ("empty", "live", "tainted")

sys.path[0] = str(ROOT)  # not this folder

from ao_lsp.taint import escrow, names, rewrite, scope, state, table  # noqa: E402  # found there
from ao_lsp.taint.origins import origin  # noqa: E402  # likewise
from ao_lsp.taint.reach import reach  # noqa: E402

QUICK, FULL = 1, 60
_A, _B = origin("a"), origin("b")


def loaded(file: Path, label: str) -> ModuleType:
    """A workload as a module of its own for each of `plain` and the states."""
    name = f"{file.stem}_{label}"
    source = file.read_bytes()
    if label == "plain":
        code = compile(source, f"{file}.plain", "exec", dont_inherit=True)
    else:
        scope.FILES.add(str(file))
        scope.MODULES.add(name)
        code = compile(rewrite.rewrite(source, str(file)), str(file), "exec", dont_inherit=True)
    module = sys.modules[name] = ModuleType(name)
    exec(code, vars(module))
    return module


def tagged(value: Any) -> Any:
    """`value` with everything tagged that can be."""
    if type(value) is dict:
        return {tagged(key): tagged(part) for key, part in value.items()}
    if type(value) in (list, tuple):
        return type(value)(tagged(part) for part in value)
    return table.mark(value, _A)


def enter(label: str) -> Any:
    """Put the tracking into a state; what is returned has to live as long."""
    state.TAINT.clear()
    state.LIVE.clear()
    table.sweep()
    if label in ("live", "tainted"):
        state.go_live()
        return table.mark("a value that came from a call", _B)
    return None


def run(module: ModuleType, label: str, size: int) -> tuple[float, Any]:
    """The seconds that a workload takes in a state, and its result."""
    kept = enter(label)
    given = module.inputs(size)
    if label == "tainted":
        given = tagged(given)
    gc.collect()
    began = time.process_time()
    result = module.work(given)
    took = time.process_time() - began
    if label == "tainted" and not reach((result,)):
        raise SystemExit(f"{module.__name__}: the result does not know where it came from")
    del kept
    enter("empty")
    return took, result


def measure(file: Path, size: int, rounds: int) -> dict[str, list[float]]:
    """Seconds by state, one for each round."""
    modules = {label: loaded(file, label) for label in ("plain", *STATES)}
    times: dict[str, list[float]] = {label: [] for label in modules}
    for number in range(rounds + 1):
        expected = None
        for label, module in modules.items():
            took, result = run(module, label, size)
            if label == "plain":
                expected = repr(result)
            elif repr(result) != expected:
                raise SystemExit(f"{file.stem}: {label} gives another result than plain")
            if number:  # the first round warms up
                times[label].append(took)
    if escrow.LOST:
        raise SystemExit(f"{file.stem}: the tracking failed inside: {escrow.LOST[0]}")
    return times


def main() -> None:
    """Measure, and print rows for docs/performance.md."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="small inputs, one round: are the results the same?")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--python", action="append", default=[], help="run under this interpreter; may be repeated")
    parser.add_argument("--profile", choices=("plain", *STATES), help="what a state spends its time on, by function")
    parser.add_argument("workloads", nargs="*")
    options = parser.parse_args()
    if options.python:
        rest = [*(["--quick"] if options.quick else []), f"--rounds={options.rounds}", *options.workloads]
        for python in options.python:
            subprocess.run([python, __file__, *rest], check=True)
        return
    files = sorted(file for file in WORKLOADS.glob("*.py") if not options.workloads or file.stem in options.workloads)
    names.install()
    names.load()
    if options.profile:
        profile(files, options.profile)
        return
    size, rounds = (QUICK, 1) if options.quick else (FULL, options.rounds)
    version = sys.version.split()[0]
    of_states: dict[str, list[float]] = {label: [] for label in STATES}
    for file in files:
        times = measure(file, size, rounds)
        ratios = []
        for label in STATES:
            pairs = zip(times[label], times["plain"], strict=True)
            ratios.append(statistics.median(ours / plain for ours, plain in pairs))
            of_states[label].append(ratios[-1])
        shown = " | ".join(f"{ratio:.2f}" for ratio in ratios)
        print(f"| {version} | {file.stem} | {statistics.median(times['plain']) * 1000:.1f} ms | {shown} |", flush=True)
    means = (math.exp(statistics.fmean(map(math.log, of_states[label]))) for label in STATES)
    print(f"| {version} | geometric mean | | {' | '.join(f'{mean:.2f}' for mean in means)} |", flush=True)


def profile(files: list[Path], label: str) -> None:
    """Print where the time goes."""
    import cProfile
    import pstats

    profiler = cProfile.Profile()
    for file in files:
        module = loaded(file, label)
        kept = enter(label)
        given = module.inputs(FULL)
        if label == "tainted":
            given = tagged(given)
        profiler.runcall(module.work, given)
        del kept
    pstats.Stats(profiler).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    main()
