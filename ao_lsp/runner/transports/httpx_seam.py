"""The seam of `httpx` and `httpx2`, two libraries with the same names: the module is passed in.

The seam is between client and transport: `Client._transport_for_url` says which transport sends a
request, and for a request to a model it answers with ours around that one. So everything that a
client does (authentication, redirects, event hooks, cookies, decoding, `elapsed`) happens to a
replayed response as it does to a live one, and every attempt of an SDK's retries is a call.
"""

from __future__ import annotations

from ao_lsp.runner.transports.awaiting import Ready, Watched, carrying
from ao_lsp.taint.frames import unseen, unseen_methods
from ao_lsp.taint.kept import keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType
    from typing import Any

    from ao_lsp.runner.calls import Call
    from ao_lsp.runner.recorder import Recorder
    from ao_lsp.runner.replay import Entry

keep(__name__)


def patch(module: ModuleType, recorder: Recorder) -> Callable[[], None]:
    """Record the calls of all clients of `module`, those that exist already included; returns what
    takes it back.

    Raises:
        AttributeError: this version has other names.
    """
    library = _Library(module, recorder)
    clients = ((module.Client, _Transport), (module.AsyncClient, _AsyncTransport))
    originals = [(client, client._transport_for_url) for client, _ in clients]
    for needed in (module.Response, module.ByteStream, module.SyncByteStream, module.AsyncByteStream):
        needed.__name__  # noqa: B018  # an AttributeError before anything is patched
    for (client, transport), (_, original) in zip(clients, originals, strict=True):
        client._transport_for_url = _choosing(original, transport, library)

    def undo() -> None:
        for client, original in originals:
            client._transport_for_url = original

    return undo


class _Library:
    """What the transports need of the patched library."""

    def __init__(self, module: ModuleType, recorder: Recorder) -> None:
        self.name = module.__name__
        self.module = module
        self.recorder = recorder

        class Pieces(_Pieces, module.SyncByteStream, module.AsyncByteStream):  # type: ignore[misc,name-defined]
            """A recorded body, for either kind of client; both check the class."""

        self.pieces = Pieces

        class Tee(_Tee, module.SyncByteStream):  # type: ignore[misc,name-defined]
            """A live body that is recorded as it passes."""

        self.tee = Tee

        class AsyncTee(_AsyncTee, module.AsyncByteStream):  # type: ignore[misc,name-defined]
            """The same for asynchronous clients."""

        self.async_tee = AsyncTee

    def begin(self, request: Any) -> Call | None:
        """The call that `request` is; None where it is none, or where recording it fails."""
        try:
            call = self.recorder.call(self.name, request.method, str(request.url))
            if call is None:
                return None
            try:
                body = request.content
            except self.module.RequestNotRead:
                # A form is read from files that can be read again. Another upload may be made while it is sent.
                body = request.read() if type(request.stream).__name__ == "MultipartStream" else b""
            call.start(list(request.headers.items()), body)
        except Exception as error:
            self.recorder.note(f"a call was not recorded: {error!r}")
            return None
        return call

    def replayed(self, call: Call, entry: Entry, request: Any) -> Any:
        """The recorded response."""
        pieces = entry.pieces()
        response = self.module.Response(
            entry.status,
            # Values that were removed as secrets are no use to anyone.
            headers=[(name, value) for name, value in entry.headers if value != "[removed]"],
            stream=self.pieces(pieces, call),
            request=request,
        )
        call.answered(entry.status, entry.headers)
        return response

    def with_input(self, request: Any, body: bytes) -> Any:
        """`request` with the edited body."""
        headers = [(name, value) for name, value in request.headers.raw if name.lower() != b"content-length"]
        return self.module.Request(
            request.method, request.url, headers=headers, content=body, extensions=request.extensions
        )

    def refusal(self, call: Call, request: Any) -> BaseException:
        error: BaseException = self.module.ConnectError(call.refused, request=request)
        return error

    def watch(self, call: Call, response: Any, tee: Any) -> Any:
        """`response`, its body recorded as it is read."""
        try:
            call.answered(response.status_code, list(response.headers.items()))
            if hasattr(response, "_content"):  # a mock transport's, read already
                call.received(response.content)
                call.finished()
            else:
                response.stream = tee(response.stream, call)
        except Exception as error:
            self.recorder.note(f"a response was not recorded: {error!r}")
        return response


def _choosing(original: Callable[..., Any], transport: Any, library: _Library) -> Callable[..., Any]:
    @unseen
    def _transport_for_url(self: Any, url: Any) -> Any:
        chosen = original(self, url)
        try:
            return chosen if library.recorder.kind_of("POST", str(url)) is None else transport(chosen, library)
        except Exception as error:
            library.recorder.note(f"a call was not recorded: {error!r}")
            return chosen

    return _transport_for_url


# -- synchronous


@unseen_methods
class _Transport:
    def __init__(self, inner: Any, library: _Library) -> None:
        self._inner = inner
        self._library = library

    def handle_request(self, request: Any) -> Any:
        library = self._library
        call = library.begin(request)
        if call is None:
            return self._inner.handle_request(request)
        entry = call.entry
        if entry is not None and entry.action != "input":
            call.wait()
            return library.replayed(call, entry, request)
        if call.refused:
            error = library.refusal(call, request)
            call.failed(error)
            raise error
        if entry is not None:
            request = library.with_input(request, entry.request)
        try:
            response = self._inner.handle_request(request)
        except BaseException as error:
            call.failed(error)
            raise
        return library.watch(call, response, library.tee)


@unseen_methods
class _Tee:
    """Passes on each piece of a body when it arrives, and records it."""

    def __init__(self, inner: Any, call: Call) -> None:
        self._inner = inner
        self._call = call

    def __iter__(self) -> Iterator[bytes]:
        return _TeeIterator(iter(self._inner), self._call)

    def close(self) -> None:
        self._inner.close()
        self._call.finished(complete=False)  # nothing, if it has ended already


@unseen_methods
class _TeeIterator:
    def __init__(self, inner: Iterator[bytes], call: Call) -> None:
        self._inner = inner
        self._call = call

    def __iter__(self) -> _TeeIterator:
        return self

    def __next__(self) -> bytes:
        try:
            piece = next(self._inner)
        except StopIteration:
            self._call.finished()
            raise
        except BaseException as error:
            self._call.failed(error)
            raise
        self._call.received(piece)
        return piece


class _Pieces:
    """A recorded body: records what is read of it, as if it came from outside."""

    def __init__(self, pieces: list[bytes], call: Call) -> None:
        self._pieces = pieces
        self._call = call

    def __iter__(self) -> Iterator[bytes]:
        return _TeeIterator(_InTurn(iter(self._pieces), self._call), self._call)

    def __aiter__(self) -> Any:
        return _AsyncPieces(iter(self._pieces), self._call)

    def close(self) -> None:
        self._call.finished(complete=False)

    async def aclose(self) -> None:
        self._call.finished(complete=False)


@unseen_methods
class _InTurn:
    """Pieces that wait for those of other streams which came before them."""

    def __init__(self, pieces: Iterator[bytes], call: Call) -> None:
        self._pieces = pieces
        self._call = call

    def __iter__(self) -> _InTurn:
        return self

    def __next__(self) -> bytes:
        if self._call.turn is not None:
            self._call.wait()
        return next(self._pieces)


class _AsyncPieces:
    def __init__(self, pieces: Iterator[bytes], call: Call) -> None:
        self._pieces = _TeeIterator(pieces, call)
        self._call = call

    def __aiter__(self) -> _AsyncPieces:
        return self

    async def __anext__(self) -> bytes:
        if self._call.turn is not None:
            await Ready(self._call, lambda: None)
        try:
            return next(self._pieces)
        except StopIteration:
            raise StopAsyncIteration from None


# -- asynchronous


@unseen_methods
class _AsyncTransport:
    def __init__(self, inner: Any, library: _Library) -> None:
        self._inner = inner
        self._library = library

    def handle_async_request(self, request: Any) -> Any:
        """An awaitable; not a coroutine, whose frame could not be hidden."""
        library = self._library
        call = library.begin(request)
        if call is None:
            return self._inner.handle_async_request(request)
        entry = call.entry
        if entry is not None and entry.action != "input":
            return Ready(call, lambda: library.replayed(call, entry, request))
        if call.refused:
            error = library.refusal(call, request)
            call.failed(error)
            raise error
        if entry is not None:
            request = library.with_input(request, entry.request)
        return Watched(
            carrying(call, self._inner.handle_async_request, request),
            lambda response: library.watch(call, response, library.async_tee),
            call.failed,
            call,
        )


@unseen_methods
class _AsyncTee:
    def __init__(self, inner: Any, call: Call) -> None:
        self._inner = inner
        self._call = call

    def __aiter__(self) -> Any:
        return _AsyncTeeIterator(self._inner.__aiter__(), self._call)

    def aclose(self) -> Any:
        call = self._call

        def done(result: Any) -> Any:
            call.finished(complete=False)
            return result

        return Watched(self._inner.aclose(), done, call.failed)


@unseen_methods
class _AsyncTeeIterator:
    def __init__(self, inner: Any, call: Call) -> None:
        self._inner = inner
        self._call = call

    def __aiter__(self) -> _AsyncTeeIterator:
        return self

    def __anext__(self) -> Any:
        return Watched(self._inner.__anext__(), self._piece, self._stopped)

    def _piece(self, piece: bytes) -> bytes:
        self._call.received(piece)
        return piece

    def _stopped(self, error: BaseException) -> None:
        if isinstance(error, StopAsyncIteration):
            self._call.finished()
        else:
            self._call.failed(error)
