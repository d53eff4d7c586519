"""docs/commands.md says what the code does: it is made from the types (contract/), the command line is held to it, and
its examples are run."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from model_server import ModelServer

from ao_lsp.cli import ao, server
from contract.surface import daemon_commands
from tests.daemons import own_home, until
from tests.runner.recorded import ASK, Programs, graph

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
SCHEMA = json.loads((ROOT / "docs" / "protocol.schema.json").read_text(encoding="utf-8"))
OTHER = "8f2c6a01d3e4"
"""The run of the examples, which a reader has not."""

EXAMPLES = [line for block in re.findall(r"^```sh\n(.*?)^```$", PAGE, re.M | re.S) for line in block.splitlines()]

AGENT = """
{ask}
import sys
def plan():
    return ask("two questions about geckos")
def search(question):
    return ask("look for: " + question)
search(plan())
if "--wait" in sys.argv:
    print("waits", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The test's own AO_HOME; daemons under it end with the test."""
    with own_home(monkeypatch) as path:
        yield path


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    (action,) = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return dict(action.choices)


@pytest.mark.parametrize(("program", "parser"), [("ao", ao._parser()), ("ao-server", server._parser())])
def test_the_page_has_every_subcommand_and_its_options(program: str, parser: argparse.ArgumentParser) -> None:
    lines = [line for line in PAGE.splitlines() if line.startswith(f"| `{program} ")]
    for name, command in subcommands(parser).items():
        (line,) = [line for line in lines if re.search(rf"[ |\\]{name}[ |\\`]", line.split(" | ")[0])]
        options = {option for action in command._actions for option in action.option_strings if option[:2] == "--"}
        for option in options - {"--help", "--json"}:
            assert option in line, f"{program} {name} has {option}, the page does not"


def test_every_command_has_an_example_that_works_and_gives_what_the_schema_says(
    home: str, tmp_path: Path, model_server: ModelServer
) -> None:
    """In the order of the page, as a reader would; `monday`, `tuesday` and a rerun of it are there."""
    assert home
    programs = Programs(tmp_path)
    file = programs.write(AGENT.format(ask=ASK), "agent.py")
    env = {**os.environ, **model_server.env, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for start in (
        ["ao-record", "--name", "monday", file.name],
        ["ao-record", "--name", "tuesday", file.name],
        ["ao", "exec", "ao.rerun", '{"run": "tuesday", "wait": true}'],
    ):
        subprocess.run(start, cwd=tmp_path, env=env, check=True, timeout=60, stdout=subprocess.PIPE)
    # Which code a run had is found out behind it.
    until(lambda: graph("monday")["run"]["version"] and graph()["run"]["version"], "no version was taken")
    tried = []
    for line in EXAMPLES:
        name = line.split()[2]
        line = line.replace(OTHER, graph()["run"]["id"])
        with Waiting(name == "ao.stop", tmp_path, env):
            done = subprocess.run(["bash", "-c", line], cwd=tmp_path, env=env, capture_output=True, timeout=60)
        assert done.returncode == 0, f"{line}: {done.stdout.decode()}{done.stderr.decode()}"
        tried.append(name)
        check(name, json.loads(done.stdout))
    assert sorted(set(tried)) == sorted({*SCHEMA["commands"], *daemon_commands()})


class Waiting:
    """A program that is recorded and does not end by itself, where it is `wanted`."""

    def __init__(self, wanted: bool, folder: Path, env: dict[str, str]) -> None:
        self._wanted, self._folder, self._env = wanted, folder, env
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> None:
        if self._wanted:
            line = ["ao-record", "agent.py", "--wait"]
            self._process = subprocess.Popen(
                line, cwd=self._folder, env=self._env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            assert self._process.stdout is not None
            assert self._process.stdout.readline() == b"waits\n"

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            with self._process:  # closes its pipes
                self._process.kill()  # where the example did not end it


def check(name: str, result: Any) -> None:
    """Hold a result to what the schema says that the command gives, with nothing beside it."""
    table = SCHEMA["daemonCommands"] if name.startswith("daemon.") else SCHEMA["commands"]
    strict = {name: {**one, "additionalProperties": False} for name, one in SCHEMA["$defs"].items()}
    Draft202012Validator({**SCHEMA, "$defs": strict, **table[name]["result"]}).validate(result)
