"""Functions that a program sends to other processes by their code, where nothing of ours is."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from .watched import PYTHON, RECORDED, env, run

__all__ = ["env"]  # a fixture

CHILD = "import pickle, sys\nf = pickle.load(sys.stdin.buffer)\nprint(f(3), f.__name__, sorted(f.__code__.co_names))"
PROGRAMS = {
    name: f"""
    import {name}, subprocess, sys
    factor = 2

    def inner(x):
        return [f"{{x * factor}}" for _ in range(2)]

    class Box:
        def __init__(self, value):
            self.value = value + 1

        def get(self):
            return self.value

    def outer(x):
        '''A function that calls others, and uses globals and a closure.'''
        def closed():
            return Box(x).get()
        return inner(x), closed(), (lambda a: a + x)(1), sorted([3, 1], key=lambda a: -a)

    one, two = lambda x: x + 1, lambda x: x * 10
    for function in (outer, one, two, inner):
        sent = {name}.dumps(function, **{options})
        done = subprocess.run([sys.executable, '-c', {CHILD!r}], input=sent, capture_output=True)
        print(done.stdout.decode(), done.stderr.decode())
        print(function(3) == pickle.loads(sent)(3) if 'pickle' in vars() else {name}.loads(sent)(3))
    """
    for name, options in (("cloudpickle", {}), ("dill", {"recurse": True}))
}
PROGRAMS["joblib"] = """
    from joblib import Parallel, delayed

    class Box:
        def __init__(self, value):
            self.value = value

    def work(x):
        return Box(x + 1).value * 2

    if __name__ == "__main__":
        print(Parallel(n_jobs=2)(delayed(work)(x) for x in range(4)))
        print(Parallel(n_jobs=2)(delayed(lambda x: f"{x}!")(x) for x in range(4)))
"""


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_is_sent_by_its_code_runs_elsewhere(name: str, env: dict[str, str]) -> None:
    Path("program.py").write_text(dedent(PROGRAMS[name]))
    plain, recorded = (run(launcher, "program.py", env=env) for launcher in (PYTHON, RECORDED))
    assert recorded == plain
    assert plain[0] == 0, plain
    assert "Error" not in plain[1]


def test_a_file_that_has_changed_since_is_sent_as_it_runs(env: dict[str, str]) -> None:
    Path("program.py").write_text(
        "import cloudpickle\nfrom pathlib import Path\ndef f(x): return x\nPath(__file__).write_text('x = 1')\n"
        "print(cloudpickle.loads(cloudpickle.dumps(f))(3))\n"
    )
    assert run(RECORDED, "program.py", env=env) == (0, "3\n", "")
