"""What is particular to aiohttp: its streams, its connections, its sessions, and those who build on it.
What every transport has to do is in test_transports.py."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from textwrap import dedent
from typing import Any

import pytest
from model_server import ModelServer

from tests.daemons import LONG_S, ask
from tests.runner.recorded import AO, Programs, column, edges, graph

ANSWER = {
    "id": "1",
    "object": "chat.completion",
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "grüße"}, "finish_reason": "stop"}],
}
BODY = json.dumps(ANSWER, ensure_ascii=False).encode()


class _Handler(BaseHTTPRequestHandler):
    """Answers in the way that the first part of the path says."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        way = self.path.split("/")[1]
        if way == "redirect":
            self._head(307, location="/plain/chat/completions", content_length="0")
        elif way == "gzip":
            body = gzip.compress(BODY, mtime=0)
            self._head(200, content_encoding="gzip", content_length=str(len(body)))
            self.wfile.write(body)
        elif way == "endless":  # the end of the connection is the end of the body
            self._head(200, connection="close")
            self.wfile.write(BODY)
            self.close_connection = True
        elif way == "continue":
            self.wfile.write(b"HTTP/1.1 103 Early Hints\r\nlink: </x>; rel=preload\r\n\r\n")
            self._head(200, content_length=str(len(BODY)))
            self.wfile.write(BODY)
        else:
            self._head(200, content_length=str(len(BODY)), set_cookie="a=b; Path=/")
            self.wfile.write(BODY)

    def do_GET(self) -> None:
        self._head(200, content_length="5")
        self.wfile.write(b"other")

    def _head(self, status: int, **headers: str) -> None:
        self.send_response_only(status)
        self.send_header("content-type", "application/json; charset=utf-8")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as it is called in the base class
        """Nothing."""


@pytest.fixture
def odd() -> Iterator[dict[str, str]]:
    """The environment of a server that answers in unusual ways."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield {"ODD": f"http://127.0.0.1:{server.server_address[1]}"}
    server.shutdown()
    thread.join()
    server.server_close()


START = """
import aiohttp, asyncio, os, sys

URL = os.environ.get("OPENAI_BASE_URL", "") + "/chat/completions"
ODD = os.environ.get("ODD", "")


def body(text="x", model="m", **more):
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}

"""


def program(main: str, start: str = "") -> str:
    """A program with the coroutine `main`, which has a session."""
    opened = "async def main():\n    async with aiohttp.ClientSession() as session:\n"
    lines = "".join(f"        {line}\n" if line else "\n" for line in dedent(main).strip().splitlines())
    return START + dedent(start) + opened + lines + "\nasyncio.run(main())\n"


def python(programs: Programs, source: str, env: dict[str, str], code: int = 0) -> tuple[str, str]:
    """What the program writes under python."""
    file = programs.write(source)
    done = subprocess.run(
        [sys.executable, file.name], cwd=programs.folder, env=env, capture_output=True, text=True, timeout=LONG_S
    )
    assert done.returncode == code, done.stderr
    return done.stdout, done.stderr


WAYS = """
async def whole(response):
    return await response.read()

async def text(response):
    return await response.text()

async def parsed(response):
    return sorted(await response.json(content_type=None))

async def any_(response):
    return b"".join([piece async for piece in response.content.iter_any()])

async def chunked(response):
    found = [piece async for piece in response.content.iter_chunked(7)]
    return b"".join(found), max(map(len, found))

async def chunks(response):
    found = [pair async for pair in response.content.iter_chunks()]
    return b"".join(data for data, _ in found), found[-1][1]

async def lines(response):
    return [line async for line in response.content]

async def one_line(response):
    return await response.content.readline(), await response.content.read(), response.content.at_eof()

async def exactly(response):
    return await response.content.readexactly(10), await response.content.readuntil(b":"), await response.read()

async def said(response):
    await response.read()
    return response.status, response.reason, response.ok, response.headers, response.raw_headers, response.history, \
        response.method, response.content_type, response.charset, response.closed, response.version, type(response)

"""


@pytest.mark.parametrize("streamed", [False, True])
def test_a_response_is_read_in_every_way_as_without_us_and_when_it_is_replayed(
    streamed: bool, programs: Programs
) -> None:
    source = program(
        f"""
        for way in (whole, text, parsed, any_, chunked, chunks, lines, one_line, exactly, said):
            if way is parsed and {streamed}:
                continue
            async with session.post(URL, json=body(way.__name__, stream={streamed})) as response:
                print(way.__name__, await way(response))
                print(type(response.content), response.content.total_bytes)
        response = await session.post(URL, json=body("released"))
        response.raise_for_status()
        print(response.release() is None, response.closed)
        response = await session.post(URL, json=body("closed"))
        print(response.close(), response.closed, str(response.url) == URL)
        """,
        WAYS,
    )
    with ModelServer() as server:
        env = server.env
        plain = python(programs, source, env)
        assert programs.record(source, "--name", "first", env=env) == plain
    calls = 11 if streamed else 12
    assert column(graph(), "status") == ["ok"] * calls
    assert programs.rerun("first", env=env) == plain[0]  # the server is gone
    assert column(graph(), "origin") == ["replayed"] * calls


def test_what_is_read_from_a_stream_comes_from_its_call_however_it_is_read(
    programs: Programs, model_server: ModelServer
) -> None:
    programs.record(
        program(
            """
            for way in (whole, any_, chunked, lines, one_line, exactly):
                async with session.post(URL, json=body(way.__name__, stream=True)) as response:
                    got = await way(response)
                if type(got) is bytes:
                    got = [got]
                for piece in got[:1]:
                    await (await session.post(URL, json=body("and: " + piece[:9].decode()))).read()
            response = await session.post(URL, json=body("late", stream=True))
            await response.content.wait_eof()
            async for piece in response.content.iter_any():
                await (await session.post(URL, json=body("and: " + piece[:9].decode()))).read()
                break
            """,
            WAYS,
        ),
        "--name",
        "first",
        env=model_server.env,
    )
    found = graph()
    assert edges(found) == {(number, number + 1) for number in range(1, 14, 2)}
    assert {edge["evidence"] for edge in found["edges"]} == {"tracked"}


def test_a_call_stands_where_the_users_code_sends_it(programs: Programs, model_server: ModelServer) -> None:
    source = program(
        """
        async with session.post(URL, json=body("one")) as response:
            pass
        response = await session.request("post", URL, json=body("two"))
        held = session.post(URL, json=body("three"))
        response = await held
        tasks = [asyncio.create_task(send(session, n)) for n in "45"]
        await asyncio.gather(*tasks)
        async with aiohttp.request("POST", URL, json=body("six")) as response:
            await response.read()
        """,
        """
        async def send(session, n):
            return await (await session.post(URL, json=body(n))).read()

        """,
    )
    programs.record(source, env=model_server.env)
    lines = source.splitlines()
    said = [lines[line - 1].strip() for line in column(graph(), "line")]
    assert said[:3] == [
        'async with session.post(URL, json=body("one")) as response:',
        'response = await session.request("post", URL, json=body("two"))',
        "response = await held",
    ]
    assert said[3:5] == ["return await (await session.post(URL, json=body(n))).read()"] * 2
    assert said[5] == 'async with aiohttp.request("POST", URL, json=body("six")) as response:'


def test_a_session_of_any_making_is_recorded(programs: Programs, model_server: ModelServer) -> None:
    source = program(
        """
        async with Session(
            request_class=Request,
            response_class=Response,
            connector=aiohttp.TCPConnector(limit=1),
            middlewares=[middle],
            trace_configs=[traced()],
            base_url=os.environ["OPENAI_BASE_URL"] + "/",
        ) as own:
            for n in "123":
                async with own.post("chat/completions", json=body(n)) as response:
                    print(type(response), len(await response.read()))
            async with own.get("models") as response:
                print(response.status)
        """,
        """
        import json

        class Session(aiohttp.ClientSession):
            async def _request(self, *args, **kwargs):
                return await super()._request(*args, **kwargs)

        class Request(aiohttp.ClientRequest):
            pass

        class Response(aiohttp.ClientResponse):
            async def start(self, connection):
                return await super().start(connection)

        async def middle(request, handler):
            response = await handler(request)
            print("middle", response.status, request.headers.get("content-length"))
            return response

        def traced():
            config = aiohttp.TraceConfig()
            async def on(session, context, params):
                print(type(params).__name__)
            for name in vars(config):
                if name.startswith("_on_"):
                    getattr(config, name[1:]).append(on)
            return config

        """,
    ).replace("class Session(", "import warnings\nwarnings.simplefilter('ignore')\nclass Session(")
    plain = python(programs, source, model_server.env)
    assert programs.record(source, env=model_server.env) == plain
    assert column(graph(), "status") == ["ok"] * 3


def test_a_stream_that_is_closed_early_is_recorded_as_far_as_it_came(
    programs: Programs, model_server: ModelServer
) -> None:
    programs.record(
        program(
            """
            async with session.post(URL, json=body(model="fail-stall", stream=True)) as response:
                await response.content.readline()
            response = await session.post(URL, json=body("two", model="fail-stall", stream=True))
            await response.content.readline()
            response.close()
            response = await session.post(URL, json=body("three", model="fail-stall", stream=True))
            await response.content.readline()
            del response  # nobody reads on, until the session ends
            """
        ),
        env=model_server.env,
    )
    found = graph()
    assert column(found, "status") == ["ok"] * 3
    for number in ("1", "2", "3"):
        call = ask("ao.call", run="last", call=number)
        assert call["complete"] is False


def test_a_stream_that_breaks_off_fails_as_the_program_sees_it(programs: Programs, model_server: ModelServer) -> None:
    source = program(
        """
        for streamed in (False, True):
            try:
                async with session.post(URL, json=body(model="fail-cut", stream=streamed)) as response:
                    await response.content.readany()
                    await response.read()
            except aiohttp.ClientError as error:
                print(type(error).__name__, error)
        """
    )
    plain = python(programs, source, model_server.env)
    assert programs.record(source, env=model_server.env) == plain
    assert column(graph(), "status") == ["error"] * 2
    said = [ask("ao.call", run="last", call=number)["error"] for number in ("1", "2")]
    assert "".join(f"{error['type']} {error['message']}\n" for error in said) == plain[0]


def test_a_cancelled_call_is_cancelled(programs: Programs, model_server: ModelServer) -> None:
    programs.record(
        program(
            """
            for model in ("fail-stall", "fail-hang"):
                begun = asyncio.Event()
                task = asyncio.create_task(read(session, model, begun))
                await begun.wait()
                task.cancel()
                try:
                    await task
                except asyncio.CancelledError:
                    print("cancelled")
            """,
            """
            async def read(session, model, begun):
                if model == "fail-hang":
                    begun.set()
                async with session.post(URL, json=body(model=model, stream=True)) as response:
                    await response.content.readline()
                    begun.set()
                    await response.read()

            """,
        ),
        env=model_server.env,
    )
    assert column(graph(), "status")[0] == "cancelled"
    assert set(column(graph(), "status")) == {"cancelled"}


def test_a_timeout_is_the_error_that_the_program_gets(programs: Programs, model_server: ModelServer) -> None:
    source = program(
        """
        for model in ("fail-hang", "fail-stall"):
            for limit in (aiohttp.ClientTimeout(total=0.2), aiohttp.ClientTimeout(sock_read=0.2)):
                try:
                    async with session.post(URL, json=body(model=model, stream=True), timeout=limit) as response:
                        await response.read()
                except asyncio.TimeoutError as error:
                    print(type(error).__name__)
        """
    )
    plain = python(programs, source, model_server.env)
    assert programs.record(source, env=model_server.env) == plain
    said = [ask("ao.call", run="last", call=str(number))["error"]["type"] for number in range(1, 5)]
    assert said == plain[0].split()
    assert column(graph(), "status") == ["error"] * 4


def test_a_read_that_is_given_up_and_taken_up_again_is_no_end(programs: Programs) -> None:
    with ModelServer(delay=0.3) as slow:
        out, _ = programs.record(
            program(
                """
                async with session.post(URL, json=body(stream=True)) as response:
                    first = await response.content.readline()
                    try:
                        await asyncio.wait_for(response.content.read(), 0.001)
                    except asyncio.TimeoutError:
                        print("given up")
                    while line := await response.content.readline():
                        last = line.strip() or last
                    print(last)
                async with session.post(URL, json=body("two", stream=True)) as response:
                    try:
                        await asyncio.wait_for(response.content.read(), 0.001)
                    except asyncio.TimeoutError:
                        print("given up")
                    await response.content.readline()
                """
            ),
            env=slow.env,
        )
    assert out == "given up\nb'data: [DONE]'\ngiven up\n"
    assert column(graph(), "status") == ["ok"] * 2
    assert ask("ao.call", run="last", call="1")["complete"] is True
    assert ask("ao.call", run="last", call="2")["complete"] is False


ODDITIES = """
for way in sys.argv[1:] or ("plain", "gzip", "endless", "continue", "redirect"):
    async with session.post(f"{ODD}/{way}/chat/completions", json=body(way), **more) as response:
        print(way, response.status, await response.read(), [old.status for old in response.history])
        print([(name, value) for name, value in response.headers.items() if name != "Set-Cookie"])
        print(str(response.url).replace(ODD, ""), response.get_encoding())
    async with session.get(ODD + "/other") as response:
        print(await response.read())
"""


@pytest.mark.parametrize("more", ["{}", "{'auto_decompress': False}"])
def test_every_framing_and_redirects_are_recorded_and_replayed(
    more: str, programs: Programs, odd: dict[str, str]
) -> None:
    source = program(ODDITIES, f"more = {more}\n")
    plain = python(programs, source, odd)
    assert programs.record(source, "--name", "first", env=odd) == plain
    found = graph()
    assert column(found, "status") == ["ok"] * 6  # the redirect is a call, and so is where it leads
    calls = [ask("ao.call", run="last", call=str(number)) for number in range(1, 7)]
    assert [call["response"]["status"] for call in calls] == [200, 200, 200, 200, 307, 200]
    assert [call["output"]["text"] for call in calls if call["response"]["status"] == 200] == ["grüße"] * 5
    assert programs.rerun("first", env=odd) == plain[0]
    assert column(graph(), "origin") == ["replayed"] * 6


def test_what_comes_next_over_a_connection_is_not_the_calls(programs: Programs, odd: dict[str, str]) -> None:
    programs.record(
        program(
            """
            async with session.post(ODD + "/plain/chat/completions", json=body()) as response:
                await response.read()
            async with session.get(ODD + "/other") as response:
                other = await response.text()
            async with session.post(ODD + "/plain/chat/completions", json=body(other)) as response:
                await response.read()
            """
        ),
        env=odd,
    )
    assert len(graph()["nodes"]) == 2
    assert edges(graph()) == set()


def test_an_edited_output_takes_the_place_of_a_compressed_one(programs: Programs, odd: dict[str, str]) -> None:
    source = program(
        """
        async with session.post(ODD + "/gzip/chat/completions", json=body()) as response:
            print((await response.json())["choices"][0]["message"]["content"])
        """
    )
    assert programs.record(source, "--name", "first", env=odd)[0] == "grüße\n"
    subprocess.run([AO, "edit", "first", "1", "--output", "-"], input=b"another", check=True, timeout=LONG_S)
    assert programs.rerun("first", env=odd) == "another\n"


def test_cookies_are_the_programs_and_nobody_elses(programs: Programs, odd: dict[str, str]) -> None:
    source = program(
        """
        async with session.post(ODD + "/plain/chat/completions", json=body()) as response:
            print(response.cookies["a"].value, len(session.cookie_jar))
        """
    )
    assert programs.record(source, env=odd) == python(programs, source, odd)
    assert "a=b; Path" not in json.dumps(ask("ao.call", run="last", call="1"))


def test_generated_and_buffered_uploads_are_sent_as_they_are(programs: Programs, model_server: ModelServer) -> None:
    out, err = programs.record(
        program(
            """
            import io, json
            said = json.dumps(body("in a buffer")).encode()
            for data in (said, io.BytesIO(said), said.decode()):
                async with session.post(URL, data=data, headers={"content-type": "application/json"}) as response:
                    print(response.status)
            """
        ),
        env=model_server.env,
    )
    assert (out, err) == ("200\n" * 3, "")
    assert [entry["request"]["messages"][0]["content"] for entry in model_server.requests] == ["in a buffer"] * 3
    assert column(graph(), "model") == ["m"] * 3


def test_an_error_shows_no_frames_of_ours(programs: Programs, model_server: ModelServer) -> None:
    for main in (
        'await session.post("http://127.0.0.1:9/chat/completions", json=body())',
        'await session.post(URL, json=body(model="fail-drop"))',
        'await session.post(URL, json=body(model="fail-500"), raise_for_status=True)',
        'await (await session.post(URL, json=body(model="fail-cut"))).read()',
    ):
        source = program(main)
        plain = python(programs, source, model_server.env, 1)
        assert programs.record(source, env=model_server.env, code=1) == plain
        assert column(graph(), "status") == ["error"]


def test_a_transport_of_httpx_that_sends_with_aiohttp_makes_one_call(
    programs: Programs, model_server: ModelServer
) -> None:
    source = program(
        """
        async with httpx.AsyncClient(transport=Transport(session)) as client:
            for n in "12":
                print((await client.post(URL, json=body(n))).json()["model"])
        async with session.post(URL, json=body("3")) as response:
            print(response.status)
        """,
        """
        import httpx

        class Transport(httpx.AsyncBaseTransport):
            def __init__(self, session):
                self.session = session

            async def handle_async_request(self, request):
                sent = asyncio.create_task(self.session.post(str(request.url), data=request.content))
                response = await sent
                return httpx.Response(response.status, headers=response.headers, content=await response.read())

        """,
    )
    out, _ = programs.record(source, "--name", "first", env=model_server.env)
    assert out == "m\nm\n200\n"
    assert len(graph()["nodes"]) == 3
    assert len(model_server.requests) == 3
    assert programs.rerun("first", env=model_server.env) == out
    assert len(model_server.requests) == 3


def test_an_unknown_aiohttp_stays_as_it_is_and_the_log_says_so(programs: Programs) -> None:
    programs.write("class ClientSession:\n    def post(self):\n        return 'posted'\n", "aiohttp.py")
    assert programs.record("import aiohttp\nprint(aiohttp.ClientSession().post())") == ("posted\n", "")
    said = subprocess.run([AO, "graph", "last"], capture_output=True, text=True, check=True, timeout=LONG_S).stdout
    assert "! aiohttp : its calls are not recorded" in said
