"""What a recorded call costs over the bare one: the same call under `python` and under `ao-record`, in turn.

    python benchmarks/calls.py [CALLS]

Two processes with the same program wait for their turn; each makes one call to a model server on loopback and says
how long it took. Prints, for each client, the medians of both, the median of the differences within pairs, and the
median of the ratios: calls of one pair follow each other at once, so that whatever else the machine does meets both.
A daemon takes the events in meanwhile.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "examples"))

from model_server import ModelServer

RECORD = str(Path(sys.executable).with_name("ao-record"))
SERVER = str(Path(sys.executable).with_name("ao-server"))
WARM_UP = 20

# Each defines `call(text)`.
CLIENTS = {
    "openai": """
import openai
create = openai.OpenAI().chat.completions.create
def call(text):
    return create(model="m", messages=[{"role": "user", "content": text}]).choices[0].message.content
""",
    "openai, streamed": """
import openai
create = openai.OpenAI().chat.completions.create
def call(text):
    return [chunk for chunk in create(model="m", messages=[{"role": "user", "content": text}], stream=True)]
""",
    "openai, asynchronous": """
import asyncio, openai
loop = asyncio.new_event_loop()
create = openai.AsyncOpenAI().chat.completions.create
def call(text):
    return loop.run_until_complete(create(model="m", messages=[{"role": "user", "content": text}]))
""",
    "requests": """
import os, requests
session = requests.Session()
def call(text):
    body = {"model": "m", "messages": [{"role": "user", "content": text}]}
    return session.post(os.environ["OPENAI_BASE_URL"] + "/chat/completions", json=body).json()
""",
    "urllib.request": """
import json, os
from urllib.request import Request, urlopen
def call(text):
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]}).encode()
    request = Request(os.environ["OPENAI_BASE_URL"] + "/chat/completions", body, {"Content-Type": "application/json"})
    with urlopen(request) as response:
        return json.load(response)
""",
}

PROGRAM = """
import sys, time
for line in sys.stdin:
    text = "What is in document %s? " % line.strip() + "A page of it, as it is given to a model. " * 100
    began = time.perf_counter()
    call(text)
    print(time.perf_counter() - began, flush=True)
"""


class Program:
    """A program that makes a call each time it is told to."""

    def __init__(self, argv: list[str], env: dict[str, str]) -> None:
        self._process = subprocess.Popen(argv, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def call(self, number: int) -> float:
        """Make a call; how many seconds it took."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{number}\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def end(self) -> None:
        self._process.communicate()


def measure(name: str, calls: int, folder: str, env: dict[str, str]) -> None:
    """Measure one client, and print a table row for docs/performance.md."""
    file = Path(folder, "program.py")
    file.write_text(CLIENTS[name] + PROGRAM)
    plain, recorded = Program([sys.executable, str(file)], env), Program([RECORD, str(file)], env)
    try:
        timed = [(recorded.call(number), plain.call(number)) for number in range(WARM_UP + calls)][WARM_UP:]
    finally:
        plain.end()
        recorded.end()
    ours, theirs = (statistics.median(side) * 1000 for side in zip(*timed, strict=True))
    more = statistics.median(ours - theirs for ours, theirs in timed) * 1000
    ratio = statistics.median(ours / theirs for ours, theirs in timed)
    version = sys.version.split()[0]
    print(f"| {version} | {name} | {theirs:.2f} ms | {ours:.2f} ms | {more:.2f} ms | {ratio:.2f} | {calls} |")


def main(calls: int) -> None:
    """Measure every client against one server, with one daemon."""
    with tempfile.TemporaryDirectory(prefix="ao-bench-", dir="/tmp") as folder, ModelServer() as server:
        env = {**os.environ, **server.env, "AO_HOME": folder}
        env.pop("VIRTUAL_ENV", None)
        subprocess.run([SERVER, "start"], env=env, stdout=subprocess.DEVNULL, check=True)
        try:
            for name in CLIENTS:
                measure(name, calls, folder, env)
        finally:
            subprocess.run([SERVER, "stop"], env=env, stdout=subprocess.DEVNULL, check=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
