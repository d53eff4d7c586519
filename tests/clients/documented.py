"""The set-up that docs/editors.md tells users of: tests take it from there, so that the page cannot rot."""

from __future__ import annotations

import re

from tests.clients.installed import ROOT


def snippets(heading: str) -> list[tuple[str, str]]:
    """Language and text of the code blocks below a heading of docs/editors.md, down to the next one of its level."""
    text = (ROOT / "docs" / "editors.md").read_text("utf-8")
    found = re.search(rf"^(#+) {re.escape(heading)}$(.*?)(?=^\1 |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found is not None, f"docs/editors.md has no section {heading}"
    return re.findall(r"^```(\S+)\n(.*?)^```$", found[2], re.MULTILINE | re.DOTALL)
