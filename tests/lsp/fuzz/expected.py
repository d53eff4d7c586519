"""What is to be answered to the body of a message, going by JSON-RPC and LSP; nothing of the server is asked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, TypeAlias

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS = -32700, -32600, -32601, -32602
NOT_INITIALIZED, CANCELLED, FAILED = -32002, -32800, -32803

Name: TypeAlias = int | str | None
"""The id of an answer; None where it cannot be said to which message it is the answer."""

OFFERED = frozenset(
    {
        "initialize", "shutdown", "textDocument/codeLens", "textDocument/codeAction", "textDocument/inlayHint",
        "textDocument/hover", "workspace/executeCommand", "ao/graph", "ao/runs", "ao/call", "ao/events",
        "textDocument/documentSymbol", "textDocument/prepareCallHierarchy", "callHierarchy/incomingCalls",
        "callHierarchy/outgoingCalls", "textDocument/diagnostic", "ao/content",
    }
)  # fmt: skip
"""Requests that are answered."""

TOLD = frozenset(
    {
        "initialized", "exit", "$/setTrace", "textDocument/didOpen", "textDocument/didChange", "textDocument/didClose",
        "textDocument/didSave", "workspace/didChangeWorkspaceFolders", "workspace/didChangeConfiguration",
        "window/workDoneProgress/cancel", "notebookDocument/didOpen", "notebookDocument/didChange",
        "notebookDocument/didClose",
    }
)  # fmt: skip
"""Notifications. Sent as a request, such a thing may be done, or refused as no request."""


@dataclass(frozen=True, slots=True)
class Expected:
    """One answer: to whom, with one of these codes; 0 stands for a result."""

    name: Name
    codes: frozenset[int]


def expected(body: bytes, state: str) -> Expected | None:
    """The answer to a message; None where it gets none. `state` is `new`, `begun` or `shut`."""
    try:
        message = json.loads(body.decode("utf-8"), parse_constant=_no_json)
    except (ValueError, RecursionError):
        return Expected(None, frozenset({PARSE_ERROR}))
    if not isinstance(message, dict):
        return _refused(None)
    if "method" not in message:
        return None  # an answer of the client's, to what nobody asked
    name, method = message.get("id"), message["method"]
    known = is_id(name)
    if not isinstance(method, str) or message.get("jsonrpc") != "2.0":
        return _refused(name if known else None)
    if "id" not in message:
        return None
    if not known:
        return _refused(None)
    return Expected(name, _codes(method, message.get("params"), state))


def is_id(name: Any) -> bool:
    """Whether an answer can bear it: a whole number, or a text that has a UTF-8 form."""
    if isinstance(name, str):
        return not any("\ud800" <= character <= "\udfff" for character in name)
    return isinstance(name, int) and not isinstance(name, bool)


def _codes(method: str, params: Any, state: str) -> frozenset[int]:
    if state == "shut":
        return frozenset({INVALID_REQUEST})
    if method == "initialize":
        if state == "begun":
            return frozenset({INVALID_REQUEST})
        return frozenset({0}) if isinstance(params, dict) else frozenset({INVALID_PARAMS})
    if state == "new":
        return frozenset({NOT_INITIALIZED})
    if method in OFFERED:
        return frozenset({0, INVALID_PARAMS, FAILED})
    if method in TOLD:
        return frozenset({0, INVALID_PARAMS, METHOD_NOT_FOUND})
    return frozenset({METHOD_NOT_FOUND})


def _refused(name: Name) -> Expected:
    return Expected(name, frozenset({INVALID_REQUEST}))


def _no_json(text: str) -> Any:
    raise ValueError(text)
