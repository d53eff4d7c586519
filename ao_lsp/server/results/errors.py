"""What is said of what cannot be done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypedDict

CODES: Mapping[str, str] = {
    "bad_params": "a parameter is missing, unknown, or of another type",
    "unknown_command": "there is no such command",
    "not_found": "no such run, call or edit",
    "ambiguous": "several runs or calls begin like this",
    "refused": "an edit with which the program's SDK could not work; the message is the reason",
    "conflict": "not possible in this state: the program's folder is gone, the run is not in the background",
    "busy": "the database is busy or locked",
    "full": "the database has no room left",
    "corrupt": "the database is damaged",
    "newer": "the database was written by a newer ao-lsp: upgrade this one",
    "unavailable": "the database, or a file, cannot be read or written",
    "failed": "the database cannot do it, for another reason",
    "internal": "a fault of ao-lsp; its log has the details",
}
"""Every code, and what it means."""

GENERAL: tuple[str, ...] = tuple(code for code in CODES if code not in ("refused", "conflict"))
"""Those that any command may have; the others it declares."""


class ErrorDataJson(TypedDict):
    """Why something cannot be done."""

    code: Annotated[str, "one of the codes of [commands.md](commands.md), or a newer one"]
    message: Annotated[str, "for the user"]
    hint: Annotated[str, "what helps, for the user; may be empty"]
