"""Making an edit: what the user wrote, checked against the API's shape, as bytes for the runner."""

from __future__ import annotations

import time

from ao_lsp.server import providers
from ao_lsp.server.model import Call, Edit, EditField, Exchange


def make_edit(call: Call, exchange: Exchange, field: EditField, content: str) -> Edit:
    """An edit of `call`, not stored yet.

    `content` is a text or a whole response for an output, a whole request for an input.

    Raises:
        providers.EditError: the program's SDK could not work with it.
    """
    if field == "input":
        body = providers.edited_request(call.endpoint, exchange.request_headers, exchange.request, content)
        return Edit(call.run, call.id, field, time.time(), content, body)
    if exchange.response is None or is_failed(call, exchange):
        made = providers.made_response(call.endpoint, call.url, exchange.request_headers, exchange.request, content)
    else:
        made = providers.edited_response(
            call.endpoint, exchange.response_headers, exchange.response, exchange.chunks, content
        )
    return Edit(call.run, call.id, field, time.time(), content, *made)


def is_failed(call: Call, exchange: Exchange) -> bool:
    """Whether a call got no output. An edit is its first: the program gets it with status 200."""
    return providers.failed(call.endpoint, call.http_status, exchange.response_headers, exchange.response)
