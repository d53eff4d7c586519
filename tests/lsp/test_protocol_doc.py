"""docs/protocol.md says what the code does: every method, every command that is an editor's, every parameter."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ao_lsp.server.lsp import contents, features, panel, standing
from ao_lsp.server.lsp.commands import EDITOR_ONLY
from ao_lsp.server.params import described
from tests.server.test_commands_doc import row

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### `([\w.]+)`\n\n(.*?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL))


def test_the_page_has_the_commands_that_exist_and_no_others() -> None:
    assert set(SECTIONS) == set(EDITOR_ONLY)


@pytest.mark.parametrize("name", list(EDITOR_ONLY))
def test_the_page_says_what_a_command_does_and_takes(name: str) -> None:
    section = SECTIONS[name]
    assert section.startswith(EDITOR_ONLY[name].summary + "\n")
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    assert rows == [row(param) for param in described(EDITOR_ONLY[name].params)]


def test_the_page_has_our_own_methods() -> None:
    own = re.findall(r"^\| `((?:\$/)?ao/\w+)` \|", PAGE, re.MULTILINE)
    told = [panel.GRAPH_DID_CHANGE, panel.DID_SHOW, standing.STATUS, contents.CONTENT_DID_CHANGE]
    assert own == [*panel.METHODS, *told]
    assert f'`{{"version": {panel.VERSION}}}`' in PAGE


def test_the_page_has_every_feature_that_is_answered() -> None:
    answered: list[str] = []

    class Registry:
        """Stands in for an editor: it only notes what is registered."""

        command_names: tuple[str, ...] = ()

        def feature(self, method: str, *_: object) -> object:
            answered.append(method)
            return lambda handler: handler

    features.register(Registry())  # type: ignore[arg-type]  # all that is used of one
    for method in answered:
        assert f"`{method}`" in PAGE, f"{method} is answered, the page does not say so"
