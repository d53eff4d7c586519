"""Fuzz the session of the language server in this process.

    python -m tests.lsp.fuzz [--seed N] [--messages M]

Ends with 1 and the messages before it where the server does what it should not. The seed gives the same messages again.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time

from tests.lsp.fuzz.serving import fuzz, served


async def _run(seed: int, messages: int) -> None:
    async with served() as server:
        began = time.process_time()
        outcome = await fuzz(server, seed, messages)
        took = time.process_time() - began
        print(f"seed {seed}: {outcome.messages} messages, {outcome.sessions} sessions, {took:.1f} s CPU", end=": ")
        print(", ".join(f"{code} × {count}" for code, count in sorted(outcome.answered.items())))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--messages", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ao-fuzz-", dir="/tmp") as home:
        os.environ["AO_HOME"] = home
        asyncio.run(_run(options.seed, options.messages))


if __name__ == "__main__":
    main()
