"""A model server on loopback that speaks the APIs of OpenAI, Anthropic, Gemini, Ollama and Bedrock.

No key, no network, no packages.

    python examples/model_server.py --port 0            prints its URL and serves until it is stopped
    python examples/model_server.py --delay 0.5         every answer half a second late, streams over a second half
    python examples/model_server.py --log requests.jsonl

    with ModelServer() as server:                       the same within a program
        client = OpenAI(base_url=f"{server.url}/v1", api_key="any")

It serves `/v1/chat/completions`, `/v1/responses`, `/v1/embeddings`, `/v1/messages`,
`/v1/messages/count_tokens` and `/v1/models`; Gemini's `:generateContent`, `:streamGenerateContent` and embeddings;
`/api/chat`, `/api/generate` and `/api/embed`; `/model/…/converse` and `/converse-stream`: whole and streamed, with
tools and structured output.
What it says is made up, depends on nothing but the request, and is explained in `fake_model`.

A model name can ask for a failure:

    fail-STATUS          that HTTP status, in the API's own shape: fail-500, fail-401, fail-529
    rate-limit-then-ok   429 at first; the answer when the same request comes again
    fail-drop            the connection is closed without an answer
    fail-cut             half the answer, then the connection is closed
    fail-hang            no answer for as long as the client waits
    fail-stall           half the answer, then nothing for as long as the client waits
    fail-event           half the stream, then an event that tells of an error (not streamed: status 500)
    fail-garbage         status 200 and a body that no parser reads
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import signal
import socket
import sys
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from types import TracebackType
from typing import Any, TextIO

from fake_model.service import Response, Service

_GRACE = 2.0
"""Seconds that answers under way get to finish when the server stops."""


class ModelServer:
    """The server, for as long as a `with` block lasts.

    Args:
        port: 0 for any free one.
        delay: seconds before the first byte of an answer; a stream takes as long again.
        log: a file that gets one JSON line a request (`at`, `method`, `path`, `status`, `request`, and what was `said`,
            in no API's shape: `fake_model.api.said`).
    """

    def __init__(self, port: int = 0, *, delay: float = 0.0, log: str | None = None) -> None:
        self._listener = _Listener(("127.0.0.1", port), delay, log)
        # The interval is how long stopping may take: half a second, the default, would be felt in every test.
        serve = functools.partial(self._listener.serve_forever, poll_interval=0.02)
        self._thread = threading.Thread(target=serve, name="model server", daemon=True)

    @property
    def url(self) -> str:
        """Without a path: Anthropic's base URL. OpenAI's has `/v1` behind it."""
        return f"http://127.0.0.1:{self._listener.server_address[1]}"

    @property
    def env(self) -> dict[str, str]:
        """The variables that make the SDKs use this server, and nothing but it."""
        return {
            "OPENAI_BASE_URL": f"{self.url}/v1",
            "OPENAI_API_KEY": "loopback",
            "ANTHROPIC_BASE_URL": self.url,
            "ANTHROPIC_API_KEY": "loopback",
            "GOOGLE_GEMINI_BASE_URL": self.url,
            "GEMINI_API_KEY": "loopback",
            "OLLAMA_HOST": self.url,
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": self.url,
            "AWS_ACCESS_KEY_ID": "loopback",
            "AWS_SECRET_ACCESS_KEY": "loopback",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The last 1000 requests, oldest first, as they are logged."""
        return list(self._listener.requests)

    def start(self) -> None:
        """Begin to serve, in threads of its own. It can be reached from here on."""
        self._thread.start()

    def stop(self) -> None:
        """Take no more connections, finish the answers under way, and free the port."""
        self._listener.shutdown()
        self._thread.join()
        self._listener.close()

    def __enter__(self) -> ModelServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Listener(ThreadingMixIn, TCPServer):
    """Accepts connections; each has a thread, and any number of requests one after another."""

    allow_reuse_address = True
    request_queue_size = 512  # a burst of parallel clients must not be refused

    def __init__(self, address: tuple[str, int], delay: float, log: str | None) -> None:
        self.service = Service()
        self.delay = delay
        self.requests: deque[dict[str, Any]] = deque(maxlen=1000)
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._open: dict[socket.socket, threading.Thread] = {}
        super().__init__(address, _Handler)
        self._log: TextIO | None = open(log, "a", encoding="utf-8") if log else None  # noqa: SIM115 - closed in `close`

    def process_request(self, request: Any, client_address: Any) -> None:
        thread = threading.Thread(target=self.process_request_thread, args=(request, client_address), daemon=True)
        # Here and not in the thread itself: once `shutdown` has returned, `close` knows of every connection.
        with self._lock:
            self._open[request] = thread
        thread.start()

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        with self._lock:
            self._open.pop(request, None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients go away when they like; anything else is a fault of ours and is printed."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def note(self, entry: dict[str, Any]) -> None:
        """Log a request."""
        with self._lock:
            self.requests.append(entry)
            if self._log:
                self._log.write(json.dumps(entry, ensure_ascii=False) + "\n")
                self._log.flush()

    def close(self) -> None:
        """End the connections: idle ones at once, the others when their answer is out."""
        self.stopping.set()
        self.server_close()
        # Nothing more to read: a thread that waits for a request sees the end of it.
        threads = self._shut(socket.SHUT_RD)
        deadline = time.monotonic() + _GRACE
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        # What is left writes to a client that does not read.
        for thread in self._shut(socket.SHUT_RDWR):
            thread.join()
        if self._log:
            self._log.close()

    def _shut(self, how: int) -> list[threading.Thread]:
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):  # the client was faster
                    connection.shutdown(how)
            return list(self._open.values())


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body leave together; streams flush after each event
    server: _Listener

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        length = headers.get("content-length", "0")
        if "transfer-encoding" in headers or not length.isdecimal():
            # Where such a body ends is unknown here, and so is where the next request begins.
            self.send_error(411, "Send a Content-Length.")
            return
        body = self.rfile.read(int(length))
        response = self.server.service.respond(self.command, self.path, headers, body)
        self.server.note(
            {
                "at": time.time(),
                "method": self.command,
                "path": self.path,
                "status": response.status,
                "request": response.request,
                "said": response.said,
            }
        )
        self._send(response)

    def _send(self, response: Response, close: bool = False) -> None:
        if response.fault == "hang":
            self._wait_for_client()
        if response.fault in ("hang", "drop"):
            self.close_connection = True
            return
        self._pause(self.server.delay)
        # No `Date` and no `Server`: the same request gets the same bytes.
        self.send_response_only(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if close:
            self.send_header("connection", "close")
        chunks = self._chunks(response)
        half = len(chunks) // 2 if response.events else 0
        for i, chunk in enumerate(chunks):
            if response.fault and i >= half:
                # A body of known length has one chunk only: cut that in two.
                self.wfile.write(b"" if response.events else chunk[: len(chunk) // 2])
                self.wfile.flush()
                if response.fault == "stall":
                    self._wait_for_client()
                self.close_connection = True
                return
            self.wfile.write(chunk)
            self.wfile.flush()
            if response.events:
                self._pause(self.server.delay / len(chunks))

    def _chunks(self, response: Response) -> list[bytes]:
        """The body as it goes over the wire, after the header that says which way it goes."""
        if not response.events:
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(response.body)))
            self.end_headers()
            return [response.body]
        self.send_header("content-type", response.media_type)
        self.send_header("cache-control", "no-cache")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        return [*(b"%x\r\n%s\r\n" % (len(event), event) for event in response.events), b"0\r\n\r\n"]

    def _pause(self, seconds: float) -> None:
        if seconds > 0:
            self.server.stopping.wait(seconds)

    def _wait_for_client(self) -> None:
        """Return when the client closes the connection, or when the server stops."""
        while self.connection.recv(4096):
            pass

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what is not even HTTP in the shape of an API error."""
        text = json.dumps({"error": {"message": message or explain or "Bad request", "type": "invalid_request_error"}})
        self._send(Response(code, text.encode()), close=True)
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as it is called in the base class
        """Nothing: standard output has the URL, and `--log` the requests."""


def main() -> int:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(description="A model server on loopback; see the top of this file.")
    parser.add_argument("--port", type=int, default=8765, help="0 for any free one (default: %(default)s)")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before the first byte of an answer")
    parser.add_argument("--log", metavar="FILE", help="write one JSON line a request")
    options = parser.parse_args()
    # Blocked here, so that every thread inherits it and the signal waits for `sigwait` below.
    stops = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)
    try:
        server = ModelServer(options.port, delay=options.delay, log=options.log)
    except OSError as error:
        parser.exit(1, f"cannot serve: {error}\n")
    with server:
        print(server.url, flush=True)
        signal.sigwait(stops)
    return 0


if __name__ == "__main__":
    sys.exit(main())
