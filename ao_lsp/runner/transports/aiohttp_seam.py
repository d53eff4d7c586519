"""The seam of `aiohttp`: between a session and the connection that it asks its connector for.

So everything that a session does (middlewares, redirects, cookies, timeouts) happens to a replayed response as it
does to a live one, and each hop of a redirect is a call. A connection to a recording (recorded_connection.py) is
one of aiohttp's own, over a transport that reads from the recording. What comes over a connection is recorded
where its parser gets it, when it arrives, compressed as it is; from what waits for it (`ClientResponse.start`,
`StreamReader._wait`) one hears how it ended.
"""

from __future__ import annotations

import sys

from ao_lsp.runner.transports import wire
from ao_lsp.runner.transports.awaiting import Ready, Watched, carried
from ao_lsp.runner.transports.http_client_seam import begin
from ao_lsp.taint import escrow, table
from ao_lsp.taint.frames import unseen, unseen_methods
from ao_lsp.taint.kept import keep
from ao_lsp.taint.origins import NOTHING, origin
from ao_lsp.taint.state import TAINT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

    from ao_lsp.runner.calls import Call
    from ao_lsp.runner.recorder import Recorder
    from ao_lsp.runner.transports.recorded_connection import Recordings

keep(__name__)

_EXCHANGE = "@ao.exchange"
"""The attribute of a connection's protocol that holds the call which goes over it."""


def patch(module: ModuleType, recorder: Recorder) -> Callable[[], None]:
    """Record the calls of all sessions of `module`, those that exist already included; returns what takes it back.

    Raises:
        AttributeError: this version has other names.
    """
    from ao_lsp.runner.transports.recorded_connection import Recordings

    made = _Methods(module, recorder, Recordings(module)).made()
    originals = [(owner, name, getattr(owner, name)) for owner, name, _ in made]
    for owner, name, method in made:
        method.__name__, method.__qualname__ = name, f"{owner.__name__}.{name}"
        setattr(owner, name, method)

    def undo() -> None:
        for owner, name, original in originals:
            setattr(owner, name, original)

    return undo


class _Methods:
    def __init__(self, module: Any, recorder: Recorder, recordings: Recordings) -> None:
        self._recorder = recorder
        self._recordings = recordings
        self._refused = module.ClientConnectionError
        self._cut = module.ClientPayloadError
        self._payload = module.BytesPayload
        self._connector = module.connector.BaseConnector
        self._protocol = module.client_proto.ResponseHandler
        self._request = module.ClientRequest
        self._response = module.ClientResponse
        self._stream = module.StreamReader
        self._body = "_body" if hasattr(self._request, "_body") else "body"  # before 3.12

    def made(self) -> list[tuple[Any, str, Any]]:
        """The class, the name and the method that takes its place. None of them is a coroutine, whose frame could
        not be hidden: they return something to await."""
        recorder = self._recorder
        _connect = self._connector.connect
        _set_response_params = self._protocol.set_response_params
        _send = self._request.send
        _start = self._response.start
        _wait_ = self._stream._wait
        _read_nowait_chunk_ = self._stream._read_nowait_chunk

        @unseen
        def connect(connector: Any, req: Any, *args: Any, **kwargs: Any) -> Any:
            call = self._begun(req)
            if call is None:
                return _connect(connector, req, *args, **kwargs)
            if call.refused:
                error = self._refused(call.refused)
                call.failed(error)
                raise error
            exchange = _Exchange(call, recorder, self._cut)
            connection = self._recorded(call, connector, req)
            if connection is not None:
                exchange.recording = connection
                return Watched(Ready(call, lambda: connection), exchange.connected, exchange.unconnected)
            if call.entry is not None:
                self._edit(req, call.entry.request)
            return Watched(_connect(connector, req, *args, **kwargs), exchange.connected, call.failed)

        @unseen
        def set_response_params(protocol: Any, *args: Any, **kwargs: Any) -> Any:
            result = _set_response_params(protocol, *args, **kwargs)
            exchange = protocol.__dict__.get(_EXCHANGE)
            if exchange is not None:
                exchange.listen()
            return result

        @unseen
        def send(request: Any, connection: Any, *args: Any, **kwargs: Any) -> Any:
            exchange = _exchange_of(connection)
            sending = _send(request, connection, *args, **kwargs)
            return sending if exchange is None else Watched(sending, _same, exchange.call.failed)

        @unseen
        def start(response: Any, connection: Any, *args: Any, **kwargs: Any) -> Any:
            exchange = _exchange_of(connection)
            starting = _start(response, connection, *args, **kwargs)
            return starting if exchange is None else Watched(starting, exchange.answered, exchange.call.failed)

        @unseen
        def _wait(stream: Any, *args: Any, **kwargs: Any) -> Any:
            waiting = _wait_(stream, *args, **kwargs)
            exchange = _exchange_of(stream)
            if exchange is None or exchange.content is not stream:
                return waiting
            return Watched(waiting, exchange.went_on, exchange.interrupted)

        @unseen
        def _read_nowait_chunk(stream: Any, *args: Any, **kwargs: Any) -> Any:
            _give(stream)
            return _read_nowait_chunk_(stream, *args, **kwargs)

        return [
            (self._connector, "connect", connect),
            (self._protocol, "set_response_params", set_response_params),
            (self._request, "send", send),
            (self._response, "start", start),
            (self._stream, "_wait", _wait),
            (self._stream, "_read_nowait_chunk", _read_nowait_chunk),
        ]

    def _begun(self, req: Any) -> Call | None:
        """The call that a request is; None where it is none, is recorded by somebody above, or cannot be recorded."""
        try:
            url = str(req.url)
            if self._recorder.kind_of(req.method, url) is None or carried():
                return None
            headers = [(str(name), str(value)) for name, value in req.headers.items()]
            return begin(self._recorder, "aiohttp", req.method, url, headers, _bytes(getattr(req, self._body)))
        except Exception as error:
            self._recorder.note(f"a call was not recorded: {error!r}")
            return None

    def _recorded(self, call: Call, connector: Any, req: Any) -> Any:
        """The connection to the recording of this call, if it has one to serve."""
        entry = call.entry
        if entry is None or entry.action == "input":
            return None
        try:
            return self._recordings.connection(entry, connector, req)
        except Exception as error:
            self._recorder.note(f"a call was not replayed: {error!r}")
            call.entry = None
            return None

    def _edit(self, req: Any, body: bytes) -> None:
        """Make `body` what `req` sends."""
        try:
            payload = object.__new__(self._payload)  # its `__init__` warns of large ones
            payload.__dict__.update(self._payload(b"").__dict__)
            payload._value, payload._size = body, len(body)
            setattr(req, self._body, payload)
            if "Content-Length" in req.headers:
                req.headers["Content-Length"] = str(len(body))
        except Exception as error:
            self._recorder.note(f"an edited input was not sent: {error!r}")


_NOTHING: dict[str, Any] = {}


def _same(result: Any) -> Any:
    return result


def _bytes(body: Any) -> bytes:
    """A body that is there already; an upload that is generated while it is sent is not read for us."""
    value = getattr(body, "_value", body)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, sys.modules["io"].BytesIO):
        return bytes(value.getbuffer()[value.tell() :])
    return b""


def _exchange_of(user: Any) -> _Exchange | None:
    """The call that goes over the connection of `user`, a connection or stream."""
    found: _Exchange | None = getattr(getattr(user, "_protocol", None), "__dict__", _NOTHING).get(_EXCHANGE)
    return found


def _give(stream: Any) -> None:
    """Whoever reads from the body of a call's response gets what the call produced. The stream itself cannot be
    tagged while it is open: it takes no weak reference, and a pin would keep the response from ending."""
    try:
        exchange = _exchange_of(stream)
        if exchange is not None and exchange.content is stream:
            origins = exchange.origins
        else:
            entry = TAINT.get(id(stream))
            if entry is None:
                return
            origins = entry[1]
        reader = escrow.current()
        if reader is not None and not origins <= reader.outputs:
            reader.add(origins)
    except Exception as error:
        escrow.lost("what is read from a response", error)


@unseen_methods
class _Exchange:
    """A call and its connection, from when it asks for one until it lets go of that. Raises nothing."""

    def __init__(self, call: Call, recorder: Recorder, cut: Any) -> None:
        self.call = call
        self.content: Any = None
        """The body's stream, once there is a response."""
        self.recording: Any = None
        self._protocol: Any = None
        self._recorder = recorder
        self._cut = cut
        self.origins = NOTHING
        self._parser: Any = None
        self._head = b""
        self._body: wire.Body | None = None
        self._deaf = False
        self._interrupted: BaseException | None = None

    def connected(self, connection: Any) -> Any:
        """The request has got its connection."""
        try:
            protocol = connection.protocol
            protocol.__dict__[_EXCHANGE] = self
            connection.add_callback(self.released)
            self._protocol = protocol
        except Exception as error:
            self._lost(error)
        return connection

    def unconnected(self, error: BaseException) -> None:
        """The program gave up before it got its connection to a recording."""
        self.recording.close()
        self.call.failed(error)

    def listen(self) -> None:
        """The protocol has a new parser, for the response."""
        try:
            self._parser = self._protocol._parser
            self._protocol._parser = _Tee(self._parser, self)
        except Exception as error:
            self._lost(error)

    def _lost(self, error: Exception) -> None:
        self._deaf = True
        self._recorder.note(f"a response was not recorded: {error!r}")
        self.call.failed(error)

    # -- what comes over the connection

    def feed(self, data: bytes) -> None:
        """It arrives, before the parser sees it."""
        if self._deaf:
            return
        try:
            if self._body is None:
                self._head += data
                data = self._after_head()
            if data and self._body is not None:
                self._body.feed(data)
        except Exception as error:  # no HTTP: the program will find out
            self._deaf = True
            self.call.failed(error)

    def _after_head(self) -> bytes:
        """What follows the head of the response; nothing as long as that is not whole."""
        while True:
            ends = [self._head.find(mark) + len(mark) for mark in (b"\r\n\r\n", b"\n\n") if mark in self._head]
            if not ends:
                return b""
            head, self._head = self._head[: min(ends)], self._head[min(ends) :]
            lines = head.lower().split(b"\n")
            if not lines[0].split()[1].startswith(b"1"):  # else "100 Continue" and the like, and another head
                break
        headers = dict(line.strip().partition(b":")[::2] for line in lines[1:])
        chunked = b"chunked" in headers.get(b"transfer-encoding", b"")
        length = headers.get(b"content-length")
        self._body = wire.Body(self, chunked, None if chunked or length is None else int(length))
        return self._head

    def received(self, piece: bytes) -> None:
        """A piece of the body."""
        self.call.received(piece)

    def finished(self) -> None:
        """Nothing: whether all is there the parser knows best."""

    def broke_off(self, error: Exception) -> None:
        """The connection was lost in the middle of the response; the program gets to know it so."""
        if self._protocol.transport is None:  # closed by the program
            self.call.finished(complete=False)
        elif self.content is not None:
            self.call.failed(self._cut(f"Response payload is not completed: {error!r}"))

    # -- who waits for it

    def answered(self, response: Any) -> Any:
        """The program gets the head of the response."""
        try:
            headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.raw_headers]
            self.call.answered(response.status, headers)
            self.content = response.content
            if response.status < 400 and self._recorder.tracks:
                self.origins = origin(self.call.id)
            self.content.on_eof(self._ended)
        except Exception as error:
            self._lost(error)
        return response

    def _ended(self) -> None:
        content, self.content = self.content, None
        try:
            if not content.at_eof():
                table.pin(content, self.origins, table.SOURCE)
        except Exception as error:
            escrow.lost("a response's origins", error)
        self.call.finished()

    def interrupted(self, error: BaseException) -> None:
        """Waiting for more has ended so. It may be taken up again."""
        self._interrupted = error

    def went_on(self, result: Any) -> Any:
        self._interrupted = None
        return result

    def released(self) -> None:
        """The connection serves others now, or is closed."""
        if self._protocol.__dict__.get(_EXCHANGE) is self:
            del self._protocol.__dict__[_EXCHANGE]
        if type(self._protocol._parser) is _Tee:
            self._protocol._parser = self._parser
        content = self.content
        if content is None or content.is_eof():
            return  # `_ended` or `answered` says so
        self.content = None
        error = self._interrupted or content.exception()
        if error is None or str(error) == "Connection closed":  # by the program
            self.call.finished(complete=False)
        else:
            self.call.failed(error)


@unseen_methods
class _Tee:
    """Stands in for the parser of a connection."""

    def __init__(self, parser: Any, exchange: _Exchange) -> None:
        self._parser = parser
        self._exchange = exchange

    def feed_data(self, data: bytes, *args: Any) -> Any:
        self._exchange.feed(data)
        return self._parser.feed_data(data, *args)

    def feed_eof(self) -> Any:
        try:
            return self._parser.feed_eof()
        except Exception as error:
            self._exchange.broke_off(error)
            raise

    def __getattr__(self, name: str) -> Any:
        return getattr(self._parser, name)
