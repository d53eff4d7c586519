"""Somebody who edits a buffer at random, as editors tell of it, and knows which call is which."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from lsprotocol import types as lsp

from ao_lsp.server.lsp.buffers.documents import Document
from ao_lsp.server.lsp.buffers.units import Units

UNITS = Units("utf-8")

CALLEE = "client.chat.completions.create"

_ONE_LINE = f'{{}} = {CALLEE}(model="{{}}", messages=[topic])'

_TYPED = (
    "x",
    " ",
    "(",
    ")",
    "[",
    '"',
    "'",
    ":",
    ",",
    "=",
    "#",
    "\\",
    '"""',
    "{",
    "def ",
    "\n",
    "\n    ",
    "await ",
    "\t",
)


def agent(dice: random.Random, calls: int, tagged: bool = True) -> list[str]:
    """A program with so many calls in functions and methods, each with its tag: `<a>`, `<b>`, …

    Some have it in their first line, too (`reply_a`); `tagged`: else they all read the same.
    """
    lines = ["import openai", "", "client = openai.OpenAI()", ""]
    tags = iter(range(calls))
    for number, tag in enumerate(tags):
        indent = ""
        if dice.random() < 0.3:
            lines += [f"class Agent{number}:", f"    name = {number}", ""]
            indent = "    "
        lines.append(f"{indent}def step_{number}({'self, ' if indent else ''}topic):")
        lines += [f"{indent}    value_{n} = compute(topic, {n})" for n in range(dice.randrange(3))]
        own = [tag, *([next(tags, None)] if dice.random() < 0.4 else [])]
        for one in own:
            if one is not None:
                made = _call(dice, chr(ord("a") + one)) if tagged else [_ONE_LINE.format("reply", "m")]
                lines += [f"{indent}    {line}" for line in made]
        lines += [f"{indent}    return reply", "", ""]
    return lines


def _call(dice: random.Random, tag: str) -> list[str]:
    name = f"reply_{tag}" if dice.random() < 0.5 else "reply"
    if dice.random() < 0.7:
        return [_ONE_LINE.format(name, f"<{tag}>")]
    return [f"{name} = {CALLEE}(", f'    model="<{tag}>",', "    messages=[topic],", ")"]


class Typist:
    """Edits a buffer. `document` is its present state."""

    def __init__(self, lines: list[str], dice: random.Random) -> None:
        self.dice = dice
        self.document = Document.opened("file:///project/agent.py", 1, "\n".join(lines))
        self._undone: list[Document] = []
        self.done: list[str] = []
        self._ways: dict[str, Callable[[], None]] = {
            "type": self.type, "rub out": self.rub_out, "delete lines": self.delete, "move lines": self.move,
            "copy lines": self.copy, "undo": self.undo, "wrap": self.wrap, "reformat": self.reformat,
            "rename": self.rename, "save": self.save, "comment": self.comment, "reload": self.reload,
        }  # fmt: skip

    @property
    def lines(self) -> list[str]:
        return self.document.lines

    def act(self) -> None:
        """Do something."""
        name = self.dice.choice(list(self._ways))
        self.done.append(name)
        self._ways[name]()

    def replace(self, first: int, last: int, new: list[str]) -> None:
        """The lines from `first` to before `last` become others."""
        self.put(first, 0, last, 0, "".join(f"{line}\n" for line in new))

    def put(self, line: int, column: int, end_line: int, end_column: int, text: str) -> None:
        where = lsp.Range(lsp.Position(line, column), lsp.Position(end_line, end_column))
        self._change(lsp.TextDocumentContentChangePartial(where, text))

    def _change(self, change: lsp.TextDocumentContentChangeEvent) -> None:
        self._undone.append(self.document)
        self.document = self.document.changed(self.document.version + 1, [change], UNITS)

    def _line(self) -> int:
        return self.dice.randrange(len(self.lines))

    def _block(self) -> tuple[int, int]:
        """Lines that somebody marks: a few, or a whole definition."""
        if self.dice.random() < 0.5:
            first = self._line()
            return first, min(len(self.lines), first + self.dice.randint(1, 4))
        heads = [number for number, line in enumerate(self.lines) if re.match(r" *(def|class) ", line)]
        if not heads:
            return self._block_of_one()
        at = self.dice.randrange(len(heads))
        return heads[at], heads[at + 1] if at + 1 < len(heads) else len(self.lines)

    def _block_of_one(self) -> tuple[int, int]:
        line = self._line()
        return line, line + 1

    # -- what is done

    def type(self) -> None:
        """A few keys in one place."""
        line = self._line()
        column = self.dice.randint(0, len(self.lines[line]))
        for _ in range(self.dice.randint(1, 4)):
            key = self.dice.choice(_TYPED)
            self.put(line, column, line, column, key)
            line, column = (line + 1, len(key) - 1) if "\n" in key else (line, column + len(key))

    def rub_out(self) -> None:
        line = self._line()
        column = self.dice.randint(0, len(self.lines[line]))
        for _ in range(self.dice.randint(1, 6)):
            if column > 0:
                column -= 1
                self.put(line, column, line, column + 1, "")

    def delete(self) -> None:
        self.replace(*self._block(), [])

    def move(self) -> None:
        """Cut lines, and put them in elsewhere."""
        first, last = self._block()
        cut = self.lines[first:last]
        self.replace(first, last, [])
        to = self._line()
        indent = self.dice.choice(["", "", "    "])
        self.replace(to, to, [indent + line for line in cut])

    def copy(self) -> None:
        first, last = self._block()
        copied = self.lines[first:last]
        to = self._line()
        self.replace(to, to, copied)

    def undo(self) -> None:
        """Take back the last changes, one after the other, as an editor tells of that: what differs is put in again."""
        for _ in range(self.dice.randint(1, 5)):
            if not self._undone:
                return
            before = self._undone.pop().lines
            now = self.lines
            head = 0
            while head < min(len(now), len(before)) and now[head] == before[head]:
                head += 1
            tail = 0
            while tail < min(len(now), len(before)) - head and now[-1 - tail] == before[-1 - tail]:
                tail += 1
            if tail == 0:
                self._change(lsp.TextDocumentContentChangeWholeDocument("\n".join(before)))
            else:
                self.replace(head, len(now) - tail, before[head : len(before) - tail])
            self._undone.pop()

    def wrap(self) -> None:
        first, last = self._block_of_one()
        text = self.lines[first]
        indent = text[: len(text) - len(text.lstrip())]
        head = self.dice.choice(["try:", "with timing:", "if topic:"])
        self.replace(first, last, [indent + head, f"    {text}"])

    def reformat(self) -> None:
        """What a formatter does with a call: one line for each argument, or one for all."""
        for number, line in enumerate(self.lines):
            found = re.fullmatch(rf'( *)(.*{re.escape(CALLEE)}\()(model="<\w>"), (messages=\[topic\])\)', line)
            if found and self.dice.random() < 0.3:
                indent, head, *arguments = found.groups()
                self.replace(
                    number, number + 1, [indent + head, *(f"{indent}    {a}," for a in arguments), f"{indent})"]
                )
                return

    def rename(self) -> None:
        heads = [number for number, line in enumerate(self.lines) if re.match(r" *def \w", line)]
        if heads:
            line = self.dice.choice(heads)
            column = self.lines[line].index("def ") + 4
            self.put(line, column, line, column, self.dice.choice(["make_", "do_", "a"]))

    def comment(self) -> None:
        line = self._line()
        self.put(line, 0, line, 0, "# ")

    def save(self) -> None:
        self.document.was_saved()

    def reload(self) -> None:
        """The whole text, as editors send it that have no others, with something else in it."""
        lines = list(self.lines)
        lines[self.dice.randrange(len(lines) + 1) : 0] = ["", "# from elsewhere"]
        self._change(lsp.TextDocumentContentChangeWholeDocument("\n".join(lines)))
