"""What it takes after a key until what is shown is right again: docs/performance.md, "A key in a long file".

    python benchmarks/attach.py [KEYS]

A file of 5,000 lines with 200 recorded calls in as many functions, in an editor that is connected as `ao-lsp` connects
it. For each of some kinds of edits: the time until hints (of 60 lines, which is what is seen) and lenses (of the whole
file) are answered, the daemon's processor time, and the longest turn of its loop.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from editor import Daemon, row
from graph import Run
from lsp_clients import Editor, connected

CALLS = 200
MIDDLE = 2503
"""A line in the middle of the file, in the middle of a function."""

Edit = tuple[int, int, int, int, str]
"""From line and column to line and column: this text."""


def source() -> list[str]:
    lines = ["import openai", "", "client = openai.OpenAI()", ""]
    for number in range(CALLS):
        lines += [f"def step_{number}(topic, notes):", f'    """Step {number} of the work."""']
        lines += [f"    value_{n} = [compute(topic, {number}), notes.get('k{n}', {n})]" for n in range(16)]
        lines += [
            "    reply = client.chat.completions.create(",
            f'        model="m", messages=[topic, {number}],',
            "    )",
        ]
        lines += ["    if reply.choices:", "        return reply.choices[0].message.content", "", ""]
    return lines


def record(file: str, lines: list[str]) -> None:
    """A run that made each of the calls."""
    run = Run("long")
    for number, line in enumerate(lines):
        if "create(" in line:
            where = {"line": number + 1, "end_line": number + 3, "column": 12, "end_column": 5}
            run.call(f"question {number}", f"answer {number} and more", {"file": file, "function": "step", **where})
    run.end()
    run.wait()


class Typing:
    """One editor with the file open. It remembers nothing of the text: edits name what they replace."""

    def __init__(self, editor: Editor, uri: str) -> None:
        self._editor, self._uri, self._version = editor, uri, 1

    async def edit(self, edit: Edit | str) -> int:
        """Edit (a text is all of it), and ask for what is shown then. Gives how many lenses there are."""
        self._version += 1
        change: dict[str, Any] = {"text": edit}
        if not isinstance(edit, str):
            line, column, end_line, end_column, text = edit
            start, end = {"line": line, "character": column}, {"line": end_line, "character": end_column}
            change = {"range": {"start": start, "end": end}, "text": text}
        document = {"uri": self._uri, "version": self._version}
        self._editor.tell("textDocument/didChange", {"textDocument": document, "contentChanges": [change]})
        seen = {"start": {"line": MIDDLE - 30, "character": 0}, "end": {"line": MIDDLE + 30, "character": 0}}
        hints = self._editor.ask("textDocument/inlayHint", {"textDocument": {"uri": self._uri}, "range": seen})
        _, lenses = await asyncio.gather(hints, self._editor.lenses())
        return len(lenses)


async def main(keys: int) -> None:
    with Daemon() as daemon:
        lines = source()
        file = daemon.folder / "long.py"
        file.write_text("\n".join(lines))
        record(str(file), lines)
        editor = await connected()
        await editor.begin(daemon.folder)
        before, began = daemon.cpu(), time.monotonic()
        editor.open(file)
        many = len(await editor.lenses())
        row(
            "the file is opened",
            f"{(time.monotonic() - began) * 1000:.0f} ms",
            "",
            f"{(daemon.cpu() - before) * 1000:.0f} ms",
            "",
            1,
        )
        typing = Typing(editor, file.as_uri())
        kinds: dict[str, Callable[[int], Edit | str]] = {
            "a letter": lambda _: (MIDDLE, 4, MIDDLE, 4, "x"),
            "a line": lambda _: (MIDDLE, 0, MIDDLE, 0, "    more = 1\n"),
            "a bracket that is not closed": lambda n: (MIDDLE, 4, MIDDLE, 4 + n % 2, "(" if n % 2 == 0 else ""),
            "quotes that are not closed": lambda n: (MIDDLE, 4, MIDDLE, 4 + 3 * (n % 2), '"""' if n % 2 == 0 else ""),
            "a function cut, and put back": lambda n: cut(lines, n),
            "the whole text": lambda n: "\n".join([f"# {n}", *lines]),
        }
        for name, edit in kinds.items():
            await daemon.turns()
            before, times = daemon.cpu(), []
            for number in range(keys):
                began = time.monotonic()
                found = await typing.edit(edit(number))
                times.append(time.monotonic() - began)
                assert found > many * 0.9, f"{name}: {found} lenses of {many}"
            cost = (daemon.cpu() - before) / keys
            longest = (await daemon.turns())["longest"][0][0]
            middle, worst = statistics.median(times) * 1000, max(times) * 1000
            row(name, f"{middle:.0f} ms", f"{worst:.0f} ms", f"{cost * 1000:.0f} ms", f"{longest * 1000:.0f} ms", keys)
        await editor.leave()


def cut(lines: list[str], number: int) -> Edit:
    """The first function of the file, which is out of sight."""
    first = [*lines[4:29], ""]
    return (4, 0, 29, 0, "") if number % 2 == 0 else (4, 0, 4, 0, "\n".join(first))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 50))
