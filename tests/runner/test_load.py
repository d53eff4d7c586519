"""Many calls, and large ones: all are recorded."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from model_server import ModelServer

from tests.daemons import LONG_S, ask, start
from tests.runner.beside_python import POST, Beside
from tests.runner.fixed_server import FixedServer, completion
from tests.runner.recorded import RECORD, Programs, column, graph

MANY = {
    "threads": """
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(200) as pool:
        print(len(set(pool.map(post, (f"question {number}" for number in range(200))))))
    """,
    "tasks": """
    import asyncio, aiohttp

    async def ask(session, number):
        body = {"model": "m", "messages": [{"role": "user", "content": f"question {number}"}]}
        async with session.post(url, json=body) as response:
            return (await response.json())["choices"][0]["message"]["content"]

    async def main():
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            return await asyncio.gather(*(ask(session, number) for number in range(1000)))

    print(len(set(asyncio.run(main()))))
    """,
}


@pytest.mark.parametrize(
    ("kind", "calls", "env"),
    [("threads", 200, {}), ("threads", 200, {"AO_NO_DAEMON": "1"}), ("tasks", 1000, {})],
    ids=["200 threads", "200 threads, spooled", "1000 tasks"],
)
def test_calls_that_are_made_at_once_are_all_recorded(
    kind: str, calls: int, env: dict[str, str], programs: Programs, model_server: ModelServer
) -> None:
    Beside(programs, model_server.env).same(POST + MANY[kind], env=env, code=0)
    found = graph()
    assert column(found, "status") == ["ok"] * calls
    assert len({node["id"] for node in found["nodes"]}) == calls


THOUSANDS = """
    import json, os
    from concurrent.futures import ThreadPoolExecutor
    from http.client import HTTPConnection
    from urllib.parse import urlsplit

    url = urlsplit(os.environ["OPENAI_BASE_URL"] + "/chat/completions")


    def ask(first):
        connection = HTTPConnection(url.netloc)
        said = 0
        for number in range(first, first + 1250):
            body = {"model": "m", "messages": [{"role": "user", "content": f"question {number}"}]}
            connection.request("POST", url.path, json.dumps(body), {"Content-Type": "application/json"})
            said += json.load(connection.getresponse())["choices"][0]["message"]["content"] == "a fixed answer"
        connection.close()
        return said


    with ThreadPoolExecutor(8) as pool:
        print(list(pool.map(ask, range(0, 10_000, 1250))))
    """


def test_ten_thousand_calls_of_one_run_are_all_recorded_once(programs: Programs, home: str) -> None:
    with FixedServer(completion("a fixed answer")) as server:
        Beside(programs, server.env).same(THOUSANDS, code=0)
        assert server.asked == 2 * 10_000
    found = graph()
    assert column(found, "status") == ["ok"] * 10_000
    assert column(found, "number") == list(range(1, 10_001))
    assert len({node["id"] for node in found["nodes"]}) == 10_000
    (run,) = ask("ao.runs")["runs"]
    assert (run["calls"], run["failed_calls"], run["status"]) == (10_000, 0, "finished")
    with closing(sqlite3.connect(Path(home, "data", "ao.db"))) as db:  # each question once: no call stands for another
        assert db.execute("SELECT COUNT(DISTINCT request_body) FROM calls").fetchone() == (10_000,)


LARGE = """
    import hashlib, json, os
    from urllib.request import Request, urlopen

    url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "question " * 11_000_000}]}).encode()
    with urlopen(Request(url, body, {"Content-Type": "application/json"})) as response:
        data = response.read()
    said = json.loads(data)["choices"][0]["message"]["content"]
    print(len(data), hashlib.sha256(data).hexdigest(), len(said), said[:20])
    """

# The peak of the process that it starts, not of what that leaves running; a small process of its own, because at an
# exec the peak of whoever forked counts.
PEAK = "import os, resource, subprocess, sys; code = subprocess.call(sys.argv[1:]); \
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr); sys.exit(code)"


def test_bodies_of_100_mb_are_recorded_in_three_times_the_memory_and_replayed(programs: Programs) -> None:
    answer = completion("answer " * 15_000_000)
    file = programs.write(LARGE)

    def peak(*command: str, env: dict[str, str]) -> tuple[str, int]:
        """What a program prints, and its peak in kB."""
        measured = [sys.executable, "-c", PEAK, *command, file.name]
        done = subprocess.run(
            measured, cwd=programs.folder, env={**os.environ, **env}, capture_output=True, text=True, timeout=2 * LONG_S
        )
        assert done.returncode == 0, done.stderr
        (line,) = done.stderr.splitlines()
        return done.stdout, int(line)

    start()  # or it would be a child of the measured program
    with FixedServer(answer) as server:
        expected, plain = peak(sys.executable, env=server.env)
        said, recorded = peak(RECORD, "--name", "first", env=server.env)
    assert said == expected
    assert recorded < 3 * plain
    (call,) = graph()["nodes"]
    assert call["status"] == "ok"
    assert programs.rerun("first", env=server.env) == expected  # the server is gone
    assert column(graph(), "origin") == ["replayed"]
