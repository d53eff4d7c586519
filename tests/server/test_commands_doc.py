"""docs/commands.md says what the code does: every command, every parameter, every option."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

import pytest

from ao_lsp.cli import ao, server
from ao_lsp.server.command import Command
from ao_lsp.server.commands import COMMANDS
from ao_lsp.server.control import Control
from ao_lsp.server.params import Param, described

PAGE = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## `([\w.]+)`\n\n(.*?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL))

CONTROL = Control("id", 0.0, 0.0, lambda: False, list, lambda: None).commands()
ALL: dict[str, Command[object]] = {**COMMANDS, **CONTROL}


def row(param: Param) -> str:
    kind = param.type.replace("|", "\\|")
    default = "" if param.required else f"`{json.dumps(param.default)}` "
    return f"| `{param.name}` | {kind} | {default}| {param.doc} |"


def test_the_page_has_the_commands_that_exist_and_no_others() -> None:
    assert list(SECTIONS) == list(ALL)


@pytest.mark.parametrize("name", list(ALL))
def test_the_page_says_what_a_command_does_and_takes(name: str) -> None:
    section = SECTIONS[name]
    assert section.startswith(ALL[name].summary + "\n")
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    assert rows == [row(param) for param in described(ALL[name].params)]


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
