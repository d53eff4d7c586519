"""What is in the bytecode cache, as the interpreter sees it that would take it from there."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.daemons import LONG_S

PYTHONS = [sys.executable, *filter(None, os.environ.get("AO_TEST_PYTHONS", "").split(os.pathsep))]

_ASKED = """
import sys
sys.path.append(sys.argv[1])
from ao_lsp.taint import hook, pyc
for file in sys.argv[2:]:
    with open(file, "rb") as handle:
        print(int(pyc.is_current(pyc.location(file, hook.VERSION), handle.read())))
"""


def current(*files: Path | str, python: str = sys.executable) -> list[bool]:
    """Of each file, whether its code as it is now would come from the cache."""
    package = str(Path(__file__).parents[3])
    argv = [python, "-I", "-S", "-c", _ASKED, package, *[os.fspath(file) for file in files]]
    done = subprocess.run(argv, capture_output=True, timeout=LONG_S, check=True)
    return [line == b"1" for line in done.stdout.split()]


def rewrites(python: str) -> bool:
    """Whether anything is rewritten under an interpreter."""
    test = "import sys; sys.exit(sys.version_info < (3, 11))"
    return subprocess.run([python, "-c", test], timeout=LONG_S).returncode == 0


async def soon(holds: Callable[[], object], why: str) -> None:
    """Wait for a condition while the loop goes on."""

    async def looking() -> None:
        while not holds():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)

    try:
        await asyncio.wait_for(looking(), LONG_S)
    except asyncio.TimeoutError:
        raise AssertionError(why) from None
