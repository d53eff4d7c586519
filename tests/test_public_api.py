"""What a program may import: light, typed, and without effect outside of `ao-record`."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PYTHONS = [sys.executable, *filter(None, os.environ.get("AO_TEST_PYTHONS", "").split(os.pathsep))]

PROGRAM = """
import asyncio, ao_lsp

def plain(x): return x + 1
assert ao_lsp.tool(plain) is plain
assert ao_lsp.tool(name="other", replay=True)(plain) is plain
assert ao_lsp.launch("many")(plain) is plain
with ao_lsp.launch("a") as entered:
    with entered:
        ao_lsp.log(result=object(), note="x")

async def main():
    async with ao_lsp.launch("b") as entered:
        return entered.name
print(asyncio.run(main()))
try:
    with ao_lsp.launch("c"):
        raise KeyError("as it is")
except KeyError as error:
    print(error, error.__traceback__.tb_next)
"""

TYPED = """
from typing import assert_type

import ao_lsp

@ao_lsp.tool
def double(x: int, *, more: bool = False) -> int:
    return 2 * x

@ao_lsp.tool(name="later", replay=True)
async def later(x: int) -> str:
    return str(x)

@ao_lsp.launch("all")
def whole() -> list[int]:
    with ao_lsp.launch("part") as part:
        assert_type(part.name, str)
        ao_lsp.log(result={"a": 1}, note=None)
    return [double(1)]

async def main() -> None:
    async with ao_lsp.launch("part"):
        assert_type(await later(1), str)
    assert_type(double(1, more=True), int)
    assert_type(whole(), list[int])
    double("1")  # type: ignore[arg-type]
"""


def run(python: str, *arguments: str) -> str:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([python, *arguments], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("python", PYTHONS)
def test_importing_it_imports_nothing_else(python: str) -> None:
    source = "import sys; before = set(sys.modules); import ao_lsp; print(sorted(set(sys.modules) - before))"
    # -S: whatever the environment imports at its start would count as not imported.
    assert ast.literal_eval(run(python, "-S", "-c", source)) == ["__future__", "ao_lsp"]


@pytest.mark.parametrize("python", PYTHONS)
def test_outside_of_ao_record_it_does_nothing(python: str) -> None:
    assert run(python, "-c", PROGRAM) == "b\n'as it is' None\n"


def test_decorated_functions_keep_their_types(tmp_path: Path) -> None:
    file = tmp_path / "typed.py"
    file.write_text(TYPED)
    cache = ROOT / ".mypy_cache"
    run(sys.executable, "-m", "mypy", "--strict", "--python-version", "3.11", "--cache-dir", str(cache), str(file))
