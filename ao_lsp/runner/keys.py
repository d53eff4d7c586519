"""What makes two requests the same request: the key of a replay."""

from __future__ import annotations

from ao_lsp import paths
from ao_lsp.taint.kept import keep

keep(__name__)


def request_hash(method: str, host: str, path: str, query: str, body: bytes) -> str:
    """blake2b-128 of what decides the answer. Left out: the port (a model server on loopback gets
    another one each time), headers (they name the client, carry keys and idempotency numbers),
    the order of JSON keys and of query parameters, the word that separates the parts of a form, which is
    drawn by lot, and what Anthropic's `metadata` says about who asks: Claude Code draws a session for each start. A
    rerun on old code asks about the project, wherever that code stands."""
    from hashlib import blake2b

    digest = blake2b(digest_size=16)
    for part in (method.upper(), host.lower(), path, "&".join(sorted(query.split("&")))):
        digest.update(part.encode("utf-8", "replace"))
        digest.update(b"\0")
    said = _canonical(path, body)
    if paths.moved() is not None:
        from ao_lsp.runner import moved

        said = moved.body(said)
    digest.update(said)
    return digest.hexdigest()


def _canonical(path: str, body: bytes) -> bytes:
    if body[:2] == b"--":
        boundary = body[: body.find(b"\r\n")]
        if len(boundary) > 2 and body.rstrip(b"\r\n").endswith(boundary + b"--"):
            return body.replace(boundary, b"--")
    if body[:1] not in (b"{", b"["):
        return body
    import json

    try:
        parsed = json.loads(body)
        if path.endswith("/v1/messages") and isinstance(parsed, dict):
            parsed.pop("metadata", None)
        return json.dumps(parsed, sort_keys=True, separators=(",", ":")).encode("ascii")
    except (ValueError, RecursionError):
        return body
