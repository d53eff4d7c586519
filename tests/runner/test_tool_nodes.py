"""Functions that a program makes nodes with `@ao_lsp.tool`."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

import pytest
from model_server import ModelServer

from tests.daemons import LONG_S, ask
from tests.runner.recorded import AO, RECORD, Programs, column, edges, graph
from tests.runner.test_subruns import HEAD


def kinds(found: dict[str, object]) -> list[tuple[str, str]]:
    return list(zip(column(found, "kind"), column(found, "model"), strict=True))


def edit(call: int, content: str) -> subprocess.CompletedProcess[str]:
    arguments = [AO, "edit", "first", str(call), "--output", "-"]
    return subprocess.run(arguments, input=content, capture_output=True, text=True, timeout=LONG_S)


FLOW = HEAD + dedent("""
    calls = []


    @ao_lsp.tool
    def shorten(text, *, words=3):
        calls.append("shorten")
        return {"parts": text.split()[:words], "from": "a table that stands here"}


    @ao_lsp.tool(name="later", replay=True)
    async def later(text, /, *more, **named):
        calls.append("later")
        await asyncio.sleep(0)
        return text.upper()


    first = ask("one")
    found = shorten(first, words=2)
    ask("two " + found["parts"][0])
    ask("three " + found["from"] + first)
    loud = asyncio.run(later("constant", 1, x=2))
    ask("four " + loud)
    print(calls, sorted(found), loud)
""")


def test_arrows_go_through_a_tool_and_past_it_only_where_the_text_did(
    programs: Programs, model_server: ModelServer
) -> None:
    programs.record(FLOW, env=model_server.env)
    found = graph()
    assert kinds(found) == [
        ("llm", "m"), ("tool", "shorten"), ("llm", "m"), ("llm", "m"), ("tool", "later"), ("llm", "m"),
    ]  # fmt: skip
    # 1 → 3 went through the tool alone; to 4 the text went itself, too.
    assert edges(found) == {(1, 2), (2, 3), (1, 4), (2, 4), (5, 6)}
    call = ask("ao.call", run="last", call=2)
    assert call["request"]["body"]["words"] == 2
    assert call["response"]["body"]["from"] == "a table that stands here"
    assert ask("ao.call", run="last", call=5)["request"]["body"] == {"text": "constant", "more": [1], "named": {"x": 2}}
    (line,) = [number for number, text in enumerate(FLOW.splitlines(), 1) if text.startswith("found =")]
    assert found["nodes"][1]["line"] == line


def test_a_rerun_runs_tools_again_but_for_those_that_may_be_replayed(
    programs: Programs, model_server: ModelServer
) -> None:
    programs.record(FLOW, "--name", "first", env=model_server.env)
    asked = len(model_server.requests)
    assert programs.rerun("first", env=model_server.env).startswith("['shorten'] ")
    assert len(model_server.requests) == asked
    found = graph()
    assert column(found, "origin") == ["replayed", "live", "replayed", "replayed", "replayed", "replayed"]
    assert edges(found) == edges(graph("first"))
    counts = ask("ao.plan", run="first", dry_run=True)["counts"]
    assert (counts["live"], counts["replayed"], counts["run"]) == (0, 5, 1)
    # What depends on the call from which is rerun is run.
    counts = ask("ao.plan", run="first", dry_run=True, **{"from": 5})["counts"]
    assert (counts["live"], counts["run"]) == (1, 2)


def test_an_edited_result_is_served_in_place_of_running_the_function(
    programs: Programs, model_server: ModelServer
) -> None:
    programs.record(FLOW, "--name", "first", env=model_server.env)
    refused = edit(2, "no JSON")
    assert refused.returncode == 1
    assert "JSON" in refused.stderr
    assert edit(2, '{"parts": ["edited"], "from": "elsewhere"}').returncode == 0
    assert edit(5, "any text").returncode == 0
    assert programs.rerun("first", env=model_server.env) == "[] ['from', 'parts'] any text\n"
    found = graph()
    assert column(found, "origin") == ["replayed", "edited", "live", "live", "edited", "live"]
    assert edges(found) == edges(graph("first"))
    sent = [request["request"]["messages"][0]["content"] for request in model_server.requests[-3:]]
    assert (sent[0], sent[2]) == ("two edited", "four any text")


ODD = HEAD + dedent("""
    class Thing:
        def __init__(self, text):
            self.text = text

        @ao_lsp.tool
        def method(self, text):
            return Thing(text + "!")

        @staticmethod
        @ao_lsp.tool
        def static(text):
            return (text, 1)

        @ao_lsp.tool
        @classmethod
        def make(cls, text):
            return cls(text)


    @ao_lsp.tool
    def fails(text):
        raise LookupError("no " + text)


    @ao_lsp.tool
    async def hangs(text):
        await asyncio.sleep(3600)


    @ao_lsp.tool(replay=True)
    def inner(text):
        return "said: " + ask("inner " + text)


    first = ask("one")
    thing = Thing.make(first).method("x")
    ask("two " + thing.text)
    pair = Thing.static(first)
    ask("three " + pair[0])
    try:
        fails("way")
    except LookupError as error:
        print(error)

    async def main():
        task = asyncio.create_task(hangs("h"))
        await asyncio.sleep(0)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            print("cancelled")

    asyncio.run(main())
    said = inner("?")
    ask("four " + said)
    with ThreadPoolExecutor(2) as pool:
        got = list(pool.map(Thing.static, [first, "b"]))
    ask("five " + got[0][0])
""")


def test_methods_objects_errors_and_calls_inside_are_nodes_as_any(
    programs: Programs, model_server: ModelServer
) -> None:
    out, err = programs.record(ODD, "--name", "first", env=model_server.env)
    assert (out, err) == ("no way\ncancelled\n", "")
    found = graph()
    assert kinds(found) == [
        ("llm", "m"), ("tool", "make"), ("tool", "method"), ("llm", "m"), ("tool", "static"), ("llm", "m"),
        ("tool", "fails"), ("tool", "hangs"), ("tool", "inner"), ("llm", "m"), ("llm", "m"),
        ("tool", "static"), ("tool", "static"), ("llm", "m"),
    ]  # fmt: skip
    assert column(found, "status") == ["ok"] * 6 + ["error", "cancelled"] + ["ok"] * 6
    wanted = {(1, 2), (3, 4), (1, 5), (5, 6), (10, 9), (9, 11)}
    assert wanted <= edges(found)
    assert (1, 4) not in edges(found)
    assert (10, 11) not in edges(found)
    calls = {n: ask("ao.call", run="last", call=n) for n in (2, 3, 5, 7)}
    assert calls[3]["request"]["body"] == {"text": "x"}
    assert calls[3]["response"]["body"] == "<__main__.Thing object>"
    assert calls[5]["response"]["body"].startswith("('")
    assert calls[7]["error"] == {"type": "LookupError", "message": "no way", "file": None, "line": None}
    # What is no JSON cannot be put together from a text.
    assert "no JSON" in edit(3, '"x"').stderr
    before = len(model_server.requests)
    programs.rerun("first", env=model_server.env)
    again = graph()
    assert len(model_server.requests) == before
    # A replayed function makes no calls inside.
    assert column(again, "origin").count("replayed") == 6
    assert len(again["nodes"]) == len(found["nodes"]) - 1


LIKE = """
import asyncio, inspect, pickle, sys, traceback
import ao_lsp

@ao_lsp.tool
def plain(x: int, y: "str" = "a", *more, key=None) -> str:
    "What it does."
    return f"{x}{y}{inspect.currentframe().f_back.f_code.co_name} {len(inspect.stack())}"

@ao_lsp.tool(name="other")
async def later(x: int) -> int:
    if x < 0:
        raise ValueError(x)
    await asyncio.sleep(0)
    return [frame.f_code.co_name for frame in asyncio.current_task().get_stack()], len(inspect.stack())

@ao_lsp.tool
def fails(x):
    raise KeyError(x)

plain.extra = 1
for function in (plain, later, fails):
    print(function.__name__, function.__qualname__, function.__module__, function.__doc__, function.__annotations__)
    print(inspect.signature(function), inspect.iscoroutinefunction(function), inspect.isfunction(function))
    print(inspect.getsource(function), function.__defaults__, function.__kwdefaults__)
    print(pickle.loads(pickle.dumps(function)) is function)
print(plain(1), plain(1, "b", 3, key=4), plain.extra)
for call in (lambda: plain(), lambda: fails(1), lambda: plain(1, z=2), lambda: asyncio.run(later(-1))):
    try:
        call()
    except Exception:
        traceback.print_exc()

async def main():
    waiting = later(1)
    print(inspect.iscoroutine(waiting), inspect.isawaitable(waiting), waiting.__name__, waiting.cr_running)
    print(await waiting, await asyncio.create_task(later(2)), await asyncio.gather(later(3), later(4)))
    task = asyncio.ensure_future(later(5))
    print(task.get_coro().__qualname__)
    await asyncio.wait_for(task, 10)
    later(6).close()

asyncio.run(main())
print(plain(2))
fails("at the end")
"""


def test_a_decorated_function_is_what_it_was_for_all_that_a_program_can_see(programs: Programs) -> None:
    file = programs.write(LIKE, "like.py")
    plain, recorded = (
        subprocess.run([*how, file.name], cwd=programs.folder, capture_output=True, text=True, timeout=2 * LONG_S)
        for how in ([sys.executable], [RECORD, "--python", sys.executable])
    )
    assert recorded.stdout == plain.stdout
    assert recorded.stderr == plain.stderr
    assert recorded.returncode == plain.returncode == 1


def test_what_yields_or_is_no_function_is_left_alone_and_the_run_says_so(programs: Programs) -> None:
    out, _ = programs.record(
        """
        import ao_lsp, functools

        def numbers():
            yield 1

        class Thing: pass

        print(ao_lsp.tool(numbers) is numbers, ao_lsp.tool(Thing) is Thing, ao_lsp.tool(len) is len)
        """
    )
    assert out == "True True True\n"
    assert "no plain or async function" in ask("ao.graph", run="last", format="text")["text"]


@pytest.mark.parametrize("what", ["cloudpickle", "dill"])
def test_a_decorated_function_can_be_sent_by_its_code(what: str, programs: Programs) -> None:
    out, _ = programs.record(
        f"""
        import {what}, shlex, subprocess, sys
        import ao_lsp

        @ao_lsp.tool
        def double(x):
            return 2 * x

        sent = {what}.dumps(double)
        there = "import sys, {what}; print({what}.loads(sys.stdin.buffer.read())(21), 'ao_lsp.runner' in sys.modules)"
        # By a shell: other children that run Python are recorded themselves.
        started = shlex.join([sys.executable, "-c", there])
        print(subprocess.run(started, shell=True, input=sent, capture_output=True).stdout.decode())
        """
    )
    assert out.split() == ["42", "False"]


LIBRARY = """
import json, os, urllib.request

def post(messages):
    body = json.dumps({"model": "m", "messages": messages}).encode()
    url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    with urllib.request.urlopen(request) as response:
        return json.load(response)["choices"][0]["message"]["content"]

def agent(prompt, tool):
    reply = post([{"role": "user", "content": prompt}])
    said = tool(reply[:60], limit=3)
    return post([{"role": "user", "content": prompt}, {"role": "user", "content": "tool: " + said["text"]}])
"""


def test_a_tool_that_a_library_calls_has_what_the_reply_said_and_leads_to_its_next_call(
    programs: Programs, model_server: ModelServer
) -> None:
    installed = programs.folder / "site-packages"
    installed.mkdir()
    (installed / "library.py").write_text(LIBRARY)
    programs.record(
        """
        import library, ao_lsp

        @ao_lsp.tool
        def search(query, limit):
            return {"text": "a constant result"}

        with ao_lsp.launch("agent"):
            answer = library.agent("hello", search)
        library.post([{"role": "user", "content": "judge: " + answer}])
        """,
        env={**model_server.env, "PYTHONPATH": str(installed)},
    )
    found = graph()
    assert column(found, "kind") == ["llm", "tool", "llm", "llm"]
    assert column(found, "subrun") == ["agent", "agent", "agent", None]
    assert {(1, 2), (2, 3), (3, 4)} <= edges(found)
    assert (2, 4) not in edges(found)
