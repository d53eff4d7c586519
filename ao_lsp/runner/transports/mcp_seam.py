"""The seam of `mcp`: where a client's session sends a request and waits for its result.

Every way to call a tool comes past it (`ClientSession.call_tool`, `Client`, session groups, frameworks), and
every transport is below it (stdio, HTTP, in memory). What is recorded is what JSON-RPC carries: the arguments as
the request, the result (or the error) as the response.
"""

from __future__ import annotations

import sys

from ao_lsp.runner.transports.awaiting import Ready, Watched
from ao_lsp.taint.frames import disguised, unseen
from ao_lsp.taint.kept import keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

    from ao_lsp.runner.calls import Call
    from ao_lsp.runner.recorder import Recorder

keep(__name__)

CALLED = "tools/call"
"""The JSON-RPC method."""
_HEADERS = [("content-type", "application/json")]

# The status that a result and an error of the server's are recorded with: what replays go by.
_OK, _ERROR = 200, 400

# Codes of errors that no server sends: the client waited too long, or has lost its connection.
_REFUSED = -32603  # "internal error"
_OF_THE_CLIENT = frozenset({408, -32000, -32001})


def patch(module: ModuleType, recorder: Recorder) -> Callable[[], None]:
    """Record the tool calls of all sessions of `mcp.client.session`; returns what takes it back.

    Raises:
        AttributeError: this version has other names.
    """
    session = module.ClientSession
    own = session.__dict__.get("send_request")
    original = session.send_request
    errors = _Errors(sys.modules["mcp.shared.exceptions"])

    @unseen
    def send_request(self: Any, request: Any, result_type: Any, *args: Any, **kwargs: Any) -> Any:
        """An awaitable; not a coroutine, whose frame could not be hidden."""
        asked = getattr(request, "root", request)  # wrapped before version 2
        if getattr(asked, "method", None) != CALLED:
            return original(self, request, result_type, *args, **kwargs)
        call = _begun(recorder, self, asked)
        if call is None:
            return original(self, request, result_type, *args, **kwargs)
        entry = call.entry
        if call.refused:
            error = errors.made({"code": _REFUSED, "message": call.refused})
            call.failed(error)
            raise error
        if entry is not None and entry.action != "input":
            try:
                result = _parsed(result_type, entry.response, errors)
            except Exception as failure:
                recorder.note(f"a tool call was not replayed: {failure!r}")
                call.entry = None
            else:

                @unseen
                def given() -> Any:
                    call.answered(entry.status, entry.headers)
                    call.received(entry.response)
                    call.finished()
                    if isinstance(result, BaseException):
                        raise result
                    return result

                return Ready(call, given)
        elif entry is not None:
            try:
                changed = _with_arguments(asked, entry.request)
                request = type(request)(changed) if asked is not request else changed
            except Exception as failure:
                recorder.note(f"an edited input was not sent: {failure!r}")

        @unseen
        def done(result: Any) -> Any:
            _answered(call, recorder, result)
            return result

        @unseen
        def failed(error: BaseException) -> None:
            if not errors.answered(call, error):
                call.failed(error)

        return Watched(original(self, request, result_type, *args, **kwargs), done, failed, call)

    def undo() -> None:
        if own is None:
            del session.send_request
        else:
            session.send_request = own

    session.send_request = disguised(send_request, original)
    return undo


def _begun(recorder: Recorder, session: Any, request: Any) -> Call | None:
    """The call that a request for a tool is; None where recording it fails."""
    try:
        from json import dumps
        from urllib.parse import quote

        from ao_lsp.runner.calls import Call

        name, arguments = request.params.name, request.params.arguments
        url = f"mcp://{quote(_server(session), safe='')}/{CALLED}/{quote(name, safe='')}"
        call = Call(recorder, "mcp", CALLED, url, "mcp")
        body = dumps(arguments or {}, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        call.start(_HEADERS, body, arguments)
    except Exception as error:
        recorder.note(f"a tool call was not recorded: {error!r}")
        return None
    return call


def _server(session: Any) -> str:
    """What the server calls itself, where the session remembers it (from version 2 on)."""
    info = getattr(session, "server_info", None)
    return str(getattr(info, "name", "") or "")


def _answered(call: Call, recorder: Recorder, result: Any) -> None:
    """The server's result, as it travels."""
    try:
        body = result.model_dump_json(by_alias=True, exclude_unset=True).encode("utf-8", "replace")
        call.answered(_OK, _HEADERS)
        call.received(body)
        call.finished()
    except Exception as error:
        recorder.note(f"a tool's result was not recorded: {error!r}")
        call.failed(error)


def _parsed(result_type: Any, body: bytes, errors: _Errors) -> Any:
    """A recorded response as what `send_request` returns, or as the error that it raises."""
    from json import loads

    response = loads(body)
    if set(response) == {"error"}:
        return errors.made(response["error"])
    validate = getattr(result_type, "model_validate", None)
    if validate is not None:
        return validate(response)
    return result_type.validate_python(response, by_name=False)  # a `TypeAdapter`


def _with_arguments(request: Any, body: bytes) -> Any:
    from json import loads

    params = request.params.model_copy(update={"arguments": loads(body)})
    return request.model_copy(update={"params": params})


class _Errors:
    """JSON-RPC's errors, as either version of the library raises them.

    Raises:
        AttributeError: this version has other names.
    """

    def __init__(self, module: Any) -> None:
        self._new = hasattr(module, "MCPError")
        self._class = module.MCPError if self._new else module.McpError
        self._data = module.ErrorData

    def made(self, error: dict[str, Any]) -> BaseException:
        """The exception that says what a server has said."""
        code, message, data = error["code"], error["message"], error.get("data")
        raised: BaseException
        if self._new:
            raised = self._class(code, message, data)
        else:
            raised = self._class(self._data(code=code, message=message, data=data))
        return raised

    def answered(self, call: Call, error: BaseException) -> bool:
        """Whether `error` is the server's answer; if so, it is recorded as such."""
        try:
            if not isinstance(error, self._class):
                return False
            said = error.error
            if said.code in _OF_THE_CLIENT:
                return False
            body = b'{"error":' + said.model_dump_json(by_alias=True, exclude_none=True).encode() + b"}"
            call.answered(_ERROR, _HEADERS)
            call.received(body)
            call.finished()
        except Exception:
            return False
        return True
