"""Regular expressions: finding, groups, splitting, replacing by a function, a tokenizer."""

from __future__ import annotations

import re

LEVELS = ("INFO", "WARNING", "ERROR")
LINE = re.compile(r"(?P<date>\d{4}-\d\d-\d\d) (?P<level>[A-Z]+) (?P<where>[\w.]+): (?P<what>.*)")
TOKEN = re.compile(r"(?P<number>\d+)|(?P<name>[a-z_]\w*)|(?P<sign>[-+*/()=])|(?P<space>\s+)")


def inputs(size: int) -> list[str]:
    return [
        f"2026-11-{n % 28 + 1:02} {LEVELS[n % 3]} app.mod{n % 5}: took {n} ms, key=x_{n} + (3*{n})"
        for n in range(30 * size)
    ]


def work(lines: list[str]) -> dict[str, object]:
    levels: dict[str, int] = {}
    found: list[str] = []
    kinds: list[str] = []
    for line in lines:
        match = LINE.match(line)
        if not match:
            continue
        level = match.group("level")
        levels[level] = levels.get(level, 0) + 1
        what = match["what"]
        found += re.findall(r"[a-z]+=\w+", what)
        found.append(re.sub(r"\d+", lambda number: str(int(number.group()) + 1), what))
        found.append(" ".join(re.split(r"[,\s]+", what)))
        for token in TOKEN.finditer(what):
            if token.lastgroup != "space":
                kinds.append(f"{token.lastgroup}:{token.group()}")
    return {"levels": levels, "found": found, "kinds": kinds}
