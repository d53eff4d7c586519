"""Functions of the user's that library code calls: what they are given, and what they give back. The library
is one that nothing in here knows; `ask` pretends to be the seam of a transport, whose answer is a body of
bytes as a provider sends it."""

from __future__ import annotations

import gzip
import json
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fake_model.bedrock_api import frame

from ao_lsp.taint import escrow
from ao_lsp.taint.frames import HIDES
from ao_lsp.taint.replies import Reply, is_part, remember

from .conftest import imported

pytestmark = pytest.mark.skipif(not HIDES, reason="values are not tracked on Python 3.10")

LIBRARY = '''
    import asyncio, concurrent.futures, dataclasses, json, threading


    def chat(text, **arguments):
        """A reply that calls a tool."""
        function = {"name": "tool", "arguments": json.dumps(arguments)}
        message = {"role": "assistant", "content": text, "tool_calls": [{"id": "call_7", "function": function}]}
        return {"id": "x1", "choices": [{"index": 0, "message": message}], "usage": {"total_tokens": 41}}


    def agent(tool, *replies, prompt="", **settings):
        """Asks once for each reply, calling the tool with the arguments in between."""
        said = []
        for number, reply in enumerate(replies, 1):
            message = ask(str(number), reply)["choices"][0]["message"]
            arguments = json.loads(message["tool_calls"][0]["function"]["arguments"])
            said.append(tool(**arguments, **settings))
        return said


    async def agent_async(tool, reply):
        arguments = json.loads(ask("1", reply)["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"])
        return await asyncio.create_task(tool(**arguments))


    def agent_in_thread(tool, reply):
        arguments = json.loads(ask("1", reply)["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"])
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            return pool.submit(tool, **arguments).result()


    @dataclasses.dataclass
    class Message:
        text: str
        role: str = "assistant"


    def graph(state, *nodes):
        """Each node is given what there is, and gives more of it."""
        for node in nodes:
            state = {**state, **node(state)}
        return state


    def messages(tool, reply):
        content = json.loads(json.dumps(ask("1", reply)))["choices"][0]["message"]["content"]
        return tool([Message(content), {"deep": (content, 3)}], "a constant")


    class Events:
        """Holds itself by its generator; another one goes on to hold what it gave last."""

        def __init__(self, pieces):
            self._pieces = self._taken(pieces)

        def _taken(self, pieces):
            yield from pieces

        def __iter__(self):
            for piece in self._pieces:
                event = {"delta": {"text": piece, "region": "eu"}}
                yield event


    def events(reply, *pieces):
        ask("1", reply)
        return {"stream": Events(["".join(piece) for piece in pieces])}


    def history(*replies):
        """Everything that was said, not only the last."""
        said = [ask(str(number), reply) for number, reply in enumerate(replies, 1)]
        return [Message(reply["choices"][0]["message"]["content"]) for reply in said]


    class Text(str):
        """A text that has more methods."""


    try:
        from pydantic import BaseModel
    except ImportError:
        BaseModel = object


    class Open(BaseModel, extra="allow"):
        kept: list


    _open = []


    def open_model(reply):
        """A model that the library goes on to hold, with fields that it does not declare."""
        message = ask("1", reply)["choices"][0]["message"]
        _open.append(Open(kept=[], said=Open(kept=[message["content"]], arguments=[{"text": message["content"]}])))
        _open.append(_open[0].said.kept)
        return _open[0]


    class Base:
        def __init__(self, text, **rest):
            self.text = "".join((text, ""))
            self.rest = rest


    class Response:
        def __init__(self):
            self._parsed = None

        async def parse(self):
            if self._parsed is None:
                self._parsed = Text("".join(("some ", "text")))
            return self._parsed


    def response():
        ask("1", chat(""))
        return Response()


    def each(words, tool):
        return [tool(word) for word in words.split()]


    def shout(words, tool):
        return tool(words.upper())
'''

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def lib(inputs: dict[str, str]) -> Iterator[types.ModuleType]:
    def ask(name: str, reply: Any, encoding: str = "") -> Any:
        inputs[name] = "".join(sorted(escrow.inputs_of_call()))
        body = json.dumps(reply).encode()
        body = gzip.compress(body) if encoding == "gzip" else body
        remember(name, Reply([body[:10], body[10:]], encoding))
        escrow.produced(name, escrow.current())
        return json.loads(json.dumps(reply))

    with imported(LIBRARY, ask) as module:
        yield module


# Each program, and the origins of what it leaves in `x`, `y` and `z`.
GIVEN = {
    "an argument from a reply": (
        "lib.agent(tool, lib.chat('', city='Lisbon'))",
        "def tool(city): global x; x = 'in ' + city",
        {"x": "1"},
    ),
    "one that the program gave": (
        "lib.agent(tool, lib.chat('', city='Lisbon'), country='Portugal')",
        "def tool(city, country): global x, y; x = city; y = country",
        {"x": "1", "y": ""},
    ),
    "one that the program gave, and the reply has too": (
        "lib.agent(tool, lib.chat('', city='Lisbon'), home=home)",
        "home = 'Lisbon'\ndef tool(city, home): global x, y; x = city; y = home",
        {"x": "1", "y": ""},
    ),
    "of several replies, the one that has it": (
        "lib.agent(tool, lib.chat('', city='Lisbon'), lib.chat('', city='Oporto'), lib.chat('', city='Lisbon'))",
        "found = []\ndef tool(city): global x, y, z; found.append(city); x, y, z = found[0], found[-1], found[1:2]",
        {"x": "1", "y": "3", "z": "2"},
    ),
    "numbers, lists and named arguments": (
        "lib.agent(tool, lib.chat('', days=12, ratio=0.5, sure=True, stops=['a', {'b': 'Braga'}]))",
        "def tool(*, days, **more): global x, y, z; x = days; y = more['ratio']; z = more['stops'][1]['b']",
        {"x": "1", "y": "1", "z": "1"},
    ),
    "what is in no reply": (
        "lib.agent(tool, lib.chat('', city='Lisbon'), run='7f3a', step=1)",
        "def tool(city, run, step): global x, y; x = run; y = step",
        {"x": "", "y": ""},
    ),
    "a part of a text": (
        "lib.messages(tool, lib.chat('Thought. Action: weather(Lisbon)'))",
        "def tool(m, c): global x, y, z; x = m[0].text; y = m[0].role; z = c",
        {"x": "1", "y": "", "z": ""},
    ),
    "what stands deep in it": (
        "lib.messages(tool, lib.chat('Thought.'))",
        "def tool(m, c): global x; x = m[1]['deep'][0]",
        {"x": "1"},
    ),
    "a method": (
        "lib.agent(T().tool, lib.chat('', city='Lisbon'))",
        "class T:\n    def tool(self, city): global x; x = city",
        {"x": "1"},
    ),
    "an object that is called": (
        "lib.agent(T(), lib.chat('', city='Lisbon'))",
        "class T:\n    def __call__(self, city): global x; x = city",
        {"x": "1"},
    ),
    "a lambda": (
        "lib.agent(lambda city: got.append(city), lib.chat('', city='Lisbon'))\nx = got[0]",
        "got = []",
        {"x": "1"},
    ),
    "a generator": (
        "x = [*lib.agent(tool, lib.chat('', city='Lisbon'))[0]][0]",
        "def tool(city): yield city",
        {"x": "1"},
    ),
    "a coroutine in a task": (
        "import asyncio\nasyncio.run(lib.agent_async(tool, lib.chat('', city='Lisbon')))",
        "async def tool(city): global x; x = city",
        {"x": "1"},
    ),
    "another thread": (
        "lib.agent_in_thread(tool, lib.chat('', city='Lisbon'))",
        "def tool(city): global x; x = city",
        {"x": "1"},
    ),
    "what the program was given before": (
        "lib.each(tag('a', 'some words'), tool)",
        "def tool(word): global x; x = word",
        {"x": "a"},
    ),
    "what library code makes of it": (
        "lib.shout(tag('a', 'some words'), tool)",
        "def tool(word): global x; x = word",
        {"x": "a"},
    ),
    "the user's own calls between": (
        "lib.agent(tool, lib.chat('', city='Lisbon'))",
        "def tool(city): return inner('Lisbon of', city)\ndef inner(a, b): global x, y; x = a; y = b",
        {"x": "", "y": "1"},
    ),
    "what a node of a graph put there": (
        "lib.graph({'n': 'k'}, one, two)",
        "def one(s):\n    said = lib.ask('1', lib.chat('Lisbon'))['choices'][0]['message']\n"
        "    return {'a': said['content'], 'b': 'Lisbon'}\n"
        "def two(s): global x, y; x = s['a']; y = s['b']; return {}",
        {"x": "1", "y": ""},
    ),
}


@pytest.mark.usefixtures("lib")
@pytest.mark.parametrize("name", GIVEN)
def test_what_library_code_hands_to_a_function_of_the_users_has_its_origins(name: str, run: Run) -> None:
    calls, functions, expected = GIVEN[name]
    given = run(f"import lib\n{functions}\n{calls}")
    assert {name: given["origins"](given[name]) for name in expected} == expected


@pytest.mark.usefixtures("lib")
@pytest.mark.parametrize(
    ("tool", "expected"),
    [
        ("def tool(city): return lib.ask('9', lib.chat('Sunny.'))['choices'][0]['message']['content']", "19"),
        ("def tool(city): lib.ask('9', lib.chat('Sunny.')); return 'no answer'", "1"),
        ("kept = tag('a', 'p')\ndef tool(city): return {'found': [kept]}", "1a"),
        ("def tool(city): return helper()\ndef helper(): return tag('a', 'p')", "1a"),
        ("def tool(city): helper(); return 'x'\ndef helper(): return tag('a', 'p')", "1"),
    ],
    ids=["another call's answer", "which it keeps to itself", "deep in it", "a function's", "which it does not use"],
)
def test_what_a_function_gives_back_goes_into_the_next_call(
    tool: str, expected: str, run: Run, inputs: dict[str, str]
) -> None:
    run(f"import lib\n{tool}\nlib.agent(tool, lib.chat('', city='Lisbon'), lib.chat('', city='Lisbon'))")
    assert inputs["2"] == expected


def test_the_same_objects_arrive_but_for_texts_and_numbers(run: Run, lib: types.ModuleType) -> None:
    sent: list[Any] = []

    def call(tool: Callable[..., Any]) -> None:
        lib.ask("1", lib.chat("Lisbon"))
        sent.append([object(), {"city": "".join(("Lis", "bon"))}, None, True, "", b"Lisbon", ["other"]])
        tool(*sent[0])

    vars(lib)["call"] = call
    call.__code__ = call.__code__.replace(co_filename="/users/site-packages/lib.py")
    given = run("import lib\ndef tool(*all): global got; got = all\nlib.call(tool)")
    got = given["got"]
    assert list(got) == sent[0]
    assert [a is b for a, b in zip(got, sent[0], strict=True)] == [True] * 7
    assert given["origins"](got[1]["city"]) == "1"
    assert given["origins"](got[6]) == ""


# -- what comes out of a library call that made several recorded calls

RESULTS = {
    "a text of an event that a stream gives, and goes on to hold": (
        "x = [event['delta']['text'] for event in lib.events(lib.chat('Sunny.'), 'Sunny.')['stream']][0]",
        "1",
    ),
    "what the reply does not say of an event": (
        "x = [event['delta']['region'] for event in lib.events(lib.chat('Sunny.'), 'Sunny.')['stream']][0]",
        "",
    ),
    "the text of one": ("x = lib.history(lib.chat('Lisbon'), lib.chat('Oporto'))[1].text", "2"),
    "what is said twice": ("x = lib.history(lib.chat('Lisbon'), lib.chat('Lisbon'))[0].text", "2"),
    "what is said by none": ("x = lib.history(lib.chat('Lisbon'), lib.chat('Oporto'))[0].role", "12"),
    "all of it": ("x = ' '.join(m.text for m in lib.history(lib.chat('Lisbon'), lib.chat('Oporto')))", "12"),
    "a text with more methods": (
        "x = [*map(lib.Text, [lib.history(lib.chat('Lisbon'), lib.chat('Oporto'))[0].text])][0]",
        "1",
    ),
    "a field that no class declares": ("x = lib.open_model(lib.chat('Lisbon')).said.arguments[0]['text']", "1"),
    "what the library goes on to hold": ("x = lib.open_model(lib.chat('Lisbon')).said.kept[0]", "1"),
    "a property that gives a field": (
        "class M(lib.Message):\n    @property\n    def said(self): return lib.Text(self.text)\nlib.Message = M\n"
        "x = lib.history(lib.chat('Lisbon'), lib.chat('Oporto'))[0].said",
        "1",
    ),
    "a field that a base class of a library fills": (
        "class M(lib.Base):\n    def __init__(self, **fields): super().__init__(**fields)\n"
        "m = M(text=tag('a', 'some text'), id=tag('b', 'an id'))\nx = m.text",
        "a",
    ),
    "what is awaited of what one has said": (
        "import asyncio\nr = lib.response()\nasync def main(): return await r.parse()\nx = asyncio.run(main())",
        "1",
    ),
}


@pytest.mark.usefixtures("lib")
@pytest.mark.parametrize("name", RESULTS)
def test_a_result_has_the_origins_of_what_it_repeats(name: str, run: Run) -> None:
    source, expected = RESULTS[name]
    given = run(f"import lib\n{source}")
    assert given["origins"](given["x"]) == expected


# -- replies

SSE = (
    b'data: {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Sun"}}]}\n\n'
    b'data: {"choices": [{"index": 0, "delta": {"content": "ny in Lisbon"}}]}\n\ndata: [DONE]\n\n'
)
ARGUMENTS = (
    b'event: d\ndata: {"index": 0, "delta": {"type": "input_json_delta", "partial_json": "{\\"ci"}}\n\n'
    b'event: d\ndata: {"index": 1, "delta": {"partial_json": "{\\"day\\": 4"}}\n\n'
    b'event: d\ndata: {"index": 0, "delta": {"partial_json": "ty\\": \\"Faro\\"}"}}\n\n'
    b'event: d\ndata: {"index": 1, "delta": {"partial_json": "1}"}}\n\n'
)
REPLIES: dict[str, tuple[bytes, list[Any], list[Any]]] = {
    "a document": (b'{"content": [{"type": "text", "text": "Sunny."}], "model": "m-1"}', ["Sunny."], ["m-1", "text"]),
    "arguments as JSON": (
        b'{"content": [{"type": "tool_use", "id": "t1", "input": {"city": "Faro", "n": 3}}]}',
        ["Faro", 3],
        ["t1", 1],
    ),
    "arguments as a text": (
        b'{"function": {"name": "f", "arguments": "{\\"city\\": \\"Faro\\", \\"n\\": [3]}"}, "total_tokens": 9}',
        ["Faro", 3],
        ["f", 9],
    ),
    "events": (SSE, ["Sunny in Lisbon", "Sun", "ny in Lisbon"], ["assistant", "[DONE]"]),
    "events of two calls of tools": (ARGUMENTS, ["Faro", 41], ["input_json_delta", 4, 1]),
    "lines": (
        b'{"message": {"content": "Sun"}, "done": false}\n{"message": {"content": "ny"}, "done": true}\n',
        ["Sunny"],
        ["done"],
    ),
    "the request in it": (
        b'{"tools": [{"name": "f", "parameters": {"title": "City"}}], "instructions": "Be.", "output": "Sunny."}',
        ["Sunny."],
        ["City", "Be."],
    ),
    "an AWS event stream": (
        b"".join(
            frame(("contentBlockDelta", {"contentBlockIndex": index, "delta": {"text": text}, "p": "abc"}))
            for index, text in [(0, "Sun"), (1, "Ra"), (0, "ny."), (1, "in.")]
        ),
        ["Sun", "ny.", "Sunny.", "Rain."],
        ["abc", "contentBlockDelta", "SunRa"],
    ),
    "an indented document": (b'{\n  "content": "Sunny."\n}\n', ["Sunny."], ["content"]),
    "a text": (b"Sunny.", ["Sunny."], ["Sun"]),
    "nothing": (b"", [], ["", "x"]),
    "broken": (b'{"content": "Sun', [], ["Sun"]),
}


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("name", REPLIES)
def test_a_reply_gives_what_is_said_in_it_and_not_what_is_said_of_it(name: str, size: int) -> None:
    body, said, unsaid = REPLIES[name]
    pieces: list[bytes] = []
    reply = Reply(pieces)
    for start in range(0, len(body), size):
        pieces.append(body[start : start + size])
        reply.gives("x")  # it is asked while it arrives
    assert [value for value in said if not reply.gives(value)] == []
    assert [value for value in unsaid if reply.gives(value)] == []


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "deflate"])
def test_a_compressed_reply_is_read(encoding: str) -> None:
    import zlib

    body = b'{"content": "Sunny."}'
    body = gzip.compress(body) if encoding.lower() == "gzip" else zlib.compress(body)
    assert Reply([body[:9], body[9:]], encoding).gives("Sunny.")


def test_a_reply_that_cannot_be_read_gives_nothing() -> None:
    assert not Reply([b"\x1b\x03 compressed otherwise"], "br").gives("x")
    assert not Reply([b"no gzip"], "gzip").gives("x")


def test_a_part_of_a_text_is_no_part_of_a_word() -> None:
    assert is_part("Lisbon", "in Lisbon, today")
    assert is_part("3", "take 3.")
    assert not is_part("Lis", "in Lisbon")
    assert not is_part("3", "in 1300")
    assert is_part("ong enough to be ", "a text that is long enough to be no word")
