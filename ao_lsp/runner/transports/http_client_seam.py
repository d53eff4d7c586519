"""The seam of `http.client`, on which `urllib.request` and much else is built.

A request is known when its headers end; until then a connection collects it. A request to a model that is
served from a recording is never sent, and no connection is made for it.
"""

from __future__ import annotations

from ao_lsp.runner.transports import wire
from ao_lsp.taint.frames import unseen
from ao_lsp.taint.kept import keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

    from ao_lsp.runner.calls import Call
    from ao_lsp.runner.recorder import Recorder

keep(__name__)

_REQUEST = "@ao.request"
"""The attribute of a connection that holds the request which it is sending."""
CALL = "@ao.call"
"""The attribute that holds a call which somebody above records, and whose response is next."""


class Request:
    """A request that is being put together, or has been sent."""

    __slots__ = ("body", "call", "headers", "method", "url")

    def __init__(self, method: str, url: str) -> None:
        self.method = method
        self.url = url
        self.headers: list[tuple[str, str]] = []
        self.body: list[bytes] = []
        self.call: Call | None = None

    @property
    def has_more(self) -> bool:
        """Whether a body is sent by hand, after the headers."""
        for name, value in self.headers:  # generators cannot be hidden (taint/frames.py)
            if name.lower() in ("content-length", "transfer-encoding") and value != "0":
                return True
        return self.method == "CONNECT"


def patch(module: ModuleType, recorder: Recorder) -> Callable[[], None]:
    """Record the calls of all connections of `http.client`; returns what takes it back.

    Raises:
        AttributeError: this version has other names.
    """
    connection = module.HTTPConnection
    names = ("putrequest", "putheader", "endheaders", "send", "getresponse")
    originals = {name: getattr(connection, name) for name in names}
    for name, made in _Methods(recorder, originals).made().items():
        made.__name__, made.__qualname__ = name, f"HTTPConnection.{name}"
        setattr(connection, name, made)

    def undo() -> None:
        for name, original in originals.items():
            setattr(connection, name, original)

    return undo


class _Methods:
    def __init__(self, recorder: Recorder, originals: dict[str, Any]) -> None:
        self._recorder = recorder
        self._originals = originals

    def made(self) -> dict[str, Any]:
        """The methods in whose place a connection has its own."""
        recorder, originals = self._recorder, self._originals

        @unseen
        def putrequest(self: Any, method: Any, url: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                self.__dict__.pop(_REQUEST, None)
                whole = _whole(self, url)
                if recorder.kind_of(method, whole) is not None and not _is_urllib3s(self):
                    self.__dict__[_REQUEST] = Request(method, whole)
            except Exception as error:
                recorder.note(f"a call was not recorded: {error!r}")
            return originals["putrequest"](self, method, url, *args, **kwargs)

        @unseen
        def putheader(self: Any, header: Any, *values: Any) -> Any:
            request = self.__dict__.get(_REQUEST)
            if request is not None:
                request.headers.append((_text(header), ", ".join(map(_text, values))))
            return originals["putheader"](self, header, *values)

        @unseen
        def endheaders(self: Any, message_body: Any = None, **kwargs: Any) -> Any:
            request = self.__dict__.get(_REQUEST)
            if request is not None and (message_body is not None or not request.has_more):
                body = _bytes(message_body)
                call = begin(recorder, "http.client", request.method, request.url, request.headers, body)
                request.call = call
                if call is not None and call.entry is not None and call.entry.action != "input":
                    # Nothing is sent: the connection is as it would be afterwards.
                    self._HTTPConnection__state = "Request-sent"
                    self._buffer = []
                    return None
                if call is not None and call.refused:
                    raise refusal(call)
                if call is not None and call.entry is not None:
                    message_body = call.entry.request
                    _set_length(self, len(message_body))
            return originals["endheaders"](self, message_body, **kwargs)

        @unseen
        def send(self: Any, data: Any) -> Any:
            request = self.__dict__.get(_REQUEST)
            if request is not None and request.call is None and isinstance(data, (bytes, bytearray)):
                request.body.append(bytes(data))
            return originals["send"](self, data)

        @unseen
        def getresponse(self: Any) -> Any:
            request = self.__dict__.pop(_REQUEST, None)
            if request is None:
                call = self.__dict__.pop(CALL, None)
                response = originals["getresponse"](self)
                if call is not None:
                    wire.watch(response, call)
                return response
            call = request.call
            if call is not None and call.entry is not None and call.entry.action != "input":
                self._HTTPConnection__state = "Idle"
                return wire.recorded(self.response_class, call, call.entry, request.method)
            if call is None:
                # Sent by hand, after its headers: what was sent first is those.
                body = b"".join(request.body).partition(b"\r\n\r\n")[2]
                call = begin(recorder, "http.client", request.method, request.url, request.headers, body)
            try:
                response = originals["getresponse"](self)
            except BaseException as error:
                if call is not None:
                    call.failed(error)
                raise
            if call is not None:
                wire.watch(response, call)
            return response

        return {
            "putrequest": putrequest,
            "putheader": putheader,
            "endheaders": endheaders,
            "send": send,
            "getresponse": getresponse,
        }


def _is_urllib3s(connection: Any) -> bool:
    """Whether `urllib3`, which has a seam of its own, sends this request."""
    return any(base.__module__.partition(".")[0] == "urllib3" for base in type(connection).__mro__)


def begin(
    recorder: Recorder, transport: str, method: str, url: str, headers: list[tuple[str, str]], body: bytes
) -> Call | None:
    """The call that a request is; None where it is none, or where recording it fails."""
    try:
        call = recorder.call(transport, method, url)
        if call is not None:
            call.start(headers, body)
    except Exception as error:
        recorder.note(f"a call was not recorded: {error!r}")
        return None
    return call


def refusal(call: Call) -> BaseException:
    """What a program gets that makes a call which it must not make."""
    error = ConnectionError(call.refused)
    call.failed(error)
    return error


def _whole(connection: Any, url: Any) -> str:
    path: str = _text(url)
    if "://" in path:
        return path
    scheme = "https" if connection.default_port == 443 else "http"
    host = connection._tunnel_host or connection.host
    return f"{scheme}://{host}:{connection.port}{path}"


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _bytes(body: Any) -> bytes:
    """A body that is there already; an upload that is generated while it is sent is not read for us."""
    if isinstance(body, (bytes, bytearray)):
        return bytes(body)
    return body.encode("latin-1", "replace") if isinstance(body, str) else b""


def _set_length(connection: Any, length: int) -> None:
    """Correct the header of a request whose body was edited; the headers wait in a buffer."""
    connection._buffer = [
        b"Content-Length: %d" % length if line.lower().startswith(b"content-length:") else line
        for line in connection._buffer
    ]
