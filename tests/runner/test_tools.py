"""coverage and pytest say under `ao-record` what they say under python. In two states, as in
test_like_python.py."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .dap import LONG_S
from .watched import BOTH, PYTHON, RECORDED, env, needs_hidden_frames, run

__all__ = ["env"]  # a fixture

# -- coverage


def covered(launcher: tuple[str, ...], *arguments: str, env: dict[str, str]) -> tuple[Any, Any]:
    """What a program under coverage gave, and which lines and branches of which files it says were run."""
    data = Path("coverage.json")
    data.unlink(missing_ok=True)
    Path(".coverage").unlink(missing_ok=True)
    outcome = run(launcher, *arguments, env=env)
    subprocess.run([*PYTHON, "-m", "coverage", "json", "-q", "-o", str(data)], env=env, check=True, timeout=LONG_S)
    return outcome, json.loads(data.read_text())["files"]


COVERAGE = {
    "lines": ["-m", "coverage", "run", "program.py"],
    "branches": ["-m", "coverage", "run", "--branch", "program.py"],
    "a module": ["-m", "coverage", "run", "--branch", "-m", "program"],
    "by the program": ["covering.py"],
    "by sys.monitoring": ["-m", "coverage", "run", "program.py"],
    "of tests": [
        "-m",
        "coverage",
        "run",
        "--branch",
        "--source=.",
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        ".",
    ],
}


@pytest.mark.parametrize("what", COVERAGE)
def test_coverage_counts_what_it_counts_under_python(what: str, env: dict[str, str]) -> None:
    Path("covering.py").write_text(
        "import coverage\nc = coverage.Coverage(branch=True)\nc.start()\nimport program\nc.stop()\nc.save()\n"
    )
    if what == "by sys.monitoring":
        if sys.version_info < (3, 12):
            pytest.skip("sys.monitoring is of Python 3.12")
        env = {**env, "COVERAGE_CORE": "sysmon"}
    if what == "of tests":
        Path("test_helper.py").write_text(TESTS["passing"])
    plain, recorded = (covered(launcher, *COVERAGE[what], env=env) for launcher in BOTH)
    assert {"helper.py"} <= plain[1].keys()
    assert without_times(recorded[0]) == without_times(plain[0])
    assert recorded[1] == plain[1]


# -- pytest

TESTS = {
    "passing": "from helper import double\n\n\ndef test_double():\n    assert double(2) == 4\n",
    "failing": """
import pytest
from helper import double, unused
from program import Box, work

@pytest.fixture
def box(tmp_path):
    yield Box(3)
    assert tmp_path.name.startswith('nothing')

class TestBox:
    def test_parts(self, box):
        assert box.value + 1 == double(box.value), f'{box.value} is wrong'
    def test_work(self):
        text, squares = work(3, 4, 0)
        assert squares == [16, 25] and text
    @pytest.mark.parametrize('x', [0, 1, 'a'])
    def test_each(self, x):
        assert unused(x) + len(str(x)) == 3
    def test_raises(self):
        with pytest.raises(ValueError, match='no'):
            unused(1).nothing

def test_dict():
    found = {'a': [1, 2, {'b': double(1)}], 'c': 'long ' * 9}
    assert found == {'a': [1, 2, {'b': 3}], 'c': 'long ' * 8}

def test_in():
    assert 'z' in 'some text'.split()

def test_calls():
    assert all(double(n) < 4 for n in (1, 2))

def test_not():
    assert not (double(1) == 2 and unused(True) < 2)

def test_warns(recwarn):
    import warnings
    warnings.warn('careful')
    assert len(recwarn) == double(1)

@pytest.mark.xfail
def test_expected():
    assert double(1) is None

def test_output(capsys):
    print('x')
    assert capsys.readouterr().out == f'{double(1)}\\n'

async def helper(): return double(1)
def test_error():
    helper().send(None)
""",
    "broken": "import nothing_of_this_name\n",
    "unittest": """
import unittest
from helper import double

class T(unittest.TestCase):
    def setUp(self): self.x = double(1)
    def test_equal(self): self.assertEqual(self.x + 1, 4, f'{self.x}')
    def test_sub(self):
        for i in range(3):
            with self.subTest(i=i): self.assertLess(double(i), 3)
    @unittest.skip('not now')
    def test_skipped(self): pass
""",
    "doctest": '''
"""
>>> from helper import double
>>> double(2)
4
>>> double(3)
7
"""
''',
}  # fmt: skip


def without_times(outcome: tuple[int, str, str]) -> tuple[int, str, str]:
    code, out, err = outcome
    return code, re.sub(r"\d+\.\d+s\b|pytest-\d+|=+$|^=+", "<time>", out, flags=re.MULTILINE), err


@pytest.mark.parametrize("name", TESTS)
@pytest.mark.parametrize(
    "options", [["-vv", "-ra"], ["-q", "--tb=short", "-l"], ["--assert=plain", "-q"]], ids=" ".join
)
def test_pytest_says_what_it_says_under_python(name: str, options: list[str], env: dict[str, str]) -> None:
    Path(f"test_{name}.py").write_text(TESTS[name])
    Path("conftest.py").write_text("import pytest\n\n@pytest.fixture(autouse=True)\ndef _around():\n    yield 1 + 1\n")
    arguments = ["-m", "pytest", "-p", "no:cacheprovider", "--doctest-modules", *options, f"test_{name}.py"]
    plain, recorded = (run(launcher, *arguments, env=env) for launcher in BOTH)
    assert without_times(recorded) == without_times(plain)


@needs_hidden_frames
def test_what_tests_import_is_tracked(env: dict[str, str]) -> None:
    # Test modules themselves are loaded by pytest, which rewrites their assertions.
    Path("test_tracked.py").write_text(
        "import helper, program\n\ndef test_loader():\n"
        "    print([type(m.__loader__).__name__ for m in (helper, program)])\n"
    )
    _, out, _ = run(RECORDED, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", "test_tracked.py", env=env)
    assert "['RewritingLoader', 'RewritingLoader']" in out
