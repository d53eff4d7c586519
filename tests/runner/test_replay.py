"""Reruns: what is served from the recording, what is edited, and what goes to the model again."""

from __future__ import annotations

import subprocess

import pytest
from model_server import ModelServer

from tests.daemons import LONG_S, ask
from tests.runner.recorded import AO, Programs, column, edges, graph
from tests.runner.test_recording import ANTHROPIC, OPENAI

AGENT = """
    import asyncio
    import openai

    client = openai.OpenAI()


    def ask(text, **more):
        create = client.chat.completions.create
        return create(model="m", messages=[{"role": "user", "content": text}], **more).choices[0].message.content


    plan = ask("plan")
    aside = ask("an aside, independent of the plan")
    steps = [ask(f"step {number} of: {plan}") for number in (1, 2)]
    stream = client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "sum up: " + " ".join(steps)}], stream=True
    )
    print("".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices))
    print(aside)
"""


@pytest.mark.parametrize("source", [OPENAI, ANTHROPIC, AGENT], ids=["openai", "anthropic", "agent"])
def test_an_unchanged_rerun_asks_no_model_and_behaves_the_same(
    source: str, programs: Programs, model_server: ModelServer
) -> None:
    out, _ = programs.record(source, "--name", "first", env=model_server.env)
    before, asked = graph("first"), len(model_server.requests)
    assert programs.rerun("first", env=model_server.env) == out
    after = graph()
    assert len(model_server.requests) == asked
    assert set(column(after, "origin")) == {"replayed"}
    assert column(after, "streamed") == column(before, "streamed")
    assert edges(after) == edges(before)
    assert after["run"]["parent_run"] == before["run"]["id"]


def test_who_asks_makes_no_other_call_of_anthropics_messages(programs: Programs, model_server: ModelServer) -> None:
    source = """
        import json
        import os
        import urllib.request

        asked = {"model": "m", "max_tokens": 50, "messages": [{"role": "user", "content": "plan"}]}
        body = json.dumps({**asked, "metadata": {"user_id": f"session {os.getpid()}"}}).encode()
        with urllib.request.urlopen(os.environ["ANTHROPIC_BASE_URL"] + "/v1/messages", body) as answer:
            print(answer.read())
    """
    out, _ = programs.record(source, env=model_server.env)
    asked = len(model_server.requests)
    assert programs.rerun("last", env=model_server.env) == out
    assert len(model_server.requests) == asked


def test_a_rerun_needs_no_model_server_at_all(programs: Programs) -> None:
    with ModelServer() as server:
        out, _ = programs.record(AGENT, env=server.env)
        env = server.env
    assert programs.rerun("last", env=env) == out


def edit(run: str, call: int, field: str, content: str) -> None:
    subprocess.run([AO, "edit", run, str(call), f"--{field}", "-"], input=content.encode(), check=True, timeout=LONG_S)


def test_an_edited_output_reaches_what_depends_on_it_and_nothing_else(
    programs: Programs, model_server: ModelServer
) -> None:
    programs.record(AGENT, "--name", "first", env=model_server.env)
    edit("first", 1, "output", "go to the harbour")
    asked = len(model_server.requests)
    programs.rerun("first", "--from", "1", env=model_server.env)
    found = graph()
    assert column(found, "origin") == ["edited", "replayed", "live", "live", "live"]
    sent = [request["request"]["messages"][0]["content"] for request in model_server.requests[asked:]]
    assert sent[0] == "step 1 of: go to the harbour"
    assert len(sent) == 3
    # What was recorded first is as it was.
    assert ask("ao.call", run=found["run"]["parent_run"], call="1")["output"]["text"] != "go to the harbour"


def test_a_call_that_an_edit_leaves_unchanged_replays_without_being_asked_to(
    programs: Programs, model_server: ModelServer
) -> None:
    programs.record(AGENT, "--name", "first", env=model_server.env)
    edit("first", 3, "output", "the first step, edited")
    programs.rerun("first", env=model_server.env)
    assert column(graph(), "origin") == ["replayed", "replayed", "edited", "replayed", "live"]


def test_the_text_of_a_stream_can_be_edited(programs: Programs, model_server: ModelServer) -> None:
    programs.record(AGENT, "--name", "first", env=model_server.env)
    edit("first", 5, "output", "It all went well.")
    assert programs.rerun("first", env=model_server.env).startswith("It all went well.\n")


def test_an_edited_input_is_sent_in_place_of_what_the_program_sends(
    programs: Programs, model_server: ModelServer
) -> None:
    programs.record(AGENT, "--name", "first", env=model_server.env)
    edit("first", 1, "input", '{"model": "other", "messages": [{"role": "user", "content": "plan a holiday"}]}')
    asked = len(model_server.requests)
    programs.rerun("first", "--from", "1", env=model_server.env)
    assert model_server.requests[asked]["request"]["model"] == "other"
    found = graph()
    assert column(found, "origin") == ["live", "replayed", "live", "live", "live"]
    assert ask("ao.call", run="last", call="1")["input_edited"] is True


def test_equal_calls_stay_as_many_as_they_were_each_with_its_own_answer(programs: Programs) -> None:
    # A server that answers the same question differently each time.
    source = """
        import json, os, threading
        from http.server import BaseHTTPRequestHandler, HTTPServer
        import httpx

        count = 0

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                global count
                count += 1
                self.rfile.read(int(self.headers["content-length"]))
                body = json.dumps({"choices": [{"message": {"content": f"answer {count}"}}]}).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *a):
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/v1/chat/completions"
        for _ in range(3):
            answer = httpx.post(url, json={"model": "m", "messages": [{"role": "user", "content": "x"}]}).json()
            print(answer["choices"][0]["message"]["content"])
        print(count)
    """
    assert programs.record(source)[0] == "answer 1\nanswer 2\nanswer 3\n3\n"
    assert programs.rerun("last") == "answer 1\nanswer 2\nanswer 3\n0\n"


def test_a_call_without_a_recording_is_refused_when_the_user_wants_it_so(
    programs: Programs, model_server: ModelServer
) -> None:
    source = """
        import openai, pathlib
        client = openai.OpenAI(max_retries=0)
        text = pathlib.Path("question.txt").read_text()
        try:
            client.chat.completions.create(model="m", messages=[{"role": "user", "content": text}])
            print("answered")
        except openai.APIConnectionError as error:
            print(error.__cause__)
    """
    (programs.folder / "question.txt").write_text("one")
    assert programs.record(source, env=model_server.env)[0] == "answered\n"
    assert programs.rerun("last", "--strict", env=model_server.env) == "answered\n"
    (programs.folder / "question.txt").write_text("two")
    asked = len(model_server.requests)
    assert "no recording" in programs.rerun("last", "--strict", env=model_server.env)
    assert len(model_server.requests) == asked
    assert programs.rerun("last", "--live", env=model_server.env) == "answered\n"


def test_a_failed_answer_is_replayed_as_the_failure_it_was(programs: Programs, model_server: ModelServer) -> None:
    source = """
        import openai
        try:
            openai.OpenAI(max_retries=0).chat.completions.create(model="fail-404", messages=[])
        except openai.NotFoundError as error:
            print(error.status_code)
    """
    assert programs.record(source, env=model_server.env)[0] == "404\n"
    asked = len(model_server.requests)
    assert programs.rerun("last", env=model_server.env) == "404\n"
    assert len(model_server.requests) == asked


def test_a_rerun_starts_as_the_run_did(programs: Programs) -> None:
    source = "import os, sys\nprint(sys.argv, os.getcwd(), os.environ['MY_BASE_URL'], 'AO_PLAN' in os.environ)"
    file = programs.write(source)
    process = programs.start("-W", "ignore", file.name, "a", "--b", env={"MY_BASE_URL": "http://x/v1"})
    out, _ = process.communicate(timeout=LONG_S)
    assert programs.rerun("last") == out.decode()


def test_an_edited_output_of_concurrent_equal_calls_goes_to_the_right_one(
    programs: Programs, model_server: ModelServer
) -> None:
    source = """
        import asyncio, openai

        async def ask(client, number):
            create = client.chat.completions.create
            reply = await create(model="m", messages=[{"role": "user", "content": f"question {number}"}])
            return reply.choices[0].message.content

        async def main():
            async with openai.AsyncOpenAI() as client:
                for answer in await asyncio.gather(*(ask(client, number) for number in range(4))):
                    print(answer.splitlines()[0])

        asyncio.run(main())
    """
    before = programs.record(source, env=model_server.env)[0].splitlines()
    questions = [ask("ao.call", run="last", call=str(n))["messages"][0]["text"] for n in (1, 2, 3, 4)]
    edit("last", questions.index("question 2") + 1, "output", "edited")
    after = programs.rerun("last", env=model_server.env).splitlines()
    assert after == [*before[:2], "edited", before[3]]
