"""Which variables hold what came from which calls, where the functions that made these are in other files than the
names: `# name: 1 2` is a name that is given values of calls 1 and 2 on this line, and what has no comment must not be
said to come from anywhere."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from model_server import ModelServer

from tests.server import traced
from tests.server.traced import origins, recorded, told, wrong

home = traced.home

pytestmark = pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 does not track values")

HELPERS = """
import json, os, urllib.request

STYLE = "short"


def ask(text):  # text: 1 2
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]}).encode()  # body: 1 2
    request = urllib.request.Request(  # request: 1 2
        os.environ["OPENAI_BASE_URL"] + "/chat/completions", body, {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request) as response:  # response: 1 2 3 4 5
        return json.load(response)["choices"][0]["message"]["content"]
"""

FUNCTIONS = {
    "program.py": """
import helpers
from texts import asked as answered, first_or_none, quoted, logged
from helpers import ask, STYLE

plan = ask("one")  # plan: 1
more = helpers.ask("two " + plan)  # more: 2
style = STYLE
for topic in [plan, "other"]:  # topic: 1
    reply = answered(topic)  # reply: 3 4
    shown = quoted(reply)  # shown: 3 4
unchanged = quoted("nothing")
same = first_or_none([more])
spoken = logged(more)


def later(question):  # question: 2
    found = helpers.ask(question)  # found: 5
    return found.strip()


last = later(more)  # last: 5
""",
    "helpers.py": HELPERS,
    "texts.py": """
import functools

from helpers import ask


def logged(text):
    return text


logged = functools.lru_cache(logged)


def asked(question):  # question: 1
    answer = ask(question).strip()  # answer: 3 4
    return answer


def quoted(text):
    return f"<{text}>"


def first_or_none(texts):
    return texts[0] if len(texts) > 3 else None
""",
}

CLASSES = {
    "program.py": """
import agents
from agents import Agent, Shouting, shared
from agents.clients import Client


def annotated(client: Client):
    told = client.answer("four")  # told: 4
    return told


class Team:
    def __init__(self, client: Client):
        self.client = client
        self.agent = Agent()

    def work(self):
        drafted = self.client.answer("five")  # drafted: 5
        return self.agent.run(drafted)


first = Client().answer("one")  # first: 1
second = Agent().run(first)  # second: 2
third = shared.answer(text="three")  # third: 3
fourth = annotated(shared)  # fourth: 4
done = Team(agents.Client()).work()  # done: 6


def shouts(client: Client):
    return client.answer("nothing")


loud = shouts(Shouting())
""",
    "agents/__init__.py": """
from .clients import *
from .runs import Agent, Shouting

shared = Client()
""",
    "agents/clients.py": """
import json, os, urllib.request


class Client:
    def answer(self, text):  # text: 1 5
        body = json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]}).encode()  # body: 1 5
        request = urllib.request.Request(  # request: 1 5
            os.environ["OPENAI_BASE_URL"] + "/chat/completions", body, {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request) as response:  # response: 1 2 3 4 5 6 7
            return json.load(response)["choices"][0]["message"]["content"]
""",
    "agents/runs.py": """
from .clients import Client


class Agent(Client):
    def run(self, text):  # text: 1 5
        mine = self.answer("mine " + text)  # mine: 2 6
        return mine


class Shouting(Client):
    def answer(self, text):
        super().answer(text)
        return "A CONSTANT"
""",
}

DOUBTFUL = {
    "program.py": """
import helpers, patched
from helpers import ask
from tools import cached, lent, message, never

first = ask("one")  # first: 1
patched.answer = lambda text: ask("two") and "constant"
second = patched.answer(first)
third = cached(first)
if len(first) < 0:
    ask = never
fourth = lent(ask, first)


class Holder:
    def __init__(self, ask):
        self.ask = ask


fifth = Holder(never).ask(first)
sixth = cached(first)
for key in ["content", "missing"]:
    answer = message("x")  # answer: 7 8
    for letter in answer.get(key, ""):
        kept = letter + "!"  # kept: 7
    for letter in answer.get(key) or []:
        kept = letter + "!"  # kept: 7
""",
    "helpers.py": HELPERS.replace("# text: 1 2", "")
    .replace("body: 1 2", "body: 1")
    .replace("request: 1 2", "request: 1")
    .replace("response: 1 2 3 4 5", "response: 1 2 3 4 5 6"),
    "patched.py": """
def answer(text):
    return text
""",
    "tools.py": """
import functools, json, os, urllib.request

import helpers


def message(text):
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]}).encode()
    request = urllib.request.Request(
        os.environ["OPENAI_BASE_URL"] + "/chat/completions", body, {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request) as response:  # response: 7 8
        return json.load(response)["choices"][0]["message"]


def _constant(function):
    @functools.wraps(function)
    def wrapper(*given):
        function(*given)
        return "constant"

    return wrapper


@_constant
def cached(text):
    found = helpers.ask(text)  # found: 3 6
    return found


def never(text):
    helpers.ask(text)
    return "constant"


def lent(function, text):  # text: 1
    function(text)
    return "constant"
""",
}


@pytest.mark.parametrize("files", [FUNCTIONS, CLASSES, DOUBTFUL], ids=["functions", "classes", "doubtful"])
async def test_values_are_followed_through_functions_of_other_files_and_never_to_a_false_call(
    home: str, tmp_path: Path, model_server: ModelServer, files: dict[str, str]
) -> None:
    with recorded(tmp_path, files, model_server):
        found = [line for name in files for line in wrong(tmp_path / name, (await told(home, tmp_path / name))[0])]
        assert found == []


async def test_the_way_goes_through_all_files_as_the_run_read_them_and_through_none_that_nobody_knows(
    home: str, tmp_path: Path, model_server: ModelServer
) -> None:
    with recorded(tmp_path, FUNCTIONS, model_server) as program:
        (last,) = json.loads(origins(program, program.name, "last", "--json"))["variables"]
        ((*_, reply, handed, given),) = [source["path"] for source in last["sources"]]
        assert [Path(hop["file"]).name for hop in (reply, handed, given)] == ["helpers.py", "program.py", "program.py"]
        before, _ = await told(home, program)
        # What a file has now does not count, and of one that nobody knows, nothing is followed.
        (tmp_path / "helpers.py").write_text("def ask(text):\n    return 'other'\n")
        assert (await told(home, program))[0] == before
        found, _ = await told(home, program, unknown=tmp_path / "helpers.py")
        assert found == {}
