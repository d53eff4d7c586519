"""The `file:` URIs of files."""

from __future__ import annotations

import os
from urllib.parse import quote, unquote_to_bytes, urlsplit


def file_of(uri: str) -> str | None:
    """The path that a `file:` URI names; None where it names none."""
    try:
        parts = urlsplit(uri)
        path = unquote_to_bytes(parts.path)
    except ValueError:  # half a surrogate pair, too
        return None
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or not path or b"\0" in path:
        return None
    # The bytes of a file name need not be UTF-8.
    return os.path.normpath(os.fsdecode(path))


def uri_of(path: str) -> str:
    """The `file:` URI of a path."""
    return "file://" + quote(os.fsencode(os.path.abspath(path)), safe="/~!$&'()*+,;=:@")
