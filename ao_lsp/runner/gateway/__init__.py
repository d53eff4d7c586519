"""`ao-record --gateway`: the side of the program. The gateway itself is two processes of its own (supervise.py,
serve.py).

It listens on loopback and forwards to the models' hosts; the variables by which SDKs find those hosts point to it,
for the program and its children. So it sees the calls that no patch sees: of children in other languages, of
clients with sockets of their own. A call that is recorded in the process that makes it is announced to the gateway
(`Gateway.expect`), which lets it pass: each call is recorded once.
"""

from __future__ import annotations

import _socket
import os
import sys
import time

from ao_lsp import protocol
from ao_lsp.taint.kept import keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

keep(__name__)

VARIABLE = "AO_GATEWAY_ADDRESS"
"""Tells children of the program, where they are recorded too, which gateway there is."""
SEEN = "@seen"
"""The path at which the gateway is told of calls."""
LIFE_FD, PLAN_FD, READY_FD = 97, 96, 98
"""Where the gateway finds the pipe that ends with the program, the replay plan, and whom to say that it is ready."""

_START_S = 15.0
_EXPECT_S = 1.0

# Not the program's environment or folder decides what is imported, but where this package is.
_BOOT = "import sys; sys.path.append(sys.argv[1]); from ao_lsp.runner.gateway.supervise import main; main(sys.argv[2])"


class GatewayError(Exception):
    """The gateway cannot be started; the message says why."""


class Gateway:
    """A running gateway. `base` is its URL, with a part that nobody can guess: whoever else is on this machine
    must not read recordings through it. `routes` are the parts of its path below that, and the origins
    (scheme and host) that they stand for."""

    def __init__(self, base: str, routes: dict[str, str]) -> None:
        self.base = base
        self.routes = routes

    @classmethod
    def of_environment(cls) -> Gateway | None:
        """The gateway that whoever started this process has told of."""
        said = os.environ.get(VARIABLE)
        if not said:
            return None
        try:
            found = protocol.loads(said)
            return cls(str(found["base"]), {str(name): str(origin) for name, origin in found["routes"].items()})
        except (protocol.ProtocolError, LookupError, TypeError, AttributeError):
            return None

    def announce(self) -> None:
        """Tell the children of this process."""
        os.environ[VARIABLE] = protocol.dumps({"base": self.base, "routes": self.routes}).decode()

    def upstream(self, url: str) -> str | None:
        """Where a request to `url` really goes; None where it does not go through the gateway."""
        if not url.startswith(self.base + "/"):
            return None
        name, slash, rest = url[len(self.base) + 1 :].partition("/")
        origin = self.routes.get(name)
        return None if origin is None else origin + slash + rest

    def through(self, url: str) -> str:
        """`url`, an URL of one of the origins, by way of the gateway."""
        for name, origin in self.routes.items():
            if url == origin or url.startswith(origin + "/"):
                return f"{self.base}/{name}{url[len(origin) :]}"
        return url

    def expect(self, request_hash: str) -> None:
        """Say that the next such request is recorded here already. Raises nothing: it would be recorded twice."""
        try:
            address, _, path = self.base.partition("://")[2].partition("/")
            host, _, port = address.rpartition(":")
            sock = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
            try:
                sock.settimeout(_EXPECT_S)
                sock.connect((host, int(port)))
                sock.sendall(
                    f"POST /{path}/{SEEN} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {len(request_hash)}\r\n"
                    f"connection: close\r\n\r\n{request_hash}".encode()
                )
                while sock.recv(4096):  # it has heard when it answers
                    pass
            finally:
                sock.close()
        except Exception:
            return


def start(python: str, about: dict[str, Any], plan: int | None) -> Gateway:
    """Start a gateway with the interpreter `python` and have the SDKs' variables point to it.

    `about` says whose calls it records (`run`, `parent_stream`, `policy`); `plan` is a descriptor of the replay plan.
    It ends when this process has, and every process that was forked from it.

    Raises:
        GatewayError: it did not start.
        OSError: it could not be started.
    """
    from ao_lsp.runner.gateway import variables

    token = os.urandom(16).hex()
    targets = variables.targets(Gateway.of_environment())
    routes = variables.routes(targets)
    port = _spawn(python, {**about, "token": token, "routes": routes}, plan)
    gateway = Gateway(f"http://127.0.0.1:{port}/{token}", routes)
    for name, url in targets.items():
        os.environ[name] = gateway.through(url)
    variables.bypass_proxy("127.0.0.1")
    gateway.announce()
    return gateway


_lives: list[int] = []
"""The end of the pipe that ends with this process."""


def _spawn(python: str, about: dict[str, Any], plan: int | None) -> int:
    """Start it as nobody's child (connect.py says why) and wait until it says at which port it listens."""
    folder = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    life, ours = os.pipe()
    ready, report = os.pipe()
    try:
        actions: list[Any] = [
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0),
            (os.POSIX_SPAWN_DUP2, life, LIFE_FD),
            (os.POSIX_SPAWN_DUP2, report, READY_FD),
        ]
        if plan is not None:
            actions.append((os.POSIX_SPAWN_DUP2, plan, PLAN_FD))
        said = protocol.dumps({**about, "plan": plan is not None}).decode()
        arguments = ["sh", "-c", '"$@" &', "sh", python, "-I", "-c", _BOOT, folder, said]
        environment = {name: value for name, value in os.environ.items() if name != "AO_PLAN"}
        os.waitpid(os.posix_spawn("/bin/sh", arguments, environment, file_actions=actions), 0)
        os.close(report)
        report = -1
        port = _read_report(ready)
    except BaseException:
        os.close(ours)
        raise
    finally:
        for fd in (life, ready, report):
            if fd >= 0:
                os.close(fd)
    _lives.append(ours)
    return port


def _read_report(ready: int) -> int:
    import select

    deadline, said = time.monotonic() + _START_S, b""
    while not said.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([ready], [], [], left)[0]:
            raise GatewayError("it did not become ready in time")
        piece = os.read(ready, 4096)
        if not piece:
            raise GatewayError(said.decode("utf-8", "replace").strip() or "it ended at once")
        said += piece
    if not said.strip().isdigit():
        raise GatewayError(said.decode("utf-8", "replace").strip())
    return int(said)


def fail(reason: object) -> None:
    """Tell the user that there is no gateway."""
    sys.stderr.write(f"ao-record: no gateway, only what this process itself calls is recorded: {reason}\n")
