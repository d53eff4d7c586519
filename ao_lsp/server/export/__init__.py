"""A run for other tools and other people: as one JSON document, as a trace, as a page to look at.

Made of what the store has: there are no secrets in it, and so none here.
"""

from __future__ import annotations

import json
from typing import Literal, TypeAlias

from ao_lsp.server.export import document, otlp, page
from ao_lsp.server.export.recorded import Recorded

__all__ = ["Format", "Recorded", "exported"]

Format: TypeAlias = Literal["json", "html", "otlp"]


def exported(recorded: Recorded, form: Format) -> str:
    """The whole file, as text."""
    if form == "html":
        text = page.drawn(recorded)
    else:
        made = document.document(recorded) if form == "json" else otlp.traces(recorded)
        text = json.dumps(made, indent=1, ensure_ascii=False) + "\n"
    return text.encode("utf-8", "replace").decode("utf-8")  # a program may have said half a surrogate pair
