"""A run for other tools and other people: as one JSON document, as a trace, as a page to look at.

Made of what the store has: there are no secrets in it, and so none here.
"""

from __future__ import annotations

import json
from typing import Literal, TypeAlias

from ao_lsp.server.export import document, otlp
from ao_lsp.server.export.page import Page
from ao_lsp.server.export.recorded import Recorded

__all__ = ["Format", "Page", "Recorded", "exported"]

Format: TypeAlias = Literal["json", "otlp"]


def exported(recorded: Recorded, form: Format) -> str:
    """The whole file, as text."""
    made = document.document(recorded) if form == "json" else otlp.traces(recorded)
    text = json.dumps(made, indent=1, ensure_ascii=False) + "\n"
    return text.encode("utf-8", "replace").decode("utf-8")  # a program may have said half a surrogate pair
