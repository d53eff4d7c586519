"""A program that is run under tools that watch it, with python and with `ao-record`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from ao_lsp.taint import frames

from .dap import LONG_S
from .test_like_python import LIVE, RECORD, STATES

PYTHON = (sys.executable,)
RECORDED = (RECORD, "--python", sys.executable)
BOTH = (PYTHON, RECORDED)

PROGRAM = """\
    import json
    from helper import double

    class Box:
        def __init__(self, value):
            self.value = value

        def __add__(self, other):
            total = self.value + other
            return Box(total)

        def __getitem__(self, key):
            return self.value


    def numbers(count):
        for number in range(count):
            yield number


    def work(x, *more):
        box = Box(x) + 1
        text = f"{box.value} {double(x)!r}"
        for number in numbers(2):
            text += str(
                number)
        try:
            box[0].nothing
        except AttributeError as error:
            text = json.dumps([text, str(error)])
        if x > 100:
            text = "never"
        squares = [n * n for n in more if n]
        return text, squares


    print(work(3, 4, 0))
    print(work(5))
"""
HELPER = """\
    def double(x):
        y = x + x
        return y


    def unused(x):
        if x:
            return 1
        return 2
"""


@pytest.fixture(params=STATES)
def env(
    request: pytest.FixtureRequest, tmp_path: Path, daemon_home: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """The environment of programs in one state; the program above lies in the working directory."""
    monkeypatch.chdir(tmp_path)
    Path("program.py").write_text(dedent(PROGRAM))
    Path("helper.py").write_text(dedent(HELPER))
    env = {**os.environ, **daemon_home, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}
    for unwanted in ("VIRTUAL_ENV", "PYTHONPATH", "PYTEST_ADDOPTS", "COVERAGE_CORE"):
        env.pop(unwanted, None)
    if request.param == "live":
        Path("site").mkdir()
        Path("site/sitecustomize.py").write_text(LIVE.format(package=str(Path(__file__).parents[2])))
        env["PYTHONPATH"] = str(tmp_path / "site")
    return env


def run(launcher: tuple[str, ...], *arguments: str, env: dict[str, str], stdin: str = "") -> tuple[int, str, str]:
    done = subprocess.run([*launcher, *arguments], env=env, input=stdin, capture_output=True, text=True, timeout=LONG_S)
    out, err = (re.sub(r"(0x|\.\.\.)x?[0-9a-f]{8,}", "<id>", said) for said in (done.stdout, done.stderr))
    return done.returncode, out, err


needs_hidden_frames = pytest.mark.skipif(not frames.HIDES, reason="Python 3.10 cannot hide a frame")
