"""Which version of our own part of the protocol a client and we speak (docs/protocol.md)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeGuard

from ao_lsp.server.results.editors import ServerJson

if TYPE_CHECKING:
    from ao_lsp.server.lsp.connection.client import Client

VERSION = 1
"""Raised when something of it is taken away, or means something else."""

REVISION = 2
"""Raised, once a release, when something is added: a method, a parameter, a field. What and when is in HISTORY."""

HISTORY: tuple[tuple[int, str, str], ...] = (
    (1, "all", "the first revision"),
    (
        2,
        "`experimental.ao`",
        "`min_version`, `versions`, `content`; the server's `revision`, `notifications`, `features`",
    ),
    (2, "`ao/*`", "refused to a client that asks for unknown versions only; it was answered"),
    (2, "`ao.rerunFrom`, `ao.editOutput`, `ao.editInput`", "`here`"),
    (2, "`ao.why`", "`subrun` of its calls"),
)
"""Revision, what changed in it, and how. What is new in itself says so by its `since`."""

_MOST = 1000
"""Versions of a list that are looked at."""


def negotiated(asked: Any, known: range = range(1, VERSION + 1)) -> int:
    """The highest version that both know; 0 where there is none, or nothing that makes sense was `asked`.

    A client that names one version is taken to know the older ones too, and a newer one than ours to come to terms
    with ours, unless it says otherwise.
    """
    if not isinstance(asked, dict):
        return 0
    versions = asked.get("versions")
    if isinstance(versions, list):
        return max((one for one in versions[:_MOST] if _is_number(one) and one in known), default=0)
    newest, oldest = asked.get("version"), asked.get("min_version", 1)
    if not _is_number(newest) or not _is_number(oldest):
        return 0
    best = min(newest, known[-1])
    return best if best >= max(oldest, known[0]) else 0


def asks(said: Any) -> bool:
    """Whether a client means to ask for it. One may also put only its settings there."""
    if isinstance(said, dict):
        return any(name in said for name in ("version", "versions", "min_version"))
    return said is not None


def offer(client: Client, methods: Iterable[str], notifications: Iterable[str]) -> ServerJson:
    """What a client is told that has asked for it."""
    return {
        "version": client.ao,
        "revision": REVISION,
        "methods": list(methods),
        "notifications": list(notifications),
        "features": {
            "markdown": client.markdown,
            "show_document": client.show_document,
            "progress": client.progress,
            "lens_refresh": client.lens_refresh,
            "hint_refresh": client.hint_refresh,
        },
    }


def _is_number(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
