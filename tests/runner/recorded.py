"""Programs that are recorded for real: `ao-record` as a subprocess, a real daemon, the graph it shows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

from tests.daemons import LONG_S, ask

RECORD = str(Path(sys.executable).with_name("ao-record"))
AO = str(Path(sys.executable).with_name("ao"))

# What asks a model without an SDK: for programs that have no packages.
ASK = """
import json, os, urllib.request
def ask(text):
    body = json.dumps({"model": "gpt-5.4", "messages": [{"role": "user", "content": text}]}).encode()
    request = urllib.request.Request(os.environ["OPENAI_BASE_URL"] + "/chat/completions", body,
        {"content-type": "application/json", "authorization": "Bearer key"})
    with urllib.request.urlopen(request) as response:
        return json.load(response)["choices"][0]["message"]["content"]
"""

Graph = dict[str, Any]


class Programs:
    """Programs in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, source: str, name: str = "program.py") -> Path:
        file = self.folder / name
        file.write_text(dedent(source))
        return file

    def start(self, *arguments: str, env: dict[str, str] | None = None, **more: Any) -> subprocess.Popen[bytes]:
        """Start `ao-record` with these arguments."""
        return subprocess.Popen(
            [RECORD, *arguments],
            cwd=self.folder,
            env={**os.environ, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **more,
        )

    def record(self, source: str, *options: str, env: dict[str, str] | None = None, code: int = 0) -> tuple[str, str]:
        """Record a program to its end; what it wrote to both outputs."""
        file = self.write(source)
        process = self.start(*options, file.name, env=env)
        with process:  # closes its pipes
            try:
                out, err = process.communicate(timeout=2 * LONG_S)
            finally:
                process.kill()  # where it did not end; else it is gone already
        assert process.returncode == code, err.decode()
        return out.decode(), err.decode()

    def rerun(self, *arguments: str, env: dict[str, str] | None = None) -> str:
        """`ao rerun` with these arguments; the standard output of the program."""
        done = subprocess.run(
            [AO, "rerun", *arguments],
            cwd=self.folder,
            env={**os.environ, **(env or {})},
            capture_output=True,
            timeout=2 * LONG_S,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()


def graph(run: str = "last") -> Graph:
    """The graph of a run."""
    return ask("ao.graph", run=run)


def edges(found: Graph) -> set[tuple[int, int]]:
    """The edges of a graph, by the numbers of the calls."""
    numbers = {node["id"]: node["number"] for node in found["nodes"]}
    return {(numbers[edge["source"]], numbers[edge["target"]]) for edge in found["edges"]}


def column(found: Graph, name: str) -> list[Any]:
    """One field of all calls, in their order."""
    return [node[name] for node in found["nodes"]]
