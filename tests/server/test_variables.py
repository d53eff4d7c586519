"""Which variables of a program hold what came from which calls: real programs, recorded, and what these say in their
comments: `# name: 1 2` is a name that is given values of calls 1 and 2 on this line. What has no comment must not be
said to come from anywhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from model_server import ModelServer

from ao_lsp.server import values
from tests.server import traced
from tests.server.traced import ASK, origins, recorded, told, wrong

home = traced.home
PYTHONS = [sys.executable, *filter(None, os.environ.get("AO_TEST_PYTHONS", "").split(os.pathsep))]

PROGRAM = """
first = ask("one")  # first: 1
second = ask("two " + first)  # second: 2
both = first + second  # both: 1 2
same = first  # same: 1
if len(first) < 0:
    other = first
    never = ask("never")
either = first if len(second) < 0 else second
or_nothing = first or "nothing"  # or_nothing: 1
listed = [first, "plain"]  # listed: 1
plain = listed[1]
told = {"text": second, "count": 3}  # told: 2
count = told["count"]
one, two = first, second  # one: 1, two: 2
(name := first)  # name: 1
number = 3
number += len(second)  # number: 2
annotated: str = f"{first}!"  # annotated: 1


def shout(text):  # text: 1 2
    return text.upper()


def unchanged(given):  # given: 1
    return given


def early(what):  # what: 1
    if what:
        return "constant"
    return what


loud = shout(first)  # loud: 1
louder = shout(second)  # louder: 2
through = unchanged(first)  # through: 1
constant = early(first)
untold = unchanged("nothing")


def asks(question):
    return ask(question).strip()


for topic in ["x", "y"]:
    reply = asks(topic)  # reply: 3 4
    kept = reply  # kept: 3 4
    if topic == "y":
        last = reply
after = reply
for word in first.split():  # word: 1
    letter = word  # letter: 1
pairs = [(a, b) for a, b in zip([first], [second])]  # a: 1, b: 2, pairs: 1 2
shared = {"a": first}  # shared: 1
shared["a"] = "replaced"
replaced = [value for value in shared.values()]
changed = first  # changed: 1
for turn in range(2):
    before = changed
    changed = second
length = len(second)  # length: 2


class Agent:
    def __init__(self):
        self.seen = None

    def answer(self, question):
        return ask(question)

    def run(self):
        mine = self.answer("five")  # mine: 5
        self.seen = mine
        return self.seen


final = Agent().run()
"""


def _tracks(python: str) -> bool:
    asked = [python, "-c", "import sys; print(sys.version_info >= (3, 11))"]
    return subprocess.run(asked, capture_output=True, check=True, timeout=60).stdout == b"True\n"


@pytest.mark.parametrize("python", PYTHONS)
async def test_each_variable_is_said_to_come_from_what_it_came_from_and_from_nothing_else(
    home: str, tmp_path: Path, model_server: ModelServer, python: str
) -> None:
    with recorded(tmp_path, {"program.py": ASK + PROGRAM}, model_server, python) as file:
        found, _ = await told(home, file)
        if not _tracks(python):
            assert not found
            return
        assert wrong(file, found) == []


WAYS = """
def titled(text):
    heading = "# " + text
    return heading


draft = ask("a draft")
page = titled(draft.strip())
print(page)
"""


async def test_the_way_has_each_line_from_the_call_to_the_name_and_uses_have_it_too(
    home: str, tmp_path: Path, model_server: ModelServer
) -> None:
    with recorded(tmp_path, {"program.py": ASK + WAYS}, model_server) as file:
        _, found = await told(home, file)
        lines = file.read_text().split("\n")
        ways = {
            (one.name, lines[one.span.line]): [lines[line - 1].strip() for _, line in next(iter(one.ways.values()))]
            for one in (*found.defined, *found.used)
        }
        opened, reply, drafted = ways["draft", 'draft = ask("a draft")']
        assert (opened.split()[0], reply.split()[0], drafted) == ("with", "return", 'draft = ask("a draft")')
        titled = "page = titled(draft.strip())"
        assert ways["draft", titled] == [opened, reply, drafted]
        assert ways["page", titled] == [opened, reply, 'heading = "# " + text', titled]
        assert ways["page", "print(page)"] == ways["page", titled]
        assert ways["text", "def titled(text):"] == [opened, reply, drafted, titled, "def titled(text):"]
        # The same for scripts, and for people.
        line = lines.index("print(page)") + 1
        (page,) = json.loads(origins(file, f"{file.name}:{line}", "page", "--json"))["variables"]
        (source,) = page["sources"]
        assert (page["name"], page["line"], page["defined"], source["number"]) == ("page", line, False, 1)
        assert [hop["text"] for hop in source["path"]] == ways["page", "print(page)"]
        told_of = origins(file, file.name)
        assert f"page  program.py:{line - 1}\n← 1  ask " in told_of
        assert told_of.count(titled) == 2  # on the way to `page`, and into `text`
        assert origins(file, f"{file.name}:1") == "no variable there is known to have values of calls\n"


CHILD = """
text = ask("x")
if os.fork() == 0:
    inner = text.upper()
    ask(inner)
    os._exit(0)
os.wait()
for number in range(5000):
    changed = text + str(number)
outer = text.lower()
"""


async def test_children_tell_their_own_and_the_end_of_a_run_what_reached_no_call(
    home: str, tmp_path: Path, model_server: ModelServer
) -> None:
    with recorded(tmp_path, {"program.py": ASK + CHILD}, model_server) as file:
        found, _ = await told(home, file)
        names = {name: calls for names in found.values() for name, calls in names.items()}
        assert [names[name] for name in ("inner", "changed", "outer")] == [[1], [1], [1]]


async def test_what_an_event_says_that_makes_no_sense_is_left_out() -> None:
    said = b'[[1, 0, 1, 5, "f", [[["c1", [1, ["/b.py", 2], null]]], [[3]], 7]], [1, 2], "x", [1, null, 1, 5, "f", []]]'
    ((span, made),) = values.read([("/a.py", said)]).items()
    assert (span, made.sets) == (values.Span(0, 0, 0, 5), [frozenset(["c1"])])
    assert made.ways == {"c1": (("/a.py", 1), ("/b.py", 2))}
