"""What the daemon needs for the graph of a long run, the first time and after that.

    python benchmarks/graph.py [CALLS]

Hands runs of so many calls (10,000) to a daemon of its own, as a program would, and asks for their graphs. Prints the
seconds for the first graph (and the CPU time of the daemon in it), for the next, and for one after a call more; the
longest that somebody else had to wait for a word of the daemon meanwhile; and the most memory that it had.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

PARTS = ("sea", "moor", "ash", "win", "thorn", "lake", "ter", "den", "bur", "wick", "ford", "ley", "marsh", "holm")
WORDS = ["".join(parts) for parts in itertools.product(PARTS, repeat=3)]
# As in any language: the second most frequent word is half as frequent as the first, and so on.
FREQUENCIES = list(itertools.accumulate(1 / rank for rank in range(1, len(WORDS) + 1)))
SITE = {"file": "/agent.py", "line": 1, "end_line": 1, "column": 0, "end_column": 9, "function": "work"}


def text(words: int, chance: random.Random) -> str:
    return " ".join(chance.choices(WORDS, cum_weights=FREQUENCIES, k=words))


def short(count: int, _: random.Random) -> Iterator[tuple[str, str]]:
    """Each asks something else and hears the same."""
    for number in range(count):
        yield f"question {number}", "a fixed answer"


def chained(count: int, chance: random.Random) -> Iterator[tuple[str, str]]:
    """Each asks about what the one before said, half a page at a time."""
    said = "begin"
    for number in range(count):
        asked = f"question {number}: {said}"
        said = text(80, chance)
        yield asked, said


def large(count: int, chance: random.Random) -> Iterator[tuple[str, str]]:
    """Each sends a document of 100 kB."""
    pages = [text(11_000, chance) for _ in range(50)]
    for number in range(count):
        yield f"question {number}: {pages[number % len(pages)]}", f"answer {number}"


RUNS: dict[str, Callable[[int, random.Random], Iterator[tuple[str, str]]]] = {
    "short texts": short,
    "half a page each": chained,
    "100 kB each": large,
}


class Run:
    """A run that is being recorded; `close` leaves it as it is."""

    def __init__(self, name: str) -> None:
        from ao_lsp import connect

        self.name, self._seq, self._calls = name, 0, 0
        self._socket, _ = connect.open_session("record", run=name, stream="s")
        self._say("run.start", run=name, session=name, name=name, argv=["agent.py"])

    def call(self, asked: str, said: str, site: dict[str, Any] = SITE) -> None:
        call, self._calls = f"{self.name}-{self._calls:06}", self._calls + 1
        about = {"kind": "llm", "method": "POST", "url": "http://h/v1/chat/completions", "site": site, "stack": [site]}
        request = {"model": "m", "messages": [{"role": "user", "content": asked}]}
        self._say("call.start", {"request": request}, call=call, endpoint="/v1/chat/completions", **about)
        choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
        response = {"choices": [choice], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}
        self._say("call.end", {"response": response}, call=call, status="ok", http_status=200, ended=0.0)

    def wait(self) -> None:
        """Until everything is committed."""
        from ao_lsp import protocol

        frames, committed = protocol.Frames(), 0
        while committed < self._seq:
            frames.feed(self._socket.recv(1 << 16))
            for head, payload in frames:
                committed = max(committed, protocol.acknowledged(head, payload) or 0)

    def end(self) -> None:
        self._say("run.end", exit_code=0, status="finished", error=None)

    def close(self) -> None:
        self._socket.close()

    def _say(self, kind: str, parts: dict[str, Any] | None = None, /, **fields: Any) -> None:
        from ao_lsp import protocol

        self._seq += 1
        event = {"type": kind, "seq": self._seq, "at": time.time(), **fields}
        self._socket.sendall(protocol.frame(event, **{k: json.dumps(v).encode() for k, v in (parts or {}).items()}))


class Bystander:
    """Says hello to the daemon again and again, and remembers the longest that it took."""

    def __init__(self) -> None:
        self.longest, self._done = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> Bystander:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _ask(self) -> None:
        from ao_lsp import connect

        while not self._done.wait(0.002):
            began = time.monotonic()
            session = connect.existing_session("cli")
            self.longest = max(self.longest, time.monotonic() - began)
            if session is not None:
                session[0].close()


def graph(run: str) -> tuple[float, int]:
    """Seconds, without what it takes to read the answer; and how many edges there are."""
    from ao_lsp import connect, protocol

    sock, _ = connect.open_session("cli")
    began, frames = time.monotonic(), protocol.Frames()
    sock.sendall(protocol.frame({"id": 1, "method": "ao.graph", "params": {"run": run}}))
    while True:
        frames.feed(sock.recv(1 << 20))
        for head, _ in frames:
            took = time.monotonic() - began
            sock.close()
            return took, len(json.loads(head)["result"]["edges"])


def spent(pid: int) -> float:
    """Seconds of CPU time of a process so far."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        user, system = file.read().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def peak(pid: int) -> int:
    """The most memory that a process had, in MB."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) >> 10 for line in file if line.startswith("VmHWM"))


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    print(f"| {count} calls | first | its CPU time | next | after one more | others waited | memory | edges |")
    print("|---|---|---|---|---|---|---|---|")
    for name, make in RUNS.items():
        with tempfile.TemporaryDirectory(prefix="ao-", ignore_cleanup_errors=True) as home:
            os.environ["AO_HOME"] = home
            measure(name, make, count)


def measure(name: str, make: Callable[[int, random.Random], Iterator[tuple[str, str]]], count: int) -> None:
    from ao_lsp import connect
    from ao_lsp.cli.client import Client

    client = Client(connect.open_session("cli"))
    run = Run("run")
    for asked, said in make(count, random.Random(1)):
        run.call(asked, said)
    run.end()
    run.wait()
    daemon = int(client.reply["pid"])
    before = spent(daemon)
    with Bystander() as bystander:
        first, edges = graph("run")
        took = spent(daemon) - before
        following, _ = graph("run")
        run.call("one question more", "one answer more")
        run.wait()
        after, _ = graph("run")
    memory = peak(daemon)
    run.close()
    client.request("daemon.stop")
    client.close()
    print(
        f"| {name} | {first:.2f} s | {took:.2f} s | {following:.2f} s | {after:.2f} s |"
        f" {1000 * bystander.longest:.0f} ms | {memory} MB | {edges} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
