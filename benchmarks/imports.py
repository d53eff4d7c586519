"""What importing user code costs: rewriting it, once, and loading it from the cache, ever after.

    python benchmarks/imports.py [--modules N] [--pairs N] [--python PYTHON]...

    rewriting    seconds to parse, rewrite and compile a file over seconds to `compile()` it, in turn; the files are
                 modules of the standard library, counted as a user's
    warm import  `ao-record main.py` over `python main.py`, pairs of whole processes, where main.py imports a package
                 of 200 modules whose bytecode both have cached; and the same without what `ao-record hello.py`
                 costs over `python hello.py` (docs/performance.md, "Start")

Prints table rows for docs/performance.md: medians of CPU time (user and system), and the median of
the ratios within pairs.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)  # not this folder

from ao_lsp.taint import hook  # noqa: E402  # found there

RECORD = Path(sys.executable).with_name("ao-record")
REWRITTEN = ["argparse", "ast", "configparser", "dataclasses", "difflib", "json.decoder", "json.encoder", "statistics"]

MODULE = '''"""Module {number} of a program."""

from __future__ import annotations

import json
import os

LIMIT = 10 * 60
NAMES = ["one", "two", "three"]
KNOWN: dict[str, Handler{number}] = {{}}


class Request{number}:
    def __init__(self, path: str, body: str = "") -> None:
        self.path = path
        self.body = body

    def parsed(self) -> dict[str, object]:
        found = json.loads(self.body) if self.body else {{}}
        return {{"path": self.path.strip("/"), **found}}


class Handler{number}:
    """Answers requests."""

    def __init__(self, name: str, limit: int = LIMIT) -> None:
        self.name = name
        self.limit = limit
        self.seen: list[str] = []

    def handle(self, request: Request{number}) -> str:
        parsed = request.parsed()
        for key, value in parsed.items():
            if key in self.seen:
                raise ValueError(f"{{key!r}} was there before: {{value}}")
            self.seen.append(key)
        if len(self.seen) > self.limit:
            self.seen = self.seen[-self.limit :]
        return f"{{self.name}}: {{len(self.seen)}} of {{self.limit}}"

    def file(self, folder: str) -> str:
        return os.path.join(folder, self.name + ".json")


def handler(name: str) -> Handler{number}:
    if name not in KNOWN:
        KNOWN[name] = Handler{number}(name)
    return KNOWN[name]


def total(rows: list[dict[str, int]]) -> dict[str, int]:
    sums: dict[str, int] = {{}}
    for row in rows:
        for key, value in row.items():
            sums[key] = sums.get(key, 0) + value * 2
    return dict(sorted(sums.items(), key=lambda pair: pair[1]))


for name in NAMES:
    handler(name)
'''


def rewriting(rounds: int) -> float:
    """The ratio of rewriting to compiling: the geometric mean over the files."""
    ratios = []
    for name in REWRITTEN:
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        source = Path(spec.origin).read_bytes()
        pairs = []
        for _ in range(rounds):
            began = time.process_time()
            compile(source, "file.py", "exec", dont_inherit=True)
            between = time.process_time()
            hook.rewritten(source, "file.py")
            pairs.append((time.process_time() - between) / (between - began))
        ratios.append(statistics.median(pairs[1:]))
    print(*(f"{name} {ratio:.1f}" for name, ratio in zip(REWRITTEN, ratios, strict=True)), file=sys.stderr)
    return statistics.geometric_mean(ratios)


def seconds(argv: list[str], env: dict[str, str]) -> float:
    """CPU time of a process, from its start to its end."""
    process = subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, argv
    return used.ru_utime + used.ru_stime


def warm_imports(modules: int, pairs: int) -> tuple[float, float, float, float]:
    """Milliseconds under python and under ao-record, the ratio, and the ratio without the start of ao-record."""
    with tempfile.TemporaryDirectory(prefix="ao-bench-", dir="/tmp") as folder:
        env = {**os.environ, "AO_HOME": f"{folder}/home"}
        for name in ("PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV"):
            env.pop(name, None)
        package = Path(folder, "package")
        package.mkdir()
        Path(package, "__init__.py").write_text("")
        for number in range(modules):
            Path(package, f"module{number}.py").write_text(MODULE.format(number=number))
        main = Path(folder, "main.py")
        main.write_text("".join(f"import package.module{number}\n" for number in range(modules)))
        hello = Path(folder, "hello.py")
        hello.write_text("import json, os\n")
        server = str(RECORD.with_name("ao-server"))
        subprocess.run([server, "start"], env=env, stdout=subprocess.DEVNULL, check=True)
        record = [str(RECORD), "--python", sys.executable]
        try:
            rounds = [
                [
                    seconds([sys.executable, str(main)], env),
                    seconds([*record, str(main)], env),
                    seconds([sys.executable, str(hello)], env),
                    seconds([*record, str(hello)], env),
                ]
                for _ in range(pairs + 2)
            ][2:]  # the first two fill the caches
        finally:
            subprocess.run([server, "stop"], env=env, stdout=subprocess.DEVNULL, check=True)
    theirs, ours = (statistics.median(row[index] for row in rounds) for index in (0, 1))
    ratio = statistics.median(row[1] / row[0] for row in rounds)
    without = statistics.median((row[1] - row[3] + row[2]) / row[0] for row in rounds)
    return theirs * 1000, ours * 1000, ratio, without


def main() -> None:
    """Measure, and print rows for docs/performance.md."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--modules", type=int, default=200)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--python", action="append", default=[], help="run under this interpreter; may be repeated")
    options = parser.parse_args()
    if options.python:
        for python in options.python:
            subprocess.run([python, __file__, f"--modules={options.modules}", f"--pairs={options.pairs}"], check=True)
        return
    version = sys.version.split()[0]
    print(f"| {version} | rewriting a file | {rewriting(5):.1f} × compile() |", flush=True)
    theirs, ours, ratio, without = warm_imports(options.modules, options.pairs)
    print(f"| {version} | {options.modules} modules | {theirs:.0f} ms | {ours:.0f} ms | {ratio:.2f} | {without:.2f} |")


if __name__ == "__main__":
    main()
