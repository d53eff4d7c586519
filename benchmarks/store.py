"""What the daemon needs for what is asked most often, with many runs in the database.

    python benchmarks/store.py [--runs 10000] [--calls 100] [--database postgresql://…] [--home FOLDER]

Records so many runs of so many calls (requests of 1 to 2 kB whose system prompt is shared, answers of half a page,
a chain of edges) and asks as the command line does, without the connection: the list of runs, the counts of the
status, the graph of one run, an event that is committed by itself, a search, a start. Prints medians: the time, and
the CPU time of this process, which is what one would wait for on a machine that does nothing else (but for a server's).
With `--home`, what is there already is not recorded again.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any

PARTS = ("sea", "moor", "ash", "win", "thorn", "lake", "ter", "den", "bur", "wick", "ford", "ley", "marsh", "holm")
WORDS = ["".join(parts) for parts in itertools.product(PARTS, repeat=3)]
# As in any language: the second most frequent word is half as frequent as the first, and so on.
FREQUENCIES = list(itertools.accumulate(1 / rank for rank in range(1, len(WORDS) + 1)))
PATH = "/v1/chat/completions"
CHANCE = random.Random(1)  # the same database every time


LONG = CHANCE.choices(WORDS, cum_weights=FREQUENCIES, k=200_000)


def text(words: int) -> str:
    at = CHANCE.randrange(len(LONG) - words)
    return " ".join(LONG[at : at + words])


SYSTEM = text(60)


class Run:
    """The events of one run, as its runner would send them."""

    def __init__(self, name: str) -> None:
        self.name, self.seq, self.at = name, 0, time.time()
        self._said = "begin"

    def start(self) -> bytes:
        return self._event("run.start", session=self.name, name=f"agent{self.seq % 7}.py", argv=["agent.py"], cwd="/p")

    def call_start(self, number: int) -> bytes:
        site = {
            "file": "/p/agent.py",
            "line": number % 20,
            "end_line": 9,
            "column": 0,
            "end_column": 9,
            "function": "f",
        }
        before = {"call": f"{self.name}-{number - 1:04}", "path": [{"file": "/p/agent.py", "line": 3}]}
        messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": f"{self._said} {text(80)}"}]
        return self._event(
            "call.start",
            {"request": {"model": "gpt-5", "messages": messages}},
            call=f"{self.name}-{number:04}",
            kind="llm",
            method="POST",
            url=f"https://api.openai.com{PATH}",
            endpoint=PATH,
            site=site,
            stack=[site],
            inputs=[before] if number else [],
            lineage="MainThread/",
            thread="MainThread",
            request_hash=f"{number}",
        )

    def call_end(self, number: int) -> bytes:
        self._said = text(40)
        choice = {"index": 0, "message": {"role": "assistant", "content": self._said}, "finish_reason": "stop"}
        body = {"model": "gpt-5", "choices": [choice], "usage": {"prompt_tokens": 300, "completion_tokens": 60}}
        call = f"{self.name}-{number:04}"
        return self._event("call.end", {"response": body}, call=call, status="ok", http_status=200, ended=0.5)

    def end(self) -> bytes:
        return self._event("run.end", status="finished", exit_code=0)

    def whole(self, calls: int) -> Iterator[bytes]:
        yield self.start()
        for number in range(calls):
            yield self.call_start(number)
            yield self.call_end(number)
        yield self.end()

    def _event(self, name: str, parts: dict[str, Any] | None = None, /, **fields: Any) -> bytes:
        from ao_lsp import protocol

        self.seq, self.at = self.seq + 1, self.at + 0.001
        bodies = {part: protocol.dumps(body) for part, body in (parts or {}).items()}
        return protocol.frame({"type": name, "seq": self.seq, "at": self.at, **fields}, **bodies)


async def record(core: Any, run: Run, frames: Any) -> None:
    from ao_lsp import protocol
    from ao_lsp.server.ingest import Stream

    await core.ingest.take(Stream(run.name, "s", None), protocol.Frames(), frames)


async def fill(core: Any, runs: int, calls: int) -> None:
    """Record what is not there yet."""
    there, _ = await core.store.counts()
    CHANCE.seed(there)
    for number in range(there, runs):
        run = Run(f"{CHANCE.getrandbits(24):06x}{number:05x}")
        await record(core, run, b"".join(run.whole(calls)))
        if sys.stderr.isatty() and number % 100 == 0:
            print(f"\r{number} runs", end="", file=sys.stderr)


async def timed(what: Callable[[], Awaitable[Any]], rounds: int) -> list[tuple[float, float]]:
    """Milliseconds of each round, and those of CPU time of this process."""
    times = []
    for _ in range(rounds):
        began, used = time.perf_counter(), time.process_time()
        await what()
        times.append(((time.perf_counter() - began) * 1000, (time.process_time() - used) * 1000))
    return times


def row(database: str, what: str, times: list[tuple[float, float]]) -> None:
    took, used = (statistics.median(some) for some in zip(*times, strict=True))
    print(f"| {database} | {what} | {took:.2f} ms | {used:.2f} ms | {len(times)} |", flush=True)


async def measure(options: argparse.Namespace) -> None:
    from ao_lsp.server.core import open_core

    name = "PostgreSQL" if options.database else "SQLite"
    core = await open_core(lasting=False)
    try:
        await measure_core(core, options, name)
    finally:
        await core.close()

    async def start() -> None:
        await (await open_core(lasting=False)).close()

    row(name, "a start and an end", await timed(start, 5))


async def measure_core(core: Any, options: argparse.Namespace, name: str) -> None:
    from ao_lsp.server.command import Caller
    from ao_lsp.server.commands import execute
    from ao_lsp.server.search import read_all

    began, used = time.perf_counter(), time.process_time()
    there, _ = await core.store.counts()
    await fill(core, options.runs, options.calls)
    took, used = time.perf_counter() - began, time.process_time() - used
    ids = [run for run, _ in await core.store.run_names()]

    async def do(command: str, **params: Any) -> Any:
        return await execute(core, Caller(), command, params)

    if there < options.runs:
        made = (options.runs - there) / 1000
        row(name, "one run recorded, all at once", [(took / made, used / made)])
    row(name, "`ao.runs`, 20 of them", await timed(lambda: do("ao.runs"), options.rounds))
    row(name, "the names of all runs", await timed(core.store.run_names, options.rounds))
    begins = itertools.cycle(CHANCE.choices(ids, k=20))
    row(name, "the runs of a file", await timed(lambda: core.store.runs_in_files(["/p/agent.py"], 20), options.rounds))
    row(name, "the runs of no file", await timed(lambda: core.store.runs_in_files(["/p/no.py"], 20), options.rounds))
    row(name, "`ao-server status`", await timed(core.store.counts, options.rounds))
    row(name, "the graph of a run, the first time", await timed(lambda: do("ao.graph", run=next(begins)[:9]), 20))
    row(name, "the graph of a run, again", await timed(lambda: do("ao.graph", run=next(begins)[:9]), options.rounds))
    run = Run(f"{time.time_ns():x}")
    frames = run.whole(options.rounds * 2)
    row(name, "an event committed", await timed(lambda: record(core, run, next(frames)), options.rounds * 4))
    await record(core, run, b"".join(frames))
    if options.search:
        began, used = time.perf_counter(), time.process_time()
        count = 0
        while calls := await core.store.unindexed(100):
            await core.store.put_texts(await asyncio.to_thread(read_all, calls))
            count += len(calls)
        if count:
            each = 1000 / count
            took, used = time.perf_counter() - began, time.process_time() - used
            row(name, "a call indexed", [(took * each, used * each)])
        rare = f"{WORDS[-1]} {WORDS[-2]}"
        for what, needle in (("two rare words", rare), ("a frequent word", WORDS[0]), ("two letters", "zz")):
            row(name, f"`ao runs --grep`: {what}", await timed(partial(do, "ao.runs", grep=needle), 3))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--database", default="")
    parser.add_argument("--home", default="")
    parser.add_argument("--no-search", dest="search", action="store_false")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ao-", dir="/tmp") as folder:
        os.environ["AO_HOME"] = options.home or folder
        if options.database:
            os.environ["AO_DATABASE"] = options.database
        asyncio.run(measure(options))


if __name__ == "__main__":
    main()
