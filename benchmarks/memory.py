"""What tainted values cost in memory, and that they cost nothing when they are gone.

    python benchmarks/memory.py [--strings N] [--megabytes N] [--python PYTHON]...

Two rewritten programs, with a pretend model:

    strings   makes and drops N tainted texts (2 million): what the table holds afterwards, and how much the
              process has grown between the first tenth and the end
    words     splits a tainted document (10 MB) into words: the bytes that each live tainted object costs beside
              itself, by tracemalloc, over the same program with an untainted document

Prints table rows for docs/performance.md. The exit code is 1 where the table does not end up empty.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)  # not this folder

from ao_lsp.taint import names, rewrite, scope, state, table  # noqa: E402  # found there
from ao_lsp.taint.origins import origin  # noqa: E402  # likewise

STRINGS = """
def made(seed, first, last):
    for number in range(first, last):
        text = f"{seed} {number}"
        text = text.upper() + "!"
"""
WORDS = """
def split(document):
    return document.split()
"""


def program(source: str) -> dict[str, Any]:
    """The namespace of a rewritten program of the user's."""
    file = "/users/program.py"
    scope.FILES.add(file)
    scope.MODULES.add("users_program")
    namespace: dict[str, Any] = {"__name__": "users_program"}
    exec(compile(rewrite.rewrite(source.encode(), file), file, "exec"), namespace)
    return namespace


def resident() -> int:
    """The bytes of this process that are in memory (Linux)."""
    with open("/proc/self/statm") as handle:
        return int(handle.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def strings(count: int) -> tuple[int, int]:
    """The entries left when `count` tainted texts are gone, and the growth in bytes meanwhile."""
    made = program(STRINGS)["made"]
    seed = table.mark("a reply", origin("a"))
    made(seed, 0, count // 10)
    before = resident()
    made(seed, count // 10, count)
    growth = resident() - before
    del seed
    table.sweep()
    return len(state.TAINT), growth


def words(megabytes: int) -> tuple[int, float]:
    """The live tainted objects, and the bytes that each costs."""
    split = program(WORDS)["split"]
    line = " ".join(f"word{number}" for number in range(1000)) + "\n"
    document = line * (megabytes * 1_000_000 // len(line))

    def traced(text: str) -> tuple[int, list[str]]:
        tracemalloc.start()
        found = split(text)
        taken, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return taken, found

    plain, _ = traced(document)
    document = table.mark(document, origin("a"))
    taken, found = traced(document)
    count = len(found)
    assert all(id(word) in state.TAINT for word in found), "a word does not know where it came from"
    del found, document
    table.sweep()
    assert not state.TAINT, f"{len(state.TAINT)} entries are left"
    return count, (taken - plain) / count


def main() -> None:
    """Measure, and print rows for docs/performance.md."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--strings", type=int, default=2_000_000)
    parser.add_argument("--megabytes", type=int, default=10)
    parser.add_argument("--python", action="append", default=[], help="run under this interpreter; may be repeated")
    options = parser.parse_args()
    if options.python:
        for python in options.python:
            sizes = [f"--strings={options.strings}", f"--megabytes={options.megabytes}"]
            subprocess.run([python, __file__, *sizes], check=True)
        return
    names.install()
    names.load()
    state.go_live()
    version = sys.version.split()[0]
    left, growth = strings(options.strings)
    print(f"| {version} | {options.strings:,} strings made and dropped | {left} entries left | {growth:+,} bytes |")
    count, each = words(options.megabytes)
    print(f"| {version} | {options.megabytes} MB split into words | {count:,} live | {each:.0f} bytes each |")
    if left:
        raise SystemExit("the table is not empty")


if __name__ == "__main__":
    main()
