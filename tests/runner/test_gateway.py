"""`ao-record --gateway`: what no patch reaches is recorded, replayed and edited; what is patched, once."""

from __future__ import annotations

import contextlib
import gzip
import json
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import threading
from pathlib import Path
from textwrap import dedent

import pytest
from model_server import ModelServer

from ao_lsp import paths
from ao_lsp.runner.gateway import Gateway, variables
from tests.daemons import LONG_S, ask, until
from tests.runner.beside_python import notes
from tests.runner.recorded import AO, Programs, column, edges, graph

START = """
import json, os, socket, subprocess, sys
from urllib.parse import urlsplit

URL = os.environ["OPENAI_BASE_URL"] + "/chat/completions"


def body(text="x", model="m", **more):
    return json.dumps({"model": model, "messages": [{"role": "user", "content": text}], **more})


def connected(url=URL):
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port))


def send(sock, data, *headers, url=URL):
    parts = urlsplit(url)
    lines = ["POST " + parts.path + " HTTP/1.1", "Host: " + parts.netloc, "Content-Type: application/json", *headers]
    data = data if type(data) is bytes else data.encode()
    sock.sendall("\\r\\n".join([*lines, f"Content-Length: {len(data)}", "", ""]).encode() + data)


def content(answer):
    return json.loads(answer)["choices"][0]["message"]["content"]


"""

# Each defines `post(body)`, which returns the body of the answer.
CLIENTS = {
    "curl": """
        def post(data):
            command = ["curl", "-sS", URL, "-H", "Content-Type: application/json", "-H", "Authorization: Bearer k"]
            return subprocess.run([*command, "-d", data], stdout=subprocess.PIPE, check=True).stdout.decode()
        """,
    "node": """
        SCRIPT = '''
        const http = require("http"), [url, data] = process.argv.slice(1);
        const headers = {"content-type": "application/json"};
        const request = http.request(url, {method: "POST", headers}, response => response.pipe(process.stdout));
        request.end(data);
        '''

        def post(data):
            command = ["node", "-e", SCRIPT, URL, data]
            return subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.decode()
        """,
    "a socket": """
        def post(data):
            with connected() as sock:
                send(sock, data, "Connection: close")
                whole = sock.makefile("rb").read()
            return whole.partition(b"\\r\\n\\r\\n")[2].decode()
        """,
}

AGENT = """
    first = content(post(body("one")))
    print(first)
    print(content(post(body("two: " + first))))
    """


def program(rest: str = AGENT, client: str = "a socket") -> str:
    return START + dedent(CLIENTS[client]) + dedent(rest)


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if name in ("curl", "node") and shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    return name


def edit(call: int, field: str, content: str) -> None:
    subprocess.run(
        [AO, "edit", "first", str(call), f"--{field}", "-"], input=content.encode(), check=True, timeout=LONG_S
    )


def test_calls_that_no_patch_sees_are_recorded_replayed_and_edited(
    client: str, programs: Programs, model_server: ModelServer, home: str
) -> None:
    out, err = programs.record(program(client=client), "--gateway", "--name", "first", env=model_server.env)
    assert err == ""
    assert [request["path"] for request in model_server.requests] == ["/v1/chat/completions"] * 2
    found = graph()
    assert column(found, "status") == ["ok", "ok"]
    assert column(found, "model") == ["m", "m"]
    assert column(found, "line") == [None, None]
    assert edges(found) == {(1, 2)}
    assert found["edges"][0]["evidence"] == "matched"
    url = ask("ao.call", run="last", call="1")["request"]["url"]
    assert url == model_server.env["OPENAI_BASE_URL"] + "/chat/completions"

    assert programs.rerun("first") == out
    assert len(model_server.requests) == 2
    assert column(graph(), "origin") == ["replayed", "replayed"]

    edit(1, "output", "Another answer.")
    assert programs.rerun("first").startswith("Another answer.\n")
    sent = [request["request"]["messages"][0]["content"] for request in model_server.requests[2:]]
    assert sent == ["two: Another answer."]
    assert column(graph(), "origin") == ["edited", "live"]
    assert notes(home) == []


def test_an_edited_input_is_what_the_host_gets(programs: Programs, model_server: ModelServer) -> None:
    programs.record(program('print(content(post(body("one"))))'), "--gateway", "--name", "first", env=model_server.env)
    edit(1, "input", '{"model": "m", "messages": [{"role": "user", "content": "something longer"}]}')
    programs.rerun("first", env=model_server.env)
    assert model_server.requests[-1]["request"]["messages"][0]["content"] == "something longer"


def test_an_edit_that_no_call_came_for_is_told_of_by_the_gateway(
    programs: Programs, model_server: ModelServer, home: str
) -> None:
    source = program('for text in os.environ["WHAT"].split(): post(body(text))')
    programs.record(source, "--gateway", "--name", "first", env={**model_server.env, "WHAT": "one two"})
    edit(1, "output", "Another answer.")
    edit(2, "output", "Another answer.")
    programs.rerun("first", env={**model_server.env, "WHAT": "one"})
    told = "the edited output of call 2 was not used: no call of this run was like it"
    assert until(lambda: notes(home), "nothing is told") == [told]


def test_what_a_child_that_is_not_recorded_asked_and_said_has_no_edges_past_its_call(
    client: str, programs: Programs, model_server: ModelServer
) -> None:
    rest = """
        import openai
        def ask(text):
            create = openai.OpenAI().chat.completions.create
            return create(model="m", messages=[{"role": "user", "content": text}]).choices[0].message.content

        first = ask("How is a dry stone wall built?")
        ask("Find a title for this: " + content(post(body("What do the sources say of this? " + first))))
        """
    programs.record(program(rest, client), "--gateway", env=model_server.env)
    assert edges(graph()) == {(1, 2), (2, 3)}


def hashes() -> list[str]:
    """The keys of all recorded calls, in order."""
    with contextlib.closing(sqlite3.connect(paths.database())) as database:
        return [row[0] for row in database.execute("SELECT request_hash FROM calls ORDER BY started")]


SDK = """
    import asyncio, httpx, openai, urllib.request
    create = openai.OpenAI().chat.completions.create
    text = create(model="m", messages=[{"role": "user", "content": "one"}]).choices[0].message.content
    stream = create(model="m", messages=[{"role": "user", "content": "two " + text}], stream=True)
    said = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
    print(httpx.post(URL, json={"model": "m", "messages": [{"role": "user", "content": said}]}).json()["model"])
    request = urllib.request.Request(URL, body("three " + said).encode(), {"Content-Type": "application/json"})
    print(len(urllib.request.urlopen(request).read()) > 0)
    """


def test_what_is_recorded_in_the_program_is_recorded_once_as_without_a_gateway(
    programs: Programs, model_server: ModelServer
) -> None:
    plain = programs.record(program(SDK), env=model_server.env)
    without = graph()
    assert programs.record(program(SDK), "--gateway", "--name", "first", env=model_server.env) == plain
    found = graph()
    for name in ("line", "model", "status", "streamed", "provider", "endpoint"):
        assert column(found, name) == column(without, name)
    assert edges(found) == edges(without) == {(1, 2), (2, 3), (2, 4)}
    assert {edge["evidence"] for edge in found["edges"]} == {"tracked"}
    assert hashes()[:4] == hashes()[4:]
    sent = len(model_server.requests)
    assert programs.rerun("first", env=model_server.env) == plain[0]
    assert len(model_server.requests) == sent
    assert column(graph(), "origin") == ["replayed"] * 4


def test_an_input_that_is_edited_in_the_program_is_recorded_once(programs: Programs, model_server: ModelServer) -> None:
    programs.record(program(SDK.split("    stream")[0]), "--gateway", "--name", "first", env=model_server.env)
    edit(1, "input", '{"model": "m", "messages": [{"role": "user", "content": "something else"}]}')
    programs.rerun("first", env=model_server.env)
    assert column(graph(), "input_tokens") == [ask("ao.call", run="last", call="1")["output"]["usage"]["input_tokens"]]


class Host(contextlib.AbstractContextManager["Host"]):
    """A model's host that says `parts`, one at a time: each but the first when it is told that the client
    has got the one before. Everything it sends is `answer`, or chunks of it."""

    def __init__(self, *parts: bytes, tls: ssl.SSLContext | None = None) -> None:
        self.got = threading.Event()
        self._parts = parts
        self._tls = tls
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)
        self.env = {"OPENAI_BASE_URL": f"http://127.0.0.1:{self._listening.getsockname()[1]}/v1"}
        self.closed = threading.Event()

    def __enter__(self) -> Host:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join(LONG_S)
        self._listening.close()

    def _serve(self) -> None:
        self._listening.settimeout(LONG_S)
        try:
            client, _ = self._listening.accept()
            client.settimeout(LONG_S)
            if self._tls is not None:
                client = self._tls.wrap_socket(client, server_side=True)
            with client, client.makefile("rb") as reader:
                length = 0
                while line := reader.readline().strip():
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.partition(b":")[2])
                reader.read(length)
                client.sendall(self._parts[0])
                for part in self._parts[1:]:
                    self.got.wait(LONG_S)
                    self.got.clear()
                    client.sendall(part)
                reader.read()
        except OSError:
            pass  # closed in the middle
        self.closed.set()


STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def test_a_piece_of_a_stream_is_passed_on_when_it_arrives(programs: Programs) -> None:
    parts = [STREAM, *(b"9\r\ndata: %d\n\n\r\n" % number for number in (1, 2, 3)), b"0\r\n\r\n"]
    with Host(parts[0] + parts[1], *parts[2:]) as host:
        file = programs.write(
            program(
                """
                sock = connected()
                send(sock, body(stream=True))
                reader = sock.makefile("rb")
                for line in reader:
                    if line.startswith(b"data: "):
                        print(line.decode().strip(), flush=True)
                    if line == b"0\\r\\n":
                        break
                """
            )
        )
        process = programs.start("--gateway", "--name", "first", file.name, env=host.env)
        assert process.stdout is not None
        for number in (1, 2, 3):
            assert process.stdout.readline() == b"data: %d\n" % number  # before the host says the next
            host.got.set()
        assert process.communicate(timeout=LONG_S)[1] == b""
    call = ask("ao.call", run="first", call="1")
    assert (call["call"]["streamed"], call["complete"]) == (True, True)
    assert programs.rerun("first", env=host.env) == "data: 1\ndata: 2\ndata: 3\n"


def test_a_body_that_is_compressed_comes_as_it_is(programs: Programs) -> None:
    packed = gzip.compress(json.dumps({"choices": [{"message": {"content": "grüße"}}]}).encode(), mtime=0)
    head = f"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {len(packed)}\r\nx-other: y\r\n\r\n"
    with Host(head.encode() + packed) as host:
        out, _ = programs.record(
            program(
                """
                sock = connected()
                send(sock, body(), "Connection: close")
                print(sock.makefile("rb").read())
                """
            ),
            "--gateway",
            "--name",
            "first",
            env=host.env,
        )
    assert repr(packed)[2:-1] in out
    assert "x-other: y" in out
    assert ask("ao.call", run="last", call="1")["output"]["text"] == "grüße"
    assert repr(packed)[2:-1] in programs.rerun("first", env=host.env)


def test_a_client_that_leaves_early_is_the_end_of_the_request(programs: Programs) -> None:
    with Host(STREAM + b"9\r\ndata: 1\n\n\r\n", b"9\r\ndata: 2\n\n\r\n") as host:
        programs.record(
            program(
                """
                with connected() as sock:
                    send(sock, body(stream=True))
                    while b"data: 1" not in sock.recv(1 << 16):
                        pass
                """
            ),
            "--gateway",
            env=host.env,
        )
        host.got.set()
        assert host.closed.wait(LONG_S)
    found = until(lambda: (call := ask("ao.call", run="last", call="1"))["response"] and call, "it did not end")
    assert found["call"]["status"] == "ok"
    assert found["complete"] is False


def test_what_fails_fails_as_it_would_without_a_gateway(programs: Programs, model_server: ModelServer) -> None:
    source = program(
        """
        for model in ("fail-400", "fail-404", "fail-drop", "fail-cut"):
            for stream in (False, True):
                with connected() as sock:
                    send(sock, body(model=model, stream=stream), "Connection: close")
                    try:
                        head, _, rest = sock.makefile("rb").read().partition(b"\\r\\n\\r\\n")
                    except OSError:
                        head = b""
                    length = b"content-length: %d\\r\\n" % len(rest)
                    whole = length in (head + b"\\r\\n").lower() or rest.endswith(b"0\\r\\n\\r\\n")
                    print(model, stream, head.split(b"\\r\\n")[0].split(b" ")[1:2] if whole else "broken")
        """
    )
    plain = programs.record(source, env=model_server.env)
    assert programs.record(source, "--gateway", env=model_server.env) == plain
    assert column(graph(), "status") == ["error"] * 8
    assert [ask("ao.call", run="last", call=str(n))["response"] is None for n in (1, 5)] == [False, True]


def test_one_connection_carries_many_requests_and_many_connections_are_served_at_once(
    programs: Programs, model_server: ModelServer
) -> None:
    out, _ = programs.record(
        program(
            """
            from http.client import HTTPResponse
            import threading

            def one(sock, number, large=1):
                send(sock, body(f"question {number} " * large))
                response = HTTPResponse(sock, method="POST")
                response.begin()
                return response.read()

            with connected() as sock:
                for number in range(3):
                    assert one(sock, number)
                print(len(one(sock, 3, 200_000)) > 0)
            socks = [connected() for _ in range(60)]
            for sock in socks:
                send(sock, body("many"))
            for sock in socks:
                response = HTTPResponse(sock, method="POST")
                response.begin()
                assert content(response.read())
                sock.close()
            """
        ),
        "--gateway",
        env=model_server.env,
    )
    assert out == "True\n"
    assert len(model_server.requests) == 64
    assert column(graph(), "status") == ["ok"] * 64


def test_other_requests_pass_unrecorded(programs: Programs, model_server: ModelServer) -> None:
    source = program(
        """
        import urllib.request
        with urllib.request.urlopen(os.environ["OPENAI_BASE_URL"] + "/models") as response:
            print(json.load(response)["object"], response.headers["content-type"])
        try:
            urllib.request.urlopen(os.environ["OPENAI_BASE_URL"] + "/nothing")
        except OSError as error:
            print(error)
        """
    )
    plain = programs.record(source, env=model_server.env)
    assert programs.record(source, "--gateway", env=model_server.env) == plain
    assert graph()["nodes"] == []


def test_a_call_without_a_recording_is_refused_when_it_must_not_be_made(
    programs: Programs, model_server: ModelServer
) -> None:
    source = program('print(post(body(os.environ["WHAT"])))')
    programs.record(source, "--gateway", "--name", "first", env={**model_server.env, "WHAT": "one"})
    sent = len(model_server.requests)
    out = programs.rerun("first", "--strict", env={**model_server.env, "WHAT": "another"})
    assert "no recording" in json.loads(out)["error"]["message"]
    assert len(model_server.requests) == sent


def test_no_secret_of_a_request_reaches_the_disk(programs: Programs, model_server: ModelServer, home: str) -> None:
    programs.record(
        program(
            """
            with connected() as sock:
                send(sock, body(), "Authorization: Bearer " + os.environ["SECRET"], "Connection: close")
                sock.makefile("rb").read()
            """
        ),
        "--gateway",
        env={**model_server.env, "SECRET": "sk-secret-in-a-header"},
    )
    assert column(graph(), "status") == ["ok"]
    found = subprocess.run(["grep", "-r", "-l", "sk-secret-in-a-header", home], capture_output=True, text=True)
    assert found.stdout == ""


def test_the_gateway_ends_with_the_program_and_is_no_child_of_it(programs: Programs, model_server: ModelServer) -> None:
    file = programs.write(
        program(
            """
            try:
                os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                print(connected().getpeername()[1], flush=True)
            sys.stdin.read()
            """
        )
    )
    process = programs.start("--gateway", file.name, env=model_server.env, stdin=subprocess.PIPE)
    assert process.stdout is not None
    port = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    process.communicate()

    def is_gone() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return False
        return True

    until(is_gone, "the gateway goes on")


def test_without_a_gateway_that_starts_the_program_runs_and_is_told(
    programs: Programs, model_server: ModelServer
) -> None:
    source = program(SDK.split("    stream")[0] + '    print("AO_GATEWAY_ADDRESS" in os.environ, URL)\n')
    out, err = programs.record(source, "--gateway", "--server-python", "/bin/false", env=model_server.env)
    assert out == f"False {model_server.env['OPENAI_BASE_URL']}/chat/completions\n"
    assert err.startswith("ao-record: no gateway")
    assert column(graph(), "status") == ["ok"]


def test_nobody_gets_in_who_does_not_know_the_way(programs: Programs, model_server: ModelServer) -> None:
    out, _ = programs.record(
        program(
            """
            other = urlsplit(URL)
            other = f"http://{other.netloc}/openai/v1/chat/completions"
            with connected() as sock:
                send(sock, body(), "Connection: close", url=other)
                print(sock.makefile("rb").readline())
            """
        ),
        "--gateway",
        env=model_server.env,
    )
    assert out == "b'HTTP/1.1 404 \\r\\n'\n"
    assert model_server.requests == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of localhost's, with its key in the same file."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which makes the certificate, is not installed")
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", folder / "key", "-out", folder / "both"],
        check=True,
        capture_output=True,
        timeout=LONG_S,
    )  # fmt: skip
    with open(folder / "both", "ab") as both:
        both.write((folder / "key").read_bytes())
    return folder / "both"


class Proxy(contextlib.AbstractContextManager["Proxy"]):
    """A proxy that makes one tunnel. `asked` is the first line of who asked for it."""

    def __init__(self) -> None:
        self.asked = ""
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join(LONG_S)
        self._listening.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError), self._listening.accept()[0] as client:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += client.recv(1)
            self.asked = head.split(b"\r\n")[0].decode()
            host, _, port = self.asked.split(" ")[1].rpartition(":")
            with socket.create_connection((host, int(port))) as there:
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                back = threading.Thread(target=_pump, args=(there, client))
                back.start()
                _pump(client, there)
                back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(1 << 16):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("proxied", [False, True], ids=["directly", "through a proxy"])
def test_the_host_is_reached_over_tls(
    proxied: bool, certificate: Path, programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    answer = b'{"choices":[{"message":{"content":"secure"}}]}'
    with (
        Host(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(answer), answer), tls=context) as host,
        Proxy() as proxy,
    ):
        url = host.env["OPENAI_BASE_URL"].replace("http://127.0.0.1", "https://localhost")
        env = {"OPENAI_BASE_URL": url, "SSL_CERT_FILE": str(certificate)}
        if proxied:
            env["HTTPS_PROXY"] = proxy.url
        out, err = programs.record(program('print(content(post(body("one"))))'), "--gateway", env=env)
    assert (out, err) == ("secure\n", "")
    assert proxy.asked == (f"CONNECT localhost:{url.rpartition(':')[2].partition('/')[0]} HTTP/1.1" if proxied else "")
    assert ask("ao.call", run="last", call="1")["request"]["url"] == f"{url}/chat/completions"


# -- which variables lead where


def test_variables_lead_to_where_they_pointed_or_to_the_providers_host(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*variables._DEFAULTS, *variables._ALSO, *variables._WHERE_SET):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_API_BASE", "http://localhost:8000/v1/")
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://me.openai.azure.com")
    monkeypatch.setenv("OLLAMA_HOST", "0.0.0.0:1234")
    monkeypatch.setenv("XAI_API_BASE", "no url")
    found = variables.targets(None)
    assert found == {
        "OPENAI_BASE_URL": "http://localhost:8000/v1",
        "OPENAI_API_BASE": "http://localhost:8000/v1",
        "ANTHROPIC_BASE_URL": "https://api.anthropic.com",
        "GOOGLE_GEMINI_BASE_URL": "https://generativelanguage.googleapis.com",
        "GROQ_BASE_URL": "https://api.groq.com",
        "OLLAMA_HOST": "http://127.0.0.1:1234",
        "OLLAMA_API_BASE": "http://127.0.0.1:1234",
        "AZURE_OPENAI_ENDPOINT": "https://me.openai.azure.com",
    }
    gateway = Gateway("http://127.0.0.1:1/token", variables.routes(found))
    for url in found.values():
        through = gateway.through(url)
        assert through.startswith("http://127.0.0.1:1/token/")
        assert gateway.upstream(through + "/chat?x=y") == url + "/chat?x=y"
    assert gateway.upstream("http://127.0.0.1:1/other/openai/v1") is None
    assert gateway.upstream("https://api.openai.com/v1") is None


def test_a_proxy_is_not_asked_for_the_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    variables.bypass_proxy("127.0.0.1")
    import os

    assert "NO_PROXY" not in os.environ
    monkeypatch.setenv("HTTP_PROXY", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", "intern")
    variables.bypass_proxy("127.0.0.1")
    assert (os.environ["no_proxy"], os.environ["NO_PROXY"]) == ("intern,127.0.0.1", "127.0.0.1")
