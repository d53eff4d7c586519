"""What is recorded of a program's calls, with the real SDKs against the model server."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from model_server import ModelServer

from tests.daemons import LONG_S, ask, until
from tests.runner.recorded import Programs, column, edges, graph

OPENAI = """
    import asyncio
    import openai

    client = openai.OpenAI()


    def ask(text, **more):
        return client.chat.completions.create(
            model="gpt-5.4", messages=[{"role": "user", "content": text}], **more
        )


    first = ask("one").choices[0].message.content
    streamed = "".join(c.choices[0].delta.content or "" for c in ask("two: " + first, stream=True) if c.choices)
    third = client.responses.create(model="gpt-5.4", input="three: " + streamed).output_text


    async def main():
        async with openai.AsyncOpenAI() as client:
            create = client.chat.completions.create
            pair = await asyncio.gather(
                create(model="gpt-5.4-mini", messages=[{"role": "user", "content": "four: " + third}]),
                create(model="gpt-5.4-mini", messages=[{"role": "user", "content": "five"}]),
            )
            stream = await create(
                model="gpt-5.4",
                stream=True,
                messages=[{"role": "user", "content": "six: " + pair[1].choices[0].message.content}],
            )
            return "".join([c.choices[0].delta.content or "" async for c in stream if c.choices])


    last = asyncio.run(main())
    print(len(last) > 0, len(client.embeddings.create(model="e", input="seven: " + last).data))
"""

ANTHROPIC = """
    import asyncio
    import anthropic

    client = anthropic.Anthropic()


    def turn(text):
        return [{"role": "user", "content": text}]


    first = client.messages.create(model="claude-x", max_tokens=99, messages=turn("one")).content[0].text
    with client.messages.stream(model="claude-x", max_tokens=99, messages=turn("two: " + first)) as stream:
        second = "".join(stream.text_stream)
        final = stream.get_final_message()


    async def main():
        async with anthropic.AsyncAnthropic() as client:
            third = await client.messages.create(model="claude-y", max_tokens=99, messages=turn("three: " + second))
            async with client.messages.stream(
                model="claude-y", max_tokens=99, messages=turn("four: " + final.content[0].text)
            ) as stream:
                return third.content[0].text + "".join([text async for text in stream.text_stream])


    print(len(asyncio.run(main())) > 0)
"""


def test_every_call_of_the_openai_sdk_is_a_node(programs: Programs, model_server: ModelServer) -> None:
    out, err = programs.record(OPENAI, env=model_server.env)
    assert (out, err) == ("True 1\n", "")
    found = graph()
    assert column(found, "kind") == ["llm"] * 6 + ["embedding"]
    assert column(found, "model") == ["gpt-5.4"] * 3 + ["gpt-5.4-mini"] * 2 + ["gpt-5.4", "e"]
    assert column(found, "streamed") == [False, True, False, False, False, True, False]
    assert column(found, "status") == ["ok"] * 7
    # A stream tells its tokens only when it is asked to.
    assert [bool(tokens) for tokens in column(found, "input_tokens")] == [True, False, True, True, True, False, True]
    assert [bool(tokens) for tokens in column(found, "output_tokens")[:5]] == [True, False, True, True, True]
    assert edges(found) == {(1, 2), (2, 3), (3, 4), (5, 6), (6, 7)}


def test_a_call_is_at_the_users_own_line(programs: Programs, model_server: ModelServer) -> None:
    programs.record(OPENAI, env=model_server.env)
    found = graph()
    file = str(programs.folder / "program.py")
    lines = (programs.folder / "program.py").read_text().splitlines()
    assert set(column(found, "file")) == {file}
    assert column(found, "function")[:2] == ["ask", "ask"]
    for node, called in zip(
        found["nodes"],
        ["completions.create(", "completions.create(", "responses.create(", "create(", "create(", "await create("],
        strict=False,
    ):
        assert called in lines[node["line"] - 1], node
    call = ask("ao.call", run="last", call="1")
    assert [place["function"] for place in call["stack"]] == ["ask", "<module>"]
    assert call["site"]["column"] == len("    return ")


def test_every_call_of_the_anthropic_sdk_is_a_node(programs: Programs, model_server: ModelServer) -> None:
    out, err = programs.record(ANTHROPIC, env=model_server.env)
    assert (out, err) == ("True\n", "")
    found = graph()
    assert column(found, "provider") == ["anthropic-compatible"] * 4
    assert column(found, "model") == ["claude-x", "claude-x", "claude-y", "claude-y"]
    assert column(found, "streamed") == [False, True, False, True]
    assert all(tokens > 0 for tokens in column(found, "input_tokens") + column(found, "output_tokens"))
    assert edges(found) == {(1, 2), (2, 3), (2, 4)}


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
def test_calls_over_the_plain_library_are_recorded_like_those_of_an_sdk(
    library: str, programs: Programs, model_server: ModelServer
) -> None:
    programs.record(
        f"""
        import asyncio, json, os
        import {library} as http

        url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"


        def body(text, **more):
            return {{"model": "m", "messages": [{{"role": "user", "content": text}}], **more}}


        first = http.post(url, json=body("one")).json()["choices"][0]["message"]["content"]
        with http.Client() as client, client.stream("POST", url, json=body("two " + first, stream=True)) as response:
            lines = [line for line in response.iter_lines() if line.startswith("data: {{")]
        second = "".join(json.loads(line[6:])["choices"][0]["delta"].get("content") or "" for line in lines)


        async def main():
            async with http.AsyncClient() as client:
                return (await client.post(url, json=body("three " + second))).json()


        asyncio.run(main())
        http.get(os.environ["OPENAI_BASE_URL"] + "/models")
        """,
        env=model_server.env,
    )
    found = graph()
    assert edges(found) == {(1, 2), (2, 3)}
    assert len(found["nodes"]) == 3


def test_a_failed_call_is_a_node_and_so_is_each_attempt(programs: Programs, model_server: ModelServer) -> None:
    programs.record(
        """
        import openai
        client = openai.OpenAI(max_retries=1)
        for model in ("fail-400", "rate-limit-then-ok", "fail-drop"):
            try:
                client.chat.completions.create(model=model, messages=[{"role": "user", "content": "x"}])
            except openai.OpenAIError as error:
                print(type(error).__name__)
        """,
        env=model_server.env,
    )
    found = graph()
    assert column(found, "model") == ["fail-400"] + ["rate-limit-then-ok"] * 2 + ["fail-drop"] * 2
    assert column(found, "status") == ["error", "error", "ok", "error", "error"]
    assert edges(found) == set()


def test_a_stream_that_is_not_read_to_its_end_is_recorded_as_far_as_it_was(
    programs: Programs, model_server: ModelServer
) -> None:
    programs.record(
        """
        import openai
        client = openai.OpenAI(max_retries=0)
        with client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "a long story"}], stream=True
        ) as stream:
            next(iter(stream))
        try:
            for chunk in client.chat.completions.create(
                model="fail-cut", messages=[{"role": "user", "content": "x"}], stream=True
            ):
                pass
        except Exception as error:
            print(type(error).__name__)
        """,
        env=model_server.env,
    )
    assert column(graph(), "status") == ["ok", "error"]
    assert ask("ao.call", run="last", call="1")["complete"] is False


@pytest.fixture
def slow_stream() -> Iterator[tuple[str, threading.Event]]:
    """A server that sends the second half of a stream only when it is told to."""
    go = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:  # the base class's name
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for text in ("first", "second"):
                data = b'data: {"id":"i","object":"chat.completion.chunk","created":1,"model":"m",'
                data += b'"choices":[{"index":0,"delta":{"content":"%s"}}]}\n\n' % text.encode()
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
                self.wfile.flush()
                go.wait(LONG_S)
            self.wfile.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")

        def log_message(self, *_: object) -> None:
            """Not to the tests' output."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1", go
    go.set()
    server.shutdown()
    server.server_close()


def test_the_program_gets_each_piece_of_a_stream_when_it_arrives(
    programs: Programs, slow_stream: tuple[str, threading.Event]
) -> None:
    url, go = slow_stream
    file = programs.write(
        """
        import openai
        for chunk in openai.OpenAI().chat.completions.create(
            model="m", messages=[{"role": "user", "content": "x"}], stream=True
        ):
            print(chunk.choices[0].delta.content, flush=True)
        """
    )
    process = programs.start(file.name, env={"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "k"})
    assert process.stdout is not None
    assert process.stdout.readline() == b"first\n"
    go.set()
    assert process.communicate(timeout=LONG_S) == (b"second\n", b"")


def test_no_secret_reaches_the_disk(programs: Programs, model_server: ModelServer, home: str) -> None:
    secret = "sk-secret-0123456789"
    programs.record(
        """
        import os, httpx, openai
        secret = os.environ["OPENAI_API_KEY"]
        client = openai.OpenAI(default_headers={"x-api-key": secret, "cookie": "a=" + secret})
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hello"}])
        httpx.post(
            str(client.base_url) + "chat/completions?key=" + secret,
            json={"model": "m", "messages": [{"role": "user", "content": "x"}]},
        )
        """,
        env={**model_server.env, "OPENAI_API_KEY": secret, "OTHER_TOKEN": secret},
    )
    assert len(graph()["nodes"]) == 2
    for folder, _, names in os.walk(home):
        for name in names:
            path = Path(folder, name)
            if path.is_file():
                assert secret.encode() not in path.read_bytes(), path


def test_calls_in_threads_and_forked_children_belong_to_the_run(programs: Programs, model_server: ModelServer) -> None:
    out, err = programs.record(
        """
        import multiprocessing, openai
        from concurrent.futures import ThreadPoolExecutor

        def ask(text):
            with openai.OpenAI() as client:
                create = client.chat.completions.create
                return create(model="m", messages=[{"role": "user", "content": text}]).choices[0].message.content

        if __name__ == "__main__":
            with ThreadPoolExecutor(2) as pool:
                answers = list(pool.map(ask, ["one", "two"]))
            ask(" and ".join(answers))
            with multiprocessing.get_context("fork").Pool(1) as pool:
                print(len(pool.map(ask, ["four"])))
        """,
        env=model_server.env,
    )
    assert (out, err) == ("1\n", "")
    found = graph()
    assert len(found["nodes"]) == 4
    assert edges(found) == {(1, 3), (2, 3)}
    assert column(found, "thread")[:2] != ["MainThread", "MainThread"]


def test_an_edge_knows_the_lines_that_its_value_went_through(programs: Programs, model_server: ModelServer) -> None:
    programs.record(
        """
        import openai
        client = openai.OpenAI()
        def ask(text):
            return client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": text}]
            ).choices[0].message.content
        words = ask("one").split()
        kept = {"first": words[0]}
        prompt = "Explain " + kept["first"]
        ask(prompt)
        """,
        env=model_server.env,
    )
    (edge,) = graph()["edges"]
    assert edge["source"] != edge["target"]
    assert {step["file"] for step in edge["path"]} == {str(programs.folder / "program.py")}
    assert [step["line"] for step in edge["path"]] == [5, 8, 10, 5]


CHECKPOINT = """
    import os, openai
    client = openai.OpenAI()
    def ask(text):
        return client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": text}]
        ).choices[0].message.content
    if not os.path.exists("plan.txt"):
        with open("plan.txt", "w") as file:
            file.write("The plan:\\n" + ask("a plan"))
    with open("plan.txt") as file:
        ask(file.readlines()[-1])
    """


def test_a_file_knows_its_calls_in_a_later_run_of_the_session(programs: Programs, model_server: ModelServer) -> None:
    programs.record(CHECKPOINT, "--name", "first", env=model_server.env)
    first = graph("first")
    plan = first["nodes"][0]["id"]
    assert edges(first) == {(1, 2)}
    programs.rerun(first["run"]["id"], "--from", "2", env=model_server.env)
    (call,) = graph("last")["nodes"]
    (edge,) = graph()["outside"]
    assert (edge["source"], edge["run"], edge["number"]) == (plan, first["run"]["id"], 1)
    assert [step["line"] for step in edge["path"]] == [12, 5]
    assert ask("ao.call", run="last", call="1")["outside"] == [edge]
    assert ask("ao.why", run="last", call="1")["outside"] == [edge]
    # A piece that is no longer there says nothing.
    (programs.folder / "plan.txt").write_text("something else\n")
    programs.rerun(first["run"]["id"], "--from", "2", env=model_server.env)
    assert graph("last")["nodes"][0]["id"] != call["id"]
    assert graph()["outside"] == []


def test_a_user_can_switch_tracking_off(programs: Programs, model_server: ModelServer) -> None:
    programs.record(OPENAI, "--no-taint", "--name", "untracked", env=model_server.env)
    found = ask("ao.graph", run="untracked", evidence="tracked")
    assert len(found["nodes"]) == 7
    assert edges(found) == set()
    assert column(found, "function")[:2] == ["ask", "ask"]


def test_the_outcome_can_be_written_to_a_file(programs: Programs, tmp_path: Path) -> None:
    programs.record("import sys\nsys.exit(3)", "--json", "outcome.json", code=3)
    outcome = (tmp_path / "outcome.json").read_text()
    assert '"exit_code":3' in outcome
    run = graph()["run"]
    assert run["id"] in outcome
    assert (run["status"], run["exit_code"]) == ("failed", 3)


def test_a_crash_is_recorded_with_the_users_line(programs: Programs) -> None:
    programs.record("def f():\n    import json\n    json.loads('{')\nf()", code=1)
    error = ask("ao.runs", limit=1)["runs"][0]["error"]
    assert (error["type"], error["line"]) == ("JSONDecodeError", 3)
    assert error["file"] == str(programs.folder / "program.py")


def test_an_edge_is_there_as_soon_as_the_call_has_begun(
    programs: Programs, slow_stream: tuple[str, threading.Event]
) -> None:
    url, go = slow_stream
    file = programs.write(
        """
        import openai
        def ask(text):
            return openai.OpenAI().chat.completions.create(
                model="m", messages=[{"role": "user", "content": text}], stream=True
            )
        first = ask("x")
        second = ask(next(iter(first)).choices[0].delta.content)
        input()
        """
    )
    process = programs.start(file.name, env={"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "k"}, stdin=subprocess.PIPE)
    until(lambda: ask("ao.runs")["runs"] and len(graph()["nodes"]) == 2, "the calls are not shown")
    found = graph()
    assert column(found, "status") == ["running", "running"]
    assert edges(found) == {(1, 2)}
    go.set()
    process.communicate(b"\n", timeout=LONG_S)
    assert graph()["run"]["status"] == "finished"
