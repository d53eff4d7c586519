"""What the bodies of LLM calls say, and how to change them: pure functions on bytes.

Which shape of API a call has is decided by the path of its URL, on any host. What is malformed,
unknown or encoded in a way that we cannot undo gives None fields, never an exception; only the two
functions that make an edit raise, `EditError`, with a reason for the user.
"""

from __future__ import annotations

from ao_lsp.server.providers.editing import edited_request, edited_response, failed, made_response
from ao_lsp.server.providers.reading import fields, read_request, read_response, whole_response
from ao_lsp.server.providers.shape import EditError, Message, Request, Response, ToolCall

__all__ = [
    "EditError",
    "Message",
    "Request",
    "Response",
    "ToolCall",
    "edited_request",
    "edited_response",
    "failed",
    "fields",
    "made_response",
    "read_request",
    "read_response",
    "whole_response",
]
