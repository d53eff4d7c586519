"""Every library that a program may send its requests with: recorded, streamed, replayed, edited, refused."""

from __future__ import annotations

import subprocess
import textwrap

import pytest
from model_server import ModelServer

from tests.daemons import LONG_S, ask
from tests.runner.recorded import AO, Programs, column, edges, graph

# Each defines `post(body)`, which returns the answer, and `lines(body)`, which goes over a stream.
CLIENTS = {
    "requests": """
        import json, os, requests
        URL = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
        HEADERS = {"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"]}
        session = requests.Session()

        def post(body):
            response = session.post(URL, json=body, headers=HEADERS)
            response.raise_for_status()
            return response.json()

        def lines(body):
            with requests.post(URL, json=body, headers=HEADERS, stream=True) as response:
                for line in response.iter_lines(decode_unicode=True):
                    yield line
        """,
    "urllib3": """
        import json, os, urllib3
        URL = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
        HEADERS = {"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"], "Content-Type": "application/json"}
        pool = urllib3.PoolManager()

        def post(body):
            response = pool.request("POST", URL, body=json.dumps(body), headers=HEADERS)
            if response.status >= 400:
                raise OSError(response.status)
            return response.json()

        def lines(body):
            response = pool.urlopen(
                "POST", URL, body=json.dumps(body).encode(), headers=HEADERS, preload_content=False
            )
            rest = ""
            for piece in response.stream(64):
                *whole, rest = (rest + piece.decode()).split("\\n")
                yield from whole
            response.release_conn()
        """,
    "urllib.request": """
        import json, os
        from urllib.request import Request, urlopen
        URL = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
        HEADERS = {"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"], "Content-Type": "application/json"}

        def post(body):
            with urlopen(Request(URL, json.dumps(body).encode(), HEADERS)) as response:
                return json.load(response)

        def lines(body):
            with urlopen(Request(URL, json.dumps(body).encode(), HEADERS)) as response:
                for line in response:
                    yield line.decode().strip()
        """,
    "http.client": """
        import json, os
        from http.client import HTTPConnection
        from urllib.parse import urlsplit
        URL = urlsplit(os.environ["OPENAI_BASE_URL"] + "/chat/completions")
        HEADERS = {"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"], "Content-Type": "application/json"}
        connection = HTTPConnection(URL.netloc)

        def post(body):
            connection.request("POST", URL.path, json.dumps(body), HEADERS)
            response = connection.getresponse()
            text = response.read()
            if response.status >= 400:
                raise OSError(response.status)
            return json.loads(text)

        def lines(body):
            connection.request("POST", URL.path, json.dumps(body), HEADERS)
            response = connection.getresponse()
            while line := response.readline():
                yield line.decode().strip()
        """,
    "aiohttp": """
        import aiohttp, asyncio, json, os
        URL = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
        HEADERS = {"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"]}
        loop = asyncio.new_event_loop()

        async def post(body):
            async with aiohttp.ClientSession(headers=HEADERS) as session:
                async with session.post(URL, json=body, raise_for_status=True) as response:
                    return await response.json()

        async def lines(body):
            async with aiohttp.ClientSession() as session:
                async with session.post(URL, json=body, headers=HEADERS) as response:
                    async for line in response.content:
                        yield line.decode().strip()

        def wait_for(result):
            return loop.run_until_complete(result)

        apost, alines = post, lines

        def post(body):
            return wait_for(apost(body))

        def lines(body):
            stream = alines(body)
            while (line := wait_for(anext(stream, None))) is not None:
                yield line
        """,
}

AGENT = """
    def body(text, **more):
        return {"model": "m", "messages": [{"role": "user", "content": text}], **more}

    def ask(text):
        return post(body(text))["choices"][0]["message"]["content"]

    first = ask("one")
    print(first)
    print(ask("two"))
    text = ""
    for line in lines(body("three: " + first, stream=True)):
        if line.startswith("data: {"):
            for choice in json.loads(line[6:])["choices"]:
                text += choice["delta"].get("content") or ""
    print(text)
    print(ask("four: " + text))
    """


def program(client: str, rest: str = AGENT) -> str:
    return textwrap.dedent(CLIENTS[client]) + textwrap.dedent(rest)


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def test_every_call_is_recorded_with_its_flow(client: str, programs: Programs, model_server: ModelServer) -> None:
    out, err = programs.record(program(client), env=model_server.env)
    assert err == ""
    assert len(out.splitlines()) >= 4
    found = graph()
    assert column(found, "status") == ["ok"] * 4
    assert column(found, "model") == ["m"] * 4
    assert column(found, "streamed") == [False, False, True, False]
    assert set(column(found, "function")) <= {"post", "lines"}
    assert all(node["output_tokens"] for node in found["nodes"] if not node["streamed"])
    assert {(1, 3), (3, 4)} <= edges(found) <= {(1, 3), (3, 4), (1, 4)}
    whole = ask("ao.call", run="last", call="3")
    assert whole["complete"] is True


def test_an_unchanged_rerun_makes_no_request(client: str, programs: Programs) -> None:
    with ModelServer() as server:
        out, _ = programs.record(program(client), "--name", "first", env=server.env)
        env = server.env
    assert programs.rerun("first", env=env) == out  # the server is gone
    assert set(column(graph(), "origin")) == {"replayed"}
    assert column(graph(), "streamed") == [False, False, True, False]


def test_an_edited_output_is_what_the_program_gets(client: str, programs: Programs, model_server: ModelServer) -> None:
    programs.record(program(client), "--name", "first", env=model_server.env)
    for call, text in (("1", "another first answer"), ("3", "another stream")):
        subprocess.run([AO, "edit", "first", call, "--output", "-"], input=text.encode(), check=True, timeout=LONG_S)
    out = programs.rerun("first", env=model_server.env).splitlines()
    assert out[0] == "another first answer"
    assert column(graph(), "origin")[0] == "edited"


def test_an_edited_input_is_what_is_sent(client: str, programs: Programs, model_server: ModelServer) -> None:
    programs.record(program(client, AGENT.split("print(ask")[0]), "--name", "first", env=model_server.env)
    request = b'{"model": "m", "messages": [{"role": "user", "content": "something longer than it was: \xc3\xbc"}]}'
    subprocess.run([AO, "edit", "first", "1", "--input", "-"], input=request, check=True, timeout=LONG_S)
    programs.rerun("first", env=model_server.env)
    sent = model_server.requests[-1]["request"]
    assert sent["messages"][0]["content"] == "something longer than it was: ü"
    assert column(graph(), "status") == ["ok"]


def test_a_failed_call_is_a_call_and_fails_as_it_would(
    client: str, programs: Programs, model_server: ModelServer
) -> None:
    source = program(
        client,
        """
        for model in ("fail-400", "fail-drop"):
            try:
                post({"model": model, "messages": [{"role": "user", "content": "x"}]})
            except Exception as error:
                print(type(error).__name__)
        """,
    )
    file = programs.write(source)
    import sys

    plain = subprocess.run(
        [sys.executable, str(file)], env={**model_server.env}, capture_output=True, timeout=LONG_S, check=True
    )
    out, _ = programs.record(source, env=model_server.env)
    assert out.encode() == plain.stdout
    assert set(column(graph(), "status")) == {"error"}


def test_other_requests_are_no_calls(client: str, programs: Programs, model_server: ModelServer) -> None:
    source = program(
        client,
        """
        import urllib.request
        print(len(urllib.request.urlopen(os.environ["OPENAI_BASE_URL"] + "/models").read()) > 0)
        """,
    )
    assert programs.record(source, env=model_server.env) == ("True\n", "")
    assert graph()["nodes"] == []


def test_no_secret_of_a_request_reaches_the_disk(
    client: str, programs: Programs, model_server: ModelServer, home: str
) -> None:
    secret = "sk-secret-in-a-header"
    programs.record(program(client), env={**model_server.env, "OPENAI_API_KEY": secret})
    ask("ao.runs")
    found = subprocess.run(["grep", "-r", "-l", secret, home], capture_output=True, text=True)
    assert found.stdout == ""
