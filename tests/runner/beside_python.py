"""The same program under `python` and under `ao-record`, in whatever state the recorder is: what a user sees
has to be the same."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.daemons import LONG_S, ask
from tests.runner.recorded import Graph, Programs, column, edges, graph
from tests.runner.test_like_python import comparable

Process = subprocess.Popen[bytes]

_AGENT = """
    one = ask("one")
    two = post("two " + one)
    print(one, two, flush=True)
    print("between", flush=True)
    sys.stdin.readline()
    three = ask("three " + two)
    four = post("four " + three)
    print(three, four)
    print("to the other output", file=sys.stderr)
    sys.exit(3)
    """

POST = """
    import json, os, sys
    from urllib.request import Request, urlopen

    url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"


    def post(text):
        body = json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]}).encode()
        with urlopen(Request(url, body, {"Content-Type": "application/json"})) as response:
            return json.load(response)["choices"][0]["message"]["content"]

    """

ASK = """
    import openai

    client = openai.OpenAI(max_retries=0)


    def ask(text):
        create = client.chat.completions.create
        return create(model="m", messages=[{"role": "user", "content": text}]).choices[0].message.content

    """

PLAIN = POST + "\n    ask = post\n" + _AGENT
"""Two calls, then a line that says so, then two more after a line of input. Each is made of the last one's answer."""

SDK = POST + ASK + _AGENT
"""The same, every second call by the openai SDK."""


class Outcome(NamedTuple):
    """What a user sees of a program."""

    out: bytes
    err: bytes
    code: int


_plain: dict[str, Outcome] = {}
"""What programs do under python: the same each time, wherever the server listens."""


class Beside:
    """Runs programs of `programs` both ways, with `env` over the test's environment."""

    def __init__(self, programs: Programs, env: dict[str, str]) -> None:
        self.programs = programs
        self.env = env

    def same(
        self,
        source: str,
        *options: str,
        env: dict[str, str] | None = None,
        between: Callable[[Process], None] | None = None,
        code: int | None = None,
    ) -> Outcome:
        """What a program does under python and, as is asserted, under `ao-record`. `env` is for `ao-record` only;
        `between` is called there with the process when the program has said `between`."""
        file = self.programs.write(source)
        expected = _plain.get(source) or self._plain(file)
        _plain[source] = expected
        recorded = self.programs.start(*options, file.name, env={**self.env, **(env or {})}, stdin=subprocess.PIPE)
        found = self._ended(recorded, between)
        assert (found.out.decode(), found.err.decode(), found.code) == (
            expected.out.decode(),
            expected.err.decode(),
            expected.code,
        )
        assert code is None or expected.code == code, expected
        return expected

    def _plain(self, file: Path) -> Outcome:
        plain = subprocess.Popen(
            [sys.executable, file.name],
            cwd=self.programs.folder,
            env={**os.environ, **self.env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        return self._ended(plain, None)

    def _ended(self, process: Process, between: Callable[[Process], None] | None) -> Outcome:
        assert process.stdout is not None
        before = b""
        if between is not None:
            while not before.endswith(b"between\n"):
                line = process.stdout.readline()
                assert line, process.communicate()[1].decode()
                before += line
            between(process)
        try:
            out, err = process.communicate(b"\n", timeout=2 * LONG_S)
        finally:
            process.kill()
        return Outcome(comparable(before + out), comparable(err), process.returncode)


def all_calls_are_there(calls: int = 4, run: str = "last") -> Graph:
    """The graph of a run in which each call was made of the last one's answer: none lost, none doubled."""
    found = graph(run)
    assert column(found, "status") == ["ok"] * calls
    assert {(number, number + 1) for number in range(1, calls)} <= edges(found)
    return found


def notes(home: str) -> list[str]:
    """What the recorder could not do, in all runs."""
    import sqlite3
    from contextlib import closing

    ask("ao.runs")  # what has been spooled is taken in
    with closing(sqlite3.connect(Path(home, "data", "ao.db"))) as db:
        return [message for (message,) in db.execute("SELECT message FROM notes ORDER BY rowid")]
