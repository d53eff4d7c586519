"""Recorded calls while somebody types, deletes, pastes and takes back at random: each stays what it is."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Sequence
from string import ascii_lowercase

import pytest

from ao_lsp.server.lsp.buffers.following import Follower
from ao_lsp.server.lsp.buffers.trail import Extent
from ao_lsp.server.lsp.recorded.places import find_places, spots
from ao_lsp.server.lsp.recorded.recordings import Record
from ao_lsp.server.model import Run, Site
from ao_lsp.server.sources import Sources
from tests.lsp.typing import CALLEE, Typist, agent
from tests.server.graphs import call, graph

FILE = "/project/agent.py"

SEEDS = int(os.environ.get("AO_TEST_SEEDS", "8"))
"""How many sessions; hundreds of them take minutes."""

STEPS = 60

READABLE = r"\breply(?:_{0})? = " + re.escape(CALLEE) + r'\(\s*model="<{0}>",\s*messages=\[topic\],?\s*\)'
"""A call with its tag, that is no other one's in its first line."""


class Read(Sources):
    """The file as the run read it."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__()
        self._read = tuple(lines)

    def as_run(self, file: str, run: Run) -> Sequence[str] | None:  # noqa: ARG002 - there is one file, and one run
        return self._read


def sites(lines: Sequence[str]) -> list[Site]:
    """Where the calls are, in their order, as Python 3.11 tells it."""
    found = []
    for number, line in enumerate(lines):
        if CALLEE not in line:
            continue
        column = line.index(CALLEE)
        end = number
        while lines[end].count(")") < 1:
            end += 1
        found.append(Site(FILE, number + 1, "step", end + 1, column, lines[end].rindex(")") + 1))
    return found


def record(lines: Sequence[str]) -> Record:
    return Record(graph([call(n, site=site, stack=(site,)) for n, site in enumerate(sites(lines))]), {})


def shown(typist: Typist, recorded: Record, read: Sources) -> dict[int, Extent]:
    """Where the calls are shown, by their numbers."""
    places = find_places(Follower(typist.document, read), spots([FILE], [recorded]))
    return {one.number: place.extent for place in places for one in place.calls}


def text(lines: Sequence[str], extent: Extent) -> str:
    whole = [*lines[extent.line : extent.end_line], lines[extent.end_line][: extent.end_column]]
    whole[0] = whole[0][extent.column :]
    return "\n".join(whole)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_call_that_can_be_read_in_the_buffer_is_shown_there_and_no_other_for_it(seed: int) -> None:
    dice = random.Random(seed)
    lines = agent(dice, 12)
    recorded, read = record(lines), Read(lines)
    typist = Typist(lines, dice)
    assert len(shown(typist, recorded, read)) == 12
    copied: set[str] = set()
    for _ in range(STEPS):
        typist.act()
        found = shown(typist, recorded, read)
        whole = "\n".join(typist.lines)
        for number, tag in enumerate(ascii_lowercase[:12]):
            told = f"call {tag} after {typist.done[-3:]}\n{whole}"
            if whole.count(f'"<{tag}>"') > 1:
                copied.add(tag)  # where the original is deleted, the copy need not take its place
            elif tag not in copied and re.search(READABLE.format(tag), whole):
                assert number in found, told
            if number in found:
                said = tags(typist.lines, found[number])
                # What begins as one call and goes on as another, because of what was deleted, can be either of them.
                sure = found[number].line == found[number].end_line or re.search(READABLE.format(tag), whole)
                assert tag in said or not said or not sure, f"{found[number]} {said} {told}"


def tags(lines: Sequence[str], extent: Extent) -> set[str]:
    """What a call in the buffer says of which one it is: before it in its line, and in it."""
    said = re.findall(r"reply_(\w)\b", lines[extent.line][: extent.column])
    inside = text(lines, extent).split(CALLEE)  # another one may have been put into it
    return {*said, *re.findall(r'"<(\w)>"', CALLEE.join(inside[:2]))}


@pytest.mark.parametrize("seed", range(SEEDS))
def test_of_calls_that_read_the_same_each_goes_with_its_own_line(seed: int) -> None:
    dice = random.Random(seed)
    lines = agent(dice, 20, tagged=False)
    recorded, read = record(lines), Read(lines)
    typist = Typist(lines, dice)
    shown(typist, recorded, read)
    # What each line is, known by what was done with it.
    names: list[int | None] = list(range(len(lines)))
    starts = {site.line - 1: number for number, site in enumerate(sites(lines))}
    for _ in range(STEPS):
        line = dice.randrange(len(typist.lines) - 1)
        if dice.random() < 0.5:
            new = dice.choice(["", "    # a comment", "    log(topic)", "    reply = None"])
            typist.replace(line, line, [new])
            names.insert(line, None)
        else:
            typist.replace(line, line + 1, [])
            del names[line]
        found = shown(typist, recorded, read)
        expected = {starts[name]: at for at, name in enumerate(names) if name in starts}
        assert {number: extent.line for number, extent in found.items()} == expected, typist.lines
