"""Every API that the model server speaks, plain and streamed, called by the real SDKs: each input edited, each
output edited. What counts is what the server gets, and what the program gets from its SDK."""

from __future__ import annotations

import json

import pytest
from model_server import ModelServer

from tests.daemons import ask
from tests.runner.recorded import Programs, column, graph

EVERY_API = """
    import anthropic, openai

    client, claude = openai.OpenAI(max_retries=0), anthropic.Anthropic(max_retries=0)


    def user(text):
        return [{"role": "user", "content": text}]


    def chat():
        return client.chat.completions.create(model="m", messages=user("ask chat")).choices[0].message.content


    def chat_stream():
        with client.chat.completions.stream(model="m", messages=user("ask chat stream")) as stream:
            for _ in stream:
                pass
            return stream.get_final_completion().choices[0].message.content


    def responses():
        return client.responses.create(model="m", input=user("ask responses")).output_text


    def responses_stream():
        with client.responses.stream(model="m", input="ask responses stream") as stream:
            return "".join(event.delta for event in stream if event.type == "response.output_text.delta")


    def messages():
        return claude.messages.create(model="m", max_tokens=50, messages=user("ask messages")).content[0].text


    def messages_stream():
        with claude.messages.stream(model="m", max_tokens=50, messages=user("ask messages stream")) as stream:
            return "".join(stream.text_stream)


    def embeddings():
        found = client.embeddings.create(model="m", input="ask embeddings", encoding_format="float")
        return str(found.data[0].embedding[:2])


    for call in (chat, chat_stream, responses, responses_stream, messages, messages_stream, embeddings):
        print(call.__name__, ascii(call()))
"""
CALLS = ["chat", "chat stream", "responses", "responses stream", "messages", "messages stream", "embeddings"]
NEW = "“new” \N{GRINNING FACE}\nwith lines"


def edit(run: str, call: int, field: str, content: str) -> None:
    ask("ao.edit", run=run, call=call, field=field, content=content)


@pytest.mark.parametrize("whole", [False, True], ids=["as a text", "as a whole"])
def test_every_edited_input_is_what_the_server_gets(programs: Programs, model_server: ModelServer, whole: bool) -> None:
    programs.record(EVERY_API, env=model_server.env)
    run, sent = graph()["run"]["id"], list(model_server.requests)
    for number, name in enumerate(CALLS, 1):
        content = f"{name}, edited: {NEW}"
        if whole:
            request = json.dumps(sent[number - 1]["request"])
            content = request.replace(f'"ask {name}"', json.dumps(content)).replace('"model": "m"', '"model": "other"')
        edit(run, number, "input", content)
    programs.rerun(run, env=model_server.env)
    got = model_server.requests[len(sent) :]
    assert len(got) == len(CALLS)
    for name, before, after in zip(CALLS, sent, got, strict=True):
        assert after["path"] == before["path"]
        expected = json.dumps(before["request"]).replace(f'"ask {name}"', json.dumps(f"{name}, edited: {NEW}"))
        assert after["request"] == {**json.loads(expected), **({"model": "other"} if whole else {})}
    found = graph()
    assert set(column(found, "origin")) == {"live"}
    assert all(ask("ao.call", run=found["run"]["id"], call=str(n + 1))["input_edited"] for n in range(len(CALLS)))


def test_every_edited_output_is_what_the_program_gets_from_its_sdk(
    programs: Programs, model_server: ModelServer
) -> None:
    programs.record(EVERY_API, env=model_server.env)
    run, asked = graph()["run"]["id"], len(model_server.requests)
    for number, name in enumerate(CALLS[:-1], 1):
        edit(run, number, "output", f"{name}: {NEW}")
    vectors = ask("ao.call", run=run, call="7")["response"]["body"]
    vectors["data"][0]["embedding"] = [0.5, 1.5]
    edit(run, 7, "output", json.dumps(vectors))
    out = programs.rerun(run, env=model_server.env).splitlines()
    assert out == [
        *(f"{name.replace(' ', '_')} {f'{name}: {NEW}'!a}" for name in CALLS[:-1]),
        "embeddings '[0.5, 1.5]'",
    ]
    assert len(model_server.requests) == asked
    assert column(graph(), "origin") == ["edited"] * len(CALLS)


TOOLS = """
    import openai, json

    client = openai.OpenAI(max_retries=0)
    tools = [{"type": "function", "function": {"name": "search", "parameters": {"type": "object"}}}]
    for stream in (False, True):
        with client.chat.completions.stream(model="m", messages=[{"role": "user", "content": f"go {stream}"}]) as found:
            for event in found:
                pass
            choice = found.get_final_completion().choices[0]
        print(choice.finish_reason, choice.message.content)
        for call in choice.message.tool_calls or ():
            print(call.id, call.function.name, json.loads(call.function.arguments))
"""


def test_a_text_is_made_tool_calls_and_a_program_gets_them_whole_and_streamed(
    programs: Programs, model_server: ModelServer
) -> None:
    programs.record(TOOLS, env=model_server.env)
    run = graph()["run"]["id"]
    calls = [
        {"id": f"call_{n}", "type": "function", "function": {"name": "search", "arguments": f'{{"page": {n}}}'}}
        for n in (1, 2)
    ]
    for number in (1, 2):
        whole = ask("ao.call", run=run, call=str(number))["response"]["body"]
        whole["choices"][0]["message"] |= {"content": None, "tool_calls": calls}
        edit(run, number, "output", json.dumps(whole))
    expected = ["tool_calls None", "call_1 search {'page': 1}", "call_2 search {'page': 2}"]
    assert programs.rerun(run, env=model_server.env).splitlines() == [*expected, *expected]
    # And back, one call fewer, in the rerun.
    whole = ask("ao.call", run="last", call="2")["response"]["body"]
    del whole["choices"][0]["message"]["tool_calls"][0]
    edit("last", 2, "output", json.dumps(whole))
    found = programs.rerun("last", env=model_server.env).splitlines()
    assert found == [*expected, expected[0], expected[2]]


FAILING = """
    import anthropic, openai

    client, claude = openai.OpenAI(max_retries=0), anthropic.Anthropic(max_retries=0)
    ask = [{"role": "user", "content": "x"}]


    def chat(model):
        return client.chat.completions.create(model=model, messages=ask).choices[0].message.content


    def responses_stream(model):
        with client.responses.stream(model=model, input="x") as stream:
            for _ in stream:
                pass
            return stream.get_final_response().output_text


    def messages_stream(model):
        with claude.messages.stream(model=model, max_tokens=9, messages=ask) as stream:
            return "".join(stream.text_stream)


    for call in (chat, responses_stream, messages_stream):
        for model in ("fail-429", "fail-drop", "fail-event"):
            try:
                print(call(model))
            except (openai.APIError, anthropic.APIError, RuntimeError) as error:  # RuntimeError: no end of a stream
                print("Error", type(error).__name__)
"""


def test_calls_that_failed_in_any_way_succeed_with_what_they_are_given(
    programs: Programs, model_server: ModelServer
) -> None:
    out, _ = programs.record(FAILING, env=model_server.env)
    assert all(line.startswith("Error") for line in out.splitlines())
    run, asked = graph()["run"]["id"], len(model_server.requests)
    count = len(out.splitlines())
    for number in range(1, count + 1):
        edit(run, number, "output", f"answer {number}")
    assert programs.rerun(run, env=model_server.env) == "".join(f"answer {n}\n" for n in range(1, count + 1))
    assert len(model_server.requests) == asked
    assert set(column(graph(), "status")) == {"ok"}
