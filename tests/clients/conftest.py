"""Fixtures of the plugin's tests: each Neovim that it is for, with a language server that stands in for ao-lsp."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients import headless_neovim, installed
from tests.clients.headless_neovim import Neovim

SERVER = Path(__file__).parent / "fake_ao_lsp.py"
SOURCE = """client = OpenAI()
reply = client.create("a")
print(reply)
other = client.create(reply)
"""


@pytest.fixture(scope="session", params=headless_neovim.VERSIONS)
def program(request: pytest.FixtureRequest) -> Path:
    """Each Neovim that the plugin is for; without it, the tests are skipped and say why."""
    return installed.program(f"nvim-{request.param}")


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A `$PATH` on which the stand-in is `ao-lsp`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "ao-lsp"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{SERVER}" "{tmp_path}/received.jsonl"\n', "utf-8")
    script.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "agent.py"
    file.write_text(SOURCE, "utf-8")
    return file


@pytest.fixture
def nvim(program: Path, path: str, source: Path) -> Iterator[Neovim]:
    """A Neovim with the source open, and its lenses and hints there."""
    with headless_neovim.start(program, source, path) as running:
        running.lua("wait(function() return #lenses() == 4 and #hints() == 2 end)")
        yield running


def received(tmp_path: Path, method: str) -> list[dict[str, Any]]:
    """The parameters of the messages of one method that the server got."""
    lines = (tmp_path / "received.jsonl").read_text("utf-8").splitlines()
    return [message.get("params") or {} for message in map(json.loads, lines) if message.get("method") == method]


def wait_until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)  # between two looks
    raise AssertionError("it did not come true in 10 seconds")
