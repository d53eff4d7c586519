"""`ao-record --http`: the other requests of the user's code, over every library."""

from __future__ import annotations

import gzip
import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from textwrap import dedent
from typing import Any

import pytest
from model_server import ModelServer

from tests.daemons import LONG_S, ask
from tests.runner.recorded import AO, Programs, column, edges, graph

# Each defines `get(path)` and `post(path, body)`, which return the body of the answer.
CLIENTS = {
    "httpx": """
        import httpx
        client = httpx.Client()

        def get(path):
            return client.get(URL + path, headers=HEADERS, follow_redirects=True).content

        def post(path, body):
            return httpx.post(URL + path, json=body, headers=HEADERS).content
        """,
    "httpx2": """
        import asyncio, httpx2

        def get(path):
            return httpx2.get(URL + path, headers=HEADERS, follow_redirects=True).content

        async def apost(path, body):
            async with httpx2.AsyncClient() as client:
                return (await client.post(URL + path, json=body, headers=HEADERS)).content

        def post(path, body):
            return asyncio.run(apost(path, body))
        """,
    "requests": """
        import requests

        def get(path):
            return requests.get(URL + path, headers=HEADERS).content

        def post(path, body):
            return requests.post(URL + path, json=body, headers=HEADERS).content
        """,
    "urllib3": """
        import urllib3
        pool = urllib3.PoolManager()

        def get(path):
            return pool.request("GET", URL + path, headers=HEADERS).data

        def post(path, body):
            return pool.request("POST", URL + path, json=body, headers=HEADERS).data
        """,
    "urllib.request": """
        import json
        from urllib.request import Request, urlopen

        def get(path):
            with urlopen(Request(URL + path, headers=HEADERS)) as response:
                return response.read()

        def post(path, body):
            headers = {"Content-Type": "application/json", **HEADERS}
            with urlopen(Request(URL + path, json.dumps(body).encode(), headers)) as response:
                return response.read()
        """,
    "aiohttp": """
        import aiohttp, asyncio

        async def send(method, path, **more):
            async with aiohttp.ClientSession(headers=HEADERS) as session:
                async with session.request(method, URL + path, **more) as response:
                    return await response.read()

        def get(path):
            return asyncio.run(send("GET", path))

        def post(path, body):
            return asyncio.run(send("POST", path, json=body))
        """,
}

START = """
import json, os
URL, HEADERS = os.environ["URL"], {"Authorization": "Bearer sk-secret-in-a-header"}
"""

AGENT = """
    weather = json.loads(get("/weather?city=Rome&key=sk-secret-in-a-url"))
    print(weather)
    print(post("/echo", {"say": weather["sky"]}).decode())
    print(get("/moved").decode("latin-1"))
    """


class _Service(BaseHTTPRequestHandler):
    """A service that is no model."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]  # of the fixture
        way = self.path.partition("?")[0]
        if way == "/moved":
            self._say(b"", status=302, location="/text")
        elif way == "/text":
            self._say("Grüße".encode("latin-1"), "text/plain; charset=iso-8859-1")
        elif way == "/large":
            self._say(bytes(33 << 20), "application/octet-stream")
        elif way == "/token":
            self._say(gzip.compress(b'{"access_token": "sk-secret-in-a-body"}'), content_encoding="gzip")
        else:
            self._say(json.dumps({"sky": "a clear sky", "asked": len(self.server.asked)}).encode())  # type: ignore[attr-defined]  # as above

    def do_HEAD(self) -> None:
        self._say(b"", status=200)

    def do_POST(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]  # as above
        self._say(b"echo: " + self.rfile.read(int(self.headers["content-length"])), "text/plain")

    def _say(self, body: bytes, kind: str = "application/json", status: int = 200, **headers: str) -> None:
        self.send_response_only(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as it is called in the base class
        """Nothing."""


class Service:
    def __init__(self, url: str, asked: list[str]) -> None:
        self.env = {"URL": url}
        self.asked = asked
        """The paths, in order."""


@pytest.fixture
def service() -> Iterator[Service]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Service)
    server.daemon_threads = True
    server.asked = []  # type: ignore[attr-defined]  # for the handler
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield Service(f"http://127.0.0.1:{server.server_address[1]}", server.asked)  # type: ignore[attr-defined]  # as above
    server.shutdown()
    thread.join()
    server.server_close()


def program(client: str, rest: str = AGENT) -> str:
    return START + dedent(CLIENTS[client]) + dedent(rest)


def edit(call: int, field: str, content: str) -> str:
    done = subprocess.run(
        [AO, "edit", "first", str(call), f"--{field}", "-"], input=content.encode(), capture_output=True, timeout=LONG_S
    )
    return done.stderr.decode() if done.returncode else ""


@pytest.mark.parametrize("client", CLIENTS)
def test_requests_of_the_users_code_are_calls(client: str, programs: Programs, service: Service, home: str) -> None:
    plain = programs.record(program(client), env=service.env)
    assert graph()["nodes"] == []  # unless asked for
    service.asked.clear()
    assert programs.record(program(client), "--http", "--name", "first", env=service.env)[1] == plain[1] == ""
    found = graph()
    assert column(found, "kind") == ["http"] * 4
    assert column(found, "model") == ["GET 127.0.0.1", "POST 127.0.0.1", "GET 127.0.0.1", "GET 127.0.0.1"]
    assert column(found, "endpoint") == ["GET /weather", "POST /echo", "GET /moved", "GET /text"]
    assert set(column(found, "function")) <= {"get", "post", "send", "apost"}
    assert edges(found) == {(1, 2), (3, 4)}  # a redirect tells where to go
    assert [ask("ao.call", run="last", call=str(n))["output"]["text"] for n in (2, 4)] == [
        'echo: {"say":"a clear sky"}' if client in ("httpx", "httpx2", "urllib3") else 'echo: {"say": "a clear sky"}',
        "Grüße",
    ]

    asked = len(service.asked)
    recorded = programs.rerun("first", env=service.env)
    assert len(service.asked) == asked
    assert column(graph(), "origin") == ["replayed"] * 4
    assert "a clear sky" in recorded

    assert edit(1, "output", '{"sky": "fog"}') == ""
    assert edit(4, "output", "Über") == ""
    out = programs.rerun("first", env=service.env).splitlines()
    assert out[0] == "{'sky': 'fog'}"
    assert "fog" in out[1]
    assert out[2] == "Über"
    assert column(graph(), "origin") == ["edited", "live", "replayed", "edited"]
    found_on_disk = subprocess.run(
        ["grep", "-r", "-l", "sk-secret-in-a-", home, "--include=*.db*"], capture_output=True
    )
    assert found_on_disk.stdout == b""


def test_what_is_too_large_or_holds_a_secret_is_not_kept(programs: Programs, service: Service, home: str) -> None:
    source = program(
        "requests",
        """
        print(len(get("/large")), len(get("/token")), len(post("/login", {"password": "sk-secret-in-a-form"})))
        response = requests.head(URL + "/weather")
        print(response.status_code, response.content)
        """,
    )
    out, _ = programs.record(source, "--http", "--name", "first", env=service.env)
    found = graph()
    assert column(found, "endpoint") == ["GET /large", "GET /token", "HEAD /weather"]
    assert column(found, "status")[2] == "ok"
    stored = subprocess.run(["grep", "-r", "-l", "sk-secret-in-a-body", home], capture_output=True)
    assert stored.stdout == b""
    asked = len(service.asked)
    assert programs.rerun("first", env=service.env) == out
    assert len(service.asked) == asked + 3
    assert column(graph(), "origin") == ["live", "live", "replayed"]


def test_an_edit_has_to_be_what_the_recorded_body_was(programs: Programs, service: Service) -> None:
    programs.record(program("requests"), "--http", "--name", "first", env=service.env)
    assert "JSON" in edit(1, "output", "no record any more")
    assert "no body" in edit(1, "input", "{}")
    assert "JSON" in edit(2, "input", "no record any more")
    assert edit(2, "input", '{"say": "something else"}') == ""
    assert "something else" in programs.rerun("first", env=service.env).splitlines()[1]


def test_calls_of_models_and_of_tools_are_what_they_are(programs: Programs, model_server: ModelServer) -> None:
    programs.record(
        """
        import openai
        client = openai.OpenAI()
        client.models.list()
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
        """,
        "--http",
        env=model_server.env,
    )
    assert column(graph(), "kind") == ["http", "llm"]
    assert column(graph(), "model")[1] == "m"


def test_what_a_library_sends_of_its_own_is_no_call(programs: Programs, service: Service) -> None:
    (programs.folder / "site-packages").mkdir()
    programs.write(
        """
        import os, threading, urllib.request
        def report():
            urllib.request.urlopen(os.environ["URL"] + "/telemetry").read()
        thread = threading.Thread(target=report)
        thread.start()
        """,
        "site-packages/reporting.py",
    )
    programs.record(
        """
        import sys
        sys.path.append("site-packages")
        import reporting
        reporting.thread.join()
        """,
        "--http",
        env=service.env,
    )
    assert service.asked == ["/telemetry"]
    assert graph()["nodes"] == []
