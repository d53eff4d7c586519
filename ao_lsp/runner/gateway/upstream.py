"""Connections to the models' hosts: over TLS where the URL says so, through a proxy where the environment does."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
from dataclasses import dataclass
from functools import cache
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from ao_lsp.runner.gateway.http1 import MAX_HEAD

_TUNNEL_S = 60.0


@dataclass(slots=True)
class Upstream:
    """A connection to an origin. `prefix` goes before the path of requests, where a proxy has to know the origin."""

    origin: str
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    prefix: str = ""
    used: bool = False

    def close(self) -> None:
        self.writer.close()


async def connect(origin: str) -> Upstream:
    """A new connection to `origin` (scheme and host).

    Raises:
        OSError: there is none.
    """
    parts = urlsplit(origin)
    host, secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    proxy = _proxy(parts.scheme, host)
    tls = {"ssl": _context(), "server_hostname": host} if secure else {}
    if proxy is None:
        reader, writer = await asyncio.open_connection(host, port, limit=MAX_HEAD, **tls)  # type: ignore[arg-type]  # of both
        return Upstream(origin, reader, writer)
    if not secure:
        reader, writer = await asyncio.open_connection(proxy.hostname, proxy.port or 80, limit=MAX_HEAD)
        return Upstream(origin, reader, writer, origin)
    sock = await asyncio.wait_for(
        _tunnel(proxy.hostname or "", proxy.port or 80, _authorized(proxy), f"{host}:{port}"), _TUNNEL_S
    )
    reader, writer = await asyncio.open_connection(sock=sock, limit=MAX_HEAD, **tls)  # type: ignore[arg-type]  # of both
    return Upstream(origin, reader, writer)


def _proxy(scheme: str, host: str) -> SplitResult | None:
    """The proxy for an origin, as `urllib` would choose it."""
    found = getproxies().get(scheme)
    if not found or proxy_bypass(host):
        return None
    return urlsplit(found if "://" in found else f"http://{found}")


def _authorized(proxy: SplitResult) -> str:
    if not proxy.username:
        return ""
    secret = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return f"proxy-authorization: Basic {base64.b64encode(secret.encode()).decode()}\r\n"


async def _tunnel(host: str, port: int, authorization: str, target: str) -> socket.socket:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    sock = socket.socket(found[0][0], socket.SOCK_STREAM)
    said = b""
    try:
        sock.setblocking(False)
        await loop.sock_connect(sock, found[0][4])
        await loop.sock_sendall(sock, f"CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n{authorization}\r\n".encode())
        while not said.endswith(b"\r\n\r\n") and len(said) < MAX_HEAD:
            piece = await loop.sock_recv(sock, 1)  # what follows is TLS
            if not piece:
                break
            said += piece
    except BaseException:
        sock.close()
        raise
    if said.split(b" ")[1:2] != [b"200"]:
        sock.close()
        answer = said.decode("latin-1").partition("\r")[0] or "nothing"
        raise ConnectionError(f"the proxy {host}:{port} says {answer}")
    return sock


@cache
def _context() -> ssl.SSLContext:
    return ssl.create_default_context()
