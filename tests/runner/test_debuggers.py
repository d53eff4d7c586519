"""Debuggers stop and step under `ao-record` where they do under python, and show the same. In two states,
as in test_like_python.py."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from .dap import LONG_S, Debugger
from .watched import BOTH, PROGRAM, PYTHON, RECORDED, env, needs_hidden_frames, run

__all__ = ["env"]  # a fixture

# -- pdb

COMMANDS = {
    "next, step, where": ["n", "n", "s", "w", "n", "n", "w", "r", "n", "s", "s", "s", "w", "u", "u", "p x", "d", "c"],
    "steps to the end": ["b work", "c"] + ["s"] * 250,
    "breakpoints": ["b 9", "b helper:2", "b Box.__getitem__", "c", "w", "c", "args", "c", "w", "cl 1", "c", "b"],
    "a condition": ["b 30, x == 5", "tbreak 22", "c", "c", "p text", "l", "ll", "a", "p box.value", "c"],
    "until and return": ["n", "s", "unt 28", "w", "r", "n", "c"],
    "expressions": ["n", "n", "p double(4)", "p [n for n in (1, 2)]", "pp locals().keys()", "source double", "c"],
    "jump": ["n", "n", "j 39", "s", "n", "p x", "c"],
}  # fmt: skip


@needs_hidden_frames
@pytest.mark.parametrize("started", ["breakpoint()", "-m pdb", "post mortem"])
@pytest.mark.parametrize("name", COMMANDS)
def test_pdb_stops_and_steps_where_it_does_under_python(name: str, started: str, env: dict[str, str]) -> None:
    arguments = ["program.py"]
    if started == "-m pdb":
        arguments = ["-m", "pdb", *arguments]
    elif started == "breakpoint()":
        Path("program.py").write_text("breakpoint()\n" + dedent(PROGRAM))
    else:
        Path("program.py").write_text(
            dedent(PROGRAM) + "try:\n    work('a')\nexcept TypeError:\n    import pdb\n    pdb.post_mortem()\n"
        )
    stdin = "\n".join([*COMMANDS[name], "q", ""])
    plain, recorded = (run(launcher, *arguments, env=env, stdin=stdin) for launcher in BOTH)
    assert "(Pdb)" in plain[1]
    assert of_program(recorded) == of_program(plain)


ENDS = {
    "an error": "def f(x):\n    return x / 0\nbreakpoint()\nf(1)\n",
    "an exit": "import sys\nbreakpoint()\nsys.exit(3)\n",
    "an interrupt": "breakpoint()\nraise KeyboardInterrupt\n",
    "the end": "import atexit\natexit.register(print, 'bye')\nbreakpoint()\nx = 1\n",
    "a profiler at work": "import sys\nsys.setprofile(lambda *a: None)\n1 / 0\n",
}


@needs_hidden_frames
@pytest.mark.parametrize("how", ["a script", "a module"])
@pytest.mark.parametrize("name", ENDS)
def test_a_program_that_is_stepped_to_its_end_ends_as_it_does_under_python(
    name: str, how: str, env: dict[str, str]
) -> None:
    Path("program.py").write_text(ENDS[name])
    arguments = ["program.py"] if how == "a script" else ["-m", "program"]
    plain, recorded = (run(launcher, *arguments, env=env, stdin="n\n" * 4) for launcher in BOTH)
    assert of_program(recorded) == of_program(plain)


def of_program(outcome: tuple[int, str, str]) -> tuple[int, str, str]:
    """What is seen of the program: from Python 3.14 on `breakpoint()` is told of what ends the interpreter, too, and
    under `ao-record` it is not told of the beginning of that (docs/fidelity.md)."""
    code, out, _ = outcome
    end = re.search(r"\(Pdb\) --Call--\n> \S*/(threading|logging/__init__)\.py\(", out)
    return outcome if end is None or sys.version_info < (3, 14) else (code, out[: end.start()], "")


# -- debugpy


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
    return number


def listening(how: str, port: int) -> list[str]:
    """The arguments that start the program under a debug adapter."""
    if how == "-m debugpy":
        return ["-m", "debugpy", "--listen", str(port), "--wait-for-client", "program.py"]
    Path("debugged.py").write_text(
        f"import debugpy\ndebugpy.listen({port})\nprint('listening', flush=True)\n"
        "debugpy.wait_for_client()\nimport program\n"
    )
    return ["debugged.py"]


def session(launcher: tuple[str, ...], how: str, env: dict[str, str]) -> list[Any]:
    """Debug the program; what was seen at each stop."""
    seen: list[Any] = []
    port = free_port()  # of its own: the adapter of the session before may listen for a moment yet
    process = subprocess.Popen(
        [*launcher, *listening(how, port)], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        debugger = connected(port, process)
        try:
            _debug(debugger, seen)
        finally:
            debugger.close()
        out, err = process.communicate(timeout=LONG_S)
        seen += [process.returncode, out, [line for line in err.splitlines() if "Debugger" not in line]]
    finally:
        process.kill()
        process.communicate()
    return seen


def connected(port: int, process: subprocess.Popen[str]) -> Debugger:
    while process.poll() is None:
        try:
            return Debugger(port)
        except ConnectionRefusedError:
            try:
                process.wait(0.05)  # until it listens, or ends
            except subprocess.TimeoutExpired:
                continue
    raise AssertionError(process.communicate())


STEPS = [
    "next", "stepIn", "next", "next", "stepOut", "continue", "stepOut", "next", "next", "next", "stepIn", "stepOut",
    "next", "continue", "continue", "continue", "next", "stepIn", "next", "continue",
]  # fmt: skip


def _debug(debugger: Debugger, seen: list[Any]) -> None:
    debugger.ask("initialize", adapterID="test", pathFormat="path", linesStartAt1=True, columnsStartAt1=True)
    attached = debugger.send("attach", justMyCode=True)
    debugger.event("initialized")
    places = [{"line": 22}, {"line": 30, "condition": "x == 5"}]
    program, helper = ({"path": str(Path(name).absolute())} for name in ("program.py", "helper.py"))
    seen.append(
        [b["verified"] for b in debugger.ask("setBreakpoints", source=program, breakpoints=places)["breakpoints"]]
    )
    debugger.ask("setBreakpoints", source=helper, breakpoints=[{"line": 2}])
    debugger.ask("setExceptionBreakpoints", filters=[])
    debugger.ask("configurationDone")
    debugger.answer(attached)
    for step in STEPS:
        stopped = debugger.event("stopped", "terminated")
        if "threadId" not in stopped:
            return
        thread = stopped["threadId"]
        stack = debugger.ask("stackTrace", threadId=thread)["stackFrames"]
        scope = debugger.ask("scopes", frameId=stack[0]["id"])["scopes"][0]
        variables = debugger.ask("variables", variablesReference=scope["variablesReference"])["variables"]
        value = debugger.ask(
            "evaluate", expression="x * 2 if 'x' in dir() else None", frameId=stack[0]["id"], context="watch"
        )
        seen.append(
            (
                step,
                stopped["reason"],
                [(Path(frame["source"]["path"]).name, frame["line"], frame["name"]) for frame in stack],
                [(v["name"], re.sub("0x[0-9a-f]+", "<id>", v["value"]), v["type"]) for v in variables],
                value["result"],
            )
        )
        debugger.send(step, threadId=thread)
    debugger.ask("disconnect")


@needs_hidden_frames
@pytest.mark.parametrize("how", ["-m debugpy", "debugpy.listen"])
def test_debugpy_stops_and_steps_where_it_does_under_python(how: str, env: dict[str, str]) -> None:
    plain = session(PYTHON, how, env)
    recorded = session(RECORDED, how, env)
    assert len(plain) > 15
    assert recorded == plain
