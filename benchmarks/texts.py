"""What it takes to make the texts that are opened to read (`ao:///…`), of long runs.

    python benchmarks/texts.py [CALLS]

Hands two runs of so many calls (2,000) to a daemon of its own, of which a third say something else, and asks for
their texts. Prints how long each took, how long it is, and the longest that somebody else had to wait for a word of
the daemon meanwhile.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time

from graph import Bystander, Run, text


def recorded(name: str, count: int, seed: int) -> None:
    run, chance, other = Run(name), random.Random(1), random.Random(seed)
    for number in range(count):
        said = text(60, chance)
        run.call(f"question {number}", text(60, other) if number % 3 == 0 else said)
    run.end()
    run.wait()
    run.close()


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    with tempfile.TemporaryDirectory(prefix="ao-", ignore_cleanup_errors=True) as home:
        os.environ["AO_HOME"] = home
        from ao_lsp import connect
        from ao_lsp.cli.client import Client

        client = Client(connect.open_session("cli"))
        recorded("a", count, 2)
        recorded("b", count, 3)
        client.request("ao.graph", {"run": "b"})  # the first time texts are compared, which graph.py measures
        for name, uri in (
            ("graph", "ao:///run/b/graph.txt"),
            ("diff of two runs", "ao:///run/b/from/a/a-b.diff"),
            ("a call, whole", "ao:///run/b/call/b-000007/work-8.md"),
            ("its prompt", "ao:///run/b/call/b-000007/work-8.prompt.md"),
        ):
            with Bystander() as bystander:
                began = time.monotonic()
                found = client.request("ao.content", {"uri": uri})
                took = time.monotonic() - began
            assert not found["gone"], found["text"]
            waited = f"{1000 * bystander.longest:.0f} ms"
            print(f"| {name} | {1000 * took:.0f} ms | {len(found['text'])} | {waited} |", flush=True)
        client.request("daemon.stop")
        client.close()


if __name__ == "__main__":
    main()
