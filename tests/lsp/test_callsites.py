"""Where a source asks a model: found by what it looks like, not by what has run."""

from __future__ import annotations

from collections.abc import Sequence
from keyword import kwlist

import pytest

from ao_lsp.server.lsp.buffers.callsites import CallSite, find, still_there
from ao_lsp.server.lsp.buffers.follow import line_map


def found(*lines: str) -> list[str]:
    """The calls in a source, as the text of each."""
    return [_text(lines, site) for site in find(lines)]


def one(*lines: str) -> CallSite:
    (site,) = find(lines)
    return site


def _text(lines: Sequence[str], site: CallSite) -> str:
    inside = list(lines[site.line : site.end_line + 1])
    inside[-1] = inside[-1][: site.end_column]
    inside[0] = inside[0][site.column :]
    return "\n".join(inside)


# -- what is found


@pytest.mark.parametrize(
    ("imported", "call"),
    [
        # Chat completions need no import: nobody else calls a method like that.
        ("", "client.chat.completions.create(model=m)"),
        ("", "client.chat.completions.parse(model=m)"),
        ("", "client.chat.completions.stream(model=m)"),
        ("", "client.beta.chat.completions.parse(model=m)"),
        ("", "self.clients[0].chat.completions.create(**options)"),
        ("", "OpenAI(base_url=url).chat.completions.create(model=m)"),
        ("", "openai.chat.completions.create(model=m)"),
        ("", "client.chat.completions.create()"),
        ("", "client.chat.completions.with_raw_response.create(model=m)"),
        ("", "client.chat.completions.with_streaming_response.create(model=m)"),
        ("", "client.chat.completions.with_raw_response.parse(model=m)"),
        ("import openai", "client.responses.create(model=m)"),
        ("import openai", "client.responses.parse(model=m)"),
        ("import openai", "client.responses.stream(model=m)"),
        ("import openai", "client.completions.create(model=m)"),
        ("import openai", "client.embeddings.create(model=m)"),
        ("from openai import AsyncOpenAI", "self.client.responses.create(model=m)"),
        ("from openai.lib import azure", "client.responses.with_raw_response.create(model=m)"),
        ("from groq import Groq", "client.embeddings.create(model=m)"),
        ("from together import Together", "client.completions.create(model=m)"),
        ("from langfuse.openai import openai", "openai.responses.create(model=m)"),
        ("import anthropic", "client.messages.create(model=m)"),
        ("import anthropic", "client.messages.parse(model=m)"),
        ("import anthropic", "client.messages.stream(model=m)"),
        ("import anthropic", "client.beta.messages.create(model=m)"),
        ("from anthropic import Anthropic", "client.messages.with_raw_response.create(model=m)"),
        ("from anthropic import Anthropic", "client.messages.with_streaming_response.create(model=m)"),
        ("from google import genai", "client.models.generate_content(model=m)"),
        ("from google import genai", "client.models.generate_content_stream(model=m)"),
        ("from google import genai", "client.aio.models.generate_content(model=m)"),
        ("from google import genai", "client.models.embed_content(model=m)"),
        ("import google.generativeai as genai", "model.generate_content_async(prompt)"),
        ("from vertexai.generative_models import GenerativeModel", "model.generate_content(prompt)"),
        ("from mistralai import Mistral", "client.chat.complete(model=m)"),
        ("from mistralai import Mistral", "client.chat.complete_async(model=m)"),
        ("from mistralai import Mistral", "client.chat.stream(model=m)"),
        ("from mistralai import Mistral", "client.chat.stream_async(model=m)"),
        ("import litellm", "litellm.completion(model=m)"),
        ("import litellm", "litellm.acompletion(model=m)"),
        ("import litellm", "litellm.embedding(model=m)"),
        ("import litellm", "litellm.aembedding(model=m)"),
        ("import litellm", "litellm.responses(model=m)"),
        ("import litellm", "litellm.aresponses(model=m)"),
        ("import litellm as llm", "llm.completion(model=m)"),
        ("from litellm import completion", "completion(model=m)"),
        ("from litellm import acompletion as ask", "ask(model=m)"),
        ("from litellm import embedding, completion as ask", "ask(model=m)"),
        ("from litellm import (\n    embedding,  # (vectors)\n    completion as ask,\n)", "ask(model=m)"),
        ("from litellm import(completion)", "completion(model=m)"),
        ("import ollama", "ollama.chat(model=m)"),
        ("from ollama import AsyncClient", "client.generate(model=m)"),
        ("from ollama import embed", "embed(model=m)"),
        ("import boto3", "client.converse(modelId=m)"),
        ("import boto3", "self.bedrock.converse_stream(modelId=m)"),
        # Requests that somebody makes by hand.
        ("import httpx", 'httpx.post("http://localhost:11434/api/embed", json=body)'),
        ("import httpx", 'httpx.post(f"{base}/models/{model}:generateContent", json=body)'),
        ("import httpx", 'httpx.stream("POST", f"{base}/models/{model}:streamGenerateContent?alt=sse", json=body)'),
        ("import httpx", 'httpx.post(f"{host}/model/{model}/converse", json=body)'),
        ("import httpx", 'httpx.post(f"{azure}/chat/completions?api-version={version}", json=body)'),
        ("import httpx", 'httpx.post("https://api.openai.com/v1/chat/completions", json=body)'),
        ("import httpx", 'client.post("/v1/responses", json=body)'),
        ("import httpx", 'client.stream("POST", f"{base}/v1/messages", json=body)'),
        ("import requests", 'requests.request("POST", url + "/v1/embeddings")'),
        ("import requests", 'requests.post(url="http://localhost:11434/api/chat/", json=body)'),
        ("", 'session.post("http://localhost:11434/api/generate", json=body)'),
        ("", 'urllib.request.urlopen("https://x/v1/completions", data)'),
        ("", 'urlopen(Request("https://x/v1/completions", data))'),
    ],
)
def test_a_call_of_a_model_is_found(imported: str, call: str) -> None:
    wanted = 'Request("https://x/v1/completions", data)' if call.startswith("urlopen(") else call
    for source in (call, f"reply = {call}", f"def work():\n    return {call}.text"):
        assert found(*imported.split("\n"), *source.split("\n")) == [wanted], source


@pytest.mark.parametrize(
    "source",
    [
        "async def work():\n    return await {}",
        "async def work():\n    async with {} as stream:\n        pass",
        "async def work():\n    async for chunk in await {}:\n        pass",
        "with {} as stream:\n    pass",
        "with open(file) as log, {} as stream:\n    pass",
        "for chunk in {}:\n    pass",
        "replies = [{} for topic in topics]",
        "ask = lambda topic: {}",
        "print(f'{{{}}}')",
        "async def work():\n    return await asyncio.gather({}, other)",
        "try:\n    x = {}\nexcept Error:\n    pass",
        "@decorate({})\ndef work(): ...",
        "if (reply := {}):\n    pass",
        "match {}:\n    case None:\n        pass",
        "with suppress(Error): x = {}; y = 1",
    ],
)
def test_a_call_is_found_wherever_it_stands(source: str) -> None:
    call = "client.messages.stream(model=m)"
    assert found("import anthropic", *source.format(call).split("\n")) == [call]


@pytest.mark.parametrize(
    "imported",
    [
        "import anthropic",
        "    import anthropic",
        "\timport  anthropic",
        "import os, anthropic",
        "import anthropic as a",
        "import os as system, anthropic as a  # both",
        "import os; import anthropic",
        "from anthropic import Anthropic",
        "from anthropic.types import Message",
        "from anthropic import (",
        "try: pass\nexcept: pass\nfrom anthropic import *",
    ],
)
def test_an_import_counts_wherever_and_however_it_is_made(imported: str) -> None:
    assert "client.messages.create()" in found("client.messages.create()", *imported.split("\n"))


def test_several_calls_are_found_in_the_order_of_the_source() -> None:
    lines = [
        "b = client.chat.completions.parse(x); a = client.chat.completions.create(y)",
        "client.chat.completions.create(messages=client.chat.completions.stream(z))",
    ]
    assert [(site.line, site.column, site.callee) for site in find(lines)] == [
        (0, 4, "parse"), (0, 42, "create"), (1, 0, "create"), (1, 40, "stream"),
    ]  # fmt: skip


# -- what is not


@pytest.mark.parametrize(
    "source",
    [
        # Other people have these methods, too.
        "import twilio\nclient.messages.create(body=text)",
        "client.responses.create(body=text)",
        "client.embeddings.create(text)",
        "model.generate_content(text)",
        "room.chat.stream(text)",
        "import completions\ncompletion(text)",
        "import openai\nclient.messages.create(text)",
        "import anthropic_tools\nclient.messages.create(text)",
        "import tools.anthropic\nclient.messages.create(text)",
        "from . import anthropic_tools\nclient.messages.create(text)",
        "import os  # and not anthropic\nclient.messages.create(text)",
        # Nothing is called.
        "create = client.chat.completions.create",
        "client.chat.completions.create[0]",
        "# client.chat.completions.create(model=m)",
        "'client.chat.completions.create(model=m)'",
        '"""\nclient.chat.completions.create(model=m)\n"""',
        "def create(self, chat, completions): ...",
        # Something else is called.
        "client.chat.completions.list(model=m)",
        "client.chat.completions.create.cache_clear()",
        "import anthropic\nclient.messages.batches.create(model=m)",
        "import anthropic\nclient.messages.count_tokens(model=m)",
        "import litellm\ncompletion(model=m)",
        "import litellm\nother.completion(model=m)",
        "from litellm import completion as ask\ncompletion(model=m)",
        "from litellm import token_counter\ntoken_counter(model=m)",
        "from other import completion\nimport litellm\ncompletion(model=m)",
        "import completion\nimport litellm\ncompletion(model=m)",
        "requests.get('https://api.openai.com/v1/chat/completions')",
        "requests.post('https://example.org/messages/inbox')",
        "requests.post(url, json={'path': '/v1/messages'})",
        "requests.post('https://example.org/direct-messages')",
        "requests.post('https://example.org/conversed')",
        "room.chat(message)",
        "room.converse(message)",
        "",
    ],
)
def test_what_only_looks_like_a_call_of_a_model_is_none(source: str) -> None:
    assert found(*source.split("\n")) == []


# -- where it is


def test_a_call_has_an_extent_a_head_and_a_name() -> None:
    call = one("x = 1", "reply = client.chat.completions.create(model=m)  # ask")
    assert call == CallSite(1, 8, 1, 47, head_line=1, head_column=38, callee="create", function="<module>")


def test_the_head_of_a_call_over_several_lines_is_where_its_arguments_begin() -> None:
    lines = [
        "def work():",
        "    return (",
        "        client",
        "        # with tools",
        "        .chat.completions",
        "        .create(",
        "            model=m,",
        "        )",
        "        .choices[0]",
        "    )",
    ]
    assert one(*lines) == CallSite(2, 8, 7, 9, head_line=5, head_column=15, callee="create", function="work")


def test_columns_count_code_points() -> None:
    # One, two, three and four bytes in UTF-8; two units in UTF-16; two code points that look like one character.
    before = "a = 'aé€😀e\N{COMBINING ACUTE ACCENT}'; "
    call = "client.chat.completions.create('😀')"
    site = one(f"{before}{call}; b = '€'")
    assert (site.column, site.end_column) == (len(before), len(before) + len(call))


def test_half_a_surrogate_pair_moves_nothing() -> None:
    before = "a = '\ud83d'; "
    site = one("# \ude00", f"{before}client.chat.completions.create('\ud83d')")
    assert (site.line, site.column, site.end_column) == (1, len(before), len(before) + 35)


@pytest.mark.parametrize("character", "\f\v\x1c\x85\u2028\x00")
def test_only_line_ends_part_lines(character: str) -> None:
    site = one(f"# a{character}b", f"'{character}', client.chat.completions.create(m)")
    assert (site.line, site.column) == (1, 5)


@pytest.mark.parametrize(
    ("source", "function"),
    [
        ("{}", "<module>"),
        ("if x:\n    {}", "<module>"),
        ("def work():\n    {}", "work"),
        ("async def work():\n    {}", "work"),
        ("def work():\n    def inner():\n        {}", "work.<locals>.inner"),
        ("class Agent:\n    {}", "Agent"),
        ("class Agent:\n    def work(self):\n        {}", "Agent.work"),
        ("class Agent:\n    class Tool:\n        async def work(self):\n            {}", "Agent.Tool.work"),
        ("class Agent:\n    def work(self):\n        def inner():\n            {}", "Agent.work.<locals>.inner"),
        ("def make():\n    class Agent:\n        def work(self):\n            {}", "make.<locals>.Agent.work"),
        ("@decorated\ndef work():\n    with x:\n        for y in z:\n            {}", "work"),
        ("@decorate({})\ndef work():\n    pass", "<module>"),
        ("def work[T](a: T) -> T:\n    {}", "work"),
        ("class Agent(Base, metaclass=Meta):\n    @property\n    def work(self): return {}", "Agent.work"),
    ],
)
def test_a_call_is_in_the_function_that_python_would_name(source: str, function: str) -> None:
    lines = source.format("client.chat.completions.create(m)").split("\n")
    assert one(*lines).function == function


# -- sources that somebody is typing

CALL = "client.chat.completions.create(model=m)"


@pytest.mark.parametrize(
    "source",
    [
        f"def work(:\n    x = {CALL}\n",
        f"x =\n{CALL}",
        f"def work():\n    {CALL}\n    if\n",
        f"class\n\ndef work():\n    return {CALL}\n",
        f"    x = {CALL}\ny = 2",
        f"{CALL}\nprint 'two'",
        f"x = [\n{CALL}",
        f"<<<<<<< ours\nx = {CALL}\n=======\nx = 1\n>>>>>>> theirs",
    ],
)
def test_a_call_is_found_in_a_source_that_does_not_parse(source: str) -> None:
    assert found(*source.split("\n")) == [CALL]


@pytest.mark.parametrize("word", [*kwlist, "1", "1a", "_", "²", "é"])
def test_an_import_that_is_being_typed_is_no_fault(word: str) -> None:
    # `as in` on the way to `as index`.
    assert found("import litellm", CALL, f"from litellm import completion as {word}") == [CALL]


OLD = ["def work():", "    x = 1", f"    reply = {CALL}", "    return reply", ""]


def kept(*lines: str, old: Sequence[str] = OLD) -> list[tuple[int, str]]:
    """The line and the text of each call that is there while somebody types."""
    return [
        (site.line, _text(lines, site)) for site in still_there(find(lines), lines, find(old), line_map(old, lines))
    ]


def test_a_call_that_is_being_typed_in_stays_where_it_is() -> None:
    assert kept(
        "def work():", "    x = 1", "    reply = client.chat.completions.create(model=", "    return reply"
    ) == [(2, "client.chat.completions.create(model=")]


def test_what_is_being_typed_into_a_call_belongs_to_it() -> None:
    typed = "client.chat.completions.create(model=m, messages=[{'role': 'user', 'content': "
    assert kept("def work():", "    x = 1", f"    reply = {typed}  ", "    return reply") == [(2, typed.rstrip())]


def test_a_call_that_is_hidden_moves_with_its_line() -> None:
    lines = [
        "import openai",
        "",
        "def work():",
        "    x = (",
        "    reply = client.chat.completions.create(",
        "    return",
    ]
    assert [line for line, _ in kept(*lines)] == [4]


def test_a_call_over_several_lines_keeps_its_lines() -> None:
    old = ["reply = client.chat.completions.create(", "    model=m,", "    messages=n,", ")"]
    lines = ["", *old[:3], "", "def other():", "    pass"]
    assert kept(*lines, old=old) == [(1, "\n".join([*old[:3], ""])[8:])]


def test_calls_that_are_still_seen_are_not_there_twice() -> None:
    lines = [*OLD[:4], "    y = client.chat.completions.create("]
    old = [*OLD[:4], f"    y = {CALL}"]
    assert [line for line, _ in kept(*lines, old=old)] == [2, 4]


def test_a_call_whose_line_is_gone_is_gone() -> None:
    assert kept("def work():", "    x = (", "    return reply", "") == []
    assert kept("def work():", "    x = (", "    reply = ask(model=", "    return reply", "") == []


def test_a_call_is_gone_as_soon_as_the_source_parses_without_it() -> None:
    assert kept("def work():", "    x = 1", "    # reply = client.chat.completions.create(", "    return reply") == []


def test_a_call_whose_beginning_is_gone_is_not_there_before_the_text() -> None:
    old = ["(client", "    .chat", "    .completions.create(model=m))"]
    assert find(old)[0].line == 0
    assert kept(*old[2:], old=old) == []
