"""What happens with a message: pygls' protocol, with its reading, running and answering replaced.

Of pygls this keeps the registry of features, the answer to `initialize` and the life cycle. The rest is
done here, because with many clients in one process, and recorded prompts in what they are sent, pygls'
way would end the process at one client's `exit`, take a payload for a message, leave requests without
an answer, keep what it has run for ever, show inner errors to users and log what they hold.
tests/lsp/test_pygls_contract.py has a test for each of these, and for each private name used here.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from cattrs import Converter
from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException
from pygls.protocol import LanguageServerProtocol, lsp_method

from ao_lsp.server.content.address import SCHEME
from ao_lsp.server.lsp.connection import large
from ao_lsp.server.lsp.connection.client import read_client
from ao_lsp.server.lsp.connection.wire import INVALID_REQUEST, MOST_OUT, Id, Outgoing, encode, framed, is_id
from ao_lsp.server.params import CommandError
from ao_lsp.server.results.errors import ErrorDataJson
from ao_lsp.server.store import StoreError

if TYPE_CHECKING:
    from ao_lsp.server.lsp.editor import Editor

log = logging.getLogger(__name__)

METHOD_NOT_FOUND, INVALID_PARAMS, INTERNAL_ERROR = -32601, -32602, -32603
NOT_INITIALIZED, CANCELLED, FAILED = -32002, -32800, -32803

MOST_RUNNING = 64
"""Requests of one client that run at a time."""


class AnswerError(Exception):
    """The client answered one of our requests with an error, or has left without an answer."""


class Dispatch(LanguageServerProtocol):
    """The messages of one client. `receive` what it sends, `ask` and `tell` it something."""

    _server: Editor

    def __init__(self, server: Editor, converter: Converter) -> None:
        super().__init__(server, converter)
        self.out: Outgoing | None = None
        self.over = False
        self._running: dict[Id, asyncio.Task[Any]] = {}
        self._noticing: set[asyncio.Task[Any]] = set()
        self._asked: dict[Id, asyncio.Future[Any]] = {}
        self._last_id = 0

    # -- what comes in

    def receive(self, message: dict[str, Any]) -> None:
        """Act on a request or a notification. What takes time goes on by itself; never raises."""
        method, name = message.get("method"), message.get("id")
        if not isinstance(method, str) or message.get("jsonrpc") != "2.0":
            self.refuse(name if is_id(name) else None, INVALID_REQUEST, "no JSON-RPC 2.0 message")
        elif "id" not in message:
            self._notified(method, message.get("params"))
        elif not is_id(name):
            self.refuse(None, INVALID_REQUEST, "the id of a request is a number or a string")
        else:
            self._requested(name, method, message.get("params"))

    def answered(self, message: dict[str, Any]) -> None:
        """Take the answer to one of our requests."""
        name = message.get("id")
        future = self._asked.get(name) if is_id(name) else None
        if future is None or future.done():  # we no longer wait for it
            return
        error = message.get("error")
        if error is None:
            future.set_result(message.get("result"))
        else:
            future.set_exception(AnswerError(str(error.get("message") if isinstance(error, dict) else error)))

    def cancel(self, name: Id) -> None:
        """Cancel a request that is running."""
        task = self._running.get(name)
        if task is not None:
            task.cancel()

    def _requested(self, name: Id, method: str, params: Any) -> None:
        if self._shutdown:
            self.refuse(name, INVALID_REQUEST, "the server is shutting down")
        elif self._workspace is None and method != lsp.INITIALIZE:
            self.refuse(name, NOT_INITIALIZED, "the client has not sent initialize")
        elif self._workspace is not None and method == lsp.INITIALIZE:
            self.refuse(name, INVALID_REQUEST, "initialize was sent before")
        elif name in self._running:
            self.refuse(name, INVALID_REQUEST, f"a request with the id {name!r} is being worked on")
        elif (handler := self._handler(method)) is None:
            self.refuse(name, METHOD_NOT_FOUND, f"no such method: {method}")
        else:
            try:
                structured = self._structured(method, params)
            except Exception:
                # The reason quotes the values, and these may be anything.
                self.refuse(name, INVALID_PARAMS, f"{method}: the parameters do not fit")
                return
            task = self._running[name] = asyncio.create_task(self._answer(name, handler, structured))
            task.add_done_callback(partial(self._finished, name, method))

    async def _answer(self, name: Id, handler: Callable[[Any], Any], params: Any) -> bytes:
        """The answer to a request, as it is sent."""
        result = self.plain(await _run(handler, params))
        answer = framed(await large.dumped({"jsonrpc": "2.0", "id": name, "result": result}))
        if len(answer) > MOST_OUT:
            raise CommandError("refused", f"the answer would be {len(answer) >> 20} MB long", "ask for a part of it")
        return answer

    def _finished(self, name: Id, method: str, task: asyncio.Task[bytes]) -> None:
        del self._running[name]
        if task.cancelled():
            self.refuse(name, CANCELLED, "cancelled")
        elif (error := task.exception()) is not None:
            self._failed(name, method, error)
        elif self.out is not None:
            self.out.write(task.result())

    def _failed(self, name: Id, method: str, error: BaseException) -> None:
        if isinstance(error, CommandError | StoreError):
            code = {"bad_params": INVALID_PARAMS, "internal": INTERNAL_ERROR}.get(error.code, FAILED)
            data: ErrorDataJson = {"code": error.code, "message": str(error), "hint": error.hint}
            self.refuse(name, code, _told(error), data)
        elif isinstance(error, JsonRpcException):
            self.refuse(name, error.code, error.message)
        else:
            log.error("%s failed", method, exc_info=error)
            self.refuse(name, INTERNAL_ERROR, f"{method} failed: {type(error).__name__}; see ao-server logs")

    def _notified(self, method: str, params: Any) -> None:
        if method == lsp.EXIT:
            self.over = True
            return
        handler = self._handler(method)
        if handler is None or self._workspace is None or self._shutdown or method == lsp.INITIALIZE:
            return
        try:
            structured = self._structured(method, params)
        except Exception:
            log.warning("%s with parameters that do not fit", method)
            return
        task = asyncio.create_task(_run(handler, structured))
        self._noticing.add(task)
        task.add_done_callback(partial(self._noticed, method))

    def _noticed(self, method: str, task: asyncio.Task[Any]) -> None:
        self._noticing.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            log.error("%s failed", method, exc_info=fault)

    async def room(self) -> None:
        """Wait until another request may run."""
        while len(self._running) >= MOST_RUNNING:
            await asyncio.wait(self._running.values(), return_when=asyncio.FIRST_COMPLETED)

    def _handler(self, method: str) -> Callable[[Any], Any] | None:
        found: Callable[[Any], Any] | None = self.fm.builtin_features.get(method) or self.fm.features.get(method)
        return found

    def _structured(self, method: str, params: Any) -> Any:
        """Parameters as lsprotocol's types; those of our own methods stay as they are."""
        wanted = lsp.METHOD_TO_TYPES.get(method, (None, None, None))[2]
        if wanted is None:
            return params
        if method == lsp.INITIALIZE:
            return self._introduced(params)
        if method == lsp.TEXT_DOCUMENT_CODE_ACTION and isinstance(params, dict):
            # Other servers' diagnostics, which need not be as lsprotocol wants them; nobody reads them here.
            params = {**params, "context": {**params["context"], "diagnostics": []}}
            if not all(isinstance(kind, str) for kind in params["context"].get("only") or ()):
                raise TypeError  # lsprotocol takes anything
        return self._converter.structure(params, cast("type[Any]", wanted))

    def _introduced(self, params: Any) -> lsp.InitializeParams:
        if not isinstance(params, dict):
            raise TypeError
        self._server.client = read_client(params)
        try:
            return self._converter.structure(params, lsp.InitializeParams)
        except Exception:
            # A client of tomorrow, with a value that lsprotocol does not know: what decides has been read.
            log.warning("initialize of %s is not as lsprotocol wants it", self._server.client.name)
            return lsp.InitializeParams(capabilities=lsp.ClientCapabilities())

    # -- what goes out

    def send(self, message: dict[str, Any]) -> None:
        """Send a message of plain JSON values."""
        if self.out is not None:
            self.out.write(encode({"jsonrpc": "2.0", **message}))

    def refuse(self, name: Id | None, code: int, text: str, data: Any = None) -> None:
        """Answer a request with an error; `name` is None where it is not known which."""
        self.send({"id": name, "error": {"code": code, "message": text, **({} if data is None else {"data": data})}})

    def tell(self, method: str, params: Any) -> None:
        """Send a notification; `params` of lsprotocol's types, or plain."""
        self.send({"method": method, "params": self.plain(params)})

    async def ask(self, method: str, params: Any = None) -> Any:
        """What the client answers to a request, as plain JSON values.

        Raises:
            AnswerError: an error; or it has left.
        """
        if self.out is None:
            raise AnswerError("the client has left")
        async with self._question() as (name, future):
            message = {"id": name, "method": method}
            self.send(message if params is None else {**message, "params": self.plain(params)})
            return await future

    @asynccontextmanager
    async def _question(self) -> AsyncIterator[tuple[Id, asyncio.Future[Any]]]:
        self._last_id += 1
        name = f"ao-{self._last_id}"
        future = self._asked[name] = asyncio.get_running_loop().create_future()
        try:
            yield name, future
        finally:
            del self._asked[name]

    def plain(self, value: Any) -> Any:
        """As JSON values. A dictionary is made of them already, and may be as large as a graph."""
        return value if isinstance(value, dict) else self._converter.unstructure(value)

    def _send_data(self, data: Any) -> None:
        """What pygls itself wants to send."""
        self.send(self.plain(data))

    # -- the life cycle

    def get_message_type(self, method: str) -> Any:  # type: ignore[override]  # pygls': a cache
        """Without the cache of pygls', which keeps every client that ever was."""
        return lsp.METHOD_TO_TYPES.get(method, (None,))[0]

    def get_result_type(self, method: str) -> Any:  # type: ignore[override]  # as above
        """As `get_message_type`."""
        return lsp.METHOD_TO_TYPES.get(method, (None, None))[1]

    @lsp_method(lsp.INITIALIZE)
    def lsp_initialize(self, params: lsp.InitializeParams) -> Generator[Any, Any, lsp.InitializeResult]:
        result = yield from super().lsp_initialize(params)
        client = self._server.client
        log.info("%s is here", client.name)
        if not client.pulls_diagnostics:  # it is sent them; one that does both shows them twice
            result.capabilities.diagnostic_provider = None
        result.capabilities.position_encoding = lsp.PositionEncodingKind(client.encoding)
        if client.text_document_content and result.capabilities.workspace is not None:
            ours = lsp.TextDocumentContentOptions(schemes=[SCHEME])
            result.capabilities.workspace.text_document_content = ours
        if result.capabilities.execute_command_provider is not None:
            result.capabilities.execute_command_provider.work_done_progress = True
        if client.asked is not None and not client.ao:
            log.warning("%s wants other versions of our protocol than there are: %.200r", client.name, client.asked)
        if client.ao:
            result.capabilities.experimental = {"ao": self._server.offered}
        self._server.begin()
        return result

    @lsp_method(lsp.SHUTDOWN)
    def lsp_shutdown(self, *_: Any) -> None:  # type: ignore[override]  # pygls': a generator
        self._shutdown = True

    @lsp_method(lsp.EXIT)
    def lsp_exit(self, *_: Any) -> None:  # type: ignore[override]  # as above
        """Sent as a request, against all rules, it must not get to pygls', which ends the process."""
        self.over = True

    @lsp_method(lsp.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(self, params: lsp.DidOpenTextDocumentParams) -> None:
        self._server.opened(params)

    @lsp_method(lsp.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(self, params: lsp.DidChangeTextDocumentParams) -> None:
        self._server.changed(params)

    @lsp_method(lsp.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(self, params: lsp.DidCloseTextDocumentParams) -> None:
        self._server.closed(params)

    @lsp_method(lsp.WORKSPACE_EXECUTE_COMMAND)
    async def lsp_workspace__execute_command(  # type: ignore[override]  # pygls': a generator
        self, params: lsp.ExecuteCommandParams
    ) -> Any:
        return await self._server.execute(params)

    @lsp_method(lsp.WINDOW_WORK_DONE_PROGRESS_CANCEL)
    def lsp_work_done_progress_cancel(self, params: lsp.WorkDoneProgressCancelParams) -> None:
        self._server.progress_cancelled(params.token)

    def close(self) -> None:
        """The client has left: nothing that it wanted goes on."""
        self.over, self.out = True, None
        for task in [*self._running.values(), *self._noticing]:
            task.cancel()
        for future in self._asked.values():
            if not future.done():
                future.set_exception(AnswerError("the client has left"))


def _told(error: CommandError | StoreError) -> str:
    return f"{error}; {error.hint}" if error.hint else str(error)


async def _run(handler: Callable[[Any], Any], params: Any) -> Any:
    """What a handler gives: a function, a coroutine function, or one of pygls' own generators, which
    yield the handlers that are to run before they go on."""
    result: Any = handler(params)
    if inspect.isgenerator(result):
        steps: Generator[Any, Any, Any] = result
        value: Any = None
        try:
            while True:
                inner, args, kwargs = steps.send(value)
                value = inner(*args, **(kwargs or {}))
                if inspect.isawaitable(value):
                    value = await value
        except StopIteration as end:
            return end.value
    return await result if inspect.isawaitable(result) else result
