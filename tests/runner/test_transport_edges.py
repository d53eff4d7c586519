"""What clients and servers do to each other, over every library: the program sees what it sees under python, the
recording says what happened. Each library's program runs once for all these tests."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from model_server import ModelServer

from tests.daemons import LONG_S, ask, own_home
from tests.runner.recorded import Graph, Programs, column, edges, graph

# Each defines `send(path, data)`, which returns status and body, and `pieces(path, data)`, a generator of the
# body's pieces when they arrive, which closes the response when it is closed. Their clients are subclasses of the
# library's where it has some, and used by many threads (`Failed` is what they raise).
CLIENTS = {
    "httpx": """
        import httpx
        class Client(httpx.Client):
            pass
        Failed = httpx.HTTPError
        client = Client()

        def send(path, data):
            response = client.post(URL + at(path), content=data, timeout=WAIT)
            return response.status_code, response.content

        def pieces(path, data):
            with client.stream("POST", URL + at(path), content=data, timeout=WAIT) as response:
                yield from response.iter_bytes()
        """,
    "httpx2, async": """
        import asyncio, httpx2
        class Client(httpx2.AsyncClient):
            pass
        Failed = httpx2.HTTPError
        loop = asyncio.new_event_loop()
        client = Client()

        async def asend(path, data):
            response = await client.post(URL + at(path), content=data, timeout=WAIT)
            return response.status_code, response.content

        async def apieces(path, data):
            async with client.stream("POST", URL + at(path), content=data, timeout=WAIT) as response:
                async for piece in response.aiter_bytes():
                    yield piece
        """,
    "requests": """
        import requests
        class Session(requests.Session):
            pass
        Failed = (requests.RequestException, OSError)
        session = Session()

        def send(path, data):
            response = session.post(URL + at(path), data=data, timeout=WAIT)
            return response.status_code, response.content

        def pieces(path, data):
            with session.post(URL + at(path), data=data, stream=True, timeout=WAIT) as response:
                yield from response.iter_content(None)
        """,
    "urllib3": """
        import urllib3
        class Pool(urllib3.PoolManager):
            pass
        Failed = urllib3.exceptions.HTTPError
        pool = Pool(retries=False, maxsize=8)

        def send(path, data):
            response = pool.request("POST", URL + at(path), body=data, timeout=WAIT)
            return response.status, response.data

        def pieces(path, data):
            response = pool.request("POST", URL + at(path), body=data, preload_content=False, timeout=WAIT)
            try:
                yield from response.stream(1 << 16)
            finally:
                response.close()
        """,
    "urllib.request": """
        import gzip, http.client, urllib.error, urllib.request
        Failed = (OSError, http.client.HTTPException)

        def opened(path, data):
            request = urllib.request.Request(URL + at(path), data, {"Content-Type": "application/json"})
            try:
                return urllib.request.urlopen(request, timeout=WAIT)
            except urllib.error.HTTPError as error:
                return error

        def send(path, data):
            with opened(path, data) as response:
                body = response.read()
                return response.status, gzip.decompress(body) if response.headers["content-encoding"] else body

        def pieces(path, data):
            with opened(path, data) as response:
                while piece := response.read1(1 << 16):
                    yield piece
        """,
    "http.client": """
        import gzip, http.client
        from urllib.parse import urlsplit
        class Connection(http.client.HTTPConnection):
            pass
        Failed = (OSError, http.client.HTTPException)

        def asked(path, data):
            connection = Connection(urlsplit(URL).netloc, timeout=WAIT)
            connection.request("POST", at(path), data, {"Content-Type": "application/json"})
            return connection, connection.getresponse()

        def send(path, data):
            connection, response = asked(path, data)
            body = response.read()
            connection.close()
            return response.status, gzip.decompress(body) if response.headers["content-encoding"] else body

        def pieces(path, data):
            connection, response = asked(path, data)
            try:
                while piece := response.read1(1 << 16):
                    yield piece
            finally:
                response.close()
                connection.close()
        """,
    "aiohttp": """
        import aiohttp, asyncio
        Failed = (aiohttp.ClientError, asyncio.TimeoutError)
        loop = asyncio.new_event_loop()

        async def made():
            return aiohttp.ClientSession()

        session = loop.run_until_complete(made())

        async def asend(path, data):
            limit = aiohttp.ClientTimeout(sock_read=WAIT)
            async with session.post(URL + at(path), data=data, timeout=limit) as response:
                return response.status, await response.read()

        async def apieces(path, data):
            limit = aiohttp.ClientTimeout(sock_read=WAIT)
            async with session.post(URL + at(path), data=data, timeout=limit) as response:
                async for piece in response.content.iter_any():
                    yield piece
        """,
}

ASYNC = """
def send(path, data):
    return loop.run_until_complete(asend(path, data))


def pieces(path, data):
    stream = apieces(path, data)
    try:
        while (piece := loop.run_until_complete(anext(stream, None))) is not None:
            yield piece
    finally:
        loop.run_until_complete(stream.aclose())


def many(count):
    async def all_():
        return await asyncio.gather(*(asend("/plain", b'{"number": %d}' % n) for n in range(count)))
    return loop.run_until_complete(all_())


def give_up(path):
    async def cancelled():
        begun = asyncio.Event()
        async def read():
            async for piece in apieces(path, b"{}"):
                begun.set()
        task = asyncio.create_task(read())
        await begun.wait()
        task.cancel()
        await asyncio.wait({task})
        print("cancelled", task.cancelled())
    loop.run_until_complete(cancelled())
"""

SYNC = """
def many(count):
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda n: send("/plain", b'{"number": %d}' % n), range(count)))


def give_up(path):
    reading = pieces(path, b"{}")
    next(reading)
    reading.close()
    print("cancelled", True)
"""

START = """
import json, os, socket, sys
URL, WAIT = os.environ["URL"], 60


def at(path):
    return path + "/v1/chat/completions"



def go_on():
    # The server sends the next piece when it is told that this one has come.
    with socket.create_connection(("127.0.0.1", int(URL.rpartition(":")[2]))) as sock:
        sock.sendall(b"GET /go HTTP/1.0\\r\\n\\r\\n")
        while sock.recv(1000):
            pass

"""

CASES = """

def failing(path):
    global WAIT
    WAIT = 0.3
    try:
        return send(path, b"{}")
    except Failed:
        return "failed"
    finally:
        WAIT = 60

print(send("/gzip", b"{}"))
print(send("/html", b"{}"), send("/binary", b"{}"), send("/nothing", b"{}"))
print(send("/plain", b"\\xff\\x00 no json"))
print([send("/flaky", b"{}")[0] for attempt in (1, 2)])
print(failing("/hang"))
print(b"".join(pieces("/burst", b"{}")) == b"".join(b"data: %d\\n\\n" % n for n in range(50)))
for piece in pieces("/paced", b"{}"):
    print(piece)
    go_on()
for path in ("/cut", "/cut-short"):
    got = b""
    try:
        for piece in pieces(path, b"{}"):
            got += piece
    except Failed:
        print("broke off after", got)
reading = pieces("/paced", b'{"early": true}')
print(next(reading))
reading.close()
give_up("/paced-on")
print(sorted(answer[1] for answer in many(40)))
"""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        way = self.path.split("/")[1]
        getattr(self, "_" + way.replace("-", "_"))(body)

    def do_GET(self) -> None:
        self.server.go.release()  # type: ignore[attr-defined]  # of the fixture
        self._say(b"")
        self.close_connection = True

    def _say(self, body: bytes, status: int = 200, kind: str = "application/json", **headers: str) -> None:
        self.send_response_only(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def _gzip(self, _: bytes) -> None:
        self._say(gzip.compress(b'{"answer": "packed"}', mtime=0), content_encoding="gzip")

    def _html(self, _: bytes) -> None:
        self._say(b"<html>no gateway</html>", 502, "text/html")

    def _binary(self, _: bytes) -> None:
        self._say(bytes(range(256)), 200, "application/octet-stream")

    def _nothing(self, _: bytes) -> None:
        self._say(b"")

    def _plain(self, body: bytes) -> None:
        self._say(b'{"echo": %b}' % json.dumps(body.decode("latin-1")).encode())

    def _flaky(self, _: bytes) -> None:
        self.server.times += 1  # type: ignore[attr-defined]  # as above
        self._say(b'{"error": {"message": "again"}}', 500 if self.server.times % 2 else 200)  # type: ignore[attr-defined]  # as above

    def _hang(self, _: bytes) -> None:
        self.rfile.read(1)  # until the client has enough
        self.close_connection = True

    def _stream(self, *pieces: bytes) -> None:
        self.send_response_only(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces))
        self.wfile.flush()

    def _burst(self, _: bytes) -> None:
        self._stream(*(b"data: %d\n\n" % number for number in range(50)))
        self.wfile.write(b"0\r\n\r\n")

    def _paced(self, body: bytes) -> None:
        self._stream(b"data: 0\n\n")
        if b"early" in body:
            self.rfile.read(1)
            self.close_connection = True
            return
        for number in (1, 2):
            self.server.go.acquire(timeout=LONG_S)  # type: ignore[attr-defined]  # as above
            self.wfile.write(b"9\r\ndata: %d\n\n\r\n" % number)
        self.server.go.acquire(timeout=LONG_S)  # type: ignore[attr-defined]  # as above
        self.wfile.write(b"0\r\n\r\n")

    def _paced_on(self, _: bytes) -> None:
        self._stream(b"data: 0\n\n")
        self.rfile.read(1)
        self.close_connection = True

    def _cut(self, _: bytes) -> None:
        self._stream(b"data: 0\n\n")
        self.close_connection = True

    def _cut_short(self, _: bytes) -> None:
        self.send_response_only(200)
        self.send_header("content-length", "100")
        self.end_headers()
        self.wfile.write(b"data: half\n\n")
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as it is called in the base class
        """Nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that leave."""


class Outcome:
    """What one library's program did, under python and recorded."""

    def __init__(self, programs: Programs, client: str) -> None:
        self.is_async = "asend" in CLIENTS[client]
        source = START + dedent(CLIENTS[client]) + (ASYNC if self.is_async else SYNC) + CASES
        server = _Server(("127.0.0.1", 0), _Handler)
        server.go, server.times = threading.Semaphore(0), 0  # type: ignore[attr-defined]  # for the handler
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        env = {"URL": f"http://127.0.0.1:{server.server_address[1]}"}
        try:
            file = programs.write(source)
            plain = subprocess.run([sys.executable, file], env=env, capture_output=True, timeout=2 * LONG_S)
            assert plain.returncode == 0, plain.stderr.decode()
            self.plain = plain.stdout.decode()
            self.out, self.err = programs.record(source, "--name", "first", env=env)
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
        self.graph: Graph = graph()
        self.calls: dict[str, list[dict[str, Any]]] = {}
        for node in self.graph["nodes"][:14]:
            call = ask("ao.call", run="first", call=str(node["number"]))
            self.calls.setdefault(node["endpoint"].split("/")[1], []).append(call)
        self.plan = ask("ao.plan", run="first", dry_run=True)

    def one(self, way: str) -> dict[str, Any]:
        """The only call of one case."""
        (call,) = self.calls[way]
        return call


@pytest.fixture(scope="module", params=CLIENTS)
def outcome(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
    with pytest.MonkeyPatch.context() as monkeypatch, own_home(monkeypatch) as home:
        monkeypatch.delenv("VIRTUAL_ENV", raising=False)
        monkeypatch.setenv("AO_HOME", home)
        yield Outcome(Programs(Path(tmp_path_factory.mktemp("edges"))), request.param)


def test_a_program_sees_what_it_sees_under_python(outcome: Outcome) -> None:
    assert (outcome.out, outcome.err) == (outcome.plain, "")
    assert len(outcome.graph["nodes"]) == 14 + 40


def test_bodies_are_recorded_as_they_came_whatever_they_are(outcome: Outcome) -> None:
    assert outcome.one("gzip")["response"]["body"] == {"answer": "packed"}
    html = outcome.one("html")
    assert (html["call"]["status"], html["response"]["status"]) == ("error", 502)
    assert "no gateway" in html["response"]["body"]
    assert outcome.one("binary")["call"]["status"] == "ok"
    assert outcome.one("nothing")["call"]["status"] == "ok"
    sent = outcome.calls["plain"][0]["request"]["body"]
    assert "10 bytes" in sent or "no json" in sent


def test_every_attempt_is_a_call(outcome: Outcome) -> None:
    assert [call["call"]["status"] for call in outcome.calls["flaky"]] == ["error", "ok"]


def test_pieces_that_arrive_at_once_and_pieces_that_wait_for_each_other_are_all_there(outcome: Outcome) -> None:
    assert outcome.one("burst")["complete"] is True
    whole, early = outcome.calls["paced"]
    assert whole["complete"] is True
    assert (early["call"]["status"], early["complete"]) == ("ok", False)


def test_what_broke_off_or_never_came_is_an_error(outcome: Outcome) -> None:
    for way in ("hang", "cut", "cut-short"):
        call = outcome.one(way)
        assert call["call"]["status"] == "error", way
        assert call["error"]["type"], way
        assert call["complete"] is False


def test_who_gives_up_in_the_middle_is_told_from_who_has_enough(outcome: Outcome) -> None:
    call = outcome.one("paced-on")
    assert call["complete"] is False
    assert call["call"]["status"] == ("cancelled" if outcome.is_async else "ok")


def test_what_was_answered_can_be_replayed(outcome: Outcome) -> None:
    live = [call["number"] for call in outcome.plan["calls"] if call["action"] != "replay"]
    numbers = [outcome.one(way)["call"]["number"] for way in ("hang", "cut", "cut-short")]
    cancelled = outcome.one("paced-on")["call"]
    assert live == [*numbers, *([cancelled["number"]] if cancelled["status"] == "cancelled" else [])]


def test_clients_that_were_made_before_the_program_began_are_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_server: ModelServer
) -> None:
    with own_home(monkeypatch):
        programs = Programs(tmp_path)
        programs.write(
            """
            import http.client, httpx, requests, urllib3
            client, session, pool = httpx.Client(), requests.Session(), urllib3.PoolManager()
            connection = http.client.HTTPConnection
            """,
            "sitecustomize.py",
        )
        out, err = programs.record(
            """
            import json, os
            from urllib.parse import urlsplit
            from sitecustomize import client, connection, pool, session
            URL = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
            body = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
            answer = client.post(URL, json=body).json()["choices"][0]["message"]["content"]
            body["messages"][0]["content"] = answer
            print(session.post(URL, json=body).ok)
            print(pool.request("POST", URL, json=body).status)
            made = connection(urlsplit(URL).netloc)
            made.request("POST", urlsplit(URL).path, json.dumps(body), {"Content-Type": "application/json"})
            print(made.getresponse().read()[:1])
            made.close()
            """,
            env={**model_server.env, "PYTHONPATH": str(tmp_path)},
        )
        assert (out, err) == ("True\n200\nb'{'\n", "")
        found = graph()
        assert column(found, "status") == ["ok"] * 4
        assert edges(found) == {(1, 2), (1, 3), (1, 4)}
