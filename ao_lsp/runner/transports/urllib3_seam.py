"""The seam of `urllib3`, which `requests` and `boto3` send with: where a pool makes one request.

Every attempt of a retry is a call. What is served from a recording takes no connection: urllib3 makes its
own response around one of `http.client`, whose socket is the recording.
"""

from __future__ import annotations

import sys

from ao_lsp.runner.transports import wire
from ao_lsp.runner.transports.http_client_seam import CALL, begin
from ao_lsp.taint.frames import unseen
from ao_lsp.taint.kept import keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

    from ao_lsp.runner.calls import Call
    from ao_lsp.runner.recorder import Recorder
    from ao_lsp.runner.replay import Entry

keep(__name__)


def patch(module: ModuleType, recorder: Recorder) -> Callable[[], None]:
    """Record the calls of all pools of `urllib3.connectionpool`; returns what takes it back.

    Raises:
        AttributeError: this version has other names.
    """
    pool = module.HTTPConnectionPool
    original = pool._make_request
    module.HTTPException.__name__  # noqa: B018  # an AttributeError before anything is patched

    @unseen
    def _make_request(self: Any, conn: Any, method: Any, url: Any, *args: Any, **kwargs: Any) -> Any:
        call = _begun(recorder, self, method, url, kwargs)
        if call is None:
            return original(self, conn, method, url, *args, **kwargs)
        entry = call.entry
        if entry is not None and entry.action != "input":
            return _replayed(call, entry, method, url, kwargs, self)
        if call.refused:
            error = module.NewConnectionError(conn, call.refused)
            call.failed(error)
            raise error
        if entry is not None:
            kwargs = {**kwargs, "body": entry.request, "headers": _with_length(kwargs.get("headers"), entry.request)}
        # The body may be read before the response comes back here.
        conn.__dict__[CALL] = call
        try:
            return original(self, conn, method, url, *args, **kwargs)
        except BaseException as error:
            call.failed(error)
            raise
        finally:
            conn.__dict__.pop(CALL, None)

    def undo() -> None:
        pool._make_request = original

    pool._make_request = _make_request
    return undo


def _begun(recorder: Recorder, pool: Any, method: Any, url: Any, options: dict[str, Any]) -> Call | None:
    try:
        whole = url if "://" in url else f"{pool.scheme}://{pool.host}:{pool.port}{url}"
        body = options.get("body")
        if isinstance(body, str):
            body = body.encode()
        headers = [(str(name), _text(value)) for name, value in (options.get("headers") or {}).items()]
        return begin(recorder, "urllib3", method, whole, headers, body if isinstance(body, bytes) else b"")
    except Exception as error:
        recorder.note(f"a call was not recorded: {error!r}")
        return None


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _with_length(headers: Any, body: bytes) -> dict[str, Any]:
    found = {name: value for name, value in (headers or {}).items() if str(name).lower() != "content-length"}
    return {**found, "Content-Length": str(len(body))}


@unseen
def _replayed(call: Call, entry: Entry, method: str, url: str, options: dict[str, Any], pool: Any) -> Any:
    from http.client import HTTPResponse

    inner = wire.recorded(HTTPResponse, call, entry, method)
    if "preload_content" not in options:  # urllib3 1
        return inner
    return sys.modules["urllib3.response"].HTTPResponse(
        body=inner,
        headers=inner.getheaders(),
        status=inner.status,
        version=inner.version,
        reason=inner.reason,
        preload_content=options["preload_content"],
        decode_content=options.get("decode_content", True),
        original_response=inner,
        enforce_content_length=options.get("enforce_content_length", True),
        request_method=method,
        request_url=url,
        retries=options.get("retries"),
        connection=options.get("response_conn"),
        pool=pool,
    )
