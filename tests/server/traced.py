"""Real programs that were recorded, with the variables that are known of them, for the tests of these."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from model_server import ModelServer

from ao_lsp.server import values, variables
from ao_lsp.server.sources import Sources
from ao_lsp.server.store.sqlite import open_store
from tests.daemons import own_home
from tests.runner.recorded import RECORD

ASK = """
import json, os, urllib.request


def ask(text):  # text: 1
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]}).encode()  # body: 1
    request = urllib.request.Request(  # request: 1
        os.environ["OPENAI_BASE_URL"] + "/chat/completions", body, {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request) as response:  # response: 1 2 3 4 5
        return json.load(response)["choices"][0]["message"]["content"]
"""


@contextmanager
def recorded(folder: Path, files: Mapping[str, str], server: ModelServer, python: str | None = None) -> Iterator[Path]:
    """A program that has been recorded, without a daemon: the first of the files."""
    for name, source in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(source)
    file = folder / next(iter(files))
    env = {**os.environ, **server.env, "AO_NO_DAEMON": "1"}
    subprocess.run([RECORD, *(["--python", python] if python else []), file], env=env, check=True, timeout=60)
    subprocess.run(
        [Path(sys.executable).with_name("ao"), "graph"], env=env, check=True, capture_output=True, timeout=60
    )
    yield file


async def told(
    home: str, file: Path, unknown: Path | None = None
) -> tuple[dict[int, dict[str, list[int]]], variables.Variables]:
    """The names that are given values, by line, with the numbers of the calls. Nobody knows what is in `unknown`."""
    store = await open_store(str(next(Path(home).rglob("ao.db"))))
    try:
        ((run, _),) = await store.run_names()
        graph = await store.graph(run)
        assert graph is not None
        seen = variables.seen_files(graph.calls, graph.edges)
        made = values.Recordings(await store.made(run, sorted(seen | {str(file)})))
    finally:
        await store.close()
    sources = Sources()

    def read(name: str) -> Sequence[str] | None:
        return None if name == str(unknown) else sources.as_run(name, graph.run)

    others = variables.Others(seen, lambda name: made.of([name]), read)
    of_file = variables.Recorded(frozenset([str(file)]), made.of([str(file)]), graph.calls, True)
    found = variables.trace(file.read_text().split("\n"), str(file), of_file, others)
    number = {call.id: call.number for call in graph.calls}
    by_line: dict[int, dict[str, list[int]]] = {}
    for one in found.defined:
        by_line.setdefault(one.span.line, {})[one.name] = sorted(number[call] for call in one.calls)
    return by_line, found


def wrong(file: Path, found: Mapping[int, Mapping[str, list[int]]]) -> list[str]:
    """The lines of which something else is known than their comments say."""
    lines = enumerate(file.read_text().split("\n"))
    return [f"{file.name}:{line}: {found.get(at, {})}" for at, line in lines if found.get(at, {}) != said(line)]


def said(line: str) -> dict[str, list[int]]:
    """What a line's comment says."""
    _, mark, comment = line.partition("  # ")
    pairs = (part.split(":") for part in comment.split(",")) if mark else ()
    return {name.strip(): [int(number) for number in numbers.split()] for name, numbers in pairs}


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The test's own AO_HOME."""
    with own_home(monkeypatch) as path:
        yield path


def origins(file: Path, *arguments: str) -> str:
    """What `ao origins` says."""
    command: list[str | Path] = [Path(sys.executable).with_name("ao"), "origins", "last", *arguments]
    env = {**os.environ, "AO_NO_DAEMON": "1"}
    return subprocess.run(
        command, cwd=file.parent, env=env, check=True, capture_output=True, timeout=60
    ).stdout.decode()
