"""The example model server on the wire and as a process."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, RemoteDisconnected
from pathlib import Path
from typing import Any

import fake_model.service
import model_server as program
import pytest
from model_server import ModelServer

SCRIPT = Path(program.__file__)
CHAT: dict[str, object] = {"model": "gpt-5.4", "messages": [{"role": "user", "content": "Why do bees dance?"}]}
MESSAGE: dict[str, object] = {**CHAT, "max_tokens": 100}
REQUESTS: dict[str, dict[str, object]] = {
    "/v1/chat/completions": CHAT,
    "/v1/responses": {"model": "gpt-5.4", "input": "Why do bees dance?"},
    "/v1/embeddings": {"model": "m", "input": "Why do bees dance?"},
    "/v1/messages": MESSAGE,
}


def port(server: ModelServer) -> int:
    return int(server.url.rpartition(":")[2])


def raw(server: ModelServer, path: str, body: bytes, method: str = "POST") -> bytes:
    """Every byte that the server sends for one request."""
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port(server))) as connection:
        connection.sendall(head.encode() + body)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def post(connection: HTTPConnection, path: str, body: object) -> tuple[int, Any]:
    connection.request("POST", path, body if isinstance(body, bytes) else json.dumps(body))
    response = connection.getresponse()
    return response.status, json.loads(response.read())


@contextmanager
def connected(server: ModelServer) -> Iterator[HTTPConnection]:
    connection = HTTPConnection("127.0.0.1", port(server))
    try:
        yield connection
    finally:
        connection.close()


def wait_until(condition: Callable[[], object]) -> None:
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)  # between two looks; the condition decides
    raise AssertionError("it did not come true in 10 seconds")


@pytest.mark.parametrize("path", REQUESTS)
@pytest.mark.parametrize("stream", [False, True])
def test_the_same_request_gets_the_same_bytes_from_every_server(path: str, stream: bool) -> None:
    body = json.dumps({**REQUESTS[path], "stream": stream}).encode()
    with ModelServer() as one, ModelServer() as other:
        answers = {raw(one, path, body), raw(one, path, body), raw(other, path, body)}
    assert len(answers) == 1
    assert answers.pop().startswith(b"HTTP/1.1 200 OK\r\n")


def test_one_connection_serves_many_requests_also_after_errors_and_streams(model_server: ModelServer) -> None:
    with connected(model_server) as connection:
        assert post(connection, "/v1/chat/completions", CHAT)[0] == 200
        first = connection.sock
        connection.request("POST", "/v1/chat/completions", json.dumps({**CHAT, "stream": True}))
        response = connection.getresponse()
        assert response.headers["transfer-encoding"] == "chunked"
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.read().endswith(b"data: [DONE]\n\n")
        assert post(connection, "/v1/chat/completions", b"{")[0] == 400
        assert post(connection, "/v1/nonsense", {})[0] == 404
        assert post(connection, "/v1/messages?beta=true", MESSAGE)[0] == 200
        assert connection.sock is first


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[1]", b'"text"'])
@pytest.mark.parametrize(("path", "kind"), [("/v1/responses", None), ("/v1/messages", "error")])
def test_a_body_that_is_no_json_object_is_refused(model_server: ModelServer, path: str, kind: str, body: bytes) -> None:
    with connected(model_server) as connection:
        status, answer = post(connection, path, body)
    assert status == 400
    assert answer.get("type") == kind
    assert answer["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("request_line", "status"),
    [("nonsense", 400), ("POST / HTTP/1.1\r\nContent-Length: many", 411), ("BREW / HTTP/1.1", 501)],
)
def test_what_is_no_proper_http_is_refused_in_json(model_server: ModelServer, request_line: str, status: int) -> None:
    with socket.create_connection(("127.0.0.1", port(model_server))) as connection:
        connection.sendall(f"{request_line}\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    if status != 400:  # a request line without a version is HTTP/0.9, whose answers have no head
        assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert "error" in json.loads(answer.rpartition(b"\r\n")[2])


def test_a_client_that_does_not_read_to_the_end_disturbs_no_other(model_server: ModelServer) -> None:
    with connected(model_server) as connection:
        connection.request("POST", "/v1/chat/completions", json.dumps({**CHAT, "stream": True}))
        connection.getresponse().read(10)
    with connected(model_server) as connection:
        assert post(connection, "/v1/chat/completions", CHAT)[0] == 200


def test_requests_that_hang_hold_up_no_other(model_server: ModelServer) -> None:
    hanging = [socket.create_connection(("127.0.0.1", port(model_server))) for _ in range(50)]
    body = json.dumps({**CHAT, "model": "fail-hang"})
    for waiting in hanging:
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        waiting.sendall((head + body).encode())
    wait_until(lambda: len(model_server.requests) == 50)
    with connected(model_server) as connection:
        assert post(connection, "/v1/chat/completions", CHAT)[0] == 200
    for waiting in hanging:
        waiting.close()


def test_a_stalled_stream_has_sent_its_first_half(model_server: ModelServer) -> None:
    with connected(model_server) as connection:
        connection.request("POST", "/v1/messages", json.dumps({**MESSAGE, "model": "fail-stall", "stream": True}))
        assert connection.getresponse().readline() == b"event: message_start\n"


def test_garbage_is_no_json_with_status_200(model_server: ModelServer) -> None:
    answer = raw(model_server, "/v1/chat/completions", json.dumps({**CHAT, "model": "fail-garbage"}).encode())
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"<html>502</html>")


def test_every_failure_that_can_be_asked_for_is_documented() -> None:
    described = re.findall(r"^    ([a-zA-Z-]+) {2,}(.+)$", program.__doc__ or "", re.MULTILINE)
    assert dict(described) == fake_model.service.FAILURES


def test_stopping_cuts_delays_short_and_still_answers() -> None:
    server = ModelServer(delay=1000)
    server.start()
    answers: list[int] = []

    def ask() -> None:
        with connected(server) as connection:
            answers.append(post(connection, "/v1/chat/completions", CHAT)[0])

    asking = threading.Thread(target=ask)
    asking.start()
    wait_until(lambda: server.requests)
    server.stop()
    asking.join()
    assert answers == [200]


def test_stopping_ends_idle_and_hanging_connections_and_frees_the_port() -> None:
    server = ModelServer()
    server.start()
    with connected(server) as idle, connected(server) as hanging:
        post(idle, "/v1/chat/completions", CHAT)
        hanging.request("POST", "/v1/chat/completions", json.dumps({**CHAT, "model": "fail-hang"}))
        wait_until(lambda: len(server.requests) == 2)
        server.stop()
        with pytest.raises(RemoteDisconnected):
            hanging.getresponse()
    with ModelServer(port(server)) as again:
        assert again.url == server.url


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_as_a_process_it_prints_its_url_logs_requests_and_stops_at_a_signal(tmp_path: Path, number: int) -> None:
    log = tmp_path / "requests.jsonl"
    command = [sys.executable, "-W", "error", str(SCRIPT), "--port", "0", "--log", str(log)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        connection = HTTPConnection(url.removeprefix("http://"))
        post(connection, "/v1/chat/completions", CHAT)
        post(connection, "/v1/messages", {"model": "m"})
        process.send_signal(number)
        output, errors = process.communicate(timeout=30)
        connection.close()
    assert (process.returncode, output, errors) == (0, "", "")
    entries = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    assert [(entry["method"], entry["path"], entry["status"]) for entry in entries] == [
        ("POST", "/v1/chat/completions", 200),
        ("POST", "/v1/messages", 400),
    ]
    assert entries[0]["request"] == CHAT


def test_a_port_that_is_taken_is_said_in_one_line(model_server: ModelServer) -> None:
    command = [sys.executable, str(SCRIPT), "--port", str(port(model_server))]
    result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert result.returncode == 1
    assert re.fullmatch(r"cannot serve: .*in use.*\n", result.stderr)
