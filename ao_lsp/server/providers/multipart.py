"""Requests that are forms: files beside fields, as audio and images are uploaded.

https://www.rfc-editor.org/rfc/rfc7578
"""

from __future__ import annotations

from email.parser import BytesParser
from email.policy import HTTP

from ao_lsp.server.model import Headers
from ao_lsp.server.providers.body import header
from ao_lsp.server.providers.shape import Json

_WORDS = {"true": True, "false": False}


def is_form(headers: Headers) -> bool:
    """Whether the body behind these headers is a form with files."""
    return header(headers, "content-type").lower().startswith("multipart/form-data")


def fields(headers: Headers, body: bytes) -> Json:
    """The fields of a form, files by name and size only. A name that comes several times has a list."""
    kind = header(headers, "content-type").encode("latin-1", "replace")
    form = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + kind + b"\r\n\r\n" + body)
    found: Json = {}
    for part in form.iter_parts() if form.is_multipart() else ():
        name = part.get_param("name", header="content-disposition")
        if not isinstance(name, str):
            continue
        payload = part.get_payload(decode=True)
        data = payload if isinstance(payload, bytes) else b""
        file = part.get_filename()
        text = data.decode("utf-8", "replace")
        value = f"[{file}, {len(data)} bytes]" if file is not None else _WORDS.get(text, text)
        name = name.removesuffix("[]")
        if name in found:
            known = found[name]
            found[name] = [*known, value] if isinstance(known, list) else [known, value]
        else:
            found[name] = value
    return found
