"""What the file watcher takes: from a save to the code in the cache, and how long others wait meanwhile.

    python benchmarks/watch.py [--saves N] [--files N]

    saves    a file of a project of 200 modules is saved as editors do it (a file takes the place of the old one); the
             time until its rewritten code is in the cache of the interpreter, for each of N saves
    storm    N files are written at once, as by `git checkout`; the time until a file that is saved in the middle of it
             is in the cache, until all are, and how long the daemon takes at most to answer another client meanwhile

Prints table rows for docs/performance.md. A real daemon, a real editor session (`ao-lsp`), a real worker.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:1] = [str(ROOT), str(ROOT / "benchmarks")]

from imports import MODULE  # noqa: E402

from ao_lsp.cli.client import Client  # noqa: E402  # found there
from ao_lsp.connect import open_session  # noqa: E402
from ao_lsp.taint import hook, pyc  # noqa: E402

MODULES = 200


def cached(file: Path) -> bool:
    return pyc.is_current(pyc.location(str(file), hook.VERSION), file.read_bytes())


def until_cached(file: Path, began: float) -> float:
    """Seconds from `began` until the code of a file is in the cache."""
    while not cached(file):
        time.sleep(0.001)
        assert time.perf_counter() - began < 120, file
    return time.perf_counter() - began


def save(file: Path, text: str) -> float:
    """Save a file; when the save was over."""
    new = file.with_suffix(".tmp")
    new.write_text(text)
    os.replace(new, file)
    return time.perf_counter()


def editor(folder: str) -> subprocess.Popen[bytes]:
    """An editor that has a folder open."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ao_lsp.forwarder"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, cwd=ROOT
    )
    params: dict[str, object] = {"processId": None, "rootUri": f"file://{folder}", "capabilities": {}}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}).encode()
    assert process.stdin is not None
    process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    process.stdin.flush()
    return process


class Asking:
    """Asks the daemon for its status all the time; `worst` is the longest that it took to answer, in seconds."""

    def __init__(self) -> None:
        self._client = Client(open_session("cli"))
        self.worst, self._over = 0.0, False
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Asking:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._thread.join()
        self._client.close()

    def _run(self) -> None:
        while not self._over:
            began = time.perf_counter()
            self._client.request("daemon.status", {})
            self.worst = max(self.worst, time.perf_counter() - began)
            time.sleep(0.002)


def saves(folder: Path, number: int) -> None:
    file = folder / "module7.py"
    times = []
    for index in range(number):
        times.append(until_cached(file, save(file, MODULE.format(number=7) + f"# {index}\n")))
        time.sleep(0.05)
    median, worst = statistics.median(times) * 1000, max(times) * 1000
    print(f"| {version()} | a save, of {number} | {median:.0f} ms | {worst:.0f} ms | |", flush=True)


def storm(folder: Path, number: int) -> None:
    files = [folder / f"package{index % 50}" / f"module{index}.py" for index in range(number)]
    for index in range(50):
        (folder / f"package{index}").mkdir()
    time.sleep(1)
    with Asking() as asking:
        began = time.perf_counter()
        for index, file in enumerate(files):
            file.write_text(f"x = {index}\n\n\ndef f(y):\n    return x + y\n")
        written = time.perf_counter() - began
        saved = folder / "module8.py"
        took = until_cached(saved, save(saved, MODULE.format(number=8) + "# saved\n"))
        for file in reversed(files):
            until_cached(file, began)
        everything = time.perf_counter() - began
    told = (
        f"written in {written:.1f} s, all compiled after {everything:.1f} s, others waited {asking.worst * 1000:.0f} ms"
    )
    print(f"| {version()} | a save amid {number} files | {took * 1000:.0f} ms | | {told} |", flush=True)


def version() -> str:
    return sys.version.split()[0]


def main() -> None:
    """Measure, and print rows for docs/performance.md."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--saves", type=int, default=100)
    parser.add_argument("--files", type=int, default=5000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ao-bench-", dir="/tmp") as place:
        os.environ.update(AO_HOME=f"{place}/home", AO_WATCH="1")
        os.environ.pop("VIRTUAL_ENV", None)
        folder = Path(place, "project")
        folder.mkdir()
        for number in range(MODULES):
            (folder / f"module{number}.py").write_text(MODULE.format(number=number))
        process = editor(str(folder))
        try:
            for number in range(MODULES):
                until_cached(folder / f"module{number}.py", time.perf_counter())
            if options.saves:
                saves(folder, options.saves)
            if options.files:
                storm(folder, options.files)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait()
            Client(open_session("cli")).request("daemon.stop", {})


if __name__ == "__main__":
    main()
