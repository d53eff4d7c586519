"""Whatever a server answers, and whatever a library has renamed: the program gets what it gets under python."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import pytest
from model_server import ModelServer

from tests.daemons import ask
from tests.runner.beside_python import Beside
from tests.runner.recorded import Programs, column, graph
from tests.runner.test_transports import CLIENTS, program

JSON = json.dumps(
    {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "fine"}}],
    }
).encode()
GZIP = gzip.compress(JSON, mtime=0)


def whole(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    lines = (b"HTTP/1.1 " + status, b"content-length: %d" % len(body), b"connection: close", *headers)
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n"
EVENT = b"data: " + JSON + b"\n\n"

RESPONSES = {
    "fine": whole(JSON),
    "no-answer": b"",
    "half-a-head": b"HTTP/1.1 200 O",
    "no-http": b"SSH-2.0-OpenSSH_9\r\n",
    "bad-chunk-size": CHUNKED + b"\r\nxyz\r\n" + JSON + b"\r\n0\r\n\r\n",
    "huge-chunk": CHUNKED + b"\r\nffffffff\r\nshort",
    "cut-chunk": CHUNKED + b"\r\n%x\r\n" % len(JSON) + JSON[:20],
    "no-last-chunk": CHUNKED + b"\r\n%x\r\n" % len(JSON) + JSON + b"\r\n",
    "negative-chunk": CHUNKED + b"\r\n-5\r\nhello\r\n0\r\n\r\n",
    "cut-gzip": whole(GZIP[:-20], b"content-encoding: gzip"),
    "no-gzip": whole(JSON, b"content-encoding: gzip"),
    "good-gzip": whole(GZIP, b"content-encoding: gzip"),
    "unknown-encoding": whole(JSON, b"content-encoding: pied-piper"),
    "no-json": whole(b"<html>it works</html>", b"content-type: application/json"),
    "cut-json": whole(JSON[:40], b"content-type: application/json"),
    "no-utf-8": whole(b'{"choices": "\xff\xfe"}', b"content-type: application/json; charset=utf-8"),
    "nothing": whole(b""),
    "longer-than-it-says": whole(JSON).replace(b"content-length: %d" % len(JSON), b"content-length: 10"),
    "shorter-than-it-says": whole(JSON).replace(b"content-length: %d" % len(JSON), b"content-length: 100000"),
    "length-that-is-no-number": whole(JSON).replace(b"content-length: %d" % len(JSON), b"content-length: many"),
    "no-length": b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + JSON,
    "no-content": b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n",
    "not-modified": b"HTTP/1.1 304 Not Modified\r\nconnection: close\r\n\r\n",
    "continue": b"HTTP/1.1 100 Continue\r\n\r\n" + whole(JSON),
    # Python takes this for the answer; without `close` a client may or may not see in time that the connection is not
    # to be used again.
    "early-hints": b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\nconnection: close\r\n\r\n" + whole(JSON),
    "status-that-is-none": whole(JSON, status=b"999 Odd"),
    "bad-header": whole(JSON, b"no colon here"),
    "latin-header": whole(JSON, b"x-name: Andr\xe9"),
    "events-without-end": whole(EVENT, b"content-type: text/event-stream"),
    "half-an-event": whole(EVENT[:30], b"content-type: text/event-stream"),
    "http-0.9": JSON,
}

EACH = """
    import sys
    for name in NAMES:
        URL_OF = os.environ["OPENAI_BASE_URL"] + "/" + name + "/chat/completions"
        URL = urlsplit(URL_OF) if "urlsplit" in globals() else URL_OF
        body = {"model": "m", "messages": [{"role": "user", "content": name}]}
        for way in (post, lambda body: list(lines(body))):
            if "HTTPConnection" in globals():
                connection = HTTPConnection(URL.netloc)
            try:
                print(name, way(body))
            except Exception as error:
                print(name, type(error).__name__, error)
    """


@pytest.fixture(scope="module")
def raw_server() -> Iterator[str]:
    """Answers each request with the bytes that its path names, and hangs up."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)

    def serve(client: socket.socket) -> None:
        with client, suppress(OSError):
            head, data = b"", b""
            while b"\r\n\r\n" not in head:
                data = client.recv(1 << 16)
                if not data:
                    return
                head += data
            head, _, body = head.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: *(\d+)", head)
            while length and len(body) < int(length[1]):
                body += client.recv(1 << 16)
            client.sendall(RESPONSES[head.split()[1].split(b"/")[2].decode()])
            client.shutdown(socket.SHUT_WR)
            client.recv(1)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    thread = threading.Thread(target=accept)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    listener.shutdown(socket.SHUT_RDWR)
    thread.join()
    listener.close()


@pytest.mark.parametrize("client", CLIENTS)
def test_a_malformed_response_is_what_it_is_under_python(client: str, programs: Programs, raw_server: str) -> None:
    beside = Beside(programs, {"OPENAI_BASE_URL": raw_server, "OPENAI_API_KEY": "k"})
    done = beside.same(program(client, EACH.replace("NAMES", repr(list(RESPONSES)))), code=0)
    assert done.out.count(b"\n") >= 2 * len(RESPONSES)
    # Not each is a call to its end; none is missing.
    assert len(graph()["nodes"]) >= 2 * len(RESPONSES)
    assert "running" not in column(graph(), "status")


SDK = """
    import asyncio, os
    import openai

    def client(name, kind):
        return kind(base_url=os.environ["OPENAI_BASE_URL"] + "/" + name, max_retries=0)

    async def stream(name):
        messages = [{"role": "user", "content": name}]
        async with client(name, openai.AsyncOpenAI) as asynchronous:
            create = asynchronous.chat.completions.create
            return [chunk async for chunk in await create(model="m", messages=messages, stream=True)]

    for name in NAMES:
        messages = [{"role": "user", "content": name}]
        create = client(name, openai.OpenAI).chat.completions.create
        for way in (
            lambda: create(model="m", messages=messages),
            lambda: list(create(model="m", messages=messages, stream=True)),
            lambda: asyncio.run(stream(name)),
        ):
            try:
                print(name, way())
            except Exception as error:
                print(name, type(error).__name__, error)
    """


def test_a_malformed_response_to_an_sdk_is_what_it_is_under_python(programs: Programs, raw_server: str) -> None:
    beside = Beside(programs, {"OPENAI_BASE_URL": raw_server, "OPENAI_API_KEY": "k"})
    beside.same(SDK.replace("NAMES", repr(list(RESPONSES))), code=0)
    assert len(graph()["nodes"]) >= 3 * len(RESPONSES)
    assert "running" not in column(graph(), "status")


# What our patches know of each library, by another name.
RENAMED = {
    "aiohttp": ("aiohttp", r"\b_wait\b|\b_read_nowait_chunk\b"),
    "http.client": ("http", r"\b_tunnel_host\b"),
    "requests": ("urllib3", r"\b_make_request\b"),
    "urllib3": ("urllib3", r"\b_make_request\b"),
}


def renamed(package: str, names: str, programs: Programs) -> None:
    """Put a copy of `package` where programs find it first, with other names in place of those that match."""
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    ignored = shutil.ignore_patterns("*.so", "__pycache__")
    copy = Path(shutil.copytree(Path(spec.origin).parent, programs.folder / package, ignore=ignored))
    changed = 0
    for file in copy.rglob("*.py"):
        text, found = re.subn(names, lambda name: name[0] + "_renamed", file.read_text())
        file.write_text(text)
        changed += found
    assert changed


@pytest.mark.parametrize("client", RENAMED)
def test_a_library_with_renamed_internals_works_as_under_python(
    client: str, programs: Programs, model_server: ModelServer
) -> None:
    renamed(*RENAMED[client], programs)
    done = Beside(programs, model_server.env).same(program(client), code=0)
    assert done.out.count(b"\n") >= 4


HTTPX = """
    import asyncio, os
    import LIBRARY

    URL = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
    BODY = {"model": "m", "messages": [{"role": "user", "content": "one"}]}

    async def lines():
        async with LIBRARY.AsyncClient() as client:
            async with client.stream("POST", URL, json={**BODY, "stream": True}) as response:
                return [line async for line in response.aiter_lines()]

    with LIBRARY.Client() as client:
        print(client.post(URL, json=BODY).json()["choices"][0]["message"])
        print(client.post(URL, json={**BODY, "model": "fail-400"}).status_code)
    print(len(asyncio.run(lines())) > 2)
    """


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
@pytest.mark.parametrize("name", ["_transport_for_url", "AsyncByteStream"])
def test_httpx_with_renamed_internals_works_as_under_python_and_the_run_says_that_it_is_not_recorded(
    library: str, name: str, programs: Programs, model_server: ModelServer
) -> None:
    renamed(library, rf"\b{name}\b", programs)
    done = Beside(programs, model_server.env).same(HTTPX.replace("LIBRARY", library), code=0)
    assert done.out.count(b"\n") == 3
    found = ask("ao.graph", run="last", format="text")["text"]
    (note,) = [line for line in found.splitlines() if line.startswith("! ")]
    assert note.startswith(f"! {library} ")
    assert "its calls are not recorded: AttributeError" in note
    assert graph()["nodes"] == []
