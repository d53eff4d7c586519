"""`ao output`: what a rerun in the background has printed, and prints."""

from __future__ import annotations

import sys
import time
from typing import Any

from ao_lsp.cli import client
from ao_lsp.cli.client import Client

_EVERY_S = 0.2
"""How often is looked whether there is more."""

_AT_ONCE = 1 << 20
"""Bytes."""


def output(connection: Client, run: str, follow: bool, as_json: bool) -> None:
    """Print what `run` has printed: until it has ended, or where `follow` is false, until now.

    Raises:
        CommandError: nothing of it was kept.
    """
    texts: list[str] = []
    answer: dict[str, Any] = {"run": run, "next": 0, "ended": False}
    while not answer["ended"]:
        before = answer["next"]
        # By the id that was found first: `last` may be another run a moment later.
        answer = connection.request("ao.output", {"run": answer["run"], "from": before, "limit": _AT_ONCE})
        if as_json:
            texts.append(answer["text"])
        elif answer["text"]:
            # As it is, colours too: it is what the program would have printed here.
            sys.stdout.buffer.write(answer["text"].encode("utf-8", "replace"))
            sys.stdout.buffer.flush()
        if answer["ended"] or answer["next"] > before + _AT_ONCE // 2:
            continue
        if not follow:
            break
        time.sleep(_EVERY_S)
    if as_json:
        client.print_json({**answer, "text": "".join(texts)})
