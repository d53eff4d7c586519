"""What is recorded of an error that ends a program: where it was raised, and over which outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from model_server import ModelServer

from ao_lsp import protocol
from tests.runner.recorded import ASK, Programs

HEAD = (
    ASK
    + """

class Town:
    def __init__(self, said):
        self.said = said


def raised(said):
    %s


class Agent:
    def main(self):
        first = ask("one")
        second = ask("two")
        raised({"town": second, "number": 1})


Agent().main()
"""
)


def ended(home: str) -> tuple[list[str], dict[str, Any]]:
    """The calls of the program that was spooled, and how it ended."""
    [file] = Path(home, "data", "spool").iterdir()
    cut = protocol.Frames()
    cut.feed(file.read_bytes().partition(b"\n")[2])
    file.unlink()
    events = [protocol.loads(head) for head, _ in cut]
    error = events[-1]["error"]
    assert events[-1]["type"] == "run.end"
    return [event["call"] for event in events if event["type"] == "call.start"], error


@pytest.mark.parametrize(
    ("statement", "kind", "about"),
    [
        pytest.param("raise ValueError(f\"no such town: {said['town']}\")", "ValueError", [1], id="says an output"),
        pytest.param("json.loads(said['town'])", "JSONDecodeError", [1], id="raised by a library over one"),
        pytest.param("said['country']", "KeyError", [1], id="about something that holds one"),
        pytest.param("Town(said).other", "AttributeError", [1], id="about what was made of it on the line"),
        pytest.param("raise RuntimeError('no more')", "RuntimeError", [], id="about nothing"),
    ],
)
def test_an_error_names_the_users_frames_and_the_calls_whose_outputs_it_is_about(
    statement: str,
    kind: str,
    about: list[int],
    programs: Programs,
    home: str,
    model_server: ModelServer,
) -> None:
    env = {**model_server.env, "AO_NO_DAEMON": "1"}
    _, err = programs.record(HEAD % statement, env=env, code=1)
    assert kind in err
    calls, error = ended(home)
    assert error["type"] == kind
    lines = (programs.folder / "program.py").read_text().splitlines()
    found = [(lines[frame["line"] - 1].strip(), frame["function"].rpartition(".")[2]) for frame in error["frames"]]
    assert found == [
        (statement, "raised"),
        ('raised({"town": second, "number": 1})', "main"),
        ("Agent().main()", "<module>"),
    ]
    assert (error["file"], error["line"]) == (error["frames"][0]["file"], error["frames"][0]["line"])
    assert error["calls"] == [calls[number] for number in about]


def test_of_an_endless_recursion_the_innermost_frames_are_recorded(programs: Programs, home: str) -> None:
    programs.record("def deeper(n):\n    deeper(n + 1)\n\n\ndeeper(0)\n", env={"AO_NO_DAEMON": "1"}, code=1)
    _, error = ended(home)
    assert [frame["function"] for frame in error["frames"]] == ["deeper"] * 20
