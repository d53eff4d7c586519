"""No secret reaches the disk: planted wherever programs have them, looked for in all that we write."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import zlib
from contextlib import closing
from pathlib import Path

import pytest
from model_server import ModelServer

from tests.daemons import LONG_S, ask
from tests.runner.recorded import AO, Programs, column, graph

# Each is in the place that its name says; the program has them by its environment, its own text has none.
PLANTED = {
    name: f"sk-{name.lower().replace('_', '-')}-0123456789"
    for name in (
        "OPENAI_API_KEY", "OTHER_TOKEN", "HEADER_API_KEY", "HEADER_X_KEY", "HEADER_GOOGLE", "HEADER_COOKIE",
        "HEADER_PROXY", "HEADER_CUSTOM", "URL_KEY", "URL_PASSWORD", "URL_TOKEN", "SAID_KEY", "CAUGHT_KEY",
        "SET_COOKIE", "REDIRECT_KEY",
    )
}  # fmt: skip

FORMATS = ("json", "html", "otlp")

PROGRAM = """
    import http.client, json, os, sys, urllib.request
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    from threading import Thread

    import httpx, openai, requests

    secret = os.environ
    base = secret["OPENAI_BASE_URL"]
    client = openai.OpenAI(
        max_retries=0,
        default_headers={
            "x-api-key": secret["HEADER_X_KEY"],
            "api-key": secret["HEADER_API_KEY"],
            "x-goog-api-key": secret["HEADER_GOOGLE"],
            "cookie": "a=" + secret["HEADER_COOKIE"],
            "proxy-authorization": "Basic " + secret["HEADER_PROXY"],
            "x-corp-auth": secret["HEADER_CUSTOM"],
        },
    )
    body = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
    first = client.chat.completions.create(**body).choices[0].message.content
    body["messages"].append({"role": "assistant", "content": first})
    body["messages"].append({"role": "user", "content": "and?"})
    address = base + "/chat/completions?key=" + secret["URL_KEY"] + "&access_token=" + secret["URL_TOKEN"]
    address = address.replace("://", "://me:" + secret["URL_PASSWORD"] + "@")
    print(len(httpx.post(address, json=body).json()["choices"]))
    print(len(requests.post(address, json=body).json()["choices"]))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("set-cookie", "session=" + secret["SET_COOKIE"])
            self.send_header("location", "http://elsewhere/x?key=" + secret["REDIRECT_KEY"])
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever).start()
        httpx.post(f"http://127.0.0.1:{server.server_address[1]}/v1/chat/completions", json=body)
        server.shutdown()
    for post in (httpx.post, requests.post):
        try:
            post("http://127.0.0.1:9/v1/chat/completions?key=" + secret["CAUGHT_KEY"], json=body)
        except Exception as error:
            print(type(error).__name__)
    try:
        client.chat.completions.create(model="fail-401", messages=body["messages"])
    except openai.OpenAIError as error:
        raise RuntimeError("the key " + secret["SAID_KEY"] + " is refused") from error
    """


def everything_in(home: str) -> dict[str, bytes]:
    """All that is on disk, by file; what the database has packed, unpacked."""
    found = {str(path): path.read_bytes() for path in Path(home).rglob("*") if path.is_file()}
    with closing(sqlite3.connect(Path(home, "data", "ao.db"))) as db:
        for codec, data in db.execute("SELECT codec, data FROM bodies"):
            unpacked = data if codec == "raw" else zlib.decompress(data)
            found["bodies"] = found.get("bodies", b"") + unpacked
        # Of the index of texts, the tables in which it is kept: it cannot be listed itself.
        tables = db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'")
        for (table,) in tables.fetchall():
            rows = db.execute(f'SELECT * FROM "{table}"').fetchall()
            found[f"the table {table}"] = "\n".join(map(repr, rows)).encode()
    return found


def planted_in(home: str) -> list[tuple[str, str]]:
    return [
        (name, file)
        for file, data in everything_in(home).items()
        for name, secret in PLANTED.items()
        if secret.encode() in data
    ]


def test_no_planted_secret_is_anywhere_on_disk(
    programs: Programs, model_server: ModelServer, home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**model_server.env, **PLANTED}.items():
        monkeypatch.setenv(name, value)
    # Once without a daemon: what is spooled is looked at before anybody takes it in.
    programs.record(PROGRAM, "--name", "spooled", env={"AO_NO_DAEMON": "1"}, code=1)
    spooled = b"".join(path.read_bytes() for path in Path(home, "data", "spool").iterdir())
    assert b"hello" in spooled
    assert [name for name, secret in PLANTED.items() if secret.encode() in spooled] == []

    programs.record(PROGRAM, "--name", "first", code=1)
    first = graph("first")
    assert len(first["nodes"]) == 7
    exports = [["export", "first", "--format", form, "--output", f"{home}/first.{form}"] for form in FORMATS]
    for arguments in (
        ["edit", "first", "1", "--output", "-"],
        ["rerun", "first"],
        ["rerun", "last", "--from", "2"],
        ["diff", first["run"]["id"], "last"],
        *exports,
        ["exec", "ao.rerun", '{"run": "first", "wait": true}'],
    ):
        done = subprocess.run(
            [AO, *arguments],
            cwd=programs.folder,
            input=b"another answer",
            capture_output=True,
            timeout=2 * LONG_S,
        )
        assert (done.returncode == 1) == (arguments[0] == "rerun"), done.stderr.decode()
    # What a program prints in the background is in a log: there the traceback with the key that it says itself.
    found = planted_in(home)
    assert {(name, Path(file).parent.name) for name, file in found} <= {("SAID_KEY", "runs")}
    error = ask("ao.runs", limit=1)["runs"][0]["error"]
    assert error["message"] == "the key [removed] is refused"


LIMITS = {
    "x-ratelimit-limit-tokens": "150000",
    "x-ratelimit-remaining-tokens": "149,984",
    "x-ratelimit-reset-tokens": "6m0.5s",
    "anthropic-ratelimit-input-tokens-reset": "2026-11-27T18:00:00Z",
    "x-amzn-bedrock-input-token-count": "12",
    "ratelimit-policy-tokens": "100;w=60",
}
NOT_LIMITS = {
    "x-csrf-token": "123456",
    "x-session-tokens": "123456",
    "x-tokens": "sk-limit-0123456789",
    "x-ratelimit-key-tokens": "99",
    "x-refresh-tokens": "0123456789" * 5,
}


def test_what_a_response_says_of_how_many_tokens_are_left_is_replayed_and_secrets_of_such_names_are_not(
    programs: Programs,
) -> None:
    out, _ = programs.record(
        f"""
        import json, httpx
        from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
        from threading import Thread

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["content-length"]))
                self.send_response(200)
                for name, value in {LIMITS | NOT_LIMITS}.items():
                    self.send_header(name, value)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"{{}}")

            def log_message(self, *_):
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            Thread(target=server.serve_forever).start()
            url = f"http://127.0.0.1:{{server.server_address[1]}}/v1/chat/completions"
            print(json.dumps(dict(httpx.post(url, json={{"model": "m", "messages": []}}).headers)))
            server.shutdown()
        """
    )
    again = json.loads(programs.rerun("last"))
    assert column(graph(), "origin") == ["replayed"]
    assert {name: json.loads(out)[name] for name in LIMITS | NOT_LIMITS} == LIMITS | NOT_LIMITS
    assert {name: value for name, value in again.items() if name in LIMITS | NOT_LIMITS} == LIMITS
